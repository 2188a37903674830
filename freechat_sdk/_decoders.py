"""What comes back: decoders turn the bytes of an answer into the value of its operation. No I/O.

A decoder is chosen by operation, never by Content-Type: servers label raw text with whatever the client accepts.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar, cast, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter

from freechat_sdk._model import hide_input
from freechat_sdk.exceptions import ApiDecodeError, ApiException

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=ApiException)


class Answer(Protocol):
    """A whole answer of a server."""

    headers: Mapping[str, str]
    body: bytes

    def error(self, kind: type[E], **about: Any) -> E:
        """Return an error with what the answer says."""


class Decoder(Protocol[T_co]):
    """Reads one kind of answer."""

    @property
    def accept(self) -> str:
        """The `Accept` header of requests for such an answer: always with JSON, which errors come in."""

    @property
    def is_streamed(self) -> bool:
        """Whether the answer is opened rather than read: see `rest.StreamDecoder`."""

    def decode(self, body: bytes, /) -> T_co:
        """Return the value of a body that is not empty; a ValueError says what is wrong with it."""


class _Json(Generic[T]):
    """Decodes JSON straight from bytes into a type; the type's validator is built on first use."""

    accept = "application/json"
    is_streamed = False

    def __init__(self, type_: type[T]) -> None:
        self._type = type_

    @cached_property
    def decode(self) -> Callable[[bytes], T]:
        return _validator_for(self._type)


def _validator_for(type_: type[T]) -> Callable[[bytes], T]:
    """Return a validator that takes `true` for bool and digits for int alone; models have their own configuration."""
    is_model = get_origin(type_) is None and issubclass(type_, BaseModel)
    strict = None if is_model else ConfigDict(strict=True, hide_input_in_errors=True)
    adapter = TypeAdapter(type_, config=strict)
    adapter.rebuild()
    return adapter.validator.validate_json  # `adapter.validate_json` would cost as much again as a small event


class _Text:
    """Decodes raw text, whatever its label."""

    accept = "text/plain, application/json"
    is_streamed = False

    def decode(self, body: bytes, /) -> str:
        return body.decode()


class _Nothing:
    """Takes an answer that says nothing but its status."""

    accept = "application/json"
    is_streamed = False

    def decode(self, body: bytes, /) -> None:
        return None


_json_decoders: dict[Any, _Json[Any]] = {}

as_text = _Text()
nothing = _Nothing()


def as_json(type_: type[T]) -> Decoder[T]:
    """Return the decoder of JSON into `type_`; each type has one."""
    decoder: _Json[T] | None = _json_decoders.get(type_)
    if decoder is None:
        decoder = _json_decoders[type_] = _Json(type_)
    return decoder


def optional(decoder: Decoder[T]) -> Decoder[T | None]:
    """Return the decoder of an operation that may answer nothing."""
    return decoder


def decode(decoder: Decoder[T], answer: Answer) -> T:
    """Return the value of a successful answer; an empty body is `None`.

    Raises:
        ApiDecodeError: when the body is not what the operation answers: HTML, bad JSON, another shape.
    """
    if not answer.body:
        return cast(T, None)  # operations that are known to answer nothing are typed so
    try:
        value = decoder.decode(answer.body)
        if isinstance(value, str) and is_html(answer.headers):
            raise ValueError("the answer is HTML")
    except (ValueError, RecursionError) as error:
        raise undecodable(answer, decoder.accept) from hide_input(error)
    return value


def undecodable(answer: Answer, accept: str) -> ApiDecodeError:
    """Return the error for an answer that is not of the kind the operation has, saying what likely happened."""
    expected = accept.partition(",")[0]
    got = answer.headers.get("Content-Type") or "no Content-Type"
    hint = "is the host a FreeChat API, and no login page or proxy before it?" if is_html(answer.headers) else None
    message = f"Expected {expected}, got an unreadable {got!r}"
    return answer.error(ApiDecodeError, message=message, body=answer.body, hint=hint)


def is_html(headers: Mapping[str, str]) -> bool:
    """Tell whether an answer is a web page, by its headers."""
    return headers.get("Content-Type", "").lower().startswith("text/html")
