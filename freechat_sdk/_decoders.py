"""Decodes the body of a response into the value of its operation. No I/O.

The operation chooses the decoder, not the Content-Type: servers label raw text with whatever the client accepts.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final, Generic, Literal, Protocol, TypeVar, cast, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter

from freechat_sdk._model import hide_input
from freechat_sdk.exceptions import ApiDecodeError, ApiException

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=ApiException)

_HTML_START: Final = re.compile(rb"(?i)(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)[\s>]")
"""How a web page begins (WHATWG HTML, 13.1)."""


class ReadableResponse(Protocol):
    """The part of a response that decoders use."""

    headers: Mapping[str, str]
    body: bytes
    """The body, if it has been read."""

    def error(self, kind: type[E], **about: Any) -> E:
        """Return an error that describes this response."""


class StreamedResponse(ReadableResponse, Protocol):
    """The part of a response that streams and downloads use."""

    @property
    def max_response_bytes(self) -> int | None:
        """The size of the largest body that is kept in memory. None means unlimited."""

    @property
    def max_event_bytes(self) -> int | None:
        """The size of the largest event that a stream may have. None means unlimited."""

    @property
    def splits_thinking(self) -> bool:
        """Whether thinking that a model writes inline is told apart from its answer."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives."""

    def limited(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield chunks as long as their total size is within `Configuration.max_response_bytes`."""

    def check_size(self, size: int) -> None:
        """Raise an error if this many bytes exceed `Configuration.max_response_bytes`."""

    def begin_stream(self) -> None:
        """Switch to the time limits that apply after the first event of a stream."""

    def note_progress(self) -> None:
        """End the present silence of the stream."""

    def note_event(self, event: object) -> None:
        """End the present silence of the stream, and report an event of it."""

    def pause(self) -> None:
        """Wait briefly for something other than bytes, as long as the time limits of the stream allow it."""

    def end_within(self, seconds: float) -> None:
        """Move the deadline to this many seconds from now."""

    def interrupt(self) -> None:
        """End the wait of another thread that is reading."""

    def end_stream(self) -> None:
        """Give the connection back and report the end, once."""


class Decoder(Protocol[T_co]):
    """Decodes one kind of body."""

    @property
    def is_stream(self) -> Literal[False]:
        """Distinguishes a `Decoder` from a `StreamOpener`."""

    @property
    def accept(self) -> str:
        """The `Accept` header of the request. It always includes JSON, the format of errors."""

    def decode(self, body: bytes, /) -> T_co:
        """Return the value of a body that is not empty.

        Raises:
            ValueError: if the body is not what the operation returns.
        """


class StreamOpener(Protocol[T_co]):
    """Opens a stream or a download instead of reading the body."""

    @property
    def is_stream(self) -> Literal[True]:
        """Distinguishes a `Decoder` from a `StreamOpener`."""

    @property
    def accept(self) -> str:
        """The `Accept` header of the request."""

    def takes(self, content_type: str) -> bool:
        """Return whether a response of this media type can be opened."""

    def open(self, response: StreamedResponse) -> T_co:
        """Return the stream or download."""


class _Json(Generic[T]):
    """Decodes JSON from bytes into a type. The validator of the type is built on first use."""

    accept = "application/json"
    is_stream: Final = False

    def __init__(self, type_: type[T]) -> None:
        self._type = type_

    @cached_property
    def decode(self) -> Callable[[bytes], T]:
        return _validator_for(self._type)


def _validator_for(type_: type[T]) -> Callable[[bytes], T]:
    """Return a validator that accepts only `true` and `false` for a bool, and only a JSON integer for an int.

    A model has its own configuration.
    """
    is_model = get_origin(type_) is None and issubclass(type_, BaseModel)
    strict = None if is_model else ConfigDict(strict=True, hide_input_in_errors=True)
    adapter = TypeAdapter(type_, config=strict)
    adapter.rebuild()
    return adapter.validator.validate_json  # `adapter.validate_json` takes twice as long for a small event


class _Text:
    """Decodes raw text, whatever its Content-Type."""

    accept = "text/plain, application/json"
    is_stream: Final = False

    def decode(self, body: bytes, /) -> str:
        return body.decode()


class _Nothing:
    """Ignores the body of a response whose status says everything."""

    accept = "application/json"
    is_stream: Final = False

    def decode(self, body: bytes, /) -> None:
        return None


_json_decoders: dict[Any, _Json[Any]] = {}

as_text = _Text()
nothing = _Nothing()


def as_json(type_: type[T]) -> Decoder[T]:
    """Return the decoder of JSON into `type_`. It is made once for each type."""
    decoder: _Json[T] | None = _json_decoders.get(type_)
    if decoder is None:
        decoder = _json_decoders[type_] = _Json(type_)
    return decoder


def optional(decoder: Decoder[T]) -> Decoder[T | None]:
    """Return the decoder of an operation whose response may be empty."""
    return decoder


def decode(decoder: Decoder[T], response: ReadableResponse) -> T:
    """Return the value of a successful response; an empty body is `None`.

    Raises:
        ApiDecodeError: if the body is not what the operation returns: HTML, invalid JSON or JSON of another shape.
    """
    if not response.body:
        return cast(T, None)  # operations whose body may be empty have an optional type
    try:
        value = decoder.decode(response.body)
        if isinstance(value, str) and is_html(response.headers, response.body):
            raise ValueError("the response is HTML")
    except (ValueError, RecursionError) as error:
        raise undecodable(response, decoder.accept) from hide_input(error)
    return value


def undecodable(response: ReadableResponse, accept: str) -> ApiDecodeError:
    """Return the error for a body that is not what the operation returns."""
    expected = accept.partition(",")[0]
    got = response.headers.get("Content-Type") or "no Content-Type"
    hint = None
    if is_html(response.headers, response.body):
        hint = (
            "This does not look like a FreeChat server; a login page or a proxy may have answered. "
            "Check Configuration(host=...)."
        )
    message = f"Expected {expected}, got an unreadable {got!r}"
    return response.error(ApiDecodeError, message=message, body=response.body, hint=hint)


def is_html(headers: Mapping[str, str], body: bytes = b"") -> bool:
    """Return whether a response is an HTML page, judging by its label, and by its start if it has been read."""
    is_labelled = headers.get("Content-Type", "").lower().startswith("text/html")
    return is_labelled or _HTML_START.match(body) is not None
