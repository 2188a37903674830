"""Streams: iterators over the events of a response, which close themselves."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from types import TracebackType
from typing import ClassVar, Final, TypeVar, cast

from typing_extensions import Self

from freechat_sdk._decoders import Decoder, StreamedResponse, as_json
from freechat_sdk._model import hide_input
from freechat_sdk._secrets import mask, sealed, without_frames
from freechat_sdk._sse import EventTooLargeError, data_only
from freechat_sdk._thinking import ThinkingSplitter, split_thinking
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

T = TypeVar("T")

TERMINATOR_SECONDS: Final = 0.05
"""How long to wait for the terminator after the final event. If it arrives, the connection can be used again."""

_SHOWN_CHARACTERS: Final = 60
"""How much of the text the repr of a stream shows."""


class SseEmitter:
    """A streamed answer: iterate it for its events as they arrive.

    Each event is an `LlmResultDTO` with the next part of the answer in `text`. The final one has the whole answer in
    `message` and no `text`. The stream closes itself at its end, on `break` and on any error; use `with` to be sure.
    It can be read once.

    Raises, while it is read:
        StreamInterruptedError: if the stream ends without its final event; the error carries what was received.
        StreamFailedError: if the server reports in the stream that the model failed.
        ApiTimeoutError: if the server is silent for too long.
        ApiDecodeError: if an event is not what FreeChat sends.
    """

    def __init__(self, response: StreamedResponse) -> None:
        self._response = response
        self._received = _Received(response.splits_thinking)
        self._source = data_only(response.chunks(), response.max_event_bytes)
        self._events = _events(response, self._source, self._received)
        self._is_closed = False
        self._on_close: list[Callable[[], object]] = []

    @property
    def result(self) -> LlmResultDTO | None:
        """The final event, once it has been received: the whole answer, why it ended, and its cost in tokens."""
        return self._received.result

    @property
    def text(self) -> str:
        """The text of the answer that has been received so far, without the model's thinking."""
        return self._received.answer_and_thinking()[0]

    @property
    def thinking(self) -> str:
        """The model's thinking that has been received so far."""
        return self._received.answer_and_thinking()[1]

    @property
    def closed(self) -> bool:
        """Whether the stream has ended or been closed."""
        return self._is_closed

    def __repr__(self) -> str:
        if self.result is not None:
            state = "complete"
        else:
            state = "closed before its final event" if self._is_closed else "open"
        text = mask(self.text)
        shown = text[:_SHOWN_CHARACTERS] + ("..." if len(text) > _SHOWN_CHARACTERS else "")
        return f"SseEmitter({state}, text={shown!r})"

    def __iter__(self) -> Iterator[LlmResultDTO]:
        # The emitter must not hold this generator: `break` then releases the last reference, which closes the stream.
        try:
            yield from self._events
        except BaseException as error:  # noqa: BLE001 - raised again
            if not self._is_end(error):
                raise without_frames(error)  # noqa: B904 - the same error
        finally:
            self.close()

    def __next__(self) -> LlmResultDTO:
        """Return the next event."""
        try:
            return next(self._events)
        except BaseException as error:  # noqa: BLE001 - raised again
            is_end = self._is_end(error)
            self.close()
            if is_end:
                raise StopIteration from None
            raise without_frames(error)  # noqa: B904 - the same error

    def _is_end(self, error: BaseException) -> bool:
        """Return whether an error comes from `close()` in another thread, which ends the iteration."""
        return self._is_closed and isinstance(error, Exception)

    def text_deltas(self) -> Iterator[str]:
        """Yield the parts of the answer's text as they arrive, without the model's thinking.

        Thinking is what the server marks as such, and `<think>...</think>` in the text. `thinking` has both.
        `Configuration(split_thinking=False)` leaves the tags and what is between them in the text.
        """
        try:
            yield from self._text_deltas()
        except BaseException as error:  # noqa: BLE001 - raised again
            raise without_frames(error)  # noqa: B904 - the same error

    def _text_deltas(self) -> Iterator[str]:
        splitter = ThinkingSplitter() if self._received.splits_thinking else None
        if splitter:
            splitter.feed("".join(self._received.texts))
        for event in self:
            if event.text and (event.message is None or not _is_thinking(event.message)):
                text = splitter.feed(event.text) if splitter else event.text
                if text:
                    yield text
        if splitter and (rest := splitter.finish()):
            yield rest

    @sealed
    def until_done(self) -> LlmResultDTO:
        """Read the stream to its end and return the final event.

        Raises:
            StreamInterruptedError: if the stream ends or is closed before its final event.
        """
        for _ in self:
            pass
        if self.result is None:
            raise _interrupted(self._response, self._received, "the stream was closed before its final event")
        return self.result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the stream. If another thread is reading it, the iteration there ends. A second call does nothing."""
        self._is_closed = True
        try:
            if self.result is not None:
                self._await_terminator()
            self._events.close()
        except ValueError:  # the generator is running: another thread reads
            self._response.interrupt()  # that thread then sees `_is_closed` and ends the stream
            return
        self._response.end_stream()
        while self._on_close:
            self._on_close.pop()()

    def on_close(self, callback: Callable[[], object]) -> None:
        """Call a function once the stream has ended: read to its end, closed, dropped or failed."""
        self._on_close.append(callback)
        if self._is_closed:
            self.close()

    def __del__(self) -> None:
        if not getattr(self, "_is_closed", True):
            self.close()

    def _await_terminator(self) -> None:
        """Wait briefly for the terminator. If it arrives, the connection can be used again."""
        self._response.end_within(TERMINATOR_SECONDS)
        with suppress(ApiException):
            for _ in self._source:
                pass


class UnsplitLlmResult(LlmResultDTO):
    """A result whose `answer` keeps the thinking that a model writes inline: `Configuration(split_thinking=False)`."""

    _splits_thinking: ClassVar[bool] = False


def unsplit(decoder: Decoder[T]) -> Decoder[T]:
    """Return the decoder whose results keep the thinking that a model writes inline."""
    return cast(Decoder[T], as_json(UnsplitLlmResult)) if decoder is as_json(LlmResultDTO) else decoder


@dataclass
class _Received:
    """What has been received of a stream."""

    splits_thinking: bool
    data: list[bytes] = field(default_factory=list)
    """The data of the events. Unlike models, bytes do not slow down the garbage collector."""
    texts: list[str] = field(default_factory=list)
    """The texts of the events, with thinking that the model writes inline."""
    thinking: list[str] = field(default_factory=list)
    """The thinking that the server marks as such."""
    result: LlmResultDTO | None = None

    @property
    def parser(self) -> Callable[[bytes], LlmResultDTO]:
        """Parses the data of an event."""
        return as_json(LlmResultDTO if self.splits_thinking else UnsplitLlmResult).decode

    def answer_and_thinking(self) -> tuple[str, str]:
        """Return the two texts so far."""
        text, thinking = "".join(self.texts), "".join(self.thinking)
        if not self.splits_thinking:
            return text, thinking
        answer, inline = split_thinking(text)
        return answer, thinking + inline


def _events(response: StreamedResponse, source: Iterable[bytes], received: _Received) -> Generator[LlmResultDTO]:
    """Yield the events of a stream up to its final one, and add them to `received`."""
    parse, keep, keep_text = received.parser, received.data.append, received.texts.append
    note_event, max_bytes = response.note_event, response.max_response_bytes or inf
    data, size = b"", 0
    try:
        for data in source:
            size += len(data)
            if size > max_bytes:  # the data of all events is kept in memory
                response.check_size(size)
            event = parse(data)
            if not received.data:
                response.begin_stream()
            keep(data)
            note_event(event)
            text, message = event.text, event.message
            if text is None and message is not None:
                received.result = event
                yield event
                return
            if message is None and event.finish_reason == "other":
                raise response.error(StreamFailedError, message=text or "the model failed and gave no reason")
            if text:
                if message is None or not _is_thinking(message):
                    keep_text(text)
                else:
                    received.thinking.append(text)
            yield event
    except EventTooLargeError as error:
        hint = "Raise the limit with Configuration(max_event_bytes=...)."
        raise response.error(ApiDecodeError, message=str(error), hint=hint) from None
    except ApiDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        message_ = "an event of the stream is not what FreeChat sends"
        raise response.error(ApiDecodeError, message=message_, body=data) from hide_input(error)
    except ApiTimeoutError:
        raise
    except ApiConnectionError as error:
        raise _interrupted(response, received, "the connection was lost in the middle of the answer") from error
    raise _interrupted(response, received, "the stream ended without its final event")


def _is_thinking(message: ChatMessageDTO) -> bool:
    """Return whether a message holds the model's thinking and no part of its answer."""
    return bool(message.thinking) and not message.contents


def _interrupted(response: StreamedResponse, received: _Received, message: str) -> ApiException:
    events = tuple(map(received.parser, received.data))
    return response.error(
        StreamInterruptedError, message=message, text=received.answer_and_thinking()[0], events=events
    )


class _Events:
    """Opens an event stream."""

    accept = "text/event-stream, application/json"
    is_stream: Final = True

    def takes(self, content_type: str) -> bool:
        return content_type.startswith("text/event-stream")

    def open(self, response: StreamedResponse) -> SseEmitter:
        return SseEmitter(response)


as_events = _Events()
