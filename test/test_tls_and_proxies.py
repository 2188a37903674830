"""The ways to a host: TLS with its certificates, and proxies."""

import gc
import ssl
import warnings
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from freechat_sdk import (
    ApiClient,
    ApiConnectionError,
    ApiException,
    ApiTimeoutError,
    ApiValueError,
    Configuration,
    InsecureTransportWarning,
)
from freechat_sdk._pool import proxy_for
from test.clients import TOKEN, chat_api, chat_api_at, shown_in_frames, texts_until_closed
from test.hostile import never_ending_stream, repeats, stall
from test.proxies import in_clear, tunnel
from test.server import (
    Connection,
    Handler,
    RecordingServer,
    Request,
    chats_and_streams,
    refused_port,
    tls_context,
)

# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tls") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def test_calls_and_streams_go_over_tls_on_one_connection(authority: trustme.CA, authority_file: str) -> None:
    context = tls_context(authority, "127.0.0.1")
    with chat_api(chats_and_streams, tls=context, ssl_ca_cert=authority_file) as (api, server):
        assert api.list_chats() == []
        assert api.stream_send_message("chat", "Hi").until_done().answer == "Hi"
        assert api.list_chats() == []
    assert [request.connection for request in server.requests] == [0, 0, 0]


def test_an_authority_may_be_given_as_text(authority: trustme.CA) -> None:
    with chat_api(
        chats_and_streams, tls=tls_context(authority, "127.0.0.1"), ca_cert_data=authority.cert_pem.bytes().decode()
    ) as (api, _):
        assert api.list_chats() == []


@pytest.mark.parametrize("names", [("127.0.0.1",), ("chat.example.com",)])
def test_a_certificate_that_does_not_fit_is_refused_once_and_nothing_is_sent(
    authority: trustme.CA, authority_file: str, names: tuple[str]
) -> None:
    trusted = authority_file if names != ("127.0.0.1",) else None  # else the system's authorities hold
    refusal = pytest.raises(ApiConnectionError, match=r"the TLS connection failed .*certificate verify failed")
    with (
        chat_api(chats_and_streams, tls=tls_context(authority, *names), ssl_ca_cert=trusted) as (api, server),
        refusal as caught,
    ):
        api.list_chats()
    assert (caught.value.request_sent, caught.value.attempts, server.requests) == (False, 1, [])


@pytest.mark.parametrize("settings", [{"assert_hostname": "chat.example.com"}, {"tls_server_name": "chat.example.com"}])
def test_the_name_in_the_certificate_can_be_given(
    authority: trustme.CA, authority_file: str, settings: dict[str, str]
) -> None:
    with chat_api(
        chats_and_streams, tls=tls_context(authority, "chat.example.com"), ssl_ca_cert=authority_file, **settings
    ) as (api, _):
        assert api.list_chats() == []


def test_without_verification_any_certificate_will_do_and_a_warning_says_so(authority: trustme.CA) -> None:
    with (
        chat_api(chats_and_streams, tls=tls_context(authority, "chat.example.com"), verify_ssl=False) as (api, _),
        pytest.warns(Warning, match="Unverified HTTPS request"),
    ):
        assert api.list_chats() == []


def test_the_client_shows_its_own_certificate(authority: trustme.CA, authority_file: str, tmp_path: Path) -> None:
    context = tls_context(authority, "127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    own = authority.issue_cert("client.example.com")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    own.private_key_pem.write_to_path(str(key))
    own.cert_chain_pems[0].write_to_path(str(certificate))

    settings = {"ssl_ca_cert": authority_file, "cert_file": str(certificate), "key_file": str(key)}
    with chat_api(chats_and_streams, tls=context, **settings) as (api, server):
        assert api.list_chats() == []
        with (
            chat_api_at(server.url, ssl_ca_cert=authority_file, retries=0) as stranger,
            pytest.raises(ApiConnectionError),
        ):
            stranger.list_chats()
    assert len(server.requests) == 1


def test_https_to_a_server_without_tls_is_named_as_the_cause() -> None:
    with (
        RecordingServer(chats_and_streams) as server,
        chat_api_at(server.url.replace("http:", "https:"), retries=0) as api,
        pytest.raises(ApiConnectionError, match="the TLS connection failed"),
    ):
        api.list_chats()


def test_a_stream_over_tls_is_ended_from_another_thread(authority: trustme.CA) -> None:
    with chat_api(
        never_ending_stream,
        tls=tls_context(authority, "127.0.0.1"),
        ca_cert_data=authority.cert_pem.bytes().decode(),
    ) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        texts = texts_until_closed(stream)
    assert (texts, stream.closed) == (["a"], True)


def test_tls_is_1_2_at_least(authority: trustme.CA, authority_file: str) -> None:
    context = tls_context(authority, "127.0.0.1")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        chat_api(chats_and_streams, tls=context, ssl_ca_cert=authority_file, retries=0) as (api, server),
        pytest.raises(ApiConnectionError, match=r"the TLS connection failed .*version"),
    ):
        api.list_chats()
    assert server.requests == []


