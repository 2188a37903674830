"""Streamed answers: an iterator over events that closes itself."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Lock
from types import TracebackType
from typing import Any, Final

from typing_extensions import Self

from freechat_sdk._response import Decoder, as_json
from freechat_sdk._sse import data_only
from freechat_sdk.exceptions import (
    ApiConnectionError,
    ApiDecodeError,
    ApiException,
    ApiTimeoutError,
    StreamFailedError,
    StreamInterruptedError,
)
from freechat_sdk.models.llm_result_dto import LlmResultDTO
from freechat_sdk.rest import Reply

TERMINATOR_SECONDS: Final = 0.05
"""How long the end of a stream is waited for after its final event, so that its connection can be used again."""


class SseEmitter:
    """A streamed answer: iterate it for its events as they arrive.

    Each event is an `LlmResultDTO` with the next part of the answer in `text`; the final one has the whole answer in
    `message` and no `text`. The stream closes itself at its end, on `break`, and on any error; `with` makes sure of
    it. It can be read once.

    Raises, while it is read:
        StreamInterruptedError: when the stream ends without its final event; it holds what has come.
        StreamFailedError: when the server reports in the stream that the model failed.
        ApiTimeoutError: when the server is silent for too long.
        ApiDecodeError: when an event is not what FreeChat sends.
    """

    def __init__(self, reply: Reply, decoder: Decoder[LlmResultDTO]) -> None:
        self._reply = reply
        self._parse: Callable[[bytes], LlmResultDTO] = decoder.decode
        self._data = data_only(reply.chunks())
        self._lock = Lock()
        self._is_closed = False
        self._texts: list[str] = []
        self.events: list[LlmResultDTO] = []
        """The events that have come so far."""
        self.result: LlmResultDTO | None = None
        """The final event, once it has come: the whole answer, why it ended, and what it cost in tokens."""

    @property
    def text(self) -> str:
        """The text of the answer that has come so far."""
        return "".join(self._texts)

    @property
    def closed(self) -> bool:
        """Whether the stream has ended or been closed."""
        return self._is_closed

    def __iter__(self) -> Iterator[LlmResultDTO]:
        # Nothing may keep the running generator: then `break` drops it, and dropping it closes the stream.
        try:
            while (event := self._next()) is not None:
                yield event
        finally:
            self.close()

    def __next__(self) -> LlmResultDTO:
        """Return the next event."""
        event = self._next()
        if event is None:
            raise StopIteration
        return event

    def text_deltas(self) -> Iterator[str]:
        """Yield the parts of the answer's text as they arrive, without what the model thinks aloud."""
        try:
            while (event := self._next()) is not None:
                if delta := _answer_text(event):
                    yield delta
        finally:
            self.close()

    def until_done(self) -> LlmResultDTO:
        """Read the stream to its end and return the final event."""
        for _ in self:
            pass
        if self.result is None:
            raise self._error(StreamInterruptedError, "the stream was closed before its final event")
        return self.result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the stream. A thread that is reading it sees the end of the iteration; a second close does nothing."""
        is_reading = not self._lock.acquire(blocking=False)
        if is_reading:
            self._is_closed = True
            self._reply.exchange.interrupt()  # the reader finds the flag and lets go of the connection
            return
        try:
            self._finish()
        finally:
            self._lock.release()

    def _next(self) -> LlmResultDTO | None:
        """Return the next event, or None at the end."""
        with self._lock:
            if self._is_closed or self.result is not None:
                self._finish()
                return None
            try:
                return self._take(self._pull())
            except BaseException as error:
                was_closed = self.closed  # by another thread, which is what ended the reading
                self._finish()
                if was_closed and isinstance(error, ApiException):
                    return None
                raise

    def _pull(self) -> bytes | None:
        """Return the data of the next event, or None at the end of what the server sends."""
        try:
            return next(self._data, None)
        except ApiTimeoutError:
            raise
        except ApiConnectionError as error:
            raise self._error(StreamInterruptedError, "the connection was lost within the answer") from error

    def _take(self, data: bytes | None) -> LlmResultDTO:
        """Return the event in `data`, noted; None is the end of what the server sends."""
        if data is None:
            raise self._error(StreamInterruptedError, "the stream ended without its final event")
        event = self._parsed(data)
        if not self.events:
            self._reply.exchange.limit.begin_stream()
        self.events.append(event)
        if event.message is None and event.finish_reason == "other":
            raise self._error(StreamFailedError, event.text or "the model failed and gave no reason")
        if event.text is not None:
            self._texts.append(_answer_text(event))
        elif event.message is not None:
            self.result = event
        return event

    def _parsed(self, data: bytes) -> LlmResultDTO:
        try:
            return self._parse(data)
        except (ValueError, RecursionError) as error:
            raise self._error(ApiDecodeError, "an event of the stream is not what FreeChat sends", data) from error

    def _finish(self) -> None:
        """Let go of the connection: to the pool when the server ends its answer at once, else closed."""
        self._is_closed = True
        if self.result is not None:
            self._reply.exchange.limit.end_within(TERMINATOR_SECONDS)
            with suppress(ApiException):
                for _ in self._data:
                    pass
        self._reply.close()

    def _error(self, kind: type[ApiException], message: str, data: bytes | None = None) -> ApiException:
        """Return an error of the stream, with what has come so far."""
        request, answer = self._reply.exchange.request, self._reply.answer()
        about: dict[str, Any] = {"method": request.method, "path": request.template, "body": data}
        if kind is StreamInterruptedError:
            about.update(text=self.text, events=tuple(self.events))
        return kind(
            answer.status,
            answer.reason,
            message=message,
            headers=answer.headers,
            attempts=self._reply.exchange.attempt,
            **about,
        )


def _answer_text(event: LlmResultDTO) -> str:
    """Return the part of the answer in an event: nothing where the model thinks aloud."""
    message = event.message
    is_thinking = message is not None and bool(message.thinking) and not message.contents
    return "" if is_thinking else event.text or ""


class _Events:
    """Opens a streamed answer instead of reading it."""

    accept = "text/event-stream, application/json"
    is_streamed = True

    def decode(self, body: bytes) -> SseEmitter:
        raise ValueError("the answer is no event stream")

    def open(self, reply: Reply) -> SseEmitter:
        return SseEmitter(reply, as_json(LlmResultDTO))


as_events = _Events()
