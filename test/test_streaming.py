"""Streams: events as they arrive, order proved by peers that wait for the reader, and closing in every way."""

import copy
import gc
import pickle
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from freechat_sdk import (
    ApiDecodeError,
    ApiTimeoutError,
    SseEmitter,
    StreamFailedError,
    StreamInterruptedError,
)
from test.clients import Clock, at_once, chat_api
from test.hostile import CHUNKED, GZIP, trickle
from test.server import (
    EVENT_STREAM,
    FINAL,
    MAX_WAIT,
    Connection,
    Handler,
    Request,
    chats_and_streams,
    chunk_bytes,
    event_bytes,
    events_response,
    final_event,
    head,
    in_order,
    json_response,
)


@dataclass(frozen=True)
class Framing:
    """One way to send the bytes of a stream."""

    headers: list[tuple[str, str]]
    wrap: Callable[[], Callable[[bytes], bytes]]


def chunked() -> Callable[[bytes], bytes]:
    return chunk_bytes


def plain() -> Callable[[bytes], bytes]:
    return lambda data: data


def gzipped() -> Callable[[bytes], bytes]:
    packer = zlib.compressobj(wbits=31)
    return lambda data: packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)


def gzipped_chunks() -> Callable[[bytes], bytes]:
    pack, frame = gzipped(), chunked()
    return lambda data: frame(pack(data))


FRAMINGS = {
    "chunks": Framing([CHUNKED], chunked),
    "gzip in chunks": Framing([CHUNKED, GZIP], gzipped_chunks),
    "ended by close": Framing([("Connection", "close")], plain),
    "gzip ended by close": Framing([("Connection", "close"), GZIP], gzipped),
}


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
def test_an_event_is_handed_on_before_the_next_one_is_sent(framing: Framing) -> None:
    has_read = threading.Semaphore(0)

    def handle(_: Request, connection: Connection) -> None:
        wrap = framing.wrap()
        connection.send(head(200, [EVENT_STREAM, *framing.headers]))
        for number in range(5):
            connection.send(wrap(event_bytes({"text": f"{number} "})))
            assert has_read.acquire(timeout=MAX_WAIT)
        connection.send(wrap(event_bytes(FINAL)))
        assert has_read.acquire(timeout=MAX_WAIT)
        connection.close()

    with chat_api(handle) as (api, _):
        seen = []
        for event in api.stream_send_message("chat", "Hi"):
            seen.append(event.text)
            has_read.release()
        assert seen == ["0 ", "1 ", "2 ", "3 ", "4 ", None]


def test_the_text_the_events_and_the_result_are_collected() -> None:
    with chat_api(events_response({"text": ""}, {"text": "H"}, {"text": "i"}, FINAL)) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        assert (stream.text, stream.result, stream.closed) == ("", None, False)
        assert list(stream.text_deltas()) == ["H", "i"]
        assert stream.text == "Hi"
        assert stream.result is not None
        assert stream.result.answer == "Hi"
        assert (stream.closed, list(stream)) == (True, [])


def test_thinking_is_not_part_of_the_answer() -> None:
    thought = {"text": "Hm", "message": {"role": "assistant", "thinking": "Hm", "contents": None}}
    blank = {"text": " ", "message": {"role": "assistant", "thinking": None, "contents": None}}
    with chat_api(events_response(thought, thought, blank, {"text": "Hello"}, FINAL)) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        assert list(stream.text_deltas()) == [" ", "Hello"]
        assert (stream.text, stream.thinking) == (" Hello", "HmHm")


INLINE = ["<th", "ink>Let me", " see.</thi", "nk>\n\nHello", " <", "you>", " <thi"]
"""The parts of an answer whose model thinks inline."""
THOUGHT_ANSWER = "Hello <you> <thi"


def inline_thinking() -> Handler:
    return events_response(*({"text": part} for part in INLINE), final_event("".join(INLINE)))


def test_thinking_between_tags_is_not_part_of_the_answer() -> None:
    with chat_api(inline_thinking()) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        assert list(stream.text_deltas()) == ["Hello", " ", "<you>", " ", "<thi"]
        assert (stream.text, stream.thinking) == (THOUGHT_ANSWER, "Let me see.")
        assert stream.result is not None
        assert (stream.result.answer, stream.result.thinking) == (THOUGHT_ANSWER, "Let me see.")


def test_events_keep_their_text_as_it_came() -> None:
    with chat_api(inline_thinking()) as (api, _):
        assert [event.text for event in api.stream_send_message("chat", "Hi")] == [*INLINE, None]


