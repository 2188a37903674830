"""Reads an OpenAPI document and keeps track of locations, so that every error names one."""

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml


class DocumentError(Exception):
    """The document contains something that the generator does not support, or lacks something that it needs."""


class _Loader(yaml.SafeLoader):
    """Refuses duplicate keys, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise DocumentError(f"line {node.start_mark.line + 1}: duplicate key {key!r}")
        return super().construct_mapping(node, deep)


def load(path: Path) -> "Node":
    """Return the root of the document in a file."""
    try:
        return Node.root(yaml.load(path.read_text(encoding="utf-8"), _Loader))  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise DocumentError(str(error)) from error


class Node:
    """A mapping of the document. It notes which keys are taken; `finish()` refuses the others."""

    def __init__(self, value: Any, location: str, root: Any) -> None:
        """Make the node at a location of a document; keys beside a `$ref` override those of its target."""
        self.location = location
        self._root = root
        self._values = self._resolved(value)
        self._left = set(self._values)

    @classmethod
    def root(cls, value: Any) -> "Node":
        """Return the node of a whole document."""
        return cls(value, "", value)

    def _resolved(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error("is not a mapping")
        self.ref: str | None = value.get("$ref")
        self.beside = set(value) - {"$ref"}
        if self.ref is None:
            return value
        target = self._root
        for step in self.ref.removeprefix("#/").split("/"):
            if not isinstance(target, dict) or step not in target:
                raise self.error(f"{self.ref!r} does not exist")
            target = target[step]
        return {**target, **{key: beside for key, beside in value.items() if key != "$ref"}}

    def error(self, message: str) -> DocumentError:
        """Return an error that names this location."""
        return DocumentError(f"{self.location or 'the document'}: {message}")

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def take(self, key: str, kind: type = str, default: Any = None) -> Any:
        """Return the value of a key, which must be there unless there is a default."""
        if key not in self._values:
            if default is None:
                raise self.error(f"{key!r} is missing")
            return default
        self._left.discard(key)
        value = self._values[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(f"{key!r} is not of type {kind.__name__}")
        return value

    def text(self, key: str) -> str:
        """Return a text, which must be there, with its line breaks as spaces."""
        text: str = self.take(key)
        if not text.strip():
            raise self.error(f"{key!r} is empty")
        if "\\" in text:
            raise self.error(f"{key!r} contains a backslash, which is an escape in a docstring; use words instead")
        return " ".join(text.split())

    def choice(self, key: str, values: tuple[str, ...], default: str | None = None) -> str:
        """Return a text that must be one of the given values."""
        value: str = self.take(key, str, default)
        if value not in values:
            raise self.error(f"{key!r} is {value!r}, not one of {', '.join(values)}")
        return value

    def child(self, key: str) -> "Node":
        """Return the mapping under a key."""
        value = self.take(key, dict)
        return Node(value, f"{self.location}.{key}".lstrip("."), self._root)

    def children(self, key: str) -> Iterator[tuple[str, "Node"]]:
        """Yield names and mappings under a key; nothing if the key is missing."""
        for name, value in self.take(key, dict, {}).items():
            yield name, Node(value, f"{self.location}.{key}.{name}".lstrip("."), self._root)

    def listed(self, key: str) -> Iterator["Node"]:
        """Yield the mappings of a list under a key; nothing if the key is missing."""
        for index, value in enumerate(self.take(key, list, [])):
            yield Node(value, f"{self.location}.{key}[{index}]", self._root)

    def skip(self, *keys: str) -> None:
        """Ignore keys that other readers of the document need."""
        self._left.difference_update(keys)

    def finish(self) -> None:
        """Refuse the keys that were not taken."""
        if self._left:
            raise self.error(f"not supported: {', '.join(sorted(self._left))}")
