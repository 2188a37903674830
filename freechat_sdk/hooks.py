"""Hooks: observe every call, for metrics, traces and logs of your own."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from freechat_sdk.exceptions import ApiException


class Call:
    """One call as hooks see it: the same object from its first request to its end.

    It does not hold the headers of the request. Bodies may hold credentials: `create_token` returns one.

    Attributes:
        method, path: the method and the path of the request; the path shows parameter names instead of their values.
        attempt: the number of the present attempt, from 1.
        request_body: the body of the request as JSON; None if there is no body, and for an upload.
        request_bytes: the size of the request body in bytes; None if it is not known before the body has been sent.
        status: the HTTP status code of the present attempt; None if there is no response.
        headers: the response headers that describe the exchange: media type, length, date, server, ...
        seconds: the time from the request to its response in seconds; for a stream, to the start of the response.
        response_body: the decompressed body of the response; None for a stream, and if the body has not been read.
        error: the error that ended the present attempt, or a stream after its start; None if there was a response,
            whatever its status.
        context: a dict for the hooks' own use: a span, a start time, ...
    """

    def __init__(self, method: str, path: str, request_body: bytes | None, request_bytes: int | None) -> None:
        self.method = method
        self.path = path
        self.attempt = 1
        self.request_body = request_body
        self.request_bytes = request_bytes
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.seconds = 0.0
        self.response_body: bytes | None = None
        self.error: ApiException | None = None
        self.context: dict[str, Any] = {}

    @property
    def request_id(self) -> str | None:
        """The `requestId` in the body of the response, which identifies the call in the server's log, or None."""
        try:
            body = from_json(self.response_body or b"")
        except ValueError:
            return None
        found = body.get("requestId") if isinstance(body, dict) else None
        return found if isinstance(found, str) else None

    def __repr__(self) -> str:
        return f"Call({self.method} {self.path}, attempt={self.attempt}, status={self.status})"


class Hooks:
    """Base of hooks: override the methods that you need, and pass an instance to `Configuration(hooks=...)`.

        class Slow(Hooks):
            def on_response(self, call: Call) -> None:
                if call.seconds > 1:
                    print(call.method, call.path, call.status, call.seconds)

    A method runs in the thread of the call, so several threads may run it at the same time. If it raises an exception,
    this is logged as a warning, and the call goes on. Each attempt of a call ends in `on_response` or in `on_error`.
    """

    def on_request(self, call: Call) -> None:
        """Called before a request is sent."""

    def on_response(self, call: Call) -> None:
        """Called after a response, whatever its status; for a stream, after the start of the response."""

    def on_error(self, call: Call) -> None:
        """Called after an attempt that failed without a complete response; `call.error` is the reason."""

    def on_retry(self, call: Call, wait: float) -> None:
        """Called before the request is sent again, which happens after `wait` seconds."""

    def on_event(self, call: Call, event: Any) -> None:
        """Called for each event of a stream, an `LlmResultDTO`, before the caller gets it."""

    def on_close(self, call: Call) -> None:
        """Called after a stream or download has been closed; `call.error` is set if an error ended it."""
