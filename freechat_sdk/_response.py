"""A response: status and headers at once, the body on demand. Transport errors are translated here."""

import http.client
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from threading import Lock
from typing import Any, Final, TypeVar

from urllib3.exceptions import (
    DecodeError,
    EmptyPoolError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as UrllibTimeoutError
from urllib3.response import BaseHTTPResponse

from freechat_sdk._connection import Exchange, FramingError, is_unpacked_whole, read_chunks
from freechat_sdk._secrets import without_frames
from freechat_sdk.configuration import MEBIBYTE
from freechat_sdk.exceptions import (
    ApiConnectionError,
    ApiDecodeError,
    ApiException,
    ApiTimeoutError,
    escape_unprintable,
)
from freechat_sdk.upload import FileChangedError, MultipartBody

E = TypeVar("E", bound=ApiException)

CHUNK_BYTES: Final = 65536
MAX_BYTES_READ_AT_ONCE: Final = 4 * MEBIBYTE
"""The largest Content-Length that is read by one call, which allocates memory for all of it first."""

PAUSE_SECONDS: Final = 0.02

ENCODINGS: Final = frozenset({"identity", "gzip", "x-gzip", "deflate"})
"""The values of Content-Encoding that are unpacked."""

TRANSPORT_ERRORS: Final = (HTTPError, OSError, ValueError, http.client.HTTPException)
"""What urllib3, http.client and the operating system raise."""


class Preload(Enum):
    """Which bodies are read as soon as a response has arrived."""

    ALL = "all"
    ERRORS = "errors"
    NONE = "none"

    def includes(self, status: int) -> bool:
        """Return whether the body of a response with this status is read."""
        return self is Preload.ALL or (self is Preload.ERRORS and not 200 <= status < 300)


class Response:
    """One HTTP response, with the exchange that it belongs to."""

    def __init__(self, raw: BaseHTTPResponse, exchange: Exchange) -> None:
        self.raw = raw
        """The response of urllib3."""
        self.exchange = exchange
        self.status = raw.status
        self.reason = raw.reason or ""
        self.headers: Mapping[str, str] = raw.headers
        self.body = b""
        """The body, once `read()` has returned it."""
        self._is_whole = False
        self._is_spent = False
        self._is_interrupted = False
        self._ended = Lock()

    def read(self) -> bytes:
        """Read the whole body. It is kept, so that a second call returns it again.

        Raises:
            ApiConnectionError, ApiTimeoutError: if the body does not come to its end.
            ApiDecodeError: if it is larger than the configuration allows.
            ApiException: if it has been read in another way, or the response has been closed.
        """
        if not self._is_whole:
            self.body = self._read_once()
            self._is_whole = True
        return self.body

    def _read_once(self) -> bytes:
        length = self.raw.length_remaining
        self.check_size(length or 0)
        if length is None or length > MAX_BYTES_READ_AT_ONCE or "Content-Encoding" in self.headers:
            return joined(self.limited(self.chunks()))
        self._begin_body()
        try:
            return self.raw.read()
        except TRANSPORT_ERRORS as error:
            raise self._failure(error) from without_frames(error, self.exchange.secrets)

    def _begin_body(self) -> None:
        """Note that the body is being read: it is read whole, once, or ends in an error.

        Raises:
            ApiException: if it has been read before.
            ApiDecodeError: if it has an encoding that servers of FreeChat never use: some unpack to a million times
                their size.
        """
        if self._is_spent or self.raw.tell():
            message = "the body has been read before, or the response has been closed"
            raise self.error(ApiException, message=message, hint="Call read() first to use the body more than once.")
        self._is_spent = True
        encoding = self.headers.get("Content-Encoding", "identity").lower()  # not stripped, as urllib3 reads it
        if encoding not in ENCODINGS:
            self.release()
            raise self.error(ApiDecodeError, message=f"unsupported Content-Encoding {encoding!r}")

    def limited(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield chunks as long as their total size is within `Configuration.max_response_bytes`.

        Raises:
            ApiDecodeError: if it is not.
        """
        size = 0
        for chunk in chunks:
            size += len(chunk)
            self.check_size(size)
            yield chunk

    def check_size(self, size: int) -> None:
        """Check a size against `Configuration.max_response_bytes`. Close the connection if the size is larger.

        Raises:
            ApiDecodeError: if the size is larger.
        """
        allowed = self.max_response_bytes
        if allowed is not None and size > allowed:
            self.release()
            hint = "Raise the limit with Configuration(max_response_bytes=...)."
            raise self.error(ApiDecodeError, message=f"the response has more than {allowed} bytes", hint=hint)

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives.

        Raises:
            ApiConnectionError, ApiTimeoutError: if it does not come to its end.
            ApiException: if it has been read before, or the response has been closed.
        """
        self._begin_body()
        try:
            if self.raw.chunked and "Content-Encoding" not in self.headers:
                yield from read_chunks(self.raw, CHUNK_BYTES)
                return
            while chunk := self.raw.read1(CHUNK_BYTES):
                yield chunk
                self.exchange.deadline.for_read()  # a packed body can unpack for long without a wait
            if self.raw.tell() and not is_unpacked_whole(self.raw):
                raise DecodeError("the packed body is incomplete")
            if self._is_interrupted:  # which may have made this end
                raise OSError
        except TRANSPORT_ERRORS as error:
            raise self._failure(error) from without_frames(error, self.exchange.secrets)
        except BaseException:
            self.release()
            raise

    def _failure(self, error: Exception) -> ApiException:
        """Close the connection, and return the error for a body that could not be read.

        urllib3 itself does not close it if a body cannot be decompressed.
        """
        self.release()
        if self._is_interrupted:
            error = OSError("the response or the client was closed")
        if any(isinstance(cause, DecodeError) for cause in _causes(error)):
            return self.error(ApiDecodeError, message="the body does not fit its Content-Encoding")
        return self._noted(translate(error, self.exchange))

    def release(self) -> None:
        """Give the connection back; close it first unless the whole body has been read."""
        self._is_spent = True
        self.raw.close()
        self.raw.release_conn()

    @property
    def max_response_bytes(self) -> int | None:
        """The size of the largest body that is kept in memory. None means unlimited."""
        return self.exchange.configuration.max_response_bytes

    @property
    def max_event_bytes(self) -> int | None:
        """The size of the largest event that a stream may have. None means unlimited."""
        return self.exchange.configuration.max_event_bytes

    @property
    def splits_thinking(self) -> bool:
        """Whether thinking that a model writes inline is told apart from its answer."""
        return self.exchange.configuration.split_thinking

    def begin_stream(self) -> None:
        """Switch to the time limits that apply after the first event of a stream."""
        self.exchange.deadline.begin_stream()

    def note_progress(self) -> None:
        """End the present silence of the stream."""
        self.exchange.deadline.note_progress()

    def note_event(self, event: object) -> None:
        """End the present silence of the stream, and report an event of it."""
        exchange = self.exchange
        exchange.deadline.note_progress()
        if exchange.observer is not None:
            exchange.observer.event(event)

    def pause(self) -> None:
        """Wait briefly for something other than bytes of the server.

        Raises:
            ApiTimeoutError: if the time limits of the stream do not allow it.
        """
        try:
            self.exchange.deadline.for_read()
        except TimeoutError as error:
            raise self._failure(error) from None
        time.sleep(PAUSE_SECONDS)

    def end_within(self, seconds: float) -> None:
        """Move the deadline to this many seconds from now."""
        self.exchange.deadline.end_within(seconds)

    def interrupt(self) -> None:
        """End the wait that another thread is in, with an error there."""
        self._is_interrupted = True
        self.exchange.interrupt()

    def end_stream(self) -> None:
        """Give the connection back and report the end. Only the first call does this, from whichever thread."""
        if not self._ended.acquire(blocking=False):
            return
        self.release()
        if self.exchange.observer is not None:
            self.exchange.observer.close()

    def error(self, kind: type[E], **about: Any) -> E:
        """Return an error that describes this response: status, headers, request."""
        request = self.exchange.request
        error = kind(
            self.status,
            self.reason,
            headers=self.headers,
            method=request.method,
            path=request.template,
            attempts=self.exchange.attempts,
            secrets=self.exchange.secrets,
            **about,
        )
        return self._noted(error)

    def _noted(self, error: E) -> E:
        if self.exchange.observer is not None:
            self.exchange.observer.call.error = error
        return error


def joined(chunks: Iterable[bytes]) -> bytes:
    """Return all chunks in one. Unlike `bytes.join`, it does not keep each of many small ones until the end."""
    whole = bytearray()
    for chunk in chunks:
        whole += chunk
    return bytes(whole)


def translate(error: Exception, exchange: Exchange) -> ApiException:
    """Return the error of this package for an error of the transport."""
    request = exchange.request
    about: dict[str, Any] = {
        "method": request.method,
        "path": request.template,
        "attempts": exchange.attempts,
        "request_sent": exchange.was_sent,
        "secrets": exchange.secrets,
    }
    if isinstance(error, EmptyPoolError):
        size = exchange.configuration.connection_pool_maxsize
        return ApiTimeoutError(f"no connection became free in time (connection_pool_maxsize: {size})", **about)
    causes = list(_causes(error))
    invalid = next((cause for cause in causes if isinstance(cause, FramingError)), None)
    if invalid is not None and about.pop("request_sent"):
        return ApiDecodeError(
            message=f"the response is not valid HTTP ({escape_unprintable(str(invalid).strip())})", **about
        )
    if isinstance(error, FileChangedError):
        return ApiConnectionError(str(error), **about)
    if any(_is_timeout(cause) for cause in causes):
        return ApiTimeoutError(_timeout_message(exchange), **about)
    message = _connection_message(causes, exchange.request_sent)
    if isinstance(request.body, MultipartBody) and exchange.request_sent:
        message += f"; {size_advice(request.body)}"
    return ApiConnectionError(message, **about)


def size_advice(body: MultipartBody) -> str:
    """Return the advice for a file that may be too large for the server."""
    size = body.upload.size
    return (
        f"the file has {'an unknown number of' if size is None else size} bytes; servers accept up to 10 MiB, less for "
        "some kinds of files, and may close the connection if a file is larger"
    )


def _is_timeout(error: BaseException) -> bool:
    is_refused = isinstance(error, NewConnectionError)  # a timeout by inheritance only
    return isinstance(error, (TimeoutError, UrllibTimeoutError)) and not is_refused


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, which urllib3 also keeps in `args`."""
    while error is not None:
        yield error
        inner = [arg for arg in error.args if isinstance(arg, BaseException)]
        error = inner[-1] if inner else error.__cause__


def _timeout_message(exchange: Exchange) -> str:
    timeouts = exchange.deadline.timeouts
    if exchange.deadline.is_streaming:
        limits = {"each silence": timeouts.silence, "the whole stream": timeouts.stream}
        return f"the stream was silent or lasted for too long ({_shown_limits(limits)})"
    if exchange.request_sent:
        limits = {"the whole call": timeouts.total, "each wait for bytes": timeouts.read}
        return f"no complete response in time ({_shown_limits(limits)})"
    limits = {"the whole call": timeouts.total, "each connect": timeouts.connect}
    return f"no connection in time ({_shown_limits(limits)})"


def _shown_limits(limits: Mapping[str, float | None]) -> str:
    shown = ", ".join(f"{seconds} s for {what}" for what, seconds in limits.items() if seconds is not None)
    return f"limits: {shown}" if shown else "the operating system gave up; no limit is set"


_STEPS: Final = (
    (NameResolutionError, "the name of the host could not be resolved"),
    (ProxyError, "the proxy failed"),
    (SSLError, "the TLS connection failed"),
    (NewConnectionError, "no connection; check the host and whether the server is running"),
)


def _connection_message(causes: list[BaseException], request_sent: bool) -> str:
    """Return which step failed, and what the lowest layer said about it."""
    last = causes[-1]
    steps = () if request_sent and isinstance(last, ssl.SSLEOFError) else _STEPS
    step = next((text for kind, text in steps if isinstance(causes[0], kind)), "the connection was lost")
    return f"{step} ({type(last).__name__}: {escape_unprintable(str(last))})"
