"""ApiResponse: the value of a call together with what HTTP says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ApiResponse(Generic[T]):
    """The answer to a call, as the `_with_http_info` methods return it."""

    status_code: int
    """The HTTP status code (RFC 9110, 15)."""
    headers: Mapping[str, str]
    """The answer's headers; names are compared without regard to case."""
    data: T
    """The value that the plain method returns."""
    raw_data: bytes | None = field(repr=False)
    """The body as it came; None where the answer is a stream."""
    attempts: int = 1
    """How often the request was made."""
