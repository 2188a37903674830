"""A response: status and headers at once, the body on demand. Transport errors are translated here."""

import http.client
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from errno import ETIMEDOUT
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

from freechat_sdk._connection import FramingError, is_unpacked_whole, read_chunks
from freechat_sdk._exchange import BodyTimeoutError, Exchange
from freechat_sdk._hints import may_be_too_large, size_advice
from freechat_sdk._operation import ONCE
from freechat_sdk._secrets import without_frames
from freechat_sdk.configuration import MEBIBYTE
from freechat_sdk.exceptions import (
    ApiConnectionError,
    ApiDecodeError,
    ApiException,
    ApiTimeoutError,
    escape_unprintable,
)
from freechat_sdk.upload import FileChangedError

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

    @property
    def report_event(self) -> Callable[[object], None] | None:
        """Reports an event of the stream to the hooks and the log. None if nobody is told."""
        observer = self.exchange.observer
        return None if observer is None else observer.event

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
        error = kind(self.status, self.reason, headers=self.headers, **_about(self.exchange), **about)
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


def _about(exchange: Exchange) -> dict[str, Any]:
    """Return what an error says about a call."""
    request = exchange.request
    return {
        "method": request.method,
        "path": request.template,
        "url": exchange.url,
        "attempts": exchange.attempts,
        "secrets": exchange.secrets,
    }


def translate(error: Exception, exchange: Exchange) -> ApiException:
    """Return the error of this package for an error of the transport."""
    about = _about(exchange)
    causes = list(_causes(error))
    invalid = next((cause for cause in causes if isinstance(cause, FramingError)), None)
    if invalid is not None and exchange.was_sent:
        message = f"the response is not valid HTTP ({escape_unprintable(str(invalid).strip())})"
        return ApiDecodeError(message=message, hint=_CHECK_PROTOCOL, **about)
    about["request_sent"] = exchange.was_sent
    if isinstance(error, EmptyPoolError):
        size = exchange.configuration.connection_pool_maxsize
        hint = "Raise Configuration(connection_pool_maxsize=...), or read and close the streams that are open."
        message = f"no connection became free in time (connection_pool_maxsize: {size})"
        return ApiTimeoutError(message, hint=hint, **about)
    if isinstance(error, FileChangedError):
        return ApiConnectionError(str(error), hint="Send the file again when nothing else writes to it.", **about)
    if any(_is_timeout(cause) for cause in causes):
        return _timed_out(error, causes, exchange, about)
    message, hint = _connection_failure(causes, exchange.request_sent)
    body = exchange.request.body
    if exchange.request_sent and may_be_too_large(body):
        hint = f"{hint} {size_advice(body)}"
    return ApiConnectionError(message, hint=hint + _doubt(exchange), **about)


def _is_timeout(error: BaseException) -> bool:
    is_refused = isinstance(error, NewConnectionError)  # a timeout by inheritance only
    return isinstance(error, (TimeoutError, UrllibTimeoutError)) and not is_refused


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, which urllib3 also keeps in `args`."""
    while error is not None:
        yield error
        inner = [arg for arg in error.args if isinstance(arg, BaseException)]
        error = inner[-1] if inner else error.__cause__


def _timed_out(
    error: Exception, causes: list[BaseException], exchange: Exchange, about: dict[str, Any]
) -> ApiTimeoutError:
    """Return the error of a wait that was too long: where it waited, and which limit was reached."""
    deadline = exchange.deadline
    is_connecting = not (exchange.request_sent or deadline.is_streaming)
    place = "while connecting" if is_connecting else "before the response was complete"
    if isinstance(error, BodyTimeoutError):
        is_connecting, place = False, "while the file was read"
    reached = None if any(map(_is_of_the_system, causes)) else deadline.reached(is_connecting)
    if reached is None:
        return ApiTimeoutError(f"the operating system gave up {place}", hint=_CHECK_HOST + _doubt(exchange), **about)
    name, seconds = reached
    hint = f"Raise it with {_SETTINGS.get(name, _CALL_SETTINGS)}." + _doubt(exchange)
    if is_connecting:
        hint = f"{_CHECK_HOST} {hint}"
    return ApiTimeoutError(f"timed out {place}: the limit of {seconds:g} s for {name} was reached", hint=hint, **about)


def _is_of_the_system(error: BaseException) -> bool:
    """Return whether the operating system itself gave up; a limit that is set has no error number."""
    return isinstance(error, OSError) and error.errno == ETIMEDOUT


def _doubt(exchange: Exchange) -> str:
    """Return the warning that a request which must not be repeated may have been carried out."""
    if exchange.was_sent and exchange.request.retry is ONCE:
        return " The server may have carried out the request: look before you send it again."
    return ""


_CHECK_PROTOCOL: Final = "Check the port, and whether the address of the server begins with http or https."
_CHECK_HOST: Final = "Check Configuration(host=...) or FREECHAT_HOST, and that the server is running."

_CALL_SETTINGS: Final = "_request_timeout=... for one call, or in the Configuration for all"
_SETTINGS: Final = {
    "each connect": "Configuration(connect_timeout=...)",
    "each silence": "_request_timeout=... for one call, or Configuration(stream_idle_timeout=...) for all",
    "the whole stream": "Configuration(stream_timeout=...)",
}
"""What raises a time limit."""

_STEPS: Final = (
    (NameResolutionError, "the name of the host could not be resolved", _CHECK_HOST),
    (ProxyError, "the proxy failed", "Check Configuration(proxy=...) and the environment variables of proxies."),
    (
        SSLError,
        "the TLS connection failed",
        "Check that the server speaks https, and Configuration(ssl_ca_cert=...) if its certificate is your own.",
    ),
    (NewConnectionError, "no connection", _CHECK_HOST),
)


def _connection_failure(causes: list[BaseException], request_sent: bool) -> tuple[str, str]:
    """Return which step failed, with what the lowest layer said about it, and what to do."""
    last = causes[-1]
    steps = () if request_sent and isinstance(last, ssl.SSLEOFError) else _STEPS
    step, hint = next((found for kind, *found in steps if isinstance(causes[0], kind)), _lost(last))
    return f"{step} ({type(last).__name__}: {escape_unprintable(str(last))})", hint


def _lost(error: BaseException) -> tuple[str, str]:
    """Return how a connection was lost, and what to do."""
    is_cut = isinstance(error, http.client.RemoteDisconnected) or str(error).startswith("HTTP/")
    if isinstance(error, http.client.BadStatusLine) and not is_cut:
        return "the response is not HTTP", _CHECK_PROTOCOL
    return (
        "the connection was lost",
        "The server or a proxy closed it. Check the server, and whether its address begins with http or https.",
    )
