"""Builds, merges and checks the headers of requests. Errors never show the value of a header. No I/O."""

from collections.abc import Mapping
from typing import Any

from freechat_sdk._secrets import Credential, is_secret_header
from freechat_sdk.exceptions import ApiTypeError, ApiValueError


def build_headers(
    accept: str,
    content: Mapping[str, str],
    token: str | None,
    defaults: Mapping[str, str],
    options: Mapping[str, Any],
) -> dict[str, str]:
    """Return the headers of a request.

    A later source replaces the same header of an earlier one: the operation's own (`accept`, the `content` headers
    that describe its body, the token), the client's defaults, the call's options. The given mappings are not changed.

    Raises:
        ApiTypeError, ApiValueError: if a header cannot be sent; the error does not show its value.
    """
    own = {"Accept": accept}
    if token is not None:
        own["Authorization"] = bearer(token)
    own.update(content)
    sources = [defaults]
    if "_request_auth" in options:
        sources.append(_auth_header(options["_request_auth"]))
    if "_headers" in options:
        sources.append(checked_headers("_headers", options["_headers"]))
    return merge_headers(own, *sources)


def bearer(token: str) -> Credential:
    """Return the value of an `Authorization` header for a token (RFC 6750, 2.1)."""
    return Credential(f"Bearer {token}")


def merge_headers(first: Mapping[str, str], *others: Mapping[str, str]) -> dict[str, str]:
    """Return all headers in one dict. If several names differ only in case, the last one stays."""
    merged = dict(first)
    for headers in others:
        for name, value in headers.items():
            if name not in merged:
                for same in [present for present in merged if present.lower() == name.lower()]:
                    del merged[same]
            merged[name] = value
    return merged


def checked_headers(source: str, headers: object) -> Mapping[str, str]:
    """Return the headers that a caller gave as `source`, with credentials masked; `None` means no headers.

    Raises:
        ApiTypeError, ApiValueError: if one cannot be sent.
    """
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise ApiTypeError(f"{source} must be a dict of header names and values, not {type(headers).__name__}")
    for name, value in headers.items():
        check_header(name, value)
    return {name: Credential(value) if is_secret_header(name) else value for name, value in headers.items()}


def check_header(name: object, value: object) -> None:
    """Refuse a header that could break out of its line (RFC 9110, 5.5).

    Raises:
        ApiTypeError: if the name or the value is not a str.
        ApiValueError: if the name is not a token, or the value contains more than visible Latin-1, spaces and tabs.
    """
    if not isinstance(name, str) or not isinstance(value, str):
        raise ApiTypeError("the name and the value of a header must be str")
    if not name or not all(letter.isascii() and (letter.isalnum() or letter in "!#$%&'*+-.^_`|~") for letter in name):
        raise ApiValueError(f"invalid header name {name!r}")
    if any(not (" " <= letter <= "~" or "\xa0" <= letter <= "\xff" or letter == "\t") for letter in value):
        raise ApiValueError(
            f"invalid value of header {name}: it contains a line break, a control character or a non-Latin-1 character"
        )


def _auth_header(auth: object) -> Mapping[str, str]:
    """Return the header of a `_request_auth`: a dict with `in`, `key` and `value` as in `auth_settings()`."""
    if auth is None:
        return {}
    if not isinstance(auth, Mapping):
        raise ApiTypeError(f"_request_auth must be a dict with 'in', 'key' and 'value', not {type(auth).__name__}")
    location, value = auth.get("in"), auth.get("value")
    if location not in ("header", "cookie"):
        raise ApiValueError("_request_auth: 'in' must be 'header' or 'cookie'")
    name = "Cookie" if location == "cookie" else auth.get("key")
    check_header(name, value)
    return {str(name): Credential(value)}
