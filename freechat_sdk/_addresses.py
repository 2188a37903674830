"""Checks the addresses of servers and proxies. No I/O."""

from typing import Final
from urllib.parse import urlsplit

from freechat_sdk.exceptions import ApiTypeError, ApiValueError

SUPPORTED_SOCKS_PROXIES: Final = frozenset({"socks4", "socks4a", "socks5", "socks5h"})
_PROXY_SCHEMES: Final = ("http", "https", *sorted(SUPPORTED_SOCKS_PROXIES))


def checked_host(value: object) -> str:
    """Return the address of a server without a slash at its end.

    Raises:
        ApiTypeError, ApiValueError: if it is not an http(s) address, or if it contains a password, which is not shown.
    """
    if not isinstance(value, str):
        raise ApiTypeError(f"host must be a str, not {type(value).__name__}")
    if any(not "!" <= letter <= "~" or letter == "\\" for letter in value):
        raise ApiValueError("host must not contain spaces, backslashes, control characters or non-ASCII characters")
    if "://" not in value:
        value = f"http://{value}"
    try:
        parts = urlsplit(value)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        is_whole = is_whole and not parts.netloc.endswith(":")  # http:/host is not an address of the host "http"
    except ValueError:
        raise ApiValueError("host must be an address like https://chat.example.com") from None
    if "@" in parts.netloc:
        raise ApiValueError("host must not contain a user name or a password. Set access_token instead.")
    if not is_whole:
        raise ApiValueError("host must be an address like https://chat.example.com")  # it may be a misplaced token
    if parts.query or parts.fragment:
        raise ApiValueError("host must not contain '?' or '#'")
    return f"{parts.scheme}://{value.partition('://')[2]}".rstrip("/")


def check_proxy(name: str, value: object) -> str:
    """Return the address of a proxy.

    Raises:
        ApiTypeError, ApiValueError: if it cannot be used. The message does not show it: it may contain a password.
    """
    if not isinstance(value, str):
        raise ApiTypeError(f"{name} must be a str, not {type(value).__name__}")
    scheme, separator, _ = value.partition("://")
    if separator and scheme.isalnum() and scheme.lower() not in _PROXY_SCHEMES:
        raise ApiValueError(f"{name} has the unknown scheme {scheme!r}. Use one of {', '.join(_PROXY_SCHEMES)}.")
    try:
        parts = urlsplit(value)
        is_whole = parts.scheme in _PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
        # Some versions of Python drop line breaks.
        is_whole = is_whole and all("!" <= letter <= "~" for letter in value)
    except ValueError:
        is_whole = False
    if not is_whole:
        examples = "http://proxy.example.com:3128 or socks5h://proxy.example.com:1080"
        raise ApiValueError(f"{name} must be an address like {examples} (schemes: {', '.join(_PROXY_SCHEMES)})")
    return value


def is_encrypted_or_loopback(host: str) -> bool:
    """Return whether nobody on the way to a host can read what is sent: it goes over https, or to loopback."""
    parts = urlsplit(host)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def is_loopback(name: str) -> bool:
    """Return whether the name of a host, or its address, is this machine's own."""
    from ipaddress import ip_address

    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
