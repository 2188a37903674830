"""The sockets: HTTP/1.1 as the recorded servers speak it, on the standard library's threading server."""

import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from freechat_sdk.sandbox._events import CutError
from freechat_sdk.sandbox._http import MAX_BODY_BYTES, Request, Response

IDLE_SECONDS = 60
MAX_REQUESTS_PER_CONNECTION = 100
_CLOSING_STATUSES = frozenset({400, 413, 500, 503})


class Responder(Protocol):
    """What responds to requests."""

    def respond(self, request: Request) -> Response:
        """Return the response to a request."""


class Server(ThreadingHTTPServer):
    """Listens on loopback; a thread for each connection."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, app: Responder, port: int) -> None:
        self.app = app
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)
        self.port: int = self.socket.getsockname()[1]

    def server_bind(self) -> None:
        """Bind the socket; the standard library would ask the DNS for the host's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say on stderr what went wrong, unless the client just went away."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Close all connections and wait for their threads."""
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        super().server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

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
        self._write(self.server.app.respond(Request(self.command, self.path, host, headers, body)))

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

    def _write(self, response: Response) -> None:
        framing = (
            "Content-Length: " + str(len(response.body)) if response.chunks is None else "Transfer-Encoding: chunked"
        )
        is_last = response.status in _CLOSING_STATUSES or self._count >= MAX_REQUESTS_PER_CONNECTION
        self.close_connection = self.close_connection or is_last
        lines = [
            f"HTTP/1.1 {response.status} ",
            *(f"{name}: {value}" for name, value in response.headers),
            framing,
            f"Date: {self.date_time_string()}",
            *(["Connection: close"] if is_last else []),
            "\r\n",
        ]
        head = "\r\n".join(lines).encode("latin-1")
        if response.chunks is None or self.command == "HEAD":
            self.wfile.write(head + (b"" if self.command == "HEAD" else response.body))
        else:
            self._write_chunks(head, response.chunks)

    def _write_chunks(self, head: bytes, chunks: Iterator[bytes]) -> None:
        """Write a body as it comes; a client that goes away does not stop the model."""
        is_there = self._try_write(head)
        try:
            for chunk in chunks:
                is_there = is_there and self._try_write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        except CutError:
            self.close_connection = True
            return
        if is_there:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = self.close_connection or not is_there

    def _try_write(self, data: bytes) -> bool:
        try:
            self.wfile.write(data)
        except OSError:
            return False
        return True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Say nothing: a request line may hold a token."""
