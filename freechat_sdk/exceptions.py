"""The errors of this package.

    OpenApiException
    ├── ApiTypeError (TypeError), ApiValueError (ValueError)        an argument, before anything is sent
    ├── ApiAttributeError (AttributeError), ApiKeyError (KeyError)
    ├── ApiVersionError                     the server's generation lacks the operation; nothing was sent
    └── ApiException                        what a call can end in
        ├── BadRequestException             400
        ├── UnauthorizedException           401, and a redirect to the login page
        ├── ForbiddenException              403
        ├── NotFoundException               404
        ├── ConflictException               409
        ├── UnprocessableEntityException    422
        ├── QuotaExceededException          429: a limit; waiting does not help
        ├── ServiceException                5xx
        │   └── ServiceUnavailableException 503
        ├── ApiConnectionError (ConnectionError)    no answer; `request_sent` says whether the server may have acted
        │   └── ApiTimeoutError (TimeoutError)
        ├── ApiDecodeError                  an answer that is not what the operation answers
        ├── StreamInterruptedError          a stream that ended without its final event
        └── StreamFailedError               a stream in which the server reports that the model failed

`InsecureTransportWarning` (UserWarning) is no error: a token goes over plain http to another machine.

All of them pickle and copy. None holds or shows a token: what looks like a credential is masked in what they keep.
"""

from __future__ import annotations

from freechat_sdk._secrets import MASK, is_secret_header, mask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, NoReturn

__all__ = [
    "ApiAttributeError",
    "ApiConnectionError",
    "ApiDecodeError",
    "ApiException",
    "ApiKeyError",
    "ApiTimeoutError",
    "ApiTypeError",
    "ApiValueError",
    "ApiVersionError",
    "BadRequestException",
    "ConflictException",
    "ForbiddenException",
    "InsecureTransportWarning",
    "NotFoundException",
    "OpenApiException",
    "QuotaExceededException",
    "ServiceException",
    "ServiceUnavailableException",
    "StreamFailedError",
    "StreamInterruptedError",
    "UnauthorizedException",
    "UnprocessableEntityException",
]

_SHOWN_BODY = 200


def escape_unprintable(text: str) -> str:
    """Return a text with every character escaped that is not printable, line breaks included."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


class OpenApiException(Exception):
    """Base of all errors of this package."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[OpenApiException], args: tuple[object, ...], state: dict[str, object]) -> OpenApiException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _with_path(msg: str, path_to_item: Sequence[str | int] | None) -> str:
    return f"{msg} at {''.join(f'[{step!r}]' for step in path_to_item)}" if path_to_item else msg


class ApiTypeError(OpenApiException, TypeError):
    """An argument of a wrong type; nothing was sent."""

    def __init__(
        self,
        msg: str,
        path_to_item: Sequence[str | int] | None = None,
        valid_classes: tuple[type, ...] | None = None,
        key_type: bool | None = None,
    ) -> None:
        self.path_to_item = path_to_item
        self.valid_classes = valid_classes
        self.key_type = key_type
        super().__init__(_with_path(msg, path_to_item))


class ApiValueError(OpenApiException, ValueError):
    """An argument that cannot be sent; nothing was sent."""

    def __init__(self, msg: str, path_to_item: Sequence[str | int] | None = None) -> None:
        self.path_to_item = path_to_item
        super().__init__(_with_path(msg, path_to_item))


class ApiAttributeError(OpenApiException, AttributeError):
    """An attribute that does not exist. Kept for scripts that catch it."""

    def __init__(self, msg: str, path_to_item: Sequence[str | int] | None = None) -> None:
        self.path_to_item = path_to_item
        super().__init__(_with_path(msg, path_to_item))


class ApiKeyError(OpenApiException, KeyError):
    """A key that does not exist. Kept for scripts that catch it."""

    def __init__(self, msg: str, path_to_item: Sequence[str | int] | None = None) -> None:
        self.path_to_item = path_to_item
        super().__init__(_with_path(msg, path_to_item))


class ApiVersionError(OpenApiException):
    """The server's generation lacks the operation; nothing was sent."""


class ApiException(OpenApiException):
    """A call that did not end in the answer it was made for.

    Attributes:
        status: the HTTP status code (RFC 9110, 15), or None without an answer.
        reason: the phrase beside it; the standard one where the server sends none.
        body: the answer's body as text.
        data: the body read as JSON, where it is JSON.
        headers: the answer's headers; names are compared without regard to case.
        method, path: the request; the path with the names of its parameters.
        attempts: how often the request was made.
    """

    _advice: str | None = None

    def __init__(
        self,
        status: int | None = None,
        reason: str | None = None,
        http_resp: Any = None,
        *,
        body: str | bytes | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
        path: str | None = None,
        attempts: int = 1,
        message: str | None = None,
        hint: str | None = None,
    ) -> None:
        if http_resp is not None:
            status = http_resp.status if status is None else status
            reason = http_resp.reason if reason is None else reason
            body = http_resp.data if body is None else body
            headers = http_resp.headers if headers is None else headers
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        self.status = status
        self.reason = reason or _phrase(status)
        self.body = None if text is None else mask(text)
        self.data = _parsed(self.body) if data is None else data
        self.headers = _without_credentials(headers)
        self.method = method
        self.path = path
        self.attempts = attempts
        self.message = None if message is None else "\n".join(map(escape_unprintable, mask(message).splitlines()))
        self.hint = hint
        super().__init__(str(self))

    @classmethod
    def from_response(cls, *, http_resp: Any, body: str | bytes | None, data: Any) -> NoReturn:
        """Raise the error for an answer, of the kind that its status asks for."""
        kind = kind_for(http_resp.status, http_resp.headers)
        raise kind(http_resp=http_resp, body=body, data=data)

    def __str__(self) -> str:
        request = " ".join(part for part in (self.method, self.path) if part)
        lines = [": ".join(part for part in (self._summary(request), self._said()) if part)]
        lines += [hint for hint in (self._advice, self.hint) if hint]
        if self.attempts > 1:
            lines.append(f"({self.attempts} attempts were made.)")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def _summary(self, request: str) -> str:
        if self.status is None:
            return request
        return f"{request} answered {self.status} {self.reason}" if request else f"{self.status} {self.reason}"

    def _said(self) -> str:
        """Return what is known of the reason: our own message, the server's, or the start of a body nobody can read."""
        if isinstance(self.data, dict):
            said = self.data.get("message") or ("" if self.data.get("error") == self.reason else self.data.get("error"))
            shown = str(said or "")
        else:
            shown = self.body or ""
        start = shown[:_SHOWN_BODY] + ("..." if len(shown) > _SHOWN_BODY else "")
        return ": ".join(part for part in (self.message, escape_unprintable(start)) if part)


