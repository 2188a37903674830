"""ApiResponse: the value of a call with the status and headers of its response."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ApiResponse(Generic[T]):
    """The value of a call with details of its response, as the `..._with_http_info` methods return it."""

    status_code: int
    """The HTTP status code (RFC 9110, 15)."""
    headers: Mapping[str, str]
    """The headers of the response; names are compared without regard to case."""
    data: T
    """The value that the plain method returns."""
    raw_data: bytes | None = field(repr=False)
    """The body of the response as bytes, or None if it is a stream or a download."""
    attempts: int = 1
    """The number of requests made for the call."""
