"""One call of an API method as a value: what to send, and how the transport may treat it. No I/O."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from typing_extensions import NamedTuple

from freechat_sdk._decoders import Decoder, StreamOpener
from freechat_sdk.exceptions import ApiTypeError

T = TypeVar("T")


class RetryClass(Enum):
    """Whether a request of an operation may be sent a second time."""

    READ = "read"
    """Yes: the operation only reads."""
    IDEMPOTENT = "idempotent"
    """Yes: a second request has no further effect (RFC 9110, 9.2.2)."""
    ONCE = "once"
    """Only if no byte of the first request was sent."""


class TimeClass(Enum):
    """Whether a call waits for a language model, which decides how long it may take."""

    ORDINARY = "ordinary"
    MODEL = "model"


READ: Final = RetryClass.READ
IDEMPOTENT: Final = RetryClass.IDEMPOTENT
ONCE: Final = RetryClass.ONCE
ORDINARY: Final = TimeClass.ORDINARY
MODEL: Final = TimeClass.MODEL

V1: Final = ("v1",)
V2: Final = ("v2",)
BOTH: Final = ("v1", "v2")

_NO_VALUES: Final[Mapping[str, object]] = MappingProxyType({})


class Operation(NamedTuple, Generic[T]):
    """One call of an API method."""

    method: str
    template: str
    """The path below the generation's prefix. It ends before the first path parameter whose value is `None`."""
    decoder: Decoder[T] | StreamOpener[T]
    options: Mapping[str, Any]
    """The `RequestOptions` of the call."""
    retry: RetryClass
    path: Mapping[str, object] = _NO_VALUES
    query: Mapping[str, object] = _NO_VALUES
    body: object = None
    time: TimeClass = ORDINARY
    retry_busy: bool = False
    """Whether a 503 that says "busy" means that the server did nothing."""
    generations: tuple[str, ...] = BOTH

    def __repr__(self) -> str:
        return f"Operation({self.method} {self.template})"  # the other fields may hold a credential


def exactly_one(**values: T | None) -> T:
    """Return the value of a parameter that has several names.

    Raises:
        ApiTypeError: if no value is given, or more than one.
    """
    given = [value for value in values.values() if value is not None]
    if len(given) != 1:
        raise ApiTypeError(f"give exactly one of {' and '.join(values)}, not {len(given)}")
    return given[0]
