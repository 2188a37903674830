"""The sockets: HTTP/1.1 as the recorded servers speak it, on the standard library's threading server."""

import socket
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from freechat_sdk.sandbox._contract import Operation
from freechat_sdk.sandbox._events import CutError
from freechat_sdk.sandbox._faults import HEADER, Connection, Fault, Faults, Pieces
from freechat_sdk.sandbox._http import MAX_BODY_BYTES, Request, Response
from freechat_sdk.sandbox._journal import Exchange, Journal
from freechat_sdk.sandbox._resource import Refused

IDLE_SECONDS = 60
MAX_REQUESTS_PER_CONNECTION = 100
_CLOSING_STATUSES = frozenset({400, 413, 500, 503})


class Responder(Protocol):
    """What responds to requests."""

    def operation_of(self, request: Request) -> tuple[Operation, Mapping[str, str]] | None:
        """Return the operation that a request leads to, with the values of its path."""

    def respond(self, request: Request) -> Response:
        """Return the response to a request."""


class Server(ThreadingHTTPServer):
    """Listens on loopback; a thread for each connection."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(
        self,
        app: Responder,
        port: int,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.app = app
        self.sleep = sleep
        self.clock = clock
        self.faults = Faults()
        self.journal = Journal()
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(("127.0.0.1", port), _Handler)
        self.port: int = self.socket.getsockname()[1]

    def server_bind(self) -> None:
        """Bind the socket; the standard library would ask the DNS for the host's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._changed:
            self._connections.discard(request)
            self._changed.notify_all()
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say on stderr what went wrong, unless the client just went away."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def settle(self) -> None:
        """Close the connections that there are, and wait until what they asked for has ended."""
        with self._changed:
            present = set(self._connections)
            for connection in present:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not present & self._connections)

    def server_close(self) -> None:
        """Close all connections and wait for their threads."""
        self.settle()
        super().server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection, as faults act on it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS
    server: Server

    def setup(self) -> None:
        super().setup()
        self._count = 0

    def _serve(self) -> None:
        self._count += 1
        body = self._body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        host = headers.get("host", f"127.0.0.1:{self.server.port}")
        self._request = Request(self.command, self.path, host, headers, body)
        operation, values = self.server.app.operation_of(self._request) or (None, {})
        try:
            fault = self.server.faults.of(operation, headers.get(HEADER))
        except ValueError as error:
            fault = _Unknown(str(error))
        self._exchange = Exchange(
            self._request, operation, values, fault, self.connection, self._count, self.server.clock()
        )
        self.server.journal.note(self._exchange)
        fault.on(self)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _serve  # noqa: N815 - the standard library's names

    def _body(self) -> bytes | None:
        """Return the body of a request; None where it is too large."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunked_body()
        length = self.headers.get("Content-Length", "0")
        size = int(length) if length.isdigit() else 0
        return None if size > MAX_BODY_BYTES else self.rfile.read(size)

    def _chunked_body(self) -> bytes | None:
        """Return a body sent in chunks (RFC 9112, 7.1)."""
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            if len(body) + size > MAX_BODY_BYTES:
                return None
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return body

    def ask(self, refusal: Refused | None = None) -> Response:
        """Let the application carry the request out, or refuse it, and return the response."""
        return self.server.app.respond(replace(self._request, refusal=refusal))

    def write(
        self, response: Response, through: Callable[[Pieces], Pieces] | None = None, *, ends_by_close: bool = False
    ) -> None:
        """Write a response; its body as a function passes it on."""
        is_last = ends_by_close or response.status in _CLOSING_STATUSES or self._count >= MAX_REQUESTS_PER_CONNECTION
        self.close_connection = self._exchange.is_last = self.close_connection or is_last
        if not self._exchange.is_left:
            self._exchange.status = response.status
        is_chunked = response.chunks is not None and not ends_by_close
        head = self._head(response, is_chunked=is_chunked, has_length=not ends_by_close, is_last=is_last)
        if self.command == "HEAD":
            self._finish(head)
        elif response.chunks is None and through is None:
            self._finish(head + response.body)
        else:
            self._write_pieces(head, response.pieces(), through or iter, is_chunked=is_chunked)

    def _head(self, response: Response, *, is_chunked: bool, has_length: bool, is_last: bool) -> bytes:
        length = ["Content-Length: " + str(len(response.body))] if has_length else []
        lines = [
            f"HTTP/1.1 {response.status} ",
            *(f"{name}: {value}" for name, value in response.headers),
            *(["Transfer-Encoding: chunked"] if is_chunked else length),
            f"Date: {self.date_time_string()}",
            *(["Connection: close"] if is_last else []),
            "\r\n",
        ]
        return "\r\n".join(lines).encode("latin-1")

    def _write_pieces(
        self, head: bytes, pieces: Pieces, through: Callable[[Pieces], Pieces], *, is_chunked: bool
    ) -> None:
        """Write a body as it comes; a client that goes away does not stop the model."""
        is_there = self._try_write(head)
        try:
            for piece in through(pieces):
                framed = b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece
                is_there = is_there and self._try_write(framed)
        except CutError:
            self._cut()
            with suppress(CutError):
                for _ in pieces:
                    pass
            return
        if is_there:
            self._finish(b"0\r\n\r\n" if is_chunked else b"")
        self.close_connection = self.close_connection or not is_there

    def _finish(self, data: bytes) -> None:
        """Write the end of a response. It is over before the client can know it."""
        self._exchange.is_over = not self._exchange.is_left
        self.wfile.write(data)

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def send(self, data: bytes) -> None:
        """Write bytes that are not HTTP, and close."""
        self.wfile.write(data)
        self._cut()

    def pause(self, seconds: float) -> None:
        """Wait, unless the sandbox stops."""
        self.server.sleep(seconds)

    def hold(self) -> None:
        """Say nothing until the client has gone or the sandbox stops."""
        self.connection.settimeout(None)
        with suppress(OSError):
            while self.connection.recv(65536):
                pass
        self.close_connection = True

    def reset(self) -> None:
        """Break the connection so that the client sees a reset."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()  # it shares the socket
        self.connection.close()

    def _try_write(self, data: bytes) -> bool:
        try:
            self.wfile.write(data)
        except OSError:
            return False
        return True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Say nothing: a request line may hold a token."""


@dataclass(frozen=True)
class _Unknown(Fault):
    """The header for faults names none."""

    message: str

    def on(self, connection: Connection) -> None:
        """Say so."""
        connection.write(Response(400, (("Content-Type", "text/plain;charset=UTF-8"),), self.message.encode()))
