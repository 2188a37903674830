"""A raw loopback server for tests: it records every request and can send any response, a wrong one too.

A handler is called for each request with the request and the connection, and writes what it likes:

    with RecordingServer(lambda request, connection: connection.respond(200, b"true")) as server:
        ...
    assert server.requests[0].path == "/api/v1/chat/abc"

What a handler raises is raised again at the end of the `with` block. Every wait ends after `MAX_WAIT` seconds.
"""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import trustme

MAX_WAIT = 10.0
"""Seconds that any wait may last: a fault fails instead of hanging."""
JSON = ("Content-Type", "application/json")
EVENT_STREAM = ("Content-Type", "text/event-stream")
Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


class Connection:
    """One connection: the socket, and ways to respond on it."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number
        self.is_open = True
        self.awaits_peer = False
        """Whether only the peer may close it, and not the end of the server."""
        self.partial = b""
        """What was received of a body that broke off."""
        self._file = sock.makefile("rb")

    def read(self, count: int) -> bytes:
        """Return so many bytes; when the peer closes before, the server drops the connection."""
        data = self._file.read(count)
        if len(data) < count:
            self.partial = data
            raise ConnectionResetError("the peer has closed")
        return data

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def respond(self, status: int, body: bytes = b"", headers: Pairs = (), reason: str = "") -> None:
        self.send(head(status, (*headers, ("Content-Length", str(len(body)))), reason) + body)

    def start_chunked(self, status: int = 200, headers: Pairs = (), reason: str = "") -> None:
        self.send(head(status, (*headers, ("Transfer-Encoding", "chunked")), reason))

    def start_stream(self) -> None:
        self.start_chunked(headers=[EVENT_STREAM])

    def chunk(self, data: bytes) -> None:
        self.send(chunk_bytes(data))

    def event(self, value: object) -> None:
        self.chunk(event_bytes(value))

    def end(self) -> None:
        self.send(b"0\r\n\r\n")

    def reset(self) -> None:
        """Cut the connection so that the peer sees a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.is_open = False
        self._file.close()
        self.sock.close()

    def wait_closed(self) -> bool:
        """Wait until the peer has closed; tell whether it has."""
        self.awaits_peer = True
        try:
            while self.sock.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def read_request(self) -> Request | None:
        """Return the next request, or None when the peer has closed, or does not speak HTTP.

        A request that breaks off drops the connection and is not recorded.
        """
        if not self._file.peek(1)[:1].isalpha():
            return None
        method, target, _ = self._read_line().split(" ", 2)
        headers = tuple(self._read_headers())
        return Request(method, target, headers, self._read_body(dict(headers)), self.number)

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("Transfer-Encoding") == "chunked":
            return b"".join(self._read_chunks())
        lengths = [int(value) for name, value in headers.items() if name.lower() == "content-length"]
        return self.read(lengths[0]) if lengths else b""

    def _read_chunks(self) -> Iterator[bytes]:
        while size := int(self._read_line(), 16):
            yield self.read(size)
            self._read_line()
        self._read_line()

    def _read_headers(self) -> Iterator[tuple[str, str]]:
        while line := self._read_line():
            name, _, value = line.partition(":")
            yield name, value.strip()

    def _read_line(self) -> str:
        line = self._file.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the peer has closed")
        return line.decode("latin-1").rstrip("\r\n")


Handler = Callable[[Request, Connection], None]


def head(status: int, headers: Pairs = (), reason: str = "") -> bytes:
    """Return the start of a response, up to its body. Real servers send an empty reason."""
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def in_order(*handlers: Handler) -> Handler:
    """Return a handler that uses each of some once, in order."""
    left = iter(handlers)
    return lambda request, connection: next(left)(request, connection)


def text_response(text: str, status: int = 200, headers: Pairs = ()) -> Handler:
    return lambda _, connection: connection.respond(
        status, text.encode(), (("Content-Type", "text/plain;charset=UTF-8"), *headers)
    )


def json_response(value: object, status: int = 200, headers: Pairs = ()) -> Handler:
    body = json.dumps(value).encode()
    return lambda _, connection: connection.respond(status, body, (JSON, *headers))


def html_response(status: int = 200) -> Handler:
    body = b"<!DOCTYPE html><html><body>Welcome</body></html>"
    return lambda _, connection: connection.respond(status, body, [("Content-Type", "text/html;charset=UTF-8")])


def login_redirect() -> Handler:
    return lambda _, connection: connection.respond(302, b"", [("Location", "http://127.0.0.1/w/login")])


def events_response(*events: object) -> Handler:
    """Return a handler that streams events, one chunk each, and ends the stream."""

    def handle(_: Request, connection: Connection) -> None:
        connection.start_stream()
        for event in events:
            connection.event(event)
        connection.end()

    return handle


def chunk_bytes(data: bytes) -> bytes:
    """Return data as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event_bytes(value: object) -> bytes:
    """Return an event as FreeChat frames it."""
    return f"data:{json.dumps(value)}\n\n".encode()


def final_event(text: str) -> dict[str, object]:
    """Return the event that ends the stream of an answer."""
    return {"message": {"role": "assistant", "contents": [{"type": "text", "content": text}]}, "finishReason": "stop"}


FINAL = final_event("Hi")


def chats_and_streams(request: Request, connection: Connection) -> None:
    """Respond to a streaming request with the answer "Hi", to any other with an empty list."""
    handler = events_response({"text": "Hi"}, FINAL) if "stream" in request.path else json_response([])
    handler(request, connection)


@dataclass
class RecordingServer:
    """Serves on a free port of 127.0.0.1, a thread for each connection, until the `with` block ends."""

    handler: Handler
    tls: ssl.SSLContext | None = None
    greet: Callable[[Connection], None] | None = None
    """Called with each connection before its first request."""
    requests: list[Request] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._errors: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.port}"

    def __enter__(self) -> "RecordingServer":
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.refuse_connections()
        for connection in [one for one in self.connections if not one.awaits_peer]:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(MAX_WAIT)
            assert not thread.is_alive(), "a thread of the server hangs"
        if kind is None and self._errors:
            raise self._errors[0]

    def refuse_connections(self) -> None:
        """Stop listening; connections that are open stay so."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _start(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(MAX_WAIT)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
        except OSError:
            sock.close()  # the client did not like the certificate, or the server the client's
            return
        connection = Connection(sock, len(self.connections))
        self.connections.append(connection)
        try:
            if self.greet is not None:
                self.greet(connection)
            while connection.is_open and (request := connection.read_request()) is not None:
                self.requests.append(request)
                self.handler(request, connection)
        except OSError:
            pass  # the client went away, or was silent for too long, which tests make it do
        except Exception as error:  # noqa: BLE001 - raised again at the end of the block
            self._errors.append(error)
        finally:
            with suppress(OSError):
                connection.close()


def tls_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """Return the context of a server whose certificate has some names."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return context


@contextmanager
def refused_port() -> Iterator[int]:
    """Yield a port of 127.0.0.1 that refuses connections."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound, so that nobody else gets it, and not listening
        yield sock.getsockname()[1]
