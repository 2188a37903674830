"""Connections: each step keeps to the deadline, and the framing of a body is strict, also over TLS."""

import errno
import http.client
import io
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import trustme
from urllib3.exceptions import ProtocolError
from urllib3.util.connection import create_connection

from freechat_sdk import (
    ApiConnectionError,
    ApiDecodeError,
    ApiTimeoutError,
    CharacterApi,
    ChatApi,
    StreamInterruptedError,
    _connection,
)
from test.clients import Clock, at_once, chat_api, chat_api_at
from test.hostile import CHUNKED, GZIP, close, gzipped, says
from test.proxies import in_clear
from test.server import (
    EVENT_STREAM,
    FINAL,
    JSON,
    Connection,
    Handler,
    RecordingServer,
    Request,
    chats_and_streams,
    chunk_bytes,
    event_bytes,
    head,
    json_response,
    tls_context,
)

HOST = "http://chat.example.com"
ADDRESSES = [f"192.0.2.{number}" for number in range(1, 6)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lookup(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes every name have some addresses."""

    def set_addresses(*addresses: tuple[Any, ...]) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)

    return set_addresses


Connect = Callable[..., socket.socket]


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> Callable[[Connect], list[tuple[str, float]]]:
    """Return a function that replaces each connect. It returns the list of connects, with the time each may take."""

    def replace(connect: Connect) -> list[tuple[str, float]]:
        made: list[tuple[str, float]] = []

        def create_connection(target: tuple[str, int], timeout: float, *rest: Any) -> socket.socket:
            made.append((target[0], timeout))
            return connect(target, timeout, *rest)

        monkeypatch.setattr(_connection, "create_connection", create_connection)
        return made

    return replace


def stalling(clock: Clock) -> Connect:
    """Return a connect that lasts as long as it may."""

    def connect(_: object, timeout: float, *rest: object) -> socket.socket:
        clock.now += timeout
        raise TimeoutError("timed out")

    return connect


def refusing(*_: object) -> socket.socket:
    raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


# The deadline


@in_clear
@pytest.mark.parametrize(("limit", "timeouts"), [(1, [1]), (12, [5, 5, 2]), (60, [5, 5, 5, 5, 5])])
def test_connects_to_many_addresses_share_what_is_left_of_the_call(
    clock: Clock, lookup: Callable[..., None], connects: Any, limit: float, timeouts: list[float]
) -> None:
    lookup(*((address, 80) for address in ADDRESSES))
    made = connects(stalling(clock))
    with (
        chat_api_at(HOST, retries=at_once(0, clock=clock)) as api,
        pytest.raises(ApiTimeoutError, match="no connection in time") as caught,
    ):
        api.list_chats(_request_timeout=limit)
    assert made == list(zip(ADDRESSES, timeouts, strict=False))
    assert caught.value.request_sent is False


@in_clear
def test_a_lookup_that_takes_the_whole_time_leaves_none_for_a_connect(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, connects: Any
) -> None:
    def slow_lookup(*_: object) -> Any:
        clock.now += 2
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", slow_lookup)
    made = connects(refusing)
    with chat_api_at(HOST, retries=at_once(0, clock=clock)) as api, pytest.raises(ApiTimeoutError):
        api.list_chats(_request_timeout=1)
    assert made == []


@in_clear
def test_the_next_address_is_tried_if_one_refuses(lookup: Callable[..., None], connects: Any) -> None:
    real = create_connection
    with RecordingServer(json_response([])) as server:
        lookup(("192.0.2.1", 80), ("127.0.0.1", server.port))
        made = connects(lambda target, *rest: (refusing if target[0] == "192.0.2.1" else real)(target, *rest))
        with chat_api_at(HOST) as api:
            assert api.list_chats() == []
    assert [host for host, _ in made] == ["192.0.2.1", "127.0.0.1"]


@in_clear
def test_a_host_that_refuses_at_each_address_is_a_connection_error(lookup: Callable[..., None], connects: Any) -> None:
    lookup(*((address, 80) for address in ADDRESSES))
    made = connects(refusing)
    with (
        chat_api_at(HOST, retries=0) as api,
        pytest.raises(ApiConnectionError, match=r"no connection; check the host .*refused") as caught,
    ):
        api.list_chats()
    assert (len(made), type(caught.value)) == (5, ApiConnectionError)


@in_clear
def test_a_link_local_address_keeps_its_zone(lookup: Callable[..., None], connects: Any) -> None:
    lookup(("fe80::1", 80, 0, 7), ("fe80::2", 80, 0, 0))
    made = connects(refusing)
    with chat_api_at(HOST, retries=0) as api, pytest.raises(ApiConnectionError):
        api.list_chats()
    assert [host for host, _ in made] == ["fe80::1%7", "fe80::2"]


def test_no_tls_handshake_begins_after_the_deadline(clock: Clock, connects: Any) -> None:
    real = create_connection
    received: list[bytes] = []

    def slow_connect(*args: Any) -> socket.socket:
        clock.now += 2
        return real(*args)

    with RecordingServer(chats_and_streams, greet=lambda peer: received.append(peer.sock.recv(1))) as server:
        connects(slow_connect)
        with (
            chat_api_at(server.url.replace("http:", "https:"), retries=at_once(0, clock=clock)) as api,
            pytest.raises(ApiTimeoutError, match="no connection in time"),
        ):
            api.list_chats(_request_timeout=1)
    assert b"".join(received) == b""


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\n"], ids=["before its status line", "in its header"])
def test_a_slow_connect_proxy_keeps_to_the_deadline(clock: Clock, before: bytes) -> None:
    def forward(_: Request, connection: Connection) -> None:
        connection.send(before)
        clock.now += 2
        connection.send((b"HTTP/1.1 200 OK\r\n" if not before else b"") + b"X: y\r\n")
        assert connection.wait_closed()  # nothing more is sent: only the clock ends the call

    with (
        RecordingServer(forward) as proxy,
        chat_api_at("https://chat.example.com", proxy=proxy.url, retries=at_once(0, clock=clock)) as api,
        pytest.raises(ApiTimeoutError, match="no connection in time") as caught,
    ):
        api.list_chats(_request_timeout=1)
    assert caught.value.request_sent is False


def test_no_tls_handshake_begins_behind_a_proxy_after_the_deadline(clock: Clock) -> None:
    received: list[bytes] = []

    def forward(_: Request, connection: Connection) -> None:
        clock.now += 2
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        received.append(connection.sock.recv(1))

    with (
        RecordingServer(forward) as proxy,
        chat_api_at("https://chat.example.com", proxy=proxy.url, retries=at_once(0, clock=clock)) as api,
        pytest.raises(ApiTimeoutError, match="no connection in time"),
    ):
        api.list_chats(_request_timeout=1)
    assert b"".join(received) == b""


# Chunks (RFC 9112, 7.1)


def list_chats(api: ChatApi) -> object:
    return api.list_chats()


def stream(api: ChatApi) -> object:
    return api.stream_send_message("chat", "Hi").until_done().answer


def download(api: ChatApi) -> object:
    return CharacterApi(api.api_client).export_character(1).read()


def without_preload(api: ChatApi) -> object:
    return api.list_chats_without_preload_content().read()


def send_once(api: ChatApi) -> object:
    return api.send_message("chat", "Hi").text


BODIES: dict[Callable[[ChatApi], object], bytes] = {
    list_chats: b"[]",
    download: b"file",
    stream: event_bytes({"text": "Hi"}) + event_bytes(FINAL),
}
VALUES: dict[Callable[[ChatApi], object], object] = {list_chats: [], download: b"file", stream: "Hi"}
WRONG_SIZES = [
    *(b"0x%x", b"+%x", b"-%x", b" %x", b"\t%x", b"%x ;a\x0b\n", b"_%x", b"%x_0", b"%x,%x", b"%x %x", b"%xg", b"%x\r"),
    *(b"", b" ", b";a=b", b'"%x"', b"\xff%x", b"%x\0", b"\xef\xbb\xbf%x"),
]
WRONG_ENDS = [b"", b"\n", b"\r", b"\n\r", b"xx", b"\r\r", b"\n\n", b"\r\nx", b"x\r\n", b"  \r\n"]


def chunked_response(call: object, framed: bytes) -> Handler:
    media_type = EVENT_STREAM if call is stream else JSON
    return says(head(200, [media_type, CHUNKED]) + framed, close)


@pytest.mark.parametrize("call", BODIES, ids=lambda call: call.__name__)
@pytest.mark.parametrize("size", WRONG_SIZES)
def test_a_chunk_with_a_wrong_size_is_an_error(call: Callable[[ChatApi], object], size: bytes) -> None:
    body = BODIES[call]
    line = size % ((len(body),) * size.count(b"%"))
    framed = line + b"\r\n" + body + b"\r\n0\r\n\r\n"
    with (
        chat_api(chunked_response(call, framed), retries=0) as (api, _),
        pytest.raises(ApiDecodeError, match="not valid HTTP"),
    ):
        call(api)


@pytest.mark.parametrize("call", BODIES, ids=lambda call: call.__name__)
@pytest.mark.parametrize("end", WRONG_ENDS)
def test_a_chunk_with_a_wrong_end_is_an_error(call: Callable[[ChatApi], object], end: bytes) -> None:
    body = BODIES[call]
    framed = b"%x\r\n%b%b" % (len(body[:2]), body[:2], end) + chunk_bytes(body[2:]) * (len(body) > 2) + b"0\r\n\r\n"
    with (
        chat_api(chunked_response(call, framed), retries=0) as (api, _),
        pytest.raises(ApiDecodeError, match="not valid HTTP"),
    ):
        call(api)


@pytest.mark.parametrize("call", [list_chats, without_preload], ids=lambda call: call.__name__)
def test_the_framing_of_a_packed_body_is_checked_too(call: Callable[[ChatApi], object]) -> None:
    packed = gzipped(b"[]")
    framed = b"%x\r\n%bxx0\r\n\r\n" % (len(packed), packed)
    sent = says(head(200, [JSON, CHUNKED, GZIP]) + framed, close)
    with chat_api(sent, retries=0) as (api, _), pytest.raises((ApiDecodeError, ProtocolError)):
        call(api)


@pytest.mark.parametrize("call", BODIES, ids=lambda call: call.__name__)
@pytest.mark.parametrize(
    "size", [b"%x", b"%X", b"000%x", b"%x  ", b"%x\t", b"%x;a=b", b'%x ;a="b;c"', b"0" * 999 + b"%x"]
)
def test_a_chunk_size_may_have_zeros_blanks_and_extensions(call: Callable[[ChatApi], object], size: bytes) -> None:
    body = BODIES[call]
    framed: bytes = size % len(body) + b"\r\n" + body + b"\r\n0\r\nX: trailer\r\n\r\n"
    with chat_api(chunked_response(call, framed), retries=0) as (api, _):
        assert call(api) == VALUES[call]


class FramedBytes(io.BytesIO):
    """Bytes in place of a timed reader."""

    def finish(self, left: object) -> None:
        """Do what a reader without a socket does."""


def test_every_way_of_reading_chunks_is_strict() -> None:
    """Versions of Python and urllib3 differ in the methods that they read a body with."""
    framed = b"2\r\n[]xx0\r\n\r\n"
    for read in ("read", "read1", "readinto"):
        lines = _connection._Chunks(FramedBytes(framed))
        assert lines.readline() == b"2\r\n"
        if read == "readinto":
            assert lines.readinto(bytearray(2)) == 2
        else:
            assert getattr(lines, read)(2) == b"[]"
        with pytest.raises(http.client.HTTPException, match="invalid end of a chunk"):
            lines.read(2)


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trust(authority: trustme.CA) -> dict[str, str]:
    return {"ca_cert_data": authority.cert_pem.bytes().decode()}


def end_with_close_notify(connection: Connection) -> None:
    secured: Any = connection.sock
    with suppress(OSError):
        secured.unwrap()
    connection.close()


UNFRAMED = {
    "a call": (list_chats, JSON, b"[]"),
    "a download": (download, JSON, b"file"),
    "a stream": (stream, EVENT_STREAM, event_bytes({"text": "Hi"}) + event_bytes(FINAL)[:-1]),
}


@pytest.mark.parametrize(("call", "media_type", "body"), UNFRAMED.values(), ids=UNFRAMED)
def test_a_tls_response_without_length_that_ends_without_close_notify_is_an_error(
    authority: trustme.CA, trust: dict[str, str], call: Callable[[ChatApi], object], media_type: Any, body: bytes
) -> None:
    context = tls_context(authority, "127.0.0.1")
    with (
        chat_api(says(head(200, [media_type]) + body, close), tls=context, retries=0, **trust) as (api, _),
        pytest.raises((ApiConnectionError, StreamInterruptedError), match="lost"),
    ):
        call(api)


@pytest.mark.parametrize(
    ("call", "media_type", "body", "value"),
    [
        (list_chats, JSON, b"[]", []),
        (download, JSON, b"file", b"file"),
        (stream, EVENT_STREAM, BODIES[stream], "Hi"),
    ],
    ids=["a call", "a download", "a stream"],
)
def test_a_tls_response_without_length_that_ends_with_close_notify_is_whole(
    authority: trustme.CA,
    trust: dict[str, str],
    call: Callable[[ChatApi], object],
    media_type: Any,
    body: bytes,
    value: object,
) -> None:
    context = tls_context(authority, "127.0.0.1")
    sent = says(head(200, [media_type]) + body, end_with_close_notify)
    with chat_api(sent, tls=context, retries=0, **trust) as (api, _):
        assert call(api) == value


@pytest.mark.parametrize("ending", ["fin", "close_notify"])
@pytest.mark.parametrize("call", [list_chats, send_once], ids=["a read", "once only"])
def test_a_tls_handshake_that_ends_by_fin_is_retried_like_any_unsent_request(
    authority: trustme.CA, trust: dict[str, str], call: Callable[[ChatApi], object], ending: str
) -> None:
    context = tls_context(authority, "127.0.0.1")
    kinds = iter([ending])

    def greet(connection: Connection) -> None:
        """End the first handshake, then speak TLS."""
        ends = next(kinds, None)
        if ends is None:
            wrapped = Connection(context.wrap_socket(connection.sock, server_side=True), 1)
            request = wrapped.read_request()
            assert request is not None
            json_response([] if request.method == "GET" else {"text": "a"})(request, wrapped)
            end_with_close_notify(wrapped)
        else:
            connection.sock.recv(65536)  # the ClientHello
            if ends == "close_notify":
                connection.send(b"\x15\x03\x03\x00\x02\x01\x00")
            connection.sock.shutdown(socket.SHUT_WR)
            connection.wait_closed()
        connection.is_open = False

    with (
        RecordingServer(chats_and_streams, greet=greet) as server,
        chat_api_at(server.url.replace("http:", "https:"), retries=1, **trust) as api,
    ):
        assert call(api) in ([], "a")
    assert len(server.connections) == 2
