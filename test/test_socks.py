"""SOCKS proxies: every version, and what can fail there."""

import sys
from ipaddress import ip_address

import pytest
import trustme
import urllib3
from urllib3.contrib.socks import SOCKSConnection

from freechat_sdk import (
    ApiConnectionError,
    ApiTimeoutError,
    ApiTypeError,
    ApiValueError,
    Configuration,
)
from freechat_sdk.rest import SUPPORTED_SOCKS_PROXIES, RESTResponseType, is_socks_proxy_url
from test.clients import TOKEN, chat_api, chat_api_at
from test.hostile import stall
from test.proxies import SocksProxy, SocksRequest, in_clear
from test.server import (
    JSON,
    Connection,
    RecordingServer,
    Request,
    chats_and_streams,
    in_order,
    json_response,
    refused_port,
    tls_context,
)

every_scheme = pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h"])
every_version = pytest.mark.parametrize("scheme", ["socks4", "socks5h"])


# The official names


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, False),
        ("", False),
        ("socks5", False),
        ("socks5:127.0.0.1", False),
        ("127.0.0.1:1080", False),
        ("http://127.0.0.1:1080", False),
        ("socks://127.0.0.1:1080", False),
        (" socks5://127.0.0.1:1080", False),
        ("http://socks5://127.0.0.1", False),
        ("socks5://", True),
        ("SOCKS5H://127.0.0.1:1080", True),
        *((f"{scheme}://ada:secret@127.0.0.1", True) for scheme in SUPPORTED_SOCKS_PROXIES),
    ],
)
def test_the_scheme_tells_whether_a_proxy_speaks_socks(url: str | None, expected: bool) -> None:
    assert is_socks_proxy_url(url) is expected


def test_the_official_constants_have_their_values() -> None:
    assert {"socks4", "socks4a", "socks5", "socks5h"} == SUPPORTED_SOCKS_PROXIES
    assert RESTResponseType is urllib3.HTTPResponse


def test_urllib3_has_the_private_names_that_the_connection_stands_on() -> None:
    assert callable(SOCKSConnection._new_conn)
    assert "_socks_options" in SOCKSConnection.__init__.__annotations__


# What works


@in_clear
@pytest.mark.parametrize("scheme", ["socks4a", "socks5h", "SOCKS5H"])
def test_the_proxy_looks_the_host_up_and_the_connection_is_kept(scheme: str) -> None:
    with (
        RecordingServer(chats_and_streams) as server,
        SocksProxy() as proxy,
        chat_api_at(f"http://chat.example.com:{server.port}/base", proxy=proxy.address(scheme)) as api,
    ):
        assert api.list_chats() == []
        assert api.stream_send_message("chat", "Hi").until_done().answer == "Hi"
        assert api.list_chats() == []
    assert proxy.requests == [SocksRequest(4 if scheme == "socks4a" else 5, "chat.example.com", server.port)]
    assert [(request.target, request.connection) for request in server.requests] == [
        ("/base/api/v1/chat", 0),
        ("/base/api/v1/chat/send/stream/chat", 0),
        ("/base/api/v1/chat", 0),
    ]
    assert server.requests[0].header("Host") == f"chat.example.com:{server.port}"


@pytest.mark.parametrize("scheme", ["socks4", "socks5"])
def test_the_client_looks_the_host_up(scheme: str) -> None:
    with (
        RecordingServer(chats_and_streams) as server,
        SocksProxy() as proxy,
        chat_api_at(f"http://localhost:{server.port}", proxy=proxy.address(scheme)) as api,
    ):
        assert api.list_chats() == []
    assert ip_address(proxy.requests[0].host).is_loopback


@every_scheme
def test_the_credentials_in_the_address_are_sent_to_the_proxy(scheme: str) -> None:
    credentials = "ad%C3%A1:p%40ss@" if "5" in scheme else "ad%C3%A1@"  # SOCKS 4 has no passwords
    with (
        SocksProxy("adá", "p@ss") as proxy,
        chat_api(chats_and_streams, proxy=proxy.address(scheme, credentials)) as (api, _),
    ):
        assert api.list_chats() == []
    assert [request.user for request in proxy.requests] == ["adá"]


