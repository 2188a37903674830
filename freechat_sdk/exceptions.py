"""The errors of this package.

    OpenApiException                        base of all errors
    ├── ApiTypeError (TypeError)            an argument or a setting has the wrong type; nothing was sent
    ├── ApiValueError (ValueError)          an argument or a setting has an invalid value; nothing was sent
    ├── ApiAttributeError (AttributeError)  never raised; kept for scripts that catch it
    ├── ApiKeyError (KeyError)              never raised; kept for scripts that catch it
    ├── ConversationBusyError (RuntimeError)    an answer of the conversation is still under way; nothing was sent
    ├── RagTaskFailedError                  the task that teaches a character something failed or was cancelled
    ├── ApiVersionError                     the server's generation does not have the operation; nothing was sent
    └── ApiException                        a call failed
        ├── BadRequestException             400
        ├── UnauthorizedException           401, or a redirect to the login page
        ├── ForbiddenException              403
        ├── NotFoundException               404
        ├── ConflictException               409
        ├── UnprocessableEntityException    422
        ├── QuotaExceededException          429: a quota or a limit is reached; waiting does not help
        ├── ServiceException                5xx
        │   └── ServiceUnavailableException 503
        ├── ApiConnectionError (ConnectionError)    there was no response, or it was incomplete
        │   └── ApiTimeoutError (TimeoutError)      the call took too long
        ├── ApiDecodeError (ValueError)     the response is not what the operation returns
        ├── StreamInterruptedError          a stream ended without its final event
        └── StreamFailedError               the server reported within a stream that the model failed

    UserWarning
    ├── ForeignConnectionWarning            a tool has replaced the connections of urllib3
    ├── InsecureTransportWarning            a token is sent unencrypted to another machine
    ├── KeyInExportWarning                  exports of a character will contain an api key
    └── UnknownFieldWarning                 a model or the body of a call is given a name that is not a field

All of them can be pickled and copied. They mask everything that looks like a credential in the texts that they hold.
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
    "ConversationBusyError",
    "ForbiddenException",
    "ForeignConnectionWarning",
    "InsecureTransportWarning",
    "KeyInExportWarning",
    "NotFoundException",
    "OpenApiException",
    "QuotaExceededException",
    "RagTaskFailedError",
    "ServiceException",
    "ServiceUnavailableException",
    "StreamFailedError",
    "StreamInterruptedError",
    "UnauthorizedException",
    "UnknownFieldWarning",
    "UnprocessableEntityException",
]

_MAX_SHOWN_CHARACTERS = 200
"""How much of the server's text an error message shows."""


def escape_unprintable(text: str) -> str:
    """Escape every character of a text that is not printable, line breaks included."""
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
    """An argument or a setting has the wrong type; nothing was sent."""

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
    """An argument or a setting has an invalid value; nothing was sent."""

    def __init__(self, msg: str, path_to_item: Sequence[str | int] | None = None) -> None:
        self.path_to_item = path_to_item
        super().__init__(_with_path(msg, path_to_item))


class ApiAttributeError(OpenApiException, AttributeError):
    """An attribute does not exist. The client never raises it; it is kept for scripts that catch it."""

    def __init__(self, msg: str, path_to_item: Sequence[str | int] | None = None) -> None:
        self.path_to_item = path_to_item
        super().__init__(_with_path(msg, path_to_item))


class ApiKeyError(OpenApiException, KeyError):
    """A key does not exist. The client never raises it; it is kept for scripts that catch it."""

    def __init__(self, msg: str, path_to_item: Sequence[str | int] | None = None) -> None:
        self.path_to_item = path_to_item
        super().__init__(_with_path(msg, path_to_item))


class ApiVersionError(OpenApiException):
    """The server's generation does not have the operation; nothing was sent."""


