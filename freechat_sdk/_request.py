"""Builds the target and the body of a request from an operation. No I/O.

Every value that cannot be sent is refused here, before anything is sent.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, from_json, to_json, to_jsonable_python
from typing_extensions import NamedTuple

from freechat_sdk._headers import checked_headers
from freechat_sdk._operation import Operation, RetryClass
from freechat_sdk.exceptions import ApiTypeError, ApiValueError
from freechat_sdk.upload import MultipartBody

T = TypeVar("T")

JSON: Final = "application/json"
_NO_HEADERS: Final[Mapping[str, str]] = {}
_JSON_HEADERS: Final = {"Content-Type": JSON}


class Request(NamedTuple):
    """A request as the REST layer sends it."""

    method: str
    template: str
    """The path with the names of its parameters instead of their values, as errors and logs show it."""
    target: str
    headers: Mapping[str, str]
    body: bytes | MultipartBody | None
    retry: RetryClass
    retry_busy: bool = False
    prefix: str = ""
    """What stands before the template in the path of the address, such as `/api/v1`."""
    origin: str | None = None
    """Scheme, host and port. None means those of the configured host."""

    def __repr__(self) -> str:
        return f"Request({self.method} {self.template})"


def build_request(operation: Operation[T], prefix: str, headers: Mapping[str, str]) -> Request:
    """Return the request of an operation below `prefix` (like `/api/v1`) with the given headers."""
    template, target = build_target(operation.template, operation.path, operation.query)
    body = operation.body
    if body is not None and not isinstance(body, MultipartBody):
        body = json_bytes(body)
    return Request(
        operation.method, template, prefix + target, headers, body, operation.retry, operation.retry_busy, prefix
    )


def json_bytes(body: object) -> bytes:
    """Return a body as JSON. Fields of models that are None are left out.

    Raises:
        ApiValueError: if it holds what JSON cannot hold: NaN, an infinite number, a lone surrogate, an object.
    """
    _build_serializers(body)
    try:
        text = to_json(body, by_alias=True, exclude_none=True)
        if b"NaN" in text or b"Infinity" in text:  # the text of a message may say so too
            from_json(text, allow_inf_nan=False)
    except (PydanticSerializationError, ValueError):
        message = "the body holds NaN, an infinite number, a lone surrogate or an object, which JSON cannot hold"
        raise ApiValueError(message) from None
    return text


def _build_serializers(value: object) -> None:
    """Build the serializers of models, which pydantic 2.12 leaves out if a call has validated them."""
    for item in value if isinstance(value, list) else (value,):
        if isinstance(item, BaseModel) and not item.__pydantic_complete__:
            type(item).model_rebuild()


def content_headers(body: object, options: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the headers that describe a body. The option `_content_type` replaces the media type of JSON.

    Raises:
        ApiTypeError, ApiValueError: if `_content_type` cannot be sent.
    """
    if body is None:
        return _NO_HEADERS
    if isinstance(body, MultipartBody):
        return body.headers
    if "_content_type" in options:
        return checked_headers("_content_type", {"Content-Type": options["_content_type"]})
    return _JSON_HEADERS


def build_target(template: str, values: Mapping[str, object], query: Mapping[str, object]) -> tuple[str, str]:
    """Return the template up to its first missing value, and the target, percent-encoded (RFC 3986).

    Raises:
        ApiValueError: if a value cannot stand in a path.
        ApiTypeError: if a path parameter is given, but an earlier one is missing.
    """
    target = template
    for name, value in values.items():
        placeholder = "{" + name + "}"
        if value is None:
            template, target = _cut(template, placeholder, values), target.partition("/" + placeholder)[0]
            break
        target = target.replace(placeholder, encode_path_value(name, value))
    pairs = [
        _checked_pair(*pair) for name, value in query.items() if value is not None for pair in _query_pairs(name, value)
    ]
    return template, f"{target}?{urlencode(pairs, quote_via=quote)}" if pairs else target


def _checked_pair(name: str, text: str) -> tuple[str, str]:
    """Return a query parameter.

    Raises:
        ApiValueError: if its value cannot be sent.
    """
    if not text.isascii() and any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        raise ApiValueError(f"{_python_name(name)}: a lone surrogate cannot be sent")
    return name, text


def _cut(template: str, placeholder: str, values: Mapping[str, object]) -> str:
    """Return the template before `placeholder`, whose value is missing.

    Raises:
        ApiTypeError: if a later value is given.
    """
    kept, _, rest = template.partition("/" + placeholder)
    orphans = [name for name in values if "{" + name + "}" in rest and values[name] is not None]
    if orphans:
        raise ApiTypeError(f"{_python_name(orphans[0])} needs {_python_name(placeholder[1:-1])} to be given too")
    return kept


def encode_path_value(name: str, value: object) -> str:
    """Return a path parameter percent-encoded.

    Servers refuse some characters in a path even if they are encoded, and proxies resolve `.` and `..`.

    Raises:
        ApiValueError: if the value contains such a character, is empty, `.` or `..`; the error names the parameter.
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
    """Return the query parameters for a value. A model becomes one parameter for each of its fields."""
    _build_serializers(value)
    plain = to_jsonable_python(value, by_alias=True, exclude_none=True)
    values = plain if isinstance(plain, dict) else {name: plain}
    return [(key, _query_text(held)) for key, held in values.items()]


def _query_text(value: object) -> str:
    if isinstance(value, float) and not isfinite(value):
        raise ApiValueError(f"a query parameter must be a finite number, not {value}")
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _python_name(json_name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in json_name)