class BadRequestException(ApiException):
    """400: the server could not make sense of the request."""


class UnauthorizedException(ApiException):
    """401 or a redirect to the login page: the token is missing or not accepted."""

    _advice = "The server wants a valid token: Configuration(access_token=...) or FREECHAT_TOKEN."


class ForbiddenException(ApiException):
    """403: the token's user may not do this, or not with what belongs to somebody else."""


class NotFoundException(ApiException):
    """404: there is no such thing, or it is not yours to see."""


class ConflictException(ApiException):
    """409: the request does not fit the present state."""


class UnprocessableEntityException(ApiException):
    """422: the request is well-formed and makes no sense."""


class QuotaExceededException(ApiException):
    """429: a quota is used up or a count limit reached; waiting does not help."""

    _advice = "A quota or a limit is used up: waiting does not help."


class ServiceException(ApiException):
    """5xx: the server failed; FreeChat often means the caller's mistake by a 500."""


class ServiceUnavailableException(ServiceException):
    """503: the chat is busy with another message, or a part of the server is missing."""


class ApiConnectionError(ApiException, ConnectionError):
    """There was no answer, or not all of it.

    Attributes:
        request_sent: False when surely no byte of the request left; True when the server may have acted on it.
    """

    def __init__(
        self,
        message: str = "the connection failed",
        *,
        request_sent: bool = False,
        method: str | None = None,
        path: str | None = None,
        attempts: int = 1,
    ) -> None:
        self.request_sent = request_sent
        super().__init__(message=message, method=method, path=path, attempts=attempts)


class ApiTimeoutError(ApiConnectionError, TimeoutError):
    """The time for the call was over before its answer was complete."""


class ApiDecodeError(ApiException):
    """The answer is not of the kind that the operation answers: HTML, bad JSON, another shape."""


class StreamInterruptedError(ApiException):
    """A stream ended without its final event, so the answer is not complete.

    Attributes:
        text: the text of the answer that has come.
        events: the events that have come.
    """

    def __init__(
        self,
        status: int | None = None,
        reason: str | None = None,
        http_resp: Any = None,
        *,
        text: str = "",
        events: Sequence[Any] = (),
        **about: Any,
    ) -> None:
        self.text = text
        self.events = events
        super().__init__(status, reason, http_resp, **about)


class StreamFailedError(ApiException):
    """The server reports within the stream that the model failed; the message is the server's."""


class InsecureTransportWarning(UserWarning):
    """A token goes over plain http to another machine, where anybody between can read it."""


_KINDS: dict[int, type[ApiException]] = {
    400: BadRequestException,
    401: UnauthorizedException,
    403: ForbiddenException,
    404: NotFoundException,
    409: ConflictException,
    422: UnprocessableEntityException,
    429: QuotaExceededException,
    503: ServiceUnavailableException,
}


def kind_for(status: int, headers: Mapping[str, str] | None = None) -> type[ApiException]:
    """Return the class of the error for a status."""
    if is_login_redirect(status, headers):
        return UnauthorizedException
    return _KINDS.get(status) or (ServiceException if 500 <= status < 600 else ApiException)


def is_login_redirect(status: int, headers: Mapping[str, str] | None) -> bool:
    """Tell whether an answer sends the caller to the login page, which says that no usable token came."""
    if status not in (302, 303, 307) or headers is None:
        return False
    return headers.get("Location", "").partition("?")[0].endswith("/w/login")


def _phrase(status: int | None) -> str | None:
    from http import HTTPStatus

    return next((known.phrase for known in HTTPStatus if known == status), None)


def _parsed(body: str | None) -> Any:
    if body is None or not body.startswith(("{", "[")):
        return None
    from pydantic_core import from_json

    try:
        return from_json(body)  # it counts its own depth, where json would use up Python's stack
    except ValueError:
        return None


def _without_credentials(headers: Mapping[str, str] | None) -> Mapping[str, str] | None:
    if headers is None or not hasattr(headers, "copy"):
        return headers
    kept: dict[str, str] = headers.copy()
    for name in list(kept):
        kept[name] = MASK if is_secret_header(name) else mask(kept[name])
    return kept
