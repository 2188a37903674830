"""Reading an OpenAPI document with its places at hand, so that every refusal says where."""

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml


class DocumentError(Exception):
    """The document holds what the generator does not support, or lacks what it needs."""


class _Loader(yaml.SafeLoader):
    """YAML without double keys, of which the last would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise DocumentError(f"line {node.start_mark.line + 1}: the key {key!r} stands twice")
        return super().construct_mapping(node, deep)


def load(path: Path) -> "Node":
    """Return the root of the document in a file."""
    try:
        return Node.root(yaml.load(path.read_text(encoding="utf-8"), _Loader))  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise DocumentError(str(error)) from error


class Node:
    """A mapping of the document. What is taken from it is noted; `finish()` refuses what nobody took."""

    def __init__(self, value: Any, place: str, root: Any) -> None:
        """Stand at `place` of the document `root`; a `$ref` is followed, keys beside it win over what it names."""
        self.place = place
        self._root = root
        self._values = self._resolved(value)
        self._left = set(self._values)

    @classmethod
    def root(cls, value: Any) -> "Node":
        """Return the node of a whole document."""
        return cls(value, "", value)

    def _resolved(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error("is no mapping")
        self.ref: str | None = value.get("$ref")
        self.beside = set(value) - {"$ref"}
        if self.ref is None:
            return value
        target = self._root
        for step in self.ref.removeprefix("#/").split("/"):
            if not isinstance(target, dict) or step not in target:
                raise self.error(f"{self.ref!r} leads nowhere")
            target = target[step]
        return {**target, **{key: beside for key, beside in value.items() if key != "$ref"}}

    def error(self, what: str) -> DocumentError:
        """Return an error at this place."""
        return DocumentError(f"{self.place or 'the document'}: {what}")

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def take(self, key: str, kind: type = str, default: Any = None) -> Any:
        """Return the value of a key; without a default there must be one."""
        if key not in self._values:
            if default is None:
                raise self.error(f"{key!r} is missing")
            return default
        self._left.discard(key)
        value = self._values[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(f"{key!r} is no {kind.__name__}")
        return value

    def text(self, key: str) -> str:
        """Return a text that must be there, its line ends as blanks."""
        text: str = self.take(key)
        if not text.strip():
            raise self.error(f"{key!r} is empty")
        if "\\" in text:
            raise self.error(f"{key!r} holds a backslash, which would be an escape in a docstring: say it in words")
        return " ".join(text.split())

    def choice(self, key: str, values: tuple[str, ...], default: str | None = None) -> str:
        """Return a text that is one of some."""
        value: str = self.take(key, str, default)
        if value not in values:
            raise self.error(f"{key!r} is {value!r}, none of {', '.join(values)}")
        return value

    def child(self, key: str) -> "Node":
        """Return the mapping under a key."""
        value = self.take(key, dict)
        return Node(value, f"{self.place}.{key}".lstrip("."), self._root)

    def children(self, key: str) -> Iterator[tuple[str, "Node"]]:
        """Yield names and mappings under a key; nothing where the key is missing."""
        for name, value in self.take(key, dict, {}).items():
            yield name, Node(value, f"{self.place}.{key}.{name}".lstrip("."), self._root)

    def listed(self, key: str) -> Iterator["Node"]:
        """Yield the mappings of a list under a key; nothing where the key is missing."""
        for number, value in enumerate(self.take(key, list, [])):
            yield Node(value, f"{self.place}.{key}[{number}]", self._root)

    def skip(self, *keys: str) -> None:
        """Leave keys to readers other than the generator."""
        self._left.difference_update(keys)

    def finish(self) -> None:
        """Refuse what nobody took."""
        if self._left:
            raise self.error(f"not supported: {', '.join(sorted(self._left))}")
