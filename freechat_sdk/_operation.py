"""One call of an API method as a value, and how it may be treated. No I/O."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from typing_extensions import NamedTuple

from freechat_sdk._decoders import Decoder
from freechat_sdk.exceptions import ApiTypeError

T = TypeVar("T")


class RetryClass(Enum):
    """What sending a request a second time would do."""

    READ = "read"
    """Nothing: it has no effect."""
    IDEMPOTENT = "idempotent"
    """The same effect as sending it once."""
    ONCE = "once"
    """A second effect: it is never sent again after a byte left."""


class TimeClass(Enum):
    """What a call waits for, and so how long it may last."""

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
    """One call of an API method, as a value: what to send, and how to read what comes back."""

    method: str
    template: str
    """The path below the generation's prefix. It is cut before the first path value that is `None`."""
    answer: Decoder[T]
    options: Mapping[str, Any]
    """The `RequestOptions` of the call."""
    retry: RetryClass
    path: Mapping[str, object] = _NO_VALUES
    query: Mapping[str, object] = _NO_VALUES
    body: object = None
    time: TimeClass = ORDINARY
    retry_busy: bool = False
    """Whether a 503 that says "busy" means that nothing was done."""
    generations: tuple[str, ...] = BOTH

    def __repr__(self) -> str:
        return f"Operation({self.method} {self.template})"  # what else there is may hold a credential


def either(**values: T | None) -> T:
    """Return the one value that is given of several names for one parameter.

    Raises:
        ApiTypeError: when none or more than one is given.
    """
    given = [value for value in values.values() if value is not None]
    if len(given) != 1:
        raise ApiTypeError(f"give exactly one of {' and '.join(values)}, not {len(given)}")
    return given[0]