def test_text_deltas_go_on_where_events_were_read_before() -> None:
    with chat_api(inline_thinking()) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        next(stream)
        next(stream)
        assert "".join(stream.text_deltas()) == THOUGHT_ANSWER


def test_thinking_stays_in_the_text_if_it_is_not_split() -> None:
    with chat_api(inline_thinking(), split_thinking=False) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        assert list(stream.text_deltas()) == INLINE
        assert (stream.text, stream.thinking) == ("".join(INLINE), "")
        assert stream.result is not None
        assert copy.deepcopy(pickle.loads(pickle.dumps(stream.result))).answer == "".join(INLINE)


def test_the_answer_of_a_call_without_a_stream_is_split_too() -> None:
    result = {"text": "<think>Hm</think>Hello", **final_event("<think>Hm</think>Hello")}
    with chat_api(json_response(result)) as (api, _):
        whole = api.send_message("chat", "Hi")
        assert (whole.answer, whole.thinking, whole.text) == ("Hello", "Hm", result["text"])
    with chat_api(json_response(result), split_thinking=False) as (api, _):
        assert api.send_message("chat", "Hi").answer == result["text"]


def test_a_broken_stream_keeps_the_answer_without_the_thinking() -> None:
    with chat_api(events_response(*({"text": part} for part in INLINE))) as (api, _):
        with pytest.raises(StreamInterruptedError) as caught:
            api.stream_send_message("chat", "Hi").until_done()
        assert caught.value.text == THOUGHT_ANSWER


def test_until_done_returns_the_final_event() -> None:
    with chat_api(events_response({"text": "a"}, FINAL)) as (api, _):
        assert api.stream_send_message("chat", "Hi").until_done().finish_reason == "stop"


def test_a_response_with_http_info_holds_the_stream() -> None:
    with chat_api(events_response({"text": "a"}, FINAL)) as (api, _):
        response = api.stream_send_message_with_http_info("chat", "Hi")
        assert (response.status_code, response.raw_data) == (200, None)
        assert response.headers["content-type"] == "text/event-stream"
        assert [event.text for event in response.data] == ["a", None]


def test_next_takes_one_event_and_leaves_the_rest() -> None:
    with chat_api(events_response({"text": "a"}, {"text": "b"}, FINAL)) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        assert next(stream).text == "a"
        assert [event.text for event in stream] == ["b", None]
        with pytest.raises(StopIteration):
            next(stream)


def waiting_for_close(closed: threading.Event) -> Handler:
    """Return a handler that sends one event and notes when the client has closed."""

    def handle(_: Request, connection: Connection) -> None:
        connection.start_stream()
        connection.event({"text": "a"})
        if connection.wait_closed():
            closed.set()

    return handle


def by_break(stream: SseEmitter) -> None:
    for _ in stream:
        break


def by_break_of_deltas(stream: SseEmitter) -> None:
    for _ in stream.text_deltas():
        break


def by_with(stream: SseEmitter) -> None:
    with stream:
        next(stream)


def by_close(stream: SseEmitter) -> None:
    stream.close()
    stream.close()


def by_error_of_the_reader(stream: SseEmitter) -> None:
    def interrupted() -> None:
        for _ in stream:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()


CLOSINGS = [by_break, by_break_of_deltas, by_with, by_close, by_error_of_the_reader]


@pytest.mark.parametrize("end", CLOSINGS)
def test_a_stream_left_early_closes_its_connection_without_the_garbage_collector(
    end: Callable[[SseEmitter], None],
) -> None:
    closed = threading.Event()
    with chat_api(waiting_for_close(closed)) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        gc.disable()
        try:
            end(stream)
            assert closed.wait(MAX_WAIT)
        finally:
            gc.enable()
        assert stream.closed


def test_a_stream_nobody_reads_closes_its_connection_when_it_is_dropped() -> None:
    closed = threading.Event()
    with chat_api(waiting_for_close(closed)) as (api, _):
        api.stream_send_message("chat", "Hi")
        assert closed.wait(MAX_WAIT)


def test_close_from_another_thread_ends_the_reader() -> None:
    closed, is_reading = threading.Event(), threading.Event()
    seen: list[str | None] = []
    with chat_api(waiting_for_close(closed)) as (api, _):
        stream = api.stream_send_message("chat", "Hi")

        def read() -> None:
            for event in stream:
                seen.append(event.text)
                is_reading.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert is_reading.wait(MAX_WAIT)
        stream.close()
        reader.join(MAX_WAIT)
        assert not reader.is_alive()
        assert closed.wait(MAX_WAIT)
        assert (seen, stream.closed) == (["a"], True)


