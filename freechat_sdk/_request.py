"""What goes out: an operation with its values becomes target, headers and body. No I/O.

Every check of a value that cannot be sent is made here, so that nothing is sent when one fails. No error shows the
value of a header.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from pydantic_core import to_json, to_jsonable_python
from typing_extensions import NamedTuple

from freechat_sdk._response import Decoder
from freechat_sdk.configuration import Credential
from freechat_sdk.exceptions import ApiTypeError, ApiValueError
from freechat_sdk.upload import Form

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

JSON: Final = "application/json"

_SECRET_NAMES: Final = ("auth", "cookie", "key", "secret", "token")
_JSON_HEADERS: Final = {"Content-Type": JSON}
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


def either(**values: T | None) -> T:
    """Return the one value that is given of several names for one parameter.

    Raises:
        ApiTypeError: when none or more than one is given.
    """
    given = [value for value in values.values() if value is not None]
    if len(given) != 1:
        raise ApiTypeError(f"give exactly one of {' and '.join(values)}, not {len(given)}")
    return given[0]


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


def build_headers(
    accept: str, body: object, token: str | None, defaults: Mapping[str, str], options: Mapping[str, Any]
) -> dict[str, str]:
    """Return the headers of a request; a later source wins: the operation, the client's defaults, the call's own.

    Names are compared without regard to case. The given mappings are not changed.

    Raises:
        ApiTypeError, ApiValueError: for a header that cannot be sent; its value is not shown.
    """
    own = {"Accept": accept}
    if token is not None:
        own["Authorization"] = bearer(token)
    if body is not None:
        own.update(body.headers if isinstance(body, Form) else _JSON_HEADERS)
    sources = [defaults]
    if body is not None and "_content_type" in options and not isinstance(body, Form):
        sources.append(checked_headers("_content_type", {"Content-Type": options["_content_type"]}))
    if "_request_auth" in options:
        sources.append(_auth_header(options["_request_auth"]))
    if "_headers" in options:
        sources.append(checked_headers("_headers", options["_headers"]))
    return merge_headers(own, *sources)


def bearer(token: str) -> Credential:
    """Return the value of an `Authorization` header for a token (RFC 6750, 2.1)."""
    return Credential(f"Bearer {token}")


def merge_headers(first: Mapping[str, str], *others: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of all mappings in one dict; of names that differ in case alone the last one stays."""
    merged = dict(first)
    for headers in others:
        for name, value in headers.items():
            if name not in merged:
                for same in [present for present in merged if present.lower() == name.lower()]:
                    del merged[same]
            merged[name] = value
    return merged


def checked_headers(source: str, headers: object) -> Mapping[str, str]:
    """Return headers that a caller gave as `source`, none of them unfit to be sent; None is none."""
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise ApiTypeError(f"{source} takes a dict of header names and values, not {type(headers).__name__}")
    for name, value in headers.items():
        check_header(name, value)
    return _veiled(headers)


def _veiled(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers of which no repr shows those that hold credentials, by their names."""
    return {name: Credential(value) if _is_secret(name) else value for name, value in headers.items()}


def _is_secret(name: str) -> bool:
    return any(part in name.lower() for part in _SECRET_NAMES)


def check_header(name: object, value: object) -> None:
    """Refuse a header that could break out of its line (RFC 9110, 5.5), without showing its value.

    Raises:
        ApiTypeError: when name or value is no str.
        ApiValueError: when the name is no token, or the value holds characters other than visible Latin-1 and blanks.
    """
    if not isinstance(name, str) or not isinstance(value, str):
        raise ApiTypeError("a header's name and value are str")
    if not name or not all(letter.isascii() and (letter.isalnum() or letter in "!#$%&'*+-.^_`|~") for letter in name):
        raise ApiValueError(f"{name!r} is no header name")
    if any(not (" " <= letter <= "~" or "\xa0" <= letter <= "\xff" or letter == "\t") for letter in value):
        raise ApiValueError(f"the value of header {name} holds a line break, a control character or one beyond Latin-1")


def _auth_header(auth: object) -> Mapping[str, str]:
    """Return the header of a `_request_auth`: a dict with `in`, `key` and `value` as in `auth_settings()`."""
    if auth is None:
        return {}
    if not isinstance(auth, Mapping):
        raise ApiTypeError(f"_request_auth takes a dict with in, key and value, not {type(auth).__name__}")
    place, value = auth.get("in"), auth.get("value")
    if place not in ("header", "cookie"):
        raise ApiValueError("_request_auth: 'in' is 'header' or 'cookie'")
    name = "Cookie" if place == "cookie" else auth.get("key")
    check_header(name, value)
    return {str(name): Credential(value)}


def is_same_origin(url: str, other: str) -> bool:
    """Tell whether two addresses have scheme, host and port in common (RFC 6454)."""
    return _origin(url) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
