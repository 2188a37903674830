"""An answer on its way in: its body is read on demand, within limits, and what urllib3 raises becomes our errors."""

import http.client
from collections.abc import Iterable, Iterator, Mapping
from threading import Lock
from typing import Any, Final, Protocol, TypeGuard, TypeVar

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

from freechat_sdk._decoders import Decoder
from freechat_sdk._pool import Exchange
from freechat_sdk.configuration import MEBIBYTE
from freechat_sdk.exceptions import ApiConnectionError, ApiDecodeError, ApiException, ApiTimeoutError, on_one_line
from freechat_sdk.upload import Form

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=ApiException)

READ_BYTES: Final = 65536
READ_AT_ONCE: Final = 4 * MEBIBYTE
"""The largest answer that memory is taken for because the server announces it."""
LARGEST_FILES: Final = "servers take up to 10 MiB, of some kinds less, and may hang up on more"

LOWER_ERRORS: Final = (HTTPError, OSError, ValueError, http.client.HTTPException)
"""What urllib3 and what lies below it raise."""


class Reply:
    """An answer as it comes in: status and headers are there, the body is read on demand."""

    def __init__(self, response: BaseHTTPResponse, exchange: Exchange) -> None:
        self.response = response
        self.exchange = exchange
        self.status = response.status
        self.reason = response.reason or ""
        self.headers: Mapping[str, str] = response.headers
        self.body = b""
        self._finished = Lock()

    def read(self) -> bytes:
        """Read the whole body.

        Raises:
            ApiConnectionError, ApiTimeoutError: when it does not come to its end.
            ApiDecodeError: when it is larger than the configuration allows.
        """
        length = self.response.length_remaining
        self.check_size(length or 0)
        if length is None or length > READ_AT_ONCE or "Content-Encoding" in self.headers:
            self.body = b"".join(self.limited(self.chunks()))
            return self.body
        try:
            self.body = self.response.read()
        except LOWER_ERRORS as error:
            raise self._failure(error) from bare(error)
        return self.body

    def limited(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield chunks of the body as long as they fit into the largest answer for memory.

        Raises:
            ApiDecodeError: when they do not.
        """
        size = 0
        for chunk in chunks:
            size += len(chunk)
            self.check_size(size)
            yield chunk

    def check_size(self, size: int) -> None:
        """Refuse so many bytes of the body, if they are too many for memory.

        Raises:
            ApiDecodeError: in that case; the connection is closed.
        """
        largest = self.exchange.configuration.max_response_bytes
        if largest is not None and size > largest:
            self.close()
            message = f"the answer has more than {largest} bytes"
            raise self.error(ApiDecodeError, message=message, hint="Configuration(max_response_bytes=...) sets that.")

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes in.

        Raises:
            ApiConnectionError, ApiTimeoutError: when it does not come to its end.
        """
        try:
            if self.response.chunked and "Content-Encoding" not in self.headers:
                yield from self.response.read_chunked(READ_BYTES)  # a quarter of what read1 costs
                return
            is_empty = True
            while chunk := self.response.read1(READ_BYTES):
                is_empty = False
                yield chunk
            if not is_empty and not _is_unpacked_whole(self.response):
                raise DecodeError("the packed body is cut")
        except LOWER_ERRORS as error:
            raise self._failure(error) from bare(error)

    def _failure(self, error: Exception) -> ApiException:
        """Return the error for a body that could not be read. And close: where it cannot unpack, urllib3 does not."""
        self.close()
        if any(isinstance(cause, DecodeError) for cause in _causes(error)):
            return self.error(ApiDecodeError, message="the answer's Content-Encoding is broken")
        return self._noted(translate(error, self.exchange))

    def close(self) -> None:
        """Close the connection unless all of the body has been read, and give its place back to the pool."""
        self.response.close()
        self.response.release_conn()

    def finish(self) -> None:
        """Close a streamed answer and tell that it has ended: once, whichever thread is first."""
        if not self._finished.acquire(blocking=False):
            return
        self.close()
        if self.exchange.watch is not None:
            self.exchange.watch.close()

    def error(self, kind: type[E], **about: Any) -> E:
        """Return an error with what this answer says: status, headers, the request it is for."""
        request = self.exchange.request
        error = kind(
            self.status,
            self.reason,
            headers=self.headers,
            method=request.method,
            path=request.template,
            attempts=self.exchange.attempts,
            **about,
        )
        return self._noted(error)

    def _noted(self, error: E) -> E:
        if self.exchange.watch is not None:
            self.exchange.watch.call.error = error
        return error


def _is_unpacked_whole(response: BaseHTTPResponse) -> bool:
    """Tell whether a packed body came to its end, which urllib3 does not look at. Pinned by test_pool.py."""
    decoder: Any = getattr(response, "_decoder", None)
    unpackers = (getattr(part, "_obj", None) for part in getattr(decoder, "_decoders", [decoder]))
    return all(getattr(unpacker, "eof", True) for unpacker in unpackers)


class StreamDecoder(Decoder[T_co], Protocol[T_co]):
    """Opens an answer that is read while it comes in."""

    def takes(self, content_type: str) -> bool:
        """Tell whether an answer of a media type (in lower case) can be opened."""

    def open(self, reply: Reply) -> T_co:
        """Return what reads the answer."""


def opens_stream(decoder: Decoder[T]) -> TypeGuard[StreamDecoder[T]]:
    """Tell whether a decoder opens answers instead of reading them."""
    return decoder.is_streamed


def translate(error: Exception, exchange: Exchange) -> ApiException:
    """Return the error of this package for one of urllib3, http.client or the operating system."""
    request = exchange.request
    about: dict[str, Any] = {
        "method": request.method,
        "path": request.template,
        "attempts": exchange.attempts,
        "request_sent": exchange.request_sent,
    }
    if isinstance(error, EmptyPoolError):
        most = exchange.configuration.connection_pool_maxsize
        return ApiTimeoutError(f"no connection became free in time (connection_pool_maxsize: {most})", **about)
    causes = list(_causes(error))
    if any(_is_timeout(cause) for cause in causes):
        return ApiTimeoutError(_timeout_message(exchange), **about)
    message = _connection_message(causes)
    if isinstance(request.body, Form) and exchange.request_sent:
        message += f"; the file has {byte_count(request.body)}, and {LARGEST_FILES}"
    return ApiConnectionError(message, **about)


def byte_count(form: Form) -> str:
    """Return how large the file of an upload is, in words."""
    return f"{form.upload.size or 'an unknown number of'} bytes"


def bare(error: Exception) -> Exception:
    """Return an error without its frames, and so all behind it: reports of faults may print their variables.

    Those of urllib3 and http.client hold the request's header, with the token.
    """
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if id(found) not in seen:
            seen.add(id(found))
            found.__traceback__ = None
            behind = (found.__cause__, found.__context__, *found.args)
            waiting += [other for other in behind if isinstance(other, BaseException)]
    return error


def _is_timeout(error: BaseException) -> bool:
    is_refused = isinstance(error, NewConnectionError)  # by inheritance a timeout, by meaning none
    return isinstance(error, (TimeoutError, UrllibTimeoutError)) and not is_refused


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what lies behind it: urllib3 keeps causes in `args` as well."""
    while error is not None:
        yield error
        inner = [arg for arg in error.args if isinstance(arg, BaseException)]
        error = inner[-1] if inner else error.__cause__


def _timeout_message(exchange: Exchange) -> str:
    limits = exchange.limit.durations
    if exchange.limit.is_streaming:
        return f"the stream was silent or lasted for too long (limits: {limits.silence} s and {limits.stream} s)"
    if exchange.request_sent:
        return f"no complete answer in time (limits: {limits.total} s for the call, {limits.read} s for each wait)"
    return f"no connection in time (limits: {limits.total} s for the call, {limits.connect} s for each connect)"


def _connection_message(causes: list[BaseException]) -> str:
    """Say which step failed, and what the lowest layer said of it."""
    steps = (
        (NameResolutionError, "the host's name is not known"),
        (ProxyError, "the proxy failed"),
        (SSLError, "no secure connection (TLS)"),
        (NewConnectionError, "no connection: is the server running, and the host right?"),
    )
    step = next((text for kind, text in steps if isinstance(causes[0], kind)), "the connection was lost")
    last = causes[-1]
    return f"{step} ({type(last).__name__}: {on_one_line(str(last))})"
