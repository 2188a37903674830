"""Routes: which operation a path and a method lead to.

A tree of path segments, as building one takes a millisecond; werkzeug's map takes a third of a second for the contract.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


class NoRouteError(Exception):
    """No operation has the path."""


class WrongMethodError(Exception):
    """Operations have the path, but none has the method."""

    def __init__(self, allowed: list[str]) -> None:
        super().__init__(allowed)
        self.allowed = allowed


@dataclass
class _Node(Generic[T]):
    """What may come after a part of a path: a known segment, or any, which is a parameter's value."""

    known: "dict[str, _Node[T]]" = field(default_factory=dict)
    any: "_Node[T] | None" = None
    endpoints: dict[str, tuple[T, list[str]]] = field(default_factory=dict)
    """By method, with the names of the parameters in the path."""

    def find(self, segments: list[str]) -> "tuple[_Node[T], list[str]] | None":
        """Return the node that segments lead to, and the values of the parameters; known segments come first."""
        if not segments:
            return (self, []) if self.endpoints else None
        first, rest = segments[0], segments[1:]
        if first in self.known and (found := self.known[first].find(rest)):
            return found
        if self.any is not None and first and (found := self.any.find(rest)):
            return found[0], [first, *found[1]]
        return None


class Routes(Generic[T]):
    """Endpoints by method and path."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, method: str, path: str, endpoint: T) -> None:
        """Add an endpoint; a segment `{name}` of the path takes any text."""
        node, names = self._root, []
        for segment in path.split("/"):
            if segment.startswith("{"):
                names.append(segment.strip("{}"))
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.known.setdefault(segment, _Node())
        node.endpoints[method] = endpoint, names

    def match(self, method: str, path: str) -> tuple[T, Mapping[str, str]]:
        """Return the endpoint for a path, and the values of its parameters.

        Raises:
            NoRouteError: if there is none.
            WrongMethodError: if there is none for the method.
        """
        found = self._root.find(path.split("/"))
        if found is None:
            raise NoRouteError
        node, values = found
        if method not in node.endpoints:
            raise WrongMethodError(sorted(node.endpoints))
        endpoint, names = node.endpoints[method]
        return endpoint, dict(zip(names, values, strict=True))