class ApiException(OpenApiException):
    """A call failed.

    Attributes:
        status: the HTTP status code (RFC 9110, 15), or None if there was no response.
        reason: the reason phrase of the response, or the standard phrase if the server did not send one.
        body: the body of the response as text.
        data: the body decoded from JSON, or None if it is not a JSON object or array.
        headers: the headers of the response; names are compared without regard to case.
        method, path: the method and the path of the request; the path shows parameter names instead of their values.
        attempts: the number of requests made for the call.
        message: what the client itself says about the failure, or None.
        hint: what the caller can do about it, or None.

    The `secrets` that a call used are masked in everything that is kept.
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
        secrets: Sequence[str] = (),
    ) -> None:
        if http_resp is not None:
            status = http_resp.status if status is None else status
            reason = http_resp.reason if reason is None else reason
            body = http_resp.data if body is None else body
            headers = http_resp.headers if headers is None else headers
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        self.status = status
        self.reason = escape_unprintable(mask(reason, secrets)) if reason else _phrase(status)
        self.body = None if text is None else mask(text, secrets)
        self.data = _parsed(self.body) if data is None else data
        self.headers = _without_credentials(headers, secrets)
        self.method = method
        self.path = path
        self.attempts = attempts
        lines = None if message is None else mask(message, secrets).splitlines()
        self.message = None if lines is None else "\n".join(map(escape_unprintable, lines))
        self.hint = hint
        super().__init__(str(self))

    @classmethod
    def from_response(cls, *, http_resp: Any, body: str | bytes | None, data: Any) -> NoReturn:
        """Raise the error for a response; the status decides its class."""
        kind = kind_for(http_resp.status, http_resp.headers)
        raise kind(http_resp=http_resp, body=body, data=data)

    def __str__(self) -> str:
        request = " ".join(part for part in (self.method, self.path) if part)
        lines = [": ".join(part for part in (self._summary(request), self._details()) if part)]
        lines += [hint for hint in (self._advice, self.hint) if hint]
        if self.attempts > 1:
            lines.append(f"({self.attempts} attempts were made.)")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def _summary(self, request: str) -> str:
        if self.status is None:
            return request
        status = f"{self.status} {self.reason or ''}".rstrip()
        return f"{request} returned {status}" if request else status

    def _details(self) -> str:
        """Return the client's message and the server's. Of a body that is not a JSON object, return the start."""
        if isinstance(self.data, dict):
            text = self.data.get("message") or ("" if self.data.get("error") == self.reason else self.data.get("error"))
            shown = str(text or "")
        else:
            shown = self.body or ""
        start = shown[:_MAX_SHOWN_CHARACTERS] + ("..." if len(shown) > _MAX_SHOWN_CHARACTERS else "")
        return ": ".join(part for part in (self.message, escape_unprintable(start)) if part)


class BadRequestException(ApiException):
    """400: the server considers the request invalid."""


class UnauthorizedException(ApiException):
    """401, or a redirect to the login page: no token was sent, or the server rejected it."""

    _advice = (
        "No token was sent, or the server rejected it. "
        "Set Configuration(access_token=...) or FREECHAT_TOKEN to a valid token."
    )


class ForbiddenException(ApiException):
    """403: the user may not do this, or the object belongs to another user."""


class NotFoundException(ApiException):
    """404: the object does not exist, or the user may not see it."""


class ConflictException(ApiException):
    """409: the request conflicts with the present state of the object."""


class UnprocessableEntityException(ApiException):
    """422: the request is well-formed, but the server cannot carry it out."""


class QuotaExceededException(ApiException):
    """429: a quota is used up, or a limit is reached; waiting does not help."""

    _advice = "A quota is used up, or a limit is reached. Waiting does not help."


class ServiceException(ApiException):
    """5xx: the server failed. FreeChat also returns 500 for many invalid requests."""


class ServiceUnavailableException(ServiceException):
    """503: the chat is busy with another message, or a part of the server is not available."""


class ApiConnectionError(ApiException, ConnectionError):
    """There was no response, or it was incomplete.

    Attributes:
        request_sent: False if no byte of the request was sent, in any attempt; True if the server may have acted on it.
    """

    def __init__(
        self,
        message: str = "the connection failed",
        *,
        request_sent: bool = False,
        method: str | None = None,
        path: str | None = None,
        attempts: int = 1,
        secrets: Sequence[str] = (),
    ) -> None:
        self.request_sent = request_sent
        super().__init__(message=message, method=method, path=path, attempts=attempts, secrets=secrets)


class ApiTimeoutError(ApiConnectionError, TimeoutError):
    """The call reached its time limit before the response was complete."""


class ApiDecodeError(ApiException, ValueError):
    """The response is not what the operation returns: HTML, invalid JSON, JSON of another shape, or too many bytes."""


class StreamInterruptedError(ApiException):
    """A stream ended without its final event, so the answer is incomplete.

    Attributes:
        text: the text of the answer received so far.
        events: the events received so far.
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
    """The server reported within the stream that the model failed. `message` is the server's."""


class ConversationBusyError(OpenApiException, RuntimeError):
    """A conversation cannot send, because the answer to its last message is still under way."""


class RagTaskFailedError(OpenApiException):
    """A task that should teach a character something failed or was cancelled.

    Attributes:
        task: the task as the server describes it, a `RagTaskDetailsDTO`.
    """

    def __init__(self, message: str, task: Any = None) -> None:
        super().__init__(message, task)
        self.task = task

    def __str__(self) -> str:
        return str(self.args[0])


class ForeignConnectionWarning(UserWarning):
    """A tool such as vcrpy has replaced the connections of urllib3, so the client's deadlines do not apply."""


class InsecureTransportWarning(UserWarning):
    """A token is sent unencrypted to another machine, so anybody on the way can read it."""


class UnknownFieldWarning(UserWarning):
    """A model, or a dict that stands for one, is given a name that is not a field. The value is kept and sent."""


class KeyInExportWarning(UserWarning):
    """An api key is stored with a character's task. Exports of the character contain it in clear."""


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
    """Return the class of the error for a response."""
    if is_login_redirect(status, headers):
        return UnauthorizedException
    return _KINDS.get(status) or (ServiceException if 500 <= status < 600 else ApiException)


def is_login_redirect(status: int, headers: Mapping[str, str] | None) -> bool:
    """Return whether a response redirects to the login page, which means that the request had no valid token."""
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
        return from_json(body)  # it limits the nesting itself; the json module would exhaust Python's stack
    except ValueError:
        return None


def _without_credentials(headers: Mapping[str, str] | None, secrets: Sequence[str]) -> Mapping[str, str] | None:
    if headers is None or not hasattr(headers, "copy"):
        return headers
    kept: dict[str, str] = headers.copy()
    for name in list(kept):
        kept[name] = MASK if is_secret_header(name) else mask(kept[name], secrets)
    return kept
