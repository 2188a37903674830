"""Reads and writes JSON by the contract's schemas, as a release does: which fields, nulls or none, how a date looks.

In rows a date is an int of epoch seconds.
"""

import json
import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from dateutil.parser import isoparse

from freechat_sdk.sandbox._contract import SCHEMAS, Type
from freechat_sdk.sandbox._release import Release


class UnreadableError(ValueError):
    """A request holds a value of the wrong type."""


def read(type_: Type, value: Any, release: Release) -> Any:
    """Return a value of a request: dates as epoch seconds, objects without nulls and unknown fields."""
    if value is None or type_ == "any":
        return value
    if isinstance(type_, tuple):
        return _read_container(type_, value, release)
    if type_ in SCHEMAS:
        return _read_object(type_, value, release)
    if type_ == "datetime":
        return _read_date(value, is_strict=release.takes_strict_dates)
    return _READERS[type_](value)


def _read_container(type_: tuple[str, Type], value: Any, release: Release) -> Any:
    kind, item = type_
    if kind == "array" and isinstance(value, list):
        return [read(item, element, release) for element in value]
    if kind == "map" and isinstance(value, dict):
        return {name: read(item, element, release) for name, element in value.items()}
    raise UnreadableError(f"{value!r} is not of type {kind}")


def _read_object(schema: str, value: Any, release: Release) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UnreadableError(f"{value!r} is not a {schema}")
    given = ((field, value.get(field.name)) for field in SCHEMAS[schema])
    return {field.name: read(field.type, held, release) for field, held in given if held is not None}


def _read_string(value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise UnreadableError(f"{value!r} is not a string")
    return value if isinstance(value, str) else json.dumps(value)


def _read_integer(value: Any) -> int:
    """Return an integer of 64 bits, given as a number or as text."""
    is_text = isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,19}\s*", value, re.ASCII)
    if (is_text or type(value) in (int, float)) and -(2**63) <= int(value) < 2**63:
        return int(value)
    raise UnreadableError(f"{value!r} is not an integer")


def _read_number(value: Any) -> float:
    try:
        return float("" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        raise UnreadableError(f"{value!r} is not a number") from None


def _read_boolean(value: Any) -> bool:
    if isinstance(value, int) or value in ("true", "false"):
        return value == "true" or value not in (0, "false")
    raise UnreadableError(f"{value!r} is not a boolean")


_READERS: dict[str, Callable[[Any], Any]] = {
    "string": _read_string,
    "integer": _read_integer,
    "number": _read_number,
    "boolean": _read_boolean,
}


def _read_date(value: Any, *, is_strict: bool) -> int:
    if type(value) is int and not is_strict:
        return value // 1000
    text = value if isinstance(value, str) else ""
    try:
        date = isoparse("" if is_strict and re.search(r"[+-]\d\d:?\d\d$", text) else text)
    except ValueError:
        raise UnreadableError(f"{value!r} is not a date") from None
    return int((date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp())


def write(type_: Type, value: Any, release: Release, request_id: str | None = None) -> Any:
    """Return a row, a list of rows or a plain value as JSON of a type.

    An object at the top or in an array there gets the request's id, one within another object only if its row has one.
    """
    if value is None:
        return None
    if isinstance(type_, tuple):
        kind, item = type_
        if kind == "array":
            return [write(item, element, release, request_id) for element in value]
        return {name: write(item, element, release) for name, element in value.items()}
    if type_ == "datetime":
        return _write_date(value, release)
    return _write_object(type_, value, release, request_id) if type_ in SCHEMAS else value


def _write_object(schema: str, row: dict[str, Any], release: Release, request_id: str | None) -> dict[str, Any]:
    written = {}
    for field in SCHEMAS[schema]:
        if release.generation in field.generations and (schema, field.name) not in release.unwritten_fields:
            default = request_id if field.name == "requestId" else None
            value = write(field.type, row.get(field.name, default), release)
            if value is not None or release.writes_nulls or schema in release.null_schemas:
                written[field.name] = value
    return written


def _write_date(seconds: int, release: Release) -> Any:
    if release.date_form == "millis":
        return seconds * 1000
    date = datetime.fromtimestamp(seconds, timezone.utc)
    return date.isoformat(timespec="milliseconds") if release.date_form == "offset" else date.isoformat()[:19]


def dumps(value: Any, release: Release) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return (re.sub(r"[\U00010000-\U0010ffff]", _escaped, text) if release.escapes_astral else text).encode()


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0]).strip('"').upper().replace("\\U", "\\u")
