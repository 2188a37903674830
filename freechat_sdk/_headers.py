"""Builds, merges and checks the headers of requests. Errors never show the value of a header. No I/O."""

from collections.abc import Mapping
from typing import Any, Final

from freechat_sdk._secrets import Credential, is_secret_header
from freechat_sdk.exceptions import ApiTypeError, ApiValueError

_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
"""Headers that tell where the body ends: a wrong one makes a server take the rest for another request."""


def build_headers(
    accept: str,
    content: Mapping[str, str],
    token: str | None,
    defaults: Mapping[str, str],
    options: Mapping[str, Any],
) -> dict[str, str]:
    """Return the headers of a request.

    A later source replaces the same header of an earlier one: the operation's own (`accept`, the `content` headers
    that describe its body), the client's defaults, the token, the call's options. The given mappings are not changed.

    Raises:
        ApiTypeError, ApiValueError: if a header cannot be sent; the error does not show its value.
    """
    sources = [defaults]
    if token is not None:
        sources.append({"Authorization": bearer(token)})
    if "_request_auth" in options:
        sources.append(_auth_header(options["_request_auth"]))
    if "_headers" in options:
        sources.append(checked_headers("_headers", options["_headers"]))
    return merge_headers({"Accept": accept, **content}, *sources)


def checked_token(value: object, name: str = "access_token") -> Credential | None:
    """Return a bearer token as a str whose repr is masked; None if there is none.

    Raises:
        ApiTypeError, ApiValueError: if it cannot be sent (RFC 6750, 2.1). The message does not show it.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ApiTypeError(f"{name} must be a str or a function that returns one, not {type(value).__name__}")
    if value[:7].lower() == "bearer ":
        raise ApiValueError(f"{name} must be the token alone. Remove 'Bearer ' before it.")
    if any(not "!" <= letter <= "~" for letter in value):
        inner = str.__str__(value).strip()
        place = "around the token" if all("!" <= letter <= "~" for letter in inner) else "in it"
        raise ApiValueError(
            f"{name} must not contain spaces, line breaks or non-ASCII characters. Remove those {place}."
        )
    return Credential(str.__str__(value))


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
    """Return the headers that a caller gave as `source`; `None` means no headers.

    Values are plain str, credentials masked: the text of a number or of a subclass of str is taken.

    Raises:
        ApiTypeError, ApiValueError: if one cannot be sent.
    """
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise ApiTypeError(f"{source} must be a dict of header names and values, not {type(headers).__name__}")
    return dict(_checked_pair(name, value) for name, value in headers.items())


def _checked_pair(name: object, value: object) -> tuple[str, str]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    name, value = check_header(name, value)
    return name, Credential(value) if is_secret_header(name) else value


def check_header(name: object, value: object) -> tuple[str, str]:
    """Return the name and the value of a header as plain str, unless it could break out of its line (RFC 9110, 5.5).

    Raises:
        ApiTypeError: if the name or the value is not a str.
        ApiValueError: if the name is not a token, or the value contains more than visible Latin-1, spaces and tabs.
    """
    if not isinstance(name, str) or not isinstance(value, str):
        raise ApiTypeError("the name and the value of a header must be str")
    name, value = str.__str__(name), str.__str__(value)  # a subclass may show another text, as an Enum does
    if name.lower() in _FRAMING:
        raise ApiValueError(f"the header {name} follows from the body and cannot be set")
    if not is_token(name):
        raise ApiValueError(f"invalid header name {name!r}")
    if any(not (" " <= letter <= "~" or "\xa0" <= letter <= "\xff" or letter == "\t") for letter in value):
        raise ApiValueError(
            f"invalid value of header {name}: it contains a line break, a control character or a non-Latin-1 character"
        )
    return name, value


def is_token(text: str) -> bool:
    """Return whether a text can be the name of a header or a method (RFC 9110, 5.6.2)."""
    return bool(text) and all(letter.isascii() and (letter.isalnum() or letter in "!#$%&'*+-.^_`|~") for letter in text)


def _auth_header(auth: object) -> Mapping[str, str]:
    """Return the header of a `_request_auth`: a dict with `in`, `key` and `value` as in `auth_settings()`."""
    if not auth:
        return {}
    if not isinstance(auth, Mapping):
        raise ApiTypeError(f"_request_auth must be a dict with 'in', 'key' and 'value', not {type(auth).__name__}")
    location, name = auth.get("in"), auth.get("key")
    if location == "header":
        name, value = check_header(name, auth.get("value"))
        return {name: Credential(value)}
    if location != "cookie":
        raise ApiValueError("_request_auth: 'in' must be 'header' or 'cookie'")
    _, value = check_header("Cookie", auth.get("value"))
    if name and "=" not in value:  # 2.x sends the name of a cookie too, 2.0.0 does not
        name, value = check_header(name, value)
        value = f"{name}={value}"
    return {"Cookie": Credential(value)}
