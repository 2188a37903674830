"""What a server can do wrong on a connection: handlers for the recording server."""

import gzip
from collections.abc import Callable

from test.server import Connection, Handler, Request, chunk_bytes, head

CHUNKED = ("Transfer-Encoding", "chunked")
GZIP = ("Content-Encoding", "gzip")
Ending = Callable[[Connection], None]


def keep(connection: Connection) -> None:
    """Leave the connection open, for the next request."""


def close(connection: Connection) -> None:
    connection.close()


def reset(connection: Connection) -> None:
    connection.reset()


def stall(connection: Connection) -> None:
    """Hold the connection, without a byte, until the client gives up."""
    assert connection.wait_closed()


def trickle(connection: Connection, data: bytes = b" ") -> None:
    """Send the same bytes again and again until the client gives up, which ends it with an OSError."""
    connection.sock.settimeout(0.005)
    while True:
        connection.send(data)
        try:
            if not connection.sock.recv(1):
                return
        except TimeoutError:
            continue


def says(data: bytes, then: Ending = keep) -> Handler:
    """Return a handler that sends some bytes, then ends in some way."""

    def handle(_: Request, connection: Connection) -> None:
        connection.send(data)
        then(connection)

    return handle


def repeats(data: bytes, again: bytes) -> Handler:
    """Return a handler that sends some bytes, then others again and again until the client gives up."""

    def handle(_: Request, connection: Connection) -> None:
        connection.send(data)
        trickle(connection, again)

    return handle


def never_ending_stream(_: Request, connection: Connection) -> None:
    """Send one event, and hold the connection until the client gives up."""
    connection.start_stream()
    connection.event({"text": "a"})
    stall(connection)


def response(body: bytes, *headers: tuple[str, str], status: int = 200) -> bytes:
    """Return a response with its length."""
    return head(status, (*headers, ("Content-Length", str(len(body))))) + body


def chunked(*chunks: bytes, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Return a response in chunks, up to the one that ends it."""
    return head(200, (*headers, CHUNKED)) + b"".join(map(chunk_bytes, chunks))


def gzipped(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


LOST: dict[str, Handler] = {
    "reset": says(b"", reset),
    "closed": says(b"", close),
    "cut header": says(b"HTTP/1.1 200 OK\r\nContent-Le", close),
    "cut body": says(head(200, [("Content-Length", "100")]) + b"[", close),
    "cut chunk": says(head(200, [CHUNKED]) + b"ff\r\n[", close),
    "cut status": says(b"HTTP/1.1 20", close),
    "cut chunk size": says(head(200, [CHUNKED]) + b"f", close),
    "cut trailer": says(head(200, [CHUNKED]) + b"2\r\n[]\r\n0\r\n", close),
}
"""Responses that break off."""

GARBLED: dict[str, Handler] = {
    "garbage": says(b"\x16\x03\x01 what is this\r\n\r\n", close),
    "another protocol": says(b"HTTP/2 200 OK\r\n\r\n", close),
    "bad header": says(b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", close),
    "bad length": says(head(200, [("Content-Length", "two")]) + b"[]", close),
    "two lengths": says(head(200, [("Content-Length", "2"), CHUNKED]) + b"2\r\n[]\r\n0\r\n\r\n", close),
    "bad chunk": says(head(200, [CHUNKED]) + b"zz\r\n[]\r\n", close),
    "bad end of a chunk": says(head(200, [CHUNKED]) + b"2\r\n[]xx0\r\n\r\n", close),
}
"""Responses that are not valid HTTP."""

STALLS: dict[str, Handler] = {
    "before the response": says(b"", stall),
    "in the header": says(b"HTTP/1.1 200 OK\r\nContent-", stall),
    "in the body": says(head(200, [("Content-Length", "100")]) + b"[", stall),
    "byte by byte": repeats(head(200, [("Content-Length", "1000000")]), b" "),
    "byte by byte in the header": repeats(b"HTTP/1.1 200 OK\r\nX-Slow: ", b" "),
}
"""Responses that stop on a connection that stays open."""
