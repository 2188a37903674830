"""Hooks: be told of every call, for metrics, traces and logs of your own."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from freechat_sdk.exceptions import ApiException


class Call:
    """One call as hooks see it: the same object from its first request to its end.

    It holds no header of the request. Bodies may hold credentials: `create_token` answers one.

    Attributes:
        method, path: the request; the path with the names of its parameters.
        attempt: which request of the call this is, from 1.
        request_body: the request's JSON; None without one, and of an upload.
        request_bytes: the size of the request's body; None where that shows only by sending it.
        status: the HTTP status code of the present attempt's answer; None without one.
        headers: those of the answer that tell about the exchange: media type, length, date, server, ...
        seconds: from the request to its answer, of a stream to its start.
        response_body: the answer's body, unpacked; None of a stream, and where it is left unread.
        error: what the attempt, or a stream after its start, failed with; None where there was an answer, whatever
            its status.
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
        """The `requestId` of the answer, where it has one: the server's log knows the call by it."""
        try:
            answer = from_json(self.response_body or b"")
        except ValueError:
            return None
        found = answer.get("requestId") if isinstance(answer, dict) else None
        return found if isinstance(found, str) else None

    def __repr__(self) -> str:
        return f"Call({self.method} {self.path}, attempt={self.attempt}, status={self.status})"


class Hooks:
    """Override what you want to be told of, and give an instance as `Configuration(hooks=...)`.

        class Slow(Hooks):
            def on_response(self, call: Call) -> None:
                if call.seconds > 1:
                    print(call.method, call.path, call.status, call.seconds)

    Each is called in the thread of the call, of many at the same time. What a hook raises is logged as a warning and
    does not reach the call. Each attempt of a call ends in `on_response` or in `on_error`.
    """

    def on_request(self, call: Call) -> None:
        """A request is about to be sent."""

    def on_response(self, call: Call) -> None:
        """An answer has come, whatever its status: read whole, or, of a stream, its start."""

    def on_error(self, call: Call) -> None:
        """An attempt ended without a whole answer: see `call.error`."""

    def on_retry(self, call: Call, wait: float) -> None:
        """The request will be sent again after `wait` s."""

    def on_event(self, call: Call, event: Any) -> None:
        """An event of a stream has come: an `LlmResultDTO`, before the reader gets it."""

    def on_close(self, call: Call) -> None:
        """A stream or download has been closed, read to its end or not; `call.error` tells what ended it early."""