def test_twenty_streams_and_a_hundred_calls_use_one_socket() -> None:
    with chat_api(chats_and_streams) as (api, server):
        for _ in range(20):
            api.stream_send_message("chat", "Hi").until_done()
            for _ in range(5):
                assert api.list_chats() == []
        assert (len(server.requests), len(server.connections)) == (120, 1)


def test_a_missing_terminator_costs_the_connection_and_nothing_else() -> None:
    def handle(_: Request, connection: Connection) -> None:
        connection.start_stream()
        connection.event(FINAL)
        connection.wait_closed()

    with chat_api(in_order(handle, json_response([]))) as (api, server):
        assert api.stream_send_message("chat", "Hi").until_done().answer == "Hi"
        assert api.list_chats() == []
        assert len(server.connections) == 2


def cut(_: Request, connection: Connection) -> None:
    connection.start_stream()
    connection.event({"text": "Hello "})
    connection.close()


def half_an_event(_: Request, connection: Connection) -> None:
    connection.start_stream()
    connection.event({"text": "Hello "})
    connection.chunk(event_bytes(FINAL)[:-1])
    connection.end()


no_final = events_response({"text": "Hello "})


def blob(_: Request, connection: Connection) -> None:
    connection.start_stream()
    connection.event({"text": "Hello "})
    connection.chunk(b'{"error": "the model is gone"}\n\n')
    connection.close()


@pytest.mark.parametrize("handler", [cut, half_an_event, no_final, blob])
def test_an_end_without_the_final_event_is_an_error_that_holds_the_text_so_far(handler: Handler) -> None:
    with chat_api(handler) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        with pytest.raises(StreamInterruptedError) as caught:
            list(stream)
        error = caught.value
        assert (error.status, error.text, len(error.events)) == (200, "Hello ", 1)
        assert "/api/v1/chat/send/stream/{chatId}" in str(error)
        assert stream.closed


def test_until_done_of_a_closed_stream_is_an_error() -> None:
    with chat_api(events_response({"text": "a"}, FINAL)) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        stream.close()
        with pytest.raises(StreamInterruptedError, match="closed"):
            stream.until_done()


@pytest.mark.parametrize("failure", [{"text": "Connection reset", "finishReason": "other"}, {"finishReason": "other"}])
def test_a_failure_told_in_the_stream_is_an_error(failure: dict[str, str]) -> None:
    with chat_api(events_response({"text": "a"}, failure)) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        with pytest.raises(StreamFailedError, match=failure.get("text", "no reason")):
            stream.until_done()


@pytest.mark.parametrize("data", [b"data:{\n\n", b"data:[]\n\n", b'data:{"text":5}\n\n', b"data:\xff\n\n"])
def test_an_event_of_another_shape_is_a_decode_error(data: bytes) -> None:
    def handle(_: Request, connection: Connection) -> None:
        connection.start_stream()
        connection.chunk(data)
        connection.end()

    with chat_api(handle) as (api, _):
        with pytest.raises(ApiDecodeError) as caught:
            api.stream_send_message("chat", "Hi").until_done()
        assert caught.value.status == 200


def test_a_silent_stream_ends_as_a_timeout() -> None:
    closed = threading.Event()
    with chat_api(waiting_for_close(closed), stream_idle_timeout=0.1) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        assert next(stream).text == "a"
        with pytest.raises(ApiTimeoutError):
            next(stream)
        assert (stream.closed, closed.wait(MAX_WAIT)) == (True, True)


@pytest.mark.parametrize("again", [b"x", b":still here\n\n"], ids=["bytes", "comments"])
def test_what_is_not_an_event_does_not_end_a_silence(again: bytes) -> None:
    def handle(_: Request, connection: Connection) -> None:
        connection.start_stream()
        connection.event({"text": "a"})
        trickle(connection, chunk_bytes(again))

    with chat_api(handle, stream_idle_timeout=0.2) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        assert next(stream).text == "a"
        with pytest.raises(ApiTimeoutError, match=r"limit of 0\.2 s for each silence"):
            next(stream)


def test_a_stream_without_a_first_event_ends_as_a_timeout() -> None:
    def handle(_: Request, connection: Connection) -> None:
        connection.start_stream()
        assert connection.wait_closed()

    with chat_api(handle, stream_first_event_timeout=0.1) as (api, _), pytest.raises(ApiTimeoutError):
        api.stream_send_message("chat", "Hi").until_done()


def test_the_whole_stream_can_have_a_timeout() -> None:
    def handle(_: Request, connection: Connection) -> None:
        connection.start_stream()
        while True:  # until the client goes away, which ends it with an OSError
            connection.event({"text": "a"})

    with chat_api(handle, stream_timeout=0.2) as (api, _), pytest.raises(ApiTimeoutError):
        api.stream_send_message("chat", "Hi").until_done()


