"""urllib3's connections and pools, held to the time limit of a call.

- Idle connections are given up after 50 s, before servers do it at 60 s.
- A connection notes whether the request left, which decides what may be sent again.
- An answer whose framing is in doubt (RFC 9112, 6) is an error, and a connection with bytes left over is closed.
- What urllib3 and http.client log or print shows no path and no header.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

from freechat_sdk._limits import TimeLimit
from freechat_sdk._request import Request
from freechat_sdk._watch import watch
from freechat_sdk.configuration import Configuration

IDLE_SECONDS: Final = 50.0
"""How long an unused connection is kept; servers close theirs after 60 s."""
LONGEST_LINE: Final = 65536
"""The longest line of an answer's framing, in bytes, as http.client has it for headers."""

_MALFORMED: Final = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)


class Exchange(Timeout):
    """One call under way: its time limit in the form that urllib3 asks for it, and how far the present attempt got.

    urllib3's own limits are for each operation of a socket: a server that sends a byte a second never meets them, and
    a body is sent under the limit for connecting. So each `recv` and `send` gets what is left of the call's deadline.
    """

    def __init__(self, request: Request, limit: TimeLimit, configuration: Configuration, earlier: int = 0) -> None:
        super().__init__()
        self.request = request
        self.limit = limit
        self.configuration = configuration
        self.watch = watch(configuration, request, limit.clock)
        self.attempt = 1
        self._earlier = earlier
        self.request_sent = False
        """Whether a byte of the request may have left in the present attempt."""
        self._socket: socket.socket | None = None

    @property
    def attempts(self) -> int:
        """How many requests have been made for the call, those of an earlier exchange included."""
        return self._earlier + self.attempt

    def clone(self) -> "Exchange":
        """Return the object itself: all attempts share one deadline."""
        return self

    def start_connect(self) -> float:
        """Do nothing: the time runs already."""
        return 0.0

    @property
    def connect_timeout(self) -> float | None:
        """What urllib3 gives a socket. Each operation of it asks again, by `apply`, and a connect for its own limit."""
        return self.limit.longest_wait

    @property
    def read_timeout(self) -> float | None:
        """The same."""
        return self.limit.longest_wait

    def apply(self, sock: socket.socket) -> None:
        """Give the next operation of a socket what is left; `settimeout` lets go of the GIL, so only on a change."""
        self._socket = sock
        seconds, present = self.limit.for_read(), sock.gettimeout()
        if seconds is None or present is None:
            if seconds is not present:
                sock.settimeout(seconds)
        elif abs(seconds - present) > 0.02:
            sock.settimeout(seconds)

    def interrupt(self) -> None:
        """End the wait that another thread is in: it reads the end of the connection."""
        if self._socket is not None:
            with suppress(OSError):  # the peer was faster
                self._socket.shutdown(socket.SHUT_RDWR)


class _TimedReader(io.RawIOBase):
    """Reads a socket, each `recv` within what is left of the call's time."""

    def __init__(self, connection: "LimitedConnection", sock: socket.socket, exchange: Exchange) -> None:
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
        """Read no more. Bytes that are left are no answer to anything: the connection cannot be used again."""
        self._is_done = True
        pending = self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0
        self._connection.is_spoilt = bool(left()) or pending > 0

    def hold(self) -> None:
        """Keep the socket open where http.client closes it before the answer is read."""
        self._hold = self._sock.makefile("rb", buffering=0)

    def close(self) -> None:
        if self._hold is not None:
            self._hold.close()
        super().close()

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the file that http.client asks a socket for."""
        return _Lines(self)


class _Lines(io.BufferedReader):
    """The bytes of an answer; those in chunks have lines, and half a line is none."""

    raw: _TimedReader

    def begin_chunks(self) -> None:
        """Look at the end of each line from now on: half a chunk size can be a smaller one, and 0 ends the answer."""
        self.readline = self._whole_line  # type: ignore[method-assign]  # http.client looks at the header's lines

    def _whole_line(self, size: int | None = -1, /) -> bytes:
        line = super().readline(LONGEST_LINE + 1 if size is None or size < 0 else size)
        if line and line[-1:] != b"\n":
            if len(line) > LONGEST_LINE:
                raise http.client.LineTooLong("line")
            raise http.client.IncompleteRead(line)
        return line

    def close(self) -> None:
        if not self.closed:
            self.raw.finish(self.peek)
            vars(self).pop("readline", None)  # it refers to this object
        super().close()


class _Response(http.client.HTTPResponse):
    """http.client's response over a timed reader, and stricter about where an answer ends."""

    def __init__(self, reader: _TimedReader, *args: Any, **kwargs: Any) -> None:
        source: Any = reader
        super().__init__(source, *args, **kwargs)
        self._reader = reader
        self._lines: Any = self.fp

    def begin(self) -> None:
        """Read up to the body, past interim answers (RFC 9110, 15.2), of which http.client knows one alone."""
        super().begin()
        while 100 < self.status < 200:
            if self.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                raise http.client.HTTPException("the server switches to another protocol, unasked")
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()
        if self.will_close:
            self._reader.hold()
        if self._reader.has_ended:  # http.client takes the end of the connection for the header's
            raise http.client.IncompleteRead(b"")
        self._check_framing()
        if self.chunked:
            self._lines.begin_chunks()

    def _check_framing(self) -> None:
        headers = self.headers
        if headers.defects and any(isinstance(defect, _MALFORMED) for defect in headers.defects):
            raise http.client.HTTPException("a line of the header is none")
        if not self.chunked and "Transfer-Encoding" in headers:
            raise http.client.HTTPException("Transfer-Encoding is other than chunked")
        if not self.chunked and self.length is None and "Content-Length" in headers:
            raise http.client.HTTPException("Content-Length is no number")


