"""Headers of requests: built, merged and checked. No error shows a value. No I/O."""

from collections.abc import Mapping
from typing import Any, Final

from freechat_sdk._secrets import Credential, is_secret_header
from freechat_sdk.exceptions import ApiTypeError, ApiValueError
from freechat_sdk.upload import Form

JSON: Final = "application/json"

_JSON_HEADERS: Final = {"Content-Type": JSON}


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
    return {name: Credential(value) if is_secret_header(name) else value for name, value in headers.items()}


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
