"""Connections that keep to the deadline of a call and are strict about framing (RFC 9112, section 6).

- A connection notes whether a byte of the request was sent, which decides whether it may be sent again.
- A response without a clear end is an error, and a connection with surplus bytes is closed.
- Logs and debug output of urllib3 and http.client show neither the values in paths nor headers.

This module and `_pool` are the only ones that know private names of urllib3 and http.client; test_pool.py pins them.
"""

import http.client
import io
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

from freechat_sdk._observer import observer_for
from freechat_sdk._request import Request
from freechat_sdk._timeouts import Deadline
from freechat_sdk.configuration import Configuration

MAX_LINE_BYTES: Final = 65536
"""The longest line of chunk framing; http.client has the same limit for header lines."""

_MALFORMED: Final = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)
_MIN_CHANGE: Final = 0.02
"""The smallest change of a socket's timeout that is made, in seconds: each change releases the GIL."""


class Exchange(Timeout):
    """One call under way: its deadline, and how far the present attempt has come. For urllib3 it is a `Timeout`.

    The timeouts of urllib3 apply to each operation of a socket: a server that sends one byte per second never exceeds
    them, and a body is sent under the connect timeout. An exchange limits each `recv` and `send` to what is left of the
    deadline.
    """

    def __init__(
        self, request: Request, deadline: Deadline, configuration: Configuration, previous_attempts: int = 0
    ) -> None:
        super().__init__()
        self.request = request
        self.deadline = deadline
        self.configuration = configuration
        self.observer = observer_for(configuration, request, deadline.clock)
        self.attempt = 1
        self._previous_attempts = previous_attempts
        self.request_sent = False
        """Whether a byte of the request may have been sent in the present attempt."""
        self._socket: socket.socket | None = None

    @property
    def attempts(self) -> int:
        """The number of requests made for the call, including those of earlier exchanges."""
        return self._previous_attempts + self.attempt

    def clone(self) -> "Exchange":
        """Return the object itself: all attempts share one deadline."""
        return self

    def start_connect(self) -> float:
        """Do nothing: the deadline is already running."""
        return 0.0

    @property
    def connect_timeout(self) -> float | None:
        """The timeout that urllib3 sets on a socket, until `Connection.connect` and `apply` replace it."""
        return self.deadline.max_wait

    @property
    def read_timeout(self) -> float | None:
        """The same as `connect_timeout`."""
        return self.deadline.max_wait

    def apply(self, sock: socket.socket) -> None:
        """Limit the next operation of a socket to the time that is left."""
        self._socket = sock
        seconds, present = self.deadline.for_read(), sock.gettimeout()
        if seconds is None or present is None:
            if seconds is not present:
                sock.settimeout(seconds)
        elif abs(seconds - present) > _MIN_CHANGE:
            sock.settimeout(seconds)

    def interrupt(self) -> None:
        """End the wait of another thread that is reading: it then reads the end of the connection."""
        if self._socket is not None:
            with suppress(OSError):  # the connection is already closed
                self._socket.shutdown(socket.SHUT_RDWR)


