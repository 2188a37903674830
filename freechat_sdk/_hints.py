"""What a caller can do about a failed call. No I/O; nothing here runs before a failure."""

import os
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic_core import from_json

from freechat_sdk._request import Request
from freechat_sdk._secrets import MASK, MIN_LENGTH, Credential, mask
from freechat_sdk.configuration import MEBIBYTE, Configuration
from freechat_sdk.exceptions import is_login_redirect
from freechat_sdk.upload import MultipartBody

_KNOWN_CAUSES: Final = {
    ("DELETE", "/chat/memory/{chatId}", 500): (
        "Servers up to FreeChat 2.6 return 500 although everything has been forgotten. "
        "Call update_chat, even with an unchanged field; then sending works again."
    ),
    ("POST", "/chat", 406): (
        "The prompt of the character is a string prompt, or the user may not see it. "
        "A chat needs a prompt with a chat template."
    ),
}
"""What real servers mean by some statuses of some operations."""

_BUSY: Final = (
    "The chat is busy with another message, or its character has been deleted: servers up to FreeChat 2.6 do not say "
    "which. Send one message at a time, or wait longer with Configuration(retries=RetryPolicy(busy_wait=...))."
)
_NOT_BUSY: Final = "The character of the chat may have been deleted: then start another chat. Or try again later."
_CANNOT_SEND: Final = (
    "A message without text and a deleted chat fail like this. "
    "After clear_memory, and after rolling back every message, call update_chat before you send."
)
_GATEWAY: Final = "A proxy in front of the server did not get its response. Try again later, or check the server."


def hint_for(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    request: Request,
    configuration: Configuration,
    tried: Sequence[str],
) -> str | None:
    """Return what to do about an error response, or None if its class says everything.

    `tried` are the generations that the request was sent to, as long as no response has proven one of them.
    """
    if status == 401 or is_login_redirect(status, headers):
        return _about_token(status, request, configuration)
    if 300 <= status < 400:
        return "Redirects are not followed. Set Configuration(host=...) to the address of the server itself."
    if status == 404 and tried and not said_in(body):
        return _about_address(configuration, tried)
    if status == 413 or (status == 400 and may_be_too_large(request.body)):
        return size_advice(request.body)
    if request.retry_busy and status == 503:
        return _NOT_BUSY if said_in(body) else _BUSY
    if request.retry_busy and status == 500:
        return _CANNOT_SEND
    if status in (502, 504):
        return _GATEWAY
    return _KNOWN_CAUSES.get((request.method, request.template, status))


def _about_token(status: int, request: Request, configuration: Configuration) -> str:
    """Tell a missing token from a rejected one."""
    if not any(isinstance(value, Credential) for value in request.headers.values()):
        if callable(configuration.access_token):
            return "No token is set: the function given as access_token returned none. Make it return one."
        if os.environ.get("FREECHAT_TOKEN") and configuration.exposed_to(configuration.proxy):
            return (
                "No token is set: that of FREECHAT_TOKEN is not sent unencrypted to a host that is set in code. "
                "Use https, or set Configuration(access_token=...)."
            )
        return "No token is set. Set Configuration(access_token=...) or the environment variable FREECHAT_TOKEN."
    if status != 401:
        return (
            "The server did not see the token: a proxy may have removed it, or the operation does not accept tokens. "
            "Check Configuration(host=...)."
        )
    token = configuration.access_token
    is_from_environment = isinstance(token, str) and str.__eq__(token, os.environ.get("FREECHAT_TOKEN", ""))
    where = "the environment variable FREECHAT_TOKEN" if is_from_environment else "Configuration(access_token=...)"
    return (
        "The server rejected the token: it has expired, has been deleted or disabled, or belongs to another server. "
        f"Set {where} to a valid token."
    )


def _about_address(configuration: Configuration, tried: Sequence[str]) -> str:
    """Return why a server may not have a path: the configured address or generation may be wrong."""
    path = urlsplit(configuration.host).path
    if path:
        return (
            f"The likely cause is the path {path!r} of the host: FreeChat is not below it. "
            "Remove it from Configuration(host=...), unless a reverse proxy adds it."
        )
    if len(tried) > 1:
        return (
            f"It does not exist, the user may not see it, or this is not a FreeChat server: neither {_prefixes(tried)} "
            "has it. Check the arguments and Configuration(host=...)."
        )
    return (
        f"It does not exist, the user may not see it, or the server is of another generation than {tried[0]}. "
        "Check the arguments and Configuration(api_version=...)."
    )


def _prefixes(generations: Sequence[str]) -> str:
    return " nor ".join(f"/api/{generation}" for generation in generations)


def said_in(body: bytes) -> str:
    """Return the `message` in the body of an error, or an empty text."""
    try:
        error = from_json(body)
    except ValueError:
        return ""
    return str(error.get("message") or "") if isinstance(error, dict) else ""


def shown_location(location: str, request: Request) -> str:
    """Return the address of a redirect without query and credentials, and without the values of the request's path."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return MASK
    known = f"{request.prefix}{request.template}".split("/")
    values = set(request.target.partition("?")[0].split("/")).difference(known)
    path = "/".join(MASK if step in values else step for step in parts.path.split("/"))
    host = parts.netloc.rpartition("@")[2]
    shown = f"{parts.scheme}://{host}{path}" if parts.scheme else path
    return mask(shown, [value for value in map(unquote, values) if len(value) >= MIN_LENGTH])


def may_be_too_large(body: object) -> bool:
    """Return whether a request holds a file that some server operations refuse for its size."""
    return isinstance(body, MultipartBody) and (body.upload.size is None or body.upload.size > MEBIBYTE)


def size_advice(body: object) -> str:
    """Return the advice for a body that may be too large for the server."""
    what = "The body is too large"
    if isinstance(body, MultipartBody):
        size = body.upload.size
        what = f"The file has {'an unknown number of' if size is None else size} bytes"
    return f"{what}: servers accept up to 10 MiB, less for some kinds of files. Send less."