@every_scheme
def test_calls_and_streams_go_over_tls_through_the_proxy(scheme: str) -> None:
    authority = trustme.CA()
    trusted = authority.cert_pem.bytes().decode()
    with RecordingServer(chats_and_streams, tls_context(authority, "localhost")) as server, SocksProxy() as proxy:
        url = f"https://localhost:{server.port}"
        with chat_api_at(url, ca_cert_data=trusted, proxy=proxy.address(scheme)) as api:
            assert api.list_chats() == []
            assert api.stream_send_message("chat", "Hi").until_done().answer == "Hi"
    assert [request.connection for request in server.requests] == [0, 0]
    assert server.requests[0].header("Authorization") == f"Bearer {TOKEN}"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_the_environment_may_name_a_socks_proxy(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    with SocksProxy() as proxy:
        monkeypatch.setenv(variable, proxy.address("socks5h"))
        with chat_api(chats_and_streams) as (api, _):
            assert api.list_chats() == []
    assert len(proxy.requests) == 1


def test_a_connection_that_the_server_closed_is_replaced_through_the_proxy() -> None:
    def last(_: Request, connection: Connection) -> None:
        connection.respond(200, b"[]", [JSON, ("Connection", "close")])

    with SocksProxy() as proxy, chat_api(in_order(last, json_response([])), proxy=proxy.address("socks5")) as (api, _):
        assert api.list_chats() == []
        assert api.list_chats() == []
    assert len(proxy.requests) == 2


# What fails


@every_version
@pytest.mark.parametrize("credentials", ["", "eve@", "eve:secret@"])
def test_wrong_credentials_are_the_proxys_failure_and_are_not_shown(scheme: str, credentials: str) -> None:
    with (
        SocksProxy("ada", "p@ss") as proxy,
        chat_api(chats_and_streams, proxy=proxy.address(scheme, credentials), retries=0) as (api, server),
        pytest.raises(ApiConnectionError, match=r"the proxy failed \(SOCKS") as caught,
    ):
        api.list_chats()
    error = caught.value
    assert (error.request_sent, server.connections, proxy.requests) == (False, [], [])
    assert "secret" not in f"{error!s} {error!r} {error.__cause__!r} {error.__cause__!s} {api!r}"


@every_version
def test_a_host_that_the_proxy_does_not_reach_is_the_proxys_failure(scheme: str) -> None:
    refusal = pytest.raises(ApiConnectionError, match=r"the proxy failed \(SOCKS.Error: 0x.*refused|failed\)")
    with (
        SocksProxy(refuses=True) as proxy,
        refused_port() as port,
        chat_api_at(f"http://127.0.0.1:{port}", proxy=proxy.address(scheme), retries=0) as api,
        refusal as caught,
    ):
        api.list_chats()
    assert (caught.value.request_sent, len(proxy.requests)) == (False, 1)


@every_scheme
def test_a_proxy_that_is_not_there_is_the_proxys_failure(scheme: str) -> None:
    with (
        refused_port() as port,
        chat_api(chats_and_streams, proxy=f"{scheme}://ada:secret@127.0.0.1:{port}", retries=1) as (api, _),
        pytest.raises(ApiConnectionError, match=r"the proxy failed .*refused") as caught,
    ):
        api.list_chats()
    assert (caught.value.request_sent, caught.value.attempts) == (False, 2)
    assert "secret" not in f"{caught.value!s} {caught.value.__cause__!r}"


@in_clear
def test_a_proxy_whose_name_is_not_known_is_the_proxys_failure() -> None:
    with (
        chat_api_at("http://127.0.0.1:1", proxy="socks5h://no-such-proxy.invalid", retries=0) as api,
        pytest.raises(ApiConnectionError, match=r"the proxy failed \(gaierror"),
    ):
        api.list_chats()


@in_clear
@pytest.mark.parametrize("scheme", ["socks4", "socks5"])
def test_a_host_whose_name_the_client_cannot_look_up_is_named_as_the_cause(scheme: str) -> None:
    with (
        SocksProxy() as proxy,
        chat_api_at("http://no-such-host.invalid", proxy=proxy.address(scheme), retries=0) as api,
        pytest.raises(ApiConnectionError, match="the name of the host could not be resolved"),
    ):
        api.list_chats()
    assert proxy.requests == []


@every_version
def test_a_proxy_that_speaks_http_is_the_proxys_failure(scheme: str) -> None:
    with (
        RecordingServer(
            chats_and_streams, greet=lambda connection: connection.send(b"HTTP/1.1 400 \r\n\r\n")
        ) as server,
        chat_api_at("http://127.0.0.1:1", proxy=server.url.replace("http", scheme), retries=0) as api,
        pytest.raises(ApiConnectionError, match=r"the proxy failed .*invalid data"),
    ):
        api.list_chats()


@every_version
def test_a_proxy_that_says_nothing_ends_in_time(scheme: str) -> None:
    with (
        RecordingServer(chats_and_streams, greet=stall) as server,
        chat_api_at(
            "http://127.0.0.1:1", proxy=server.url.replace("http", scheme), retries=0, connect_timeout=0.1
        ) as api,
        pytest.raises(ApiTimeoutError, match="while connecting") as caught,
    ):
        api.list_chats()
    assert caught.value.request_sent is False


@pytest.mark.parametrize("timeouts", [{"connect_timeout": 0.2}, {"timeout": 0.2}])
def test_a_proxy_that_trickles_ends_in_time(timeouts: dict[str, float]) -> None:
    sent: list[bytes] = []

    def long_response(connection: Connection) -> None:
        connection.send(b"\x05\x00\x05\x00\x00\x03\xff")  # connected, to a name of 255 bytes
        connection.sock.settimeout(0.005)
        while not connection.wait_closed():
            sent.append(b"x")
            connection.send(b"x")

    with (
        RecordingServer(chats_and_streams, greet=long_response) as server,
        chat_api_at("http://127.0.0.1:1", proxy=server.url.replace("http", "socks5"), retries=0, **timeouts) as api,
        pytest.raises(ApiTimeoutError, match="while connecting") as caught,
    ):
        api.list_chats()
    assert caught.value.request_sent is False
    assert len(sent) < 255 + 2  # else the client has waited for the whole message, with its port


def test_a_server_behind_the_proxy_that_says_nothing_ends_in_time() -> None:
    with (
        SocksProxy() as proxy,
        chat_api(lambda _, connection: stall(connection), proxy=proxy.address("socks5"), retries=0) as (api, _),
        pytest.raises(ApiTimeoutError) as caught,
    ):
        api.list_chats(_request_timeout=0.2)
    assert caught.value.request_sent is True


# What is refused before anything is sent


def test_without_pysocks_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socks", None)
    monkeypatch.delitem(sys.modules, "freechat_sdk._socks", raising=False)
    with (
        SocksProxy() as proxy,
        chat_api(chats_and_streams, proxy=proxy.address("socks5", "ada:secret@")) as (api, server),
        pytest.raises(ApiValueError, match="pip install PySocks") as caught,
    ):
        api.list_chats()
    assert (server.connections, proxy.requests) == ([], [])
    assert "secret" not in f"{caught.value!s} {caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize(
    ("proxy", "message"),
    [
        (
            "ftp://ada:secret@127.0.0.1:21",
            "unknown scheme 'ftp'. Use one of http, https, socks4, socks4a, socks5, socks5h",
        ),
        ("socks://ada:secret@127.0.0.1", "unknown scheme 'socks'"),
        ("ada:secret@127.0.0.1:1080", "must be an address like .*socks5h"),
        ("127.0.0.1:1080", "must be an address like"),
        ("secret", "must be an address like"),
        ("socks5://", "must be an address like"),
        ("socks5://ada:secret@", "must be an address like"),
        ("socks5h://ada:secret@127.0.0.1:port", "must be an address like"),
        ("http://ada:se#cret@127.0.0.1:3128", "must be an address like"),
    ],
)
def test_an_address_that_is_not_a_proxys_is_refused_and_not_shown(proxy: str, message: str) -> None:
    with pytest.raises(ApiValueError, match=f"^proxy .*{message}") as caught:
        Configuration(proxy=proxy)
    assert "ada" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_unusable_proxy_of_the_environment_is_refused_by_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "quic://ada:secret@127.0.0.1")
    with (
        chat_api_at("http://127.0.0.1:1") as api,
        pytest.raises(ApiValueError, match="the environment's proxy has the unknown scheme 'quic'"),
    ):
        api.list_chats()


def test_a_proxy_that_is_not_a_str_is_refused() -> None:
    with pytest.raises(ApiTypeError, match="proxy must be a str, not int"):
        Configuration(proxy=1080)  # type: ignore[arg-type]


def test_credentials_that_pysocks_cannot_send_are_refused_and_not_shown() -> None:
    with (
        chat_api_at("http://127.0.0.1:1", proxy=f"socks5://ada:{'x' * 128}@127.0.0.1:1") as api,
        pytest.raises(ApiValueError, match="more than 127 bytes") as caught,
    ):
        api.list_chats()
    assert "xxx" not in str(caught.value)
