"""Reports each call to the hooks and the log."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from freechat_sdk._request import Request
from freechat_sdk._secrets import mask, secrets_in
from freechat_sdk.configuration import Configuration
from freechat_sdk.exceptions import ApiException, escape_unprintable
from freechat_sdk.hooks import Call, Hooks
from freechat_sdk.upload import MultipartBody

SHOWN_HEADERS: Final = (
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Date",
    "Retry-After",
    "Server",
    "Transfer-Encoding",
)
"""The response headers that hooks and the log show. Others may hold a credential."""
SHOWN_CHARACTERS: Final = 2000
"""How many characters of a body the log shows."""

_log: Final = logging.getLogger("freechat_sdk")


def observer_for(configuration: Configuration, request: Request, clock: Callable[[], float]) -> "Observer | None":
    """Return the observer of a call, or None if there are no hooks and the log is off."""
    hooks = configuration.hooks
    if _log.isEnabledFor(logging.DEBUG):
        hooks = (*hooks, _Log(configuration.log_bodies, secrets_in(request.headers)))
    return Observer(hooks, request, clock) if hooks else None


class Observer:
    """Reports one call to hooks. Exceptions that hooks raise are logged, and the call goes on."""

    def __init__(self, hooks: Sequence[Hooks], request: Request, clock: Callable[[], float]) -> None:
        body = request.body
        if isinstance(body, MultipartBody):
            self.call = Call(request.method, request.template, None, body.size)
        else:
            self.call = Call(request.method, request.template, body, len(body or b""))
        self._hooks = hooks
        self._clock = clock
        self._start = 0.0

    def request(self, attempt: int) -> None:
        """Report that a request is about to be sent."""
        call = self.call
        call.attempt = attempt
        call.status, call.headers, call.response_body, call.error = None, {}, None, None
        self._report(lambda hook: hook.on_request(call))
        self._start = self._clock()

    def response(self, status: int, headers: Any, body: bytes | None) -> None:
        """Report a response. The body is None if it has not been read."""
        call = self.call
        call.seconds = self._clock() - self._start
        call.status, call.response_body = status, body
        call.headers = {name: headers[name] for name in SHOWN_HEADERS if name in headers}
        self._report(lambda hook: hook.on_response(call))

    def error(self, error: ApiException) -> None:
        """Report that an attempt failed."""
        self.call.seconds = self._clock() - self._start
        self.call.error = error
        self._report(lambda hook: hook.on_error(self.call))

    def retry(self, wait: float) -> None:
        """Report that the request will be sent again."""
        self._report(lambda hook: hook.on_retry(self.call, wait))

    def event(self, event: object) -> None:
        """Report an event of a stream."""
        self._report(lambda hook: hook.on_event(self.call, event))

    def close(self) -> None:
        """Report that a stream has been closed."""
        self._report(lambda hook: hook.on_close(self.call))

    def _report(self, report: Callable[[Hooks], object]) -> None:
        for hook in self._hooks:
            try:
                report(hook)
            except Exception:  # noqa: BLE001 - a fault in a hook must not break the call
                _log.warning("%s failed at %r", type(hook).__name__, self.call, exc_info=True)


class _Log(Hooks):
    """Writes debug messages about each attempt, with bodies if the configuration asks for them."""

    def __init__(self, shows_bodies: bool, secrets: Sequence[str]) -> None:
        self._shows_bodies = shows_bodies
        self._secrets = secrets

    def on_response(self, call: Call) -> None:
        body = call.response_body
        facts = {
            "status": call.status,
            "seconds": f"{call.seconds:.3f}",
            "attempt": call.attempt,
            "sent": call.request_bytes,
            "received": None if body is None else len(body),
            "requestId": call.request_id,
            **call.headers,
        }
        self._write(call, facts)
        if self._shows_bodies:
            self._write(call, {"request": self._shown(call.request_body), "response": self._shown(body)})

    def on_error(self, call: Call) -> None:
        facts = {"error": _kind(call.error), "seconds": f"{call.seconds:.3f}", "attempt": call.attempt}
        self._write(call, facts | {"sent": call.request_bytes, "message": call.error and call.error.message})

    def on_retry(self, call: Call, wait: float) -> None:
        self._write(call, {"again_in": f"{wait:.3f}"})

    def on_close(self, call: Call) -> None:
        self._write(call, {"closed": True, "error": _kind(call.error)})

    def _write(self, call: Call, facts: Mapping[str, object]) -> None:
        """Write one line with credentials masked. Line breaks in text from the server are escaped."""
        text = " ".join(f"{name}={value}" for name, value in facts.items() if value is not None)
        _log.debug("%s %s %s", call.method, call.path, escape_unprintable(mask(text, self._secrets)))

    def _shown(self, body: bytes | None) -> str | None:
        """Return the start of a body, with credentials masked."""
        if body is None:
            return None
        text = mask(body.decode("utf-8", "replace"), self._secrets)
        return text[:SHOWN_CHARACTERS] + ("..." if len(text) > SHOWN_CHARACTERS else "")


def _kind(error: ApiException | None) -> str | None:
    return None if error is None else type(error).__name__
