"""ApiResponse: the value of a call together with status and headers."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from freechat_sdk._secrets import sealed

T = TypeVar("T")


class Headers(dict[str, str]):
    """The headers of a response. Look-ups ignore case (RFC 9110, 5.1)."""

    def __init__(self, headers: Iterable[tuple[str, str]]) -> None:
        super().__init__(headers)
        self._names = {name.lower(): name for name in self}

    def __missing__(self, name: str) -> str:
        return self[self._names[name.lower()]]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._names

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """Return a header, or `default` if the response does not have it."""
        try:
            return self[name]
        except KeyError:
            return default


_NO_HEADERS = Headers(())


class ApiResponse(Generic[T]):
    """The response to a call, as the `_with_http_info` methods return it.

    Attributes:
        status_code: the HTTP status code (RFC 9110, 15).
        headers: the response headers, a dict whose look-ups ignore case.
        data: the value that the plain method returns.
        attempts: the number of requests made for the call.
    """

    def __init__(
        self,
        status_code: int,
        headers: Headers = _NO_HEADERS,
        data: T = None,  # type: ignore[assignment]
        raw_data: bytes | Callable[[], bytes] | None = None,
        attempts: int = 1,
    ) -> None:
        self.status_code = status_code
        self.headers = headers
        self.data = data
        self.attempts = attempts
        self._raw_data = raw_data

    @property
    @sealed
    def raw_data(self) -> bytes | None:
        """The body as it was received. That of a download is read on first use; None for a stream."""
        raw = self._raw_data
        return raw() if callable(raw) else raw

    def __repr__(self) -> str:
        return f"ApiResponse(status_code={self.status_code}, data={self.data!r}, attempts={self.attempts})"