class _Target(str):
    """The target of a request as logs may show it: its path without values, which may be tokens."""

    __slots__ = ("sent",)
    sent: str


class LimitedConnection(HTTPConnection):
    """A connection that keeps to a call's time limit and notes whether the request left."""

    debuglevel = 0
    """http.client's, which would print the request: not to be switched on from outside."""
    exchange: Exchange
    """The call that has the connection. The pool sets it with every use."""
    idle_since = 0.0
    is_spoilt = False
    """Whether something came that was asked for by nobody."""

    def connect(self) -> None:
        self.timeout = self.exchange.limit.for_connect()
        self.is_spoilt = False
        try:
            super().connect()
        finally:
            self.exchange.request_sent = False  # what went to a proxy was not the request

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        super().putrequest(method, url.sent if isinstance(url, _Target) else url, *args, **kwargs)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.exchange.apply(self.sock)
        try:
            super().send(data)
        except (BrokenPipeError, ConnectionResetError):
            raise  # nothing of these bytes was taken, and the headers go first and alone
        except BaseException:
            self.exchange.request_sent = True
            raise
        self.exchange.request_sent = True

    def response_class(self, sock: socket.socket, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        return _Response(_TimedReader(self, sock, self.exchange), *args, **kwargs)


class LimitedTlsConnection(LimitedConnection, HTTPSConnection):
    """The same over TLS."""


class LimitedPool(HTTPConnectionPool):
    """A pool that hands the time limit to its connections and gives up idle ones.

    `_get_conn`, `_put_conn` and `_make_request` are private names of urllib3; test_pool.py pins them.
    """

    ConnectionCls: type[LimitedConnection] = LimitedConnection
    clock: Callable[[], float] = staticmethod(time.monotonic)

    def _get_conn(self, timeout: Any = None) -> Any:
        exchange: Exchange = timeout  # as `urlopen` is given it
        connection: Any = super()._get_conn(self._longest_wait(exchange) if self.block else None)
        if self.clock() - connection.idle_since > IDLE_SECONDS:
            connection.close()  # it connects anew when it is used
        connection.exchange = exchange
        return connection

    def _longest_wait(self, exchange: Exchange) -> float | None:
        """Return how long a call may wait for a free place; it has a place before it hears that its time is over."""
        try:
            return exchange.limit.for_read()
        except TimeoutError:
            return 0.0

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = self.clock()
            conn.exchange = None
            if conn.is_spoilt:
                conn.close()
        super()._put_conn(conn)

    def _make_request(self, conn: Any, method: str, url: str, *args: Any, **kwargs: Any) -> BaseHTTPResponse:
        exchange: Exchange = kwargs["timeout"]
        exchange.request_sent = False
        shown = _Target(exchange.request.template)
        shown.sent = url
        response = super()._make_request(conn, method, shown, *args, **kwargs)
        response.url = url
        return response


class LimitedTlsPool(LimitedPool, HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls: type[LimitedTlsConnection] = LimitedTlsConnection