def test_a_server_that_says_nothing_in_the_handshake_ends_in_time() -> None:
    with (
        RecordingServer(chats_and_streams, greet=stall) as server,
        chat_api_at(server.url.replace("http:", "https:"), retries=0, connect_timeout=0.1) as api,
        pytest.raises(ApiTimeoutError, match="no connection in time") as caught,
    ):
        api.list_chats()
    assert caught.value.request_sent is False


# Proxies


def forward(request: Request, connection: Connection) -> None:
    """Stand in for a proxy: respond to requests for http, and open tunnels for https."""
    if request.method != "CONNECT":
        chats_and_streams(request, connection)
        return
    host, _, port = request.target.rpartition(":")
    tunnel(connection, (host, int(port)), b"HTTP/1.1 200 Connection established\r\n\r\n")


@pytest.fixture
def proxy() -> Iterator[RecordingServer]:
    with RecordingServer(forward) as server:
        yield server


@in_clear
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_gets_the_whole_address(
    proxy: RecordingServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, proxy.url)
    with chat_api_at("http://chat.example.com/base") as api:
        assert api.list_chats() == []
        api.stream_send_message("chat", "Hi").until_done()
    assert [request.target for request in proxy.requests] == [
        "http://chat.example.com/base/api/v1/chat",
        "http://chat.example.com/base/api/v1/chat/send/stream/chat",
    ]
    assert proxy.requests[0].header("Host") == "chat.example.com"
    assert [request.connection for request in proxy.requests] == [0, 0]


