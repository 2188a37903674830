"""One call under way, as urllib3 and the connection meet it."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Final

from urllib3.util import Timeout

from freechat_sdk._observer import observer_for
from freechat_sdk._request import Request
from freechat_sdk._secrets import secrets_in
from freechat_sdk._timeouts import Deadline
from freechat_sdk.configuration import Configuration
from freechat_sdk.upload import MultipartBody

_MIN_CHANGE: Final = 0.02
"""How far a socket's timeout may be off, in seconds: each change of it releases the GIL."""


class BodyError(Exception):
    """The body of a request could not be produced; `Exchange.body_error` tells why."""


class BodyTimeoutError(TimeoutError):
    """The deadline passed while the body was read; the caller's own file may raise a TimeoutError too."""


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
        self._was_sent_before = previous_attempts > 0
        self.place: object = None
        """The call's place in a pool with a fixed number of them. It goes back when it is dropped."""
        self.body_error: Exception | None = None
        self.proxy_headers: Mapping[str, str] = {}
        """The headers for a proxy, which may show them in a page of its own."""
        self._socket: socket.socket | None = None
        self._socket_lock = Lock()

    busy_attempts = 0
    """How many attempts found the chat busy."""
    busy_seconds = 0.0
    """How long the call has waited for a busy chat."""

    @property
    def attempts(self) -> int:
        """The number of requests made for the call, including those of earlier exchanges."""
        return self._previous_attempts + self.attempt

    @property
    def url(self) -> str:
        """The address of the request, with parameter names instead of their values."""
        request = self.request
        return f"{request.origin or self.configuration.host}{request.prefix}{request.template}"

    @property
    def was_sent(self) -> bool:
        """Whether a byte of the request may have been sent in any attempt."""
        return self._was_sent_before or self.request_sent

    @property
    def failures(self) -> int:
        """The number of attempts that failed, if the present one has. One that found the chat busy is none of them."""
        return self.attempt - self.busy_attempts

    def note_busy(self, wait: float) -> None:
        """Note that the chat is busy, and that the next attempt comes after `wait` seconds."""
        self.busy_attempts += 1
        self.busy_seconds += wait

    def begin_attempt(self) -> None:
        """Begin another attempt."""
        self._was_sent_before = self.was_sent
        self.request_sent = False
        self.attempt += 1

    @property
    def secrets(self) -> list[str]:
        """The credentials that the request holds, and those for the proxy, which errors must not show."""
        return secrets_in(self.request.headers) + secrets_in(self.proxy_headers)

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
        """End the wait that another thread is in: it reads the end of the connection."""
        with self._socket_lock:
            if self._socket is not None:
                with suppress(OSError):  # the peer was faster
                    self._socket.shutdown(socket.SHUT_RDWR)

    def forget_socket(self) -> None:
        """Leave the socket to the next call that gets the connection: a late `interrupt` must not touch it."""
        with self._socket_lock:
            self._socket = None

    def body(self) -> bytes | Iterator[bytes] | None:
        """Return the body to send. What the caller's file raises is kept in `body_error`."""
        body = self.request.body
        return self._parts_of(body) if isinstance(body, MultipartBody) else body

    def _parts_of(self, body: MultipartBody) -> Iterator[bytes]:
        try:
            yield from _in_time(iter(body), self.deadline) if body.upload.can_block else body
        except Exception as error:
            self.body_error = error
            raise BodyError from error  # urllib3 would take some for an early response of the server


def _in_time(chunks: Iterator[bytes], deadline: Deadline) -> Iterator[bytes]:
    """Yield chunks that another thread reads, each within what is left: a read from a pipe may block for ever.

    Raises:
        BodyTimeoutError: if the deadline passes. The thread is left to its read; it does not keep the process alive.
    """
    wanted: SimpleQueue[bool] = SimpleQueue()
    read: SimpleQueue[bytes | BaseException | None] = SimpleQueue()

    def run() -> None:
        try:
            while wanted.get():
                read.put(next(chunks, None))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread of the call
            read.put(error)

    Thread(target=run, daemon=True, name="freechat_sdk upload").start()
    try:
        while True:
            wanted.put(True)
            try:
                chunk = read.get(timeout=deadline.for_read())
            except (Empty, TimeoutError):
                raise BodyTimeoutError("reading the file took too long") from None
            if chunk is None:
                return
            if isinstance(chunk, BaseException):
                raise chunk
            yield chunk
    finally:
        wanted.put(False)