class _TimedReader(io.RawIOBase):
    """Reads a socket, each `recv` within the time that is left of the deadline."""

    def __init__(self, connection: "Connection", sock: socket.socket, exchange: Exchange) -> None:
        self._connection = connection
        self._sock = sock
        self._exchange = exchange
        self._hold: io.RawIOBase | None = None
        self._is_done = False
        self.has_ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._is_done:
            return None
        self._exchange.apply(self._sock)
        count = self._sock.recv_into(buffer)
        self.has_ended = count == 0
        return count

    def finish(self, left: Callable[[], bytes]) -> None:
        """Stop reading. Surplus bytes make the connection unusable."""
        self._is_done = True
        pending = self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0
        self._connection.has_surplus_bytes = bool(left()) or pending > 0

    def hold(self) -> None:
        """Keep the socket open: http.client closes it before the body has been read."""
        self._hold = self._sock.makefile("rb", buffering=0)

    def close(self) -> None:
        if self._hold is not None:
            self._hold.close()
        super().close()

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the file object that http.client reads."""
        return _Lines(self)


class _Lines(io.BufferedReader):
    """Buffers the bytes of a response. It refuses an incomplete line of chunk framing."""

    raw: _TimedReader

    def begin_chunks(self) -> None:
        """Refuse incomplete lines from now on: a truncated chunk size reads as a smaller one, and 0 ends the body.

        http.client itself checks the lines of the header.
        """
        self.readline = self._whole_line  # type: ignore[method-assign]

    def _whole_line(self, size: int | None = -1, /) -> bytes:
        line = super().readline(MAX_LINE_BYTES + 1 if size is None or size < 0 else size)
        if line and line[-1:] != b"\n":
            if len(line) > MAX_LINE_BYTES:
                raise http.client.LineTooLong("line")
            raise http.client.IncompleteRead(line)
        return line

    def close(self) -> None:
        if not self.closed:
            self.raw.finish(self.peek)
            vars(self).pop("readline", None)  # it refers to this object
        super().close()


class _StrictResponse(http.client.HTTPResponse):
    """The response of http.client over a timed reader, and stricter about where the body ends."""

    def __init__(self, reader: _TimedReader, *args: Any, **kwargs: Any) -> None:
        source: Any = reader
        super().__init__(source, *args, **kwargs)
        self._reader = reader
        self._lines: Any = self.fp

    def begin(self) -> None:
        """Read up to the body. Skip interim responses (RFC 9110, 15.2), of which http.client skips only 100."""
        super().begin()
        while 100 < self.status < 200:
            if self.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                raise http.client.HTTPException("the server switches to another protocol without being asked")
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()
        if self.will_close:
            self._reader.hold()
        if self._reader.has_ended:  # http.client takes the end of the connection for the end of the header
            raise http.client.IncompleteRead(b"")
        self._check_framing()
        if self.chunked:
            self._lines.begin_chunks()

    def _check_framing(self) -> None:
        headers = self.headers
        if headers.defects and any(isinstance(defect, _MALFORMED) for defect in headers.defects):
            raise http.client.HTTPException("malformed header line")
        if not self.chunked and "Transfer-Encoding" in headers:
            raise http.client.HTTPException("unsupported Transfer-Encoding")
        if not self.chunked and self.length is None and "Content-Length" in headers:
            raise http.client.HTTPException("invalid Content-Length")


class ShownTarget(str):
    """The target of a request as logs show it: the path without its values, which may be tokens."""

    __slots__ = ("sent",)
    sent: str


class Connection(HTTPConnection):
    """A connection that keeps to the deadline of a call and notes whether the request was sent."""

    debuglevel = 0
    """Overrides the setting of http.client, which prints requests with their tokens."""
    exchange: Exchange
    """The call that uses the connection. The pool sets it before each use."""
    idle_since = 0.0
    has_surplus_bytes = False
    """Whether bytes came after the response."""

    def connect(self) -> None:
        self.timeout = self.exchange.deadline.for_connect()
        self.has_surplus_bytes = False
        try:
            super().connect()
        finally:
            self.exchange.request_sent = False  # a CONNECT to a proxy is not the request

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        super().putrequest(method, url.sent if isinstance(url, ShownTarget) else url, *args, **kwargs)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.exchange.apply(self.sock)
        try:
            super().send(data)
        except (BrokenPipeError, ConnectionResetError):
            # None of these bytes was sent. If they are the header, which comes first, `request_sent` stays False.
            raise
        except BaseException:
            self.exchange.request_sent = True
            raise
        self.exchange.request_sent = True

    def response_class(self, sock: socket.socket, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        return _StrictResponse(_TimedReader(self, sock, self.exchange), *args, **kwargs)


class TlsConnection(Connection, HTTPSConnection):
    """A `Connection` over TLS."""


def is_unpacked_whole(response: BaseHTTPResponse) -> bool:
    """Return whether a compressed body is complete, which urllib3 does not check."""
    decoder: Any = getattr(response, "_decoder", None)
    unpackers = (getattr(part, "_obj", None) for part in getattr(decoder, "_decoders", [decoder]))
    return all(getattr(unpacker, "eof", True) for unpacker in unpackers)