@in_clear
def test_a_proxy_may_be_named_without_a_scheme(proxy: RecordingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{proxy.port}")
    with chat_api_at("http://chat.example.com") as api:
        assert api.list_chats() == []


@pytest.mark.parametrize("exceptions", ["127.0.0.1", "example.com,127.0.0.1", "*"])
def test_no_proxy_names_the_hosts_to_reach_directly(
    proxy: RecordingServer, monkeypatch: pytest.MonkeyPatch, exceptions: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", exceptions)
    with chat_api(chats_and_streams) as (api, server):
        assert api.list_chats() == []
    assert (len(server.requests), proxy.requests) == (1, [])


def test_https_goes_through_a_tunnel_that_does_not_see_the_token(
    proxy: RecordingServer, monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, authority_file: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    context = tls_context(authority, "127.0.0.1")
    with chat_api(chats_and_streams, tls=context, ssl_ca_cert=authority_file) as (api, server):
        assert api.list_chats() == []
        assert api.list_chats() == []
    (tunnel,) = proxy.requests
    assert (tunnel.method, tunnel.target) == ("CONNECT", f"127.0.0.1:{server.port}")
    assert tunnel.header("Authorization") is None
    assert [request.header("Authorization") for request in server.requests] == [f"Bearer {TOKEN}"] * 2


@in_clear
def test_a_configured_proxy_stands_in_for_the_environments_and_gets_its_headers(
    proxy: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refused_port() as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        headers = {"Proxy-Authorization": "Basic abc"}
        with chat_api_at("http://chat.example.com", proxy=proxy.url, proxy_headers=headers) as api:
            assert api.list_chats() == []
    assert proxy.requests[0].header("Proxy-Authorization") == "Basic abc"


@in_clear
def test_the_credentials_in_a_proxys_address_are_sent_to_it(proxy: RecordingServer) -> None:
    with chat_api_at("http://chat.example.com", proxy=proxy.url.replace("//", "//ada:p%40ss@")) as api:
        assert api.list_chats() == []
    assert proxy.requests[0].header("Proxy-Authorization") == "Basic " + b64encode(b"ada:p@ss").decode()


def test_a_proxy_that_trickles_ends_in_time() -> None:
    with (
        RecordingServer(repeats(b"HTTP/1.1 200 Connection established\r\nX-Slow: ", b" ")) as server,
        chat_api_at("https://chat.example.com", proxy=server.url, retries=0) as api,
        pytest.raises(ApiTimeoutError) as caught,
    ):
        api.list_chats(_request_timeout=0.2)
    assert caught.value.request_sent is False


def refuse(_: Request, connection: Connection) -> None:
    connection.respond(407, b"", [("Proxy-Authenticate", "Basic")], "Proxy Authentication Required")


@in_clear
@pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning"
)  # http.client of Python 3.10 leaves a refused tunnel open
@pytest.mark.parametrize(("scheme", "handler"), [("http", None), ("https", None), ("https", refuse)])
def test_a_proxy_that_fails_is_named_as_the_cause_and_no_credential_is_shown(
    scheme: str, handler: Handler | None
) -> None:
    with RecordingServer(handler or forward) as server, refused_port() as closed:
        port = closed if handler is None else server.port
        with (
            chat_api_at(f"{scheme}://chat.example.com", proxy=f"http://ada:secret@127.0.0.1:{port}", retries=0) as api,
            pytest.raises(ApiException) as caught,
        ):
            api.list_chats()
    error = caught.value
    assert isinstance(error, ApiConnectionError)
    assert "the proxy failed" in str(error)
    assert error.request_sent is False
    assert "secret" not in f"{error!s} {error!r} {error.__cause__!r} {api!r}"
    del caught, error
    gc.collect()  # so that the warning comes here


# Settings of proxies

PASSWORD = "opaque-pass-word"

UNUSABLE = [
    "ftp://{}:1",
    "proxy:1",
    "http://",
    "http://{}:x",
    "http://{}:99999",
    "http://{}:0",
    "socks9://{}:1",
    "http://u:p/{}@h:1",
    "http://u:{}\\@h:1",
    "http://u:{}@h:1\n",
    "http://u:{}@h:1 ",
    "//{}:1",
]


def refusal(settings: dict[str, str]) -> ApiValueError:
    """Return the error of a client with some settings, which must come before anything is sent."""

    def call() -> None:
        with chat_api_at("http://chat.example.com", access_token=None, **settings) as api:
            api.list_chats()

    with pytest.raises(ApiValueError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("proxy", UNUSABLE, ids=ascii)
def test_a_proxy_that_cannot_work_is_refused_without_its_password(proxy: str) -> None:
    error = refusal({"proxy": proxy.format(PASSWORD)})
    assert PASSWORD not in f"{error}{error!r}{vars(error)}{shown_in_frames(error)}"


@pytest.mark.parametrize("proxy", UNUSABLE, ids=ascii)
def test_a_proxy_of_the_environment_that_cannot_work_is_refused_without_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if proxy in ("proxy:1", "//{}:1"):
        pytest.skip("addresses without a scheme are usual in the environment")
    monkeypatch.setenv("http_proxy", proxy.format(PASSWORD))
    assert PASSWORD not in str(refusal({}))


def shown_by(client: ApiClient) -> str:
    manager = client.rest_client.pool_manager
    objects = [client, vars(client), vars(client.configuration), vars(client.rest_client), vars(manager)]
    return repr([*objects, getattr(manager, "proxy_headers", None), manager.connection_pool_kw])


@in_clear
@pytest.mark.parametrize("scheme", ["http", "https", "socks5h", "socks4"])
def test_no_object_and_no_error_shows_the_password_of_a_proxy(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with (
        refused_port() as port,
        chat_api_at("http://a.example", proxy=f"{scheme}://user:{PASSWORD}@127.0.0.1:{port}", retries=0) as api,
    ):
        with pytest.raises(ApiConnectionError) as caught:
            api.list_chats()
        text = f"{caught.value}{shown_in_frames(caught.value)}{shown_by(api.api_client)}{caplog.text}"
    assert PASSWORD not in text
    assert b64encode(f"user:{PASSWORD}".encode()).decode() not in text


@in_clear
def test_a_proxy_that_repeats_its_password_is_masked() -> None:
    def refuse(request: Request, connection: Connection) -> None:
        connection.respond(407, f"{PASSWORD} {request.header('Proxy-Authorization')}".encode())

    with RecordingServer(refuse) as proxy:
        address = f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}"
        with chat_api_at("http://a.example", proxy=address) as api, pytest.raises(ApiException) as caught:
            api.list_chats()
    assert proxy.requests[0].header("Proxy-Authorization")
    assert caught.value.body == "*** Basic ***"


def test_the_warning_about_plain_http_looks_at_the_proxy_too() -> None:
    for proxy, warns in (
        ("http://proxy.example:1", True),
        ("https://proxy.example:1", False),
        ("http://[::1]:1", False),
    ):
        with chat_api_at("http://127.0.0.1:1", proxy=proxy) as api, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            api.api_client._token()
        assert [warning.category for warning in caught] == [InsecureTransportWarning] * warns
        assert all("the proxy" in str(warning.message) for warning in caught)
    with chat_api_at("HTTPS://a.example", proxy="http://127.0.0.1:1") as api:
        api.api_client._token()  # warnings are errors


@pytest.mark.parametrize(
    ("host", "no_proxy", "is_exempt"),
    [
        ("http://[::1]:80", "::1", True),
        ("http://[::1]:80", "[::1]", True),
        ("http://[::1]:80", "[::1]:80", True),
        ("http://[::1]:80", "[::1]:81", False),
        ("http://[fe80::1]", "fe80::/10", True),
        ("http://10.1.2.3", "10.0.0.0/8", True),
        ("http://10.1.2.3", "10.1.2.3/32", True),
        ("http://10.1.2.3", "0.0.0.0/0", True),
        ("http://10.1.2.3", "10.0.0.0/99", False),
        ("http://11.1.2.3", "10.0.0.0/8", False),
        ("http://10.1.2.3", "2.3", False),
        ("http://10.1.2.3:8080", "10.1.2.3:8080", True),
        ("http://10.1.2.3:8080", "10.1.2.3:80", False),
        ("http://a.example.com", "*", True),
        ("http://a.example.com", ".example.com", True),
        ("http://example.com", ".example.com", True),
        ("http://a.example.com", "*.example.com", True),
        ("http://A.example.com.", "EXAMPLE.com.", True),
        ("http://a.example.com", "example.com:80", True),
        ("https://a.example.com", "example.com:443", True),
        ("https://a.example.com", "example.com:80", False),
        ("http://aexample.com", "example.com", False),
        ("http://example.com.evil", "example.com", False),
        ("http://a", " x ,a", True),
        ("http://a", ",.,*.,", False),
    ],
)
@pytest.mark.parametrize("is_set", [True, False], ids=["set", "environment"])
def test_no_proxy_takes_names_addresses_blocks_and_ports(
    host: str, no_proxy: str, is_exempt: bool, is_set: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_set:
        configuration = Configuration(host, proxy="http://127.0.0.1:1", no_proxy=no_proxy)
    else:
        monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("no_proxy", no_proxy)
        configuration = Configuration(host)
    assert (proxy_for(configuration) is None) == is_exempt


@pytest.mark.parametrize("host", ["http://127.0.0.1:8080", "https://localhost", "http://[::1]:80", "http://127.9.9.9"])
def test_a_proxy_of_the_environment_on_another_machine_is_not_used_for_loopback(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its loopback is not ours, and the token would reach it."""
    for proxy, expected in (("http://proxy.example:1", None), ("http://127.0.0.1:1", "http://127.0.0.1:1")):
        monkeypatch.setenv("all_proxy", proxy)
        assert proxy_for(Configuration(host)) == expected
    assert proxy_for(Configuration(host, proxy="http://proxy.example:1")) == "http://proxy.example:1"


@pytest.mark.parametrize("setting", ["ssl_ca_cert", "cert_file", "key_file"])
def test_a_file_that_cannot_be_read_is_an_error_that_names_the_setting(setting: str, tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "missing.pem", "No such file"), (tmp_path, "Is a directory")):
        settings = {"cert_file": __file__, setting: str(path)}
        with (
            chat_api_at("https://127.0.0.1:1", **settings) as api,
            pytest.raises(ApiValueError, match=rf"{setting}='.*{reason}") as caught,
        ):
            api.list_chats()
        assert str(path) in str(caught.value)
