"""Masks credentials in everything that people and tools read: reprs, messages, logs, reports, tracebacks."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import ParamSpec, SupportsIndex, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")
    E = TypeVar("E", bound=BaseException)

MASK = "***"
"""What is shown instead of a credential."""
MIN_LENGTH = 8
"""The shortest credential that is masked by its value; a shorter one could be part of any word."""
KEEPS_FRAMES = bool(os.environ.get("FREECHAT_FULL_TRACEBACKS"))
"""Whether errors keep the frames of this package, for debugging; tools that print variables then show credentials."""
_CREDENTIAL_PATTERNS = (
    (r"\bfc-[0-9A-Za-z*]{8,}", MASK),
    (r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+", rf"\1 {MASK}"),
    (r'(?i)("[\w-]*(?:token|api_?key|api_?key_?value|password|secret)"\s*:\s*)"(?:[^"\\]|\\.)*"?', rf'\1"{MASK}"'),
    (r'("headers"\s*:\s*)\{(?:[^"{}]|"(?:[^"\\]|\\.)*"?)*\}?', rf'\1"{MASK}"'),  # of a connector
)
_SECRET_PARTS = ("auth", "cookie", "key", "secret", "token")
"""A header holds a credential if its name contains one of these."""
_INNER_PACKAGES = frozenset({"freechat_sdk", "pydantic", "pydantic_core", "socks", "urllib3", *sys.stdlib_module_names})
"""This package and what it stands on: their frames hold the headers of requests."""


class Credential(str):
    """A str whose repr is masked, and so are the reprs of the dicts, lists and tuples that hold it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)

    def __getitem__(self, key: SupportsIndex | slice) -> Credential:
        """Return a part of it, which is masked too."""
        return Credential(super().__getitem__(key))


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Mask everything in a text that looks like a credential, and each of the given secrets."""
    import re

    for secret in secrets:
        text = re.sub("".join(map(_forms, secret)), MASK, text)
    for pattern, masked in _CREDENTIAL_PATTERNS:
        text = re.sub(pattern, masked, text)
    return text


def _forms(character: str) -> str:
    """Return a pattern of a character as it is, and escaped for JSON, Python, an address or HTML, also twice."""
    import re
    from html import escape

    if character.isascii() and character.isalnum():
        return character
    plain, code = re.escape(character), rf"(?i:{ord(character):02x})"
    encoded = "".join(f"%(?:25)*(?i:{byte:02x})" for byte in character.encode())
    return rf"(?:\\*{plain}|\\+u00{code}|{encoded}|{re.escape(escape(character))})"


def secrets_in(headers: Mapping[str, str]) -> list[str]:
    """Return the credentials in the headers of a request: tokens without their scheme, cookies without their names."""
    values = [value for value in headers.values() if isinstance(value, Credential)]
    parts = [part for value in values for part in str.split(value, "; ")]
    found = [part.partition(" ")[2] or part for part in parts]
    cookies = [part.partition("=")[2] for part in parts]
    passwords = [_basic_password(value) for value in values]
    return [Credential(secret) for secret in (*found, *cookies, *passwords) if len(secret) >= MIN_LENGTH]


def _basic_password(value: str) -> str:
    """Return the password in the value of a header, if its scheme is Basic (RFC 7617)."""
    from base64 import b64decode

    scheme, _, encoded = str.partition(value, " ")
    try:
        return b64decode(encoded).decode("latin-1").partition(":")[2] if scheme.lower() == "basic" else ""
    except ValueError:
        return ""


def is_secret_header(name: str) -> bool:
    """Return whether a header holds a credential, judging by its name."""
    return any(part in name.lower() for part in _SECRET_PARTS)


def sealed(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function whose errors leave it without its arguments and without inner frames."""
    from functools import wraps

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - raised again
            args, kwargs = (), {}  # type: ignore[assignment]
            raise without_frames(error)  # noqa: B904 - it is the same error

    return call


def without_frames(error: E, secrets: Iterable[str] = ()) -> E:
    """Return an error whose traceback begins in the caller's code, and whose causes do not hold a secret.

    Fault reports print the variables of frames, and those of this package and below hold the header of the request.
    """
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if found.__suppress_context__:
            found.__context__ = None  # tracebacks do not show it; pydantic's errors hold the input
        frames = _outer_frames(found.__traceback__)
        if not KEEPS_FRAMES:
            found.__traceback__ = frames
        if frames is None and not _is_ours(found):  # ours mask themselves; the text of a stream stays as received
            _mask_values(found, secrets)
        behind = (found.__cause__, found.__context__, *found.args)
        waiting += [other for other in behind if isinstance(other, BaseException)]
    return error


def _outer_frames(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback from the first frame on that is not of this package or below: that of a callback."""
    while traceback is not None:
        module: str = traceback.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] not in _INNER_PACKAGES:
            return traceback
        traceback = traceback.tb_next
    return None


def _is_ours(error: BaseException) -> bool:
    return type(error).__module__ == "freechat_sdk.exceptions"


def _mask_values(error: BaseException, secrets: Iterable[str]) -> None:
    """Mask secrets in the texts that an error of the transport keeps."""
    error.args = tuple(_masked(value, secrets) for value in error.args)
    for name, value in vars(error).items():
        vars(error)[name] = _masked(value, secrets)


def _masked(value: object, secrets: Iterable[str]) -> object:
    if type(value) is str:
        return mask(value, secrets)
    if type(value) is bytes:
        return mask(value.decode("latin-1"), secrets).encode("latin-1")
    return value