def test_a_whole_answer_in_one_event_of_many_bytes_arrives() -> None:
    text = "ä" * 200_000
    with chat_api(events_response({"text": text}, FINAL)) as (api, _):
        assert list(api.stream_send_message("chat", "Hi").text_deltas()) == [text]


def test_the_repr_of_a_stream_shows_its_state_and_the_start_of_its_text() -> None:
    long = "word " * 20
    with chat_api(in_order(*[events_response({"text": "Hel"}, {"text": long}, FINAL)] * 2)) as (api, _):
        response = api.stream_send_message_with_http_info("chat", "Hi")
        stream = response.data
        assert repr(stream) == "SseEmitter(open, text='')"
        assert repr(response) == f"ApiResponse(status_code=200, data={stream!r}, attempts=1)"
        next(stream)
        assert repr(stream) == "SseEmitter(open, text='Hel')"
        stream.until_done()
        assert repr(stream) == f"SseEmitter(complete, text={('Hel' + long)[:60] + '...'!r})"
        given_up = api.stream_send_message("chat", "Hi")
        given_up.close()
        assert repr(given_up) == "SseEmitter(closed before its final event, text='')"


def test_a_stream_is_asked_for_as_one() -> None:
    with chat_api(events_response(FINAL)) as (api, server):
        api.stream_send_message("chat", "Hi").until_done()
    assert server.requests[0].header("Accept") == "text/event-stream, application/json"


def test_each_event_ends_a_silence() -> None:
    clock, has_been_read = Clock(), threading.Semaphore(0)

    def serve(_: Request, connection: Connection) -> None:
        connection.start_stream()
        for _event in range(6):
            connection.event({"text": "H"})
            assert has_been_read.acquire(timeout=MAX_WAIT)
        connection.event(FINAL)
        connection.end()

    with chat_api(serve, retries=at_once(clock=clock), stream_idle_timeout=10) as (api, _):
        for event in api.stream_send_message("chat", "Hi"):
            clock.now += 6 if event.text else 0
            has_been_read.release()


@pytest.mark.parametrize("framing", ["one chunk", "chunks"])
def test_the_limit_of_a_response_is_that_of_all_events_together(framing: str) -> None:
    events = [{"text": "12345"}] * 3
    size = sum(len(event_bytes(event)) - len(b"data:\n\n") for event in events)

    def serve(_: Request, connection: Connection) -> None:
        connection.start_stream()
        parts = [event_bytes(event) for event in events]
        for part in [b"".join(parts)] if framing == "one chunk" else parts:
            connection.chunk(part)
        connection.end()

    for limit, expected in ((size, StreamInterruptedError), (size - 1, ApiDecodeError)):
        with chat_api(serve, max_response_bytes=limit) as (api, _), pytest.raises(expected):
            api.stream_send_message("chat", "Hi").until_done()


def test_text_deltas_of_a_broken_stream_raise_its_error() -> None:
    with (
        chat_api(events_response({"text": "H"})) as (api, _),
        pytest.raises(StreamInterruptedError, match="without its final event"),
    ):
        list(api.stream_send_message("chat", "Hi").text_deltas())


def test_close_from_another_thread_ends_next_too() -> None:
    def serve(_: Request, connection: Connection) -> None:
        connection.start_stream()
        connection.event({"text": "H"})
        assert connection.wait_closed()

    with chat_api(serve) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        closer = threading.Thread(target=stream.close)
        assert next(stream).text == "H"
        closer.start()
        assert next(stream, None) is None
        closer.join(MAX_WAIT)


@pytest.mark.parametrize("ending", ["read", "close", "drop"])
def test_a_callback_is_called_once_when_the_stream_has_ended(ending: str) -> None:
    called: list[str] = []
    with chat_api(events_response({"text": "H"}, FINAL)) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        stream.on_close(lambda: called.append("first"))
        assert called == []
        if ending == "read":
            stream.until_done()
        elif ending == "close":
            stream.close()
        if ending != "drop":
            assert called == ["first"]
            stream.on_close(lambda: called.append("late"))
            stream.close()
            assert called == ["first", "late"]
        del stream
        gc.collect()
    assert called == (["first"] if ending == "drop" else ["first", "late"])


@pytest.mark.parametrize(("length", "shown"), [(60, "x" * 60), (61, "x" * 60 + "...")])
def test_the_repr_of_a_stream_cuts_a_long_text(length: int, shown: str) -> None:
    with chat_api(events_response({"text": "x" * length}, FINAL)) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        stream.until_done()
    assert repr(stream) == f"SseEmitter(complete, text={shown!r})"
