"""What goes out: an operation with its values becomes target, headers and body. No I/O.

Every check of a value that cannot be sent is made here, so that nothing is sent when one fails. No error shows the
value of a header.
"""

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

from pydantic_core import to_json, to_jsonable_python
from typing_extensions import NamedTuple

from freechat_sdk._operation import Operation, RetryClass
from freechat_sdk.exceptions import ApiTypeError, ApiValueError
from freechat_sdk.upload import Form

T = TypeVar("T")


class Request(NamedTuple):
    """What the REST layer sends."""

    method: str
    template: str
    """The path with the names of its parameters: what errors and logs show."""
    target: str
    headers: Mapping[str, str]
    body: bytes | Form | None
    retry: RetryClass
    retry_busy: bool = False

    def __repr__(self) -> str:
        return f"Request({self.method} {self.template})"


def build_request(operation: Operation[T], prefix: str, headers: Mapping[str, str]) -> Request:
    """Return the request of an operation below `prefix` (like `/api/v1`), with all headers but its own given."""
    template, target = build_target(operation.template, operation.path, operation.query)
    body = operation.body
    if body is not None and not isinstance(body, Form):
        body = to_json(body, by_alias=True, exclude_none=True)
    return Request(operation.method, template, prefix + target, headers, body, operation.retry, operation.retry_busy)


def build_target(template: str, values: Mapping[str, object], query: Mapping[str, object]) -> tuple[str, str]:
    """Return the part of the template in use and the target, percent-encoded (RFC 3986).

    Raises:
        ApiValueError: when a value cannot stand in a path.
        ApiTypeError: when a value is given and one before it is not.
    """
    target = template
    for name, value in values.items():
        place = "{" + name + "}"
        if value is None:
            template, target = _cut(template, place, values), target.partition("/" + place)[0]
            break
        target = target.replace(place, encode_path_value(name, value), 1)
    pairs = [pair for name, value in query.items() if value is not None for pair in _query_pairs(name, value)]
    return template, f"{target}?{urlencode(pairs, quote_via=quote)}" if pairs else target


def _cut(template: str, place: str, values: Mapping[str, object]) -> str:
    """Return the template before `place`, the first value not given; one given after it has nowhere to stand."""
    kept, _, rest = template.partition("/" + place)
    orphans = [name for name in values if "{" + name + "}" in rest and values[name] is not None]
    if orphans:
        raise ApiTypeError(f"{_python_name(orphans[0])} needs {_python_name(place[1:-1])} to be given too")
    return kept


def encode_path_value(name: str, value: object) -> str:
    """Return a path parameter percent-encoded.

    Servers refuse some characters in a path even when they are encoded, and `.` and `..` would leave their place.

    Raises:
        ApiValueError: for such a value; it names the parameter (in Python) and the character.
    """
    text = str(value)
    if text.isascii() and text.isalnum():
        return text
    if text in ("", ".", ".."):
        raise ApiValueError(f"{_python_name(name)}: {text!r} cannot stand in a path")
    for character in text:
        if _is_unfit_for_path(character):
            shown = f"{character!r} (U+{ord(character):04X})"
            raise ApiValueError(f"{_python_name(name)}: the character {shown} cannot stand in a path")
    return quote(text, safe="")


def _is_unfit_for_path(character: str) -> bool:
    code = ord(character)
    is_control = code < 0x20 or 0x7F <= code <= 0x9F
    return is_control or character in "/\\%;\u2028\u2029" or 0xD800 <= code <= 0xDFFF


def _query_pairs(name: str, value: object) -> list[tuple[str, str]]:
    """Return what a parameter is in a query; of a model each field on its own."""
    plain = to_jsonable_python(value, by_alias=True, exclude_none=True)
    values = plain if isinstance(plain, dict) else {name: plain}
    return [(key, _query_text(held)) for key, held in values.items()]


def _query_text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _python_name(wire_name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in wire_name)


def is_same_origin(url: str, other: str) -> bool:
    """Tell whether two addresses have scheme, host and port in common (RFC 6454)."""
    return _origin(url) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
