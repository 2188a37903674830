"""Connections: each step keeps to the deadline, and the framing of a body is strict, also over TLS."""

import errno
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from freechat_sdk import ApiConnectionError, ApiException, ApiTimeoutError, CharacterApi, ChatApi, _connection
from test.clients import Clock, at_once, chat_api, chat_api_at
from test.hostile import CHUNKED, close, says
from test.proxies import in_clear, tunnel
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
    in_order,
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
    with chat_api_at(HOST, retries=at_once(0, clock=clock)) as api:
        with pytest.raises(ApiTimeoutError, match="no connection in time") as caught:
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
    real = _connection.create_connection
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
    with chat_api_at(HOST, retries=0) as api:
        with pytest.raises(ApiConnectionError, match=r"no connection; check the host .*refused") as caught:
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
    real = _connection.create_connection
    received: list[bytes] = []

    def slow_connect(*args: Any) -> socket.socket:
        clock.now += 2
        return real(*args)

    with RecordingServer(chats_and_streams, greet=lambda peer: received.append(peer.sock.recv(1))) as server:
        connects(slow_connect)
        with chat_api_at(server.url.replace("http:", "https:"), retries=at_once(0, clock=clock)) as api:
            with pytest.raises(ApiTimeoutError, match="no connection in time"):
                api.list_chats(_request_timeout=1)
    assert received == [b""]


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
    assert received == [b""]
