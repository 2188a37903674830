"""Streamed answers: an iterator over events that closes itself."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from types import TracebackType
from typing import Final

from typing_extensions import Self

from freechat_sdk._decoders import as_json
from freechat_sdk._model import hide_input
from freechat_sdk._response import Reply
from freechat_sdk._sse import EventTooLargeError, data_only
from freechat_sdk.exceptions import (
    ApiConnectionError,
    ApiDecodeError,
    ApiException,
    ApiTimeoutError,
    StreamFailedError,
    StreamInterruptedError,
)
from freechat_sdk.models.chat_message_dto import ChatMessageDTO
from freechat_sdk.models.llm_result_dto import LlmResultDTO

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

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._so_far = _SoFar()
        self._source = data_only(reply.chunks(), reply.exchange.configuration.max_event_bytes)
        self._events = _events(reply, self._source, self._so_far)
        self._is_closed = False

    @property
    def result(self) -> LlmResultDTO | None:
        """The final event, once it has come: the whole answer, why it ended, and what it cost in tokens."""
        return self._so_far.result

    @property
    def text(self) -> str:
        """The text of the answer that has come so far."""
        return self._so_far.text

    @property
    def closed(self) -> bool:
        """Whether the stream has ended or been closed."""
        return self._is_closed

    def __iter__(self) -> Iterator[LlmResultDTO]:
        # Nothing may keep this generator: then `break` drops it, and dropping it closes the stream.
        try:
            yield from self._events
        except Exception:
            if not self._is_closed:  # else the error comes of being closed by another thread
                raise
        finally:
            self.close()

    def __next__(self) -> LlmResultDTO:
        """Return the next event."""
        try:
            return next(self._events)
        except BaseException as error:
            is_unwanted = self._is_closed and isinstance(error, Exception)
            self.close()
            if is_unwanted:
                raise StopIteration from None
            raise

    def text_deltas(self) -> Iterator[str]:
        """Yield the parts of the answer's text as they arrive, without what the model thinks aloud."""
        for event in self:
            if event.text and (event.message is None or not _is_thought(event.message)):
                yield event.text

    def until_done(self) -> LlmResultDTO:
        """Read the stream to its end and return the final event."""
        for _ in self:
            pass
        if self.result is None:
            raise _interrupted(self._reply, self._so_far, "the stream was closed before its final event")
        return self.result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the stream. A thread that is reading it sees the end of the iteration; a second close does nothing."""
        self._is_closed = True
        try:
            if self.result is not None:
                self._await_end()
            self._events.close()
        except ValueError:  # the generator is running: another thread reads
            self._reply.exchange.interrupt()  # that thread finds the flag and closes
            return
        self._reply.finish()

    def _await_end(self) -> None:
        """Read what ends the answer, if it comes at once: then the connection can be used again."""
        self._reply.exchange.limit.end_within(TERMINATOR_SECONDS)
        with suppress(ApiException):
            for _ in self._source:
                pass


@dataclass
class _SoFar:
    """What has come of a stream."""

    data: list[bytes] = field(default_factory=list)
    """The data of its events: bytes, unlike models, are nothing that the garbage collector looks through."""
    texts: list[str] = field(default_factory=list)
    result: LlmResultDTO | None = None

    @property
    def text(self) -> str:
        return "".join(self.texts)


def _events(reply: Reply, source: Iterable[bytes], so_far: _SoFar) -> Generator[LlmResultDTO]:
    """Yield the events of a stream up to its final one, and note them."""
    parse, keep, keep_text = as_json(LlmResultDTO).decode, so_far.data.append, so_far.texts.append
    watch, limit = reply.exchange.watch, reply.exchange.limit
    largest = reply.exchange.configuration.max_response_bytes or inf
    data, size = b"", 0
    try:
        for data in source:
            size += len(data)
            if size > largest:  # all of it is kept
                reply.check_size(size)
            event = parse(data)
            if not so_far.data:
                limit.begin_stream()
            limit.has_progressed = True
            keep(data)
            if watch is not None:
                watch.event(event)
            text, message = event.text, event.message
            if text is None and message is not None:
                so_far.result = event
                yield event
                return
            if message is None and event.finish_reason == "other":
                raise reply.error(StreamFailedError, message=text or "the model failed and gave no reason")
            if text and (message is None or not _is_thought(message)):
                keep_text(text)
            yield event
    except EventTooLargeError as error:
        hint = "Configuration(max_event_bytes=...) sets that."
        raise reply.error(ApiDecodeError, message=str(error), hint=hint) from None
    except (ValueError, RecursionError) as error:
        what = "an event of the stream is not what FreeChat sends"
        raise reply.error(ApiDecodeError, message=what, body=data) from hide_input(error)
    except ApiTimeoutError:
        raise
    except ApiConnectionError as error:
        raise _interrupted(reply, so_far, "the connection was lost within the answer") from error
    raise _interrupted(reply, so_far, "the stream ended without its final event")


def _is_thought(message: ChatMessageDTO) -> bool:
    """Tell whether a message is what the model thinks aloud rather than a part of its answer."""
    return bool(message.thinking) and not message.contents


def _interrupted(reply: Reply, so_far: _SoFar, message: str) -> ApiException:
    parse = as_json(LlmResultDTO).decode
    events = tuple(map(parse, so_far.data))
    return reply.error(StreamInterruptedError, message=message, text=so_far.text, events=events)


class _Events:
    """Opens a streamed answer instead of reading it."""

    accept = "text/event-stream, application/json"
    is_streamed = True

    def decode(self, body: bytes) -> SseEmitter:
        raise ValueError("the answer is no event stream")

    def takes(self, content_type: str) -> bool:
        return content_type.startswith("text/event-stream")

    def open(self, reply: Reply) -> SseEmitter:
        return SseEmitter(reply)


as_events = _Events()
