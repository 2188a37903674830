"""The tests' own server: what it records, and that it does wrong what it is told to."""

import socket
from contextlib import closing, suppress

import pytest

from test.server import (
    MAX_WAIT,
    Connection,
    RecordingServer,
    Request,
    events_response,
    in_order,
    json_response,
    refused_port,
    text_response,
)

POST = b"POST /a%20b?x=1&x=&y=%C3%A9 HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-two: 2\r\nContent-Length: 7\r\n\r\n"


def talk(server: RecordingServer, *sent: bytes) -> bytes:
    """Send bytes one after another, and return all that comes back until the server closes."""
    with closing(socket.create_connection(("127.0.0.1", server.port), MAX_WAIT)) as sock:
        for data in sent:
            sock.sendall(data)
        with suppress(OSError):  # the server may have cut the connection already
            sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_a_request_is_recorded_as_it_came() -> None:
    with RecordingServer(text_response("hello")) as server:
        got = talk(server, POST, b'{"a"', b":1}")
    (request,) = server.requests
    assert (request.method, request.path, request.query) == ("POST", "/a%20b", [("x", "1"), ("x", ""), ("y", "é")])
    assert (request.json, request.header("X-TWO"), request.header("absent")) == ({"a": 1}, "1, 2", None)
    assert got.startswith(b"HTTP/1.1 200 \r\n")
    assert got.endswith(b"Content-Length: 5\r\n\r\nhello")


def test_connections_are_kept_and_counted() -> None:
    get = b"GET / HTTP/1.1\r\n\r\n"
    with RecordingServer(in_order(json_response(1), json_response(2), json_response(3))) as server:
        assert talk(server, get, get).count(b"HTTP/1.1 200") == 2
        assert talk(server, get).count(b"HTTP/1.1 200") == 1
    assert [request.connection for request in server.requests] == [0, 0, 1]


def test_events_come_one_chunk_each() -> None:
    with RecordingServer(events_response({"text": "a"})) as server:
        got = talk(server, b"GET / HTTP/1.1\r\n\r\n")
    assert got.partition(b"\r\n\r\n")[2] == b'14\r\ndata:{"text": "a"}\n\n\r\n0\r\n\r\n'


def test_a_reset_is_a_reset() -> None:
    def reset(_: Request, connection: Connection) -> None:
        connection.reset()

    with RecordingServer(reset) as server, pytest.raises(ConnectionResetError):
        talk(server, b"GET / HTTP/1.1\r\n\r\n")


def test_what_a_handler_raises_fails_the_test() -> None:
    def fail(_: Request, __: Connection) -> None:
        raise AssertionError("wrong request")

    with pytest.raises(AssertionError, match="wrong request"), RecordingServer(fail) as server:
        assert talk(server, b"GET / HTTP/1.1\r\n\r\n") == b""


def test_nobody_listens_on_a_refused_port() -> None:
    with refused_port() as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), MAX_WAIT)
