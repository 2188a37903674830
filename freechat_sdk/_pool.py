"""urllib3's connections and pools, held to the time limit of a call.

- Idle connections are given up after 50 s, before servers do it at 60 s.
- A connection notes whether the request left, which decides what may be sent again.
"""

import http.client
import io
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

from freechat_sdk._limits import TimeLimit
from freechat_sdk._request import Request

IDLE_SECONDS: Final = 50.0
"""How long an unused connection is kept; servers close theirs after 60 s."""


class Exchange(Timeout):
    """One call under way: its time limit in the form that urllib3 asks for it, and how far the present attempt got.

    urllib3's own limits are for each operation of a socket: a server that sends a byte a second never meets them, and
    a body is sent under the limit for connecting. So each `recv` and `send` gets what is left of the call's deadline.
    """

    def __init__(self, request: Request, limit: TimeLimit) -> None:
        super().__init__()
        self.request = request
        self.limit = limit
        self.attempt = 1
        self.request_sent = False
        """Whether a byte of the request may have left in the present attempt."""
        self._socket: socket.socket | None = None

    def clone(self) -> "Exchange":
        """Return the object itself: all attempts share one deadline."""
        return self

    def start_connect(self) -> float:
        """Do nothing: the time runs already."""
        return 0.0

    @property
    def connect_timeout(self) -> float | None:
        """The seconds that the next connect may take."""
        return self.limit.for_connect()

    @property
    def read_timeout(self) -> float | None:
        """The seconds that the next wait for bytes may take."""
        return self.limit.for_read()

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

    def __init__(self, sock: socket.socket, exchange: Exchange) -> None:
        self._sock = sock
        self._exchange = exchange
        self._hold = sock.makefile("rb", buffering=0)  # keeps the socket open where http.client closes it early
        self.has_ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._exchange.apply(self._sock)
        count = self._sock.recv_into(buffer)
        self.has_ended = count == 0
        return count

    def close(self) -> None:
        self._hold.close()
        super().close()

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the file that http.client asks a socket for."""
        return io.BufferedReader(self)


class _Response(http.client.HTTPResponse):
    """http.client's response over a timed reader; that alone would take the end of the connection for the header's."""

    def __init__(self, reader: _TimedReader, *args: Any, **kwargs: Any) -> None:
        source: Any = reader
        super().__init__(source, *args, **kwargs)
        self._reader = reader

    def begin(self) -> None:
        super().begin()
        if self._reader.has_ended:
            raise http.client.IncompleteRead(b"")


class _LimitedConnection(HTTPConnection):
    """A connection that keeps to a call's time limit and notes whether the request left."""

    exchange: Exchange | None = None
    idle_since = 0.0

    def connect(self) -> None:
        if self.exchange is None:  # a proxy's tunnel is made before the request; urllib3 has set the timeout
            super().connect()
            return
        self.timeout = self.exchange.connect_timeout
        try:
            super().connect()
        finally:
            self.exchange.request_sent = False  # what went to a proxy was not the request

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if self.exchange is None:
            super().send(data)
            return
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
        if self.exchange is None:
            return http.client.HTTPResponse(sock, *args, **kwargs)
        return _Response(_TimedReader(sock, self.exchange), *args, **kwargs)


class _LimitedTlsConnection(_LimitedConnection, HTTPSConnection):
    """The same over TLS."""


class LimitedPool(HTTPConnectionPool):
    """A pool that hands the time limit to its connections and gives up idle ones.

    `_get_conn`, `_put_conn` and `_make_request` are private names of urllib3; test_pool.py pins them.
    """

    ConnectionCls = _LimitedConnection
    clock: Callable[[], float] = staticmethod(time.monotonic)

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection: Any = super()._get_conn(timeout)
        if self.clock() - connection.idle_since > IDLE_SECONDS:
            connection.close()  # it connects anew when it is used
        return connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = self.clock()
            conn.exchange = None
        super()._put_conn(conn)

    def _make_request(self, conn: Any, *args: Any, **kwargs: Any) -> BaseHTTPResponse:
        exchange: Exchange = kwargs["timeout"]
        exchange.request_sent = False
        conn.exchange = exchange
        return super()._make_request(conn, *args, **kwargs)


class LimitedTlsPool(LimitedPool, HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = _LimitedTlsConnection
