"""The decoder of event streams against the WHATWG HTML standard, section 9.2."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import Buffer

from freechat_sdk._sse import EventTooLargeError, ServerSentEvent, data_only, decode

CASES = [
    ("the standard's first example", b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10", "", None)]),
    (
        "comments, ids, one blank removed",
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [
            ("message", "first event", "1", None),
            ("message", "second event", "", None),
            ("message", " third event", "", None),
        ],
    ),
    ("empty data", b"data\n\ndata\ndata\n\ndata:", [("message", "", "", None), ("message", "\n", "", None)]),
    ("with and without a blank", b"data:test\n\ndata: test\n\n", [("message", "test", "", None)] * 2),
    ("CR", b"data: a\rdata: b\r\r", [("message", "a\nb", "", None)]),
    ("CR LF", b"data: a\r\ndata: b\r\n\r\n", [("message", "a\nb", "", None)]),
    ("mixed line ends", b"data: a\rdata: b\ndata: c\r\n\n", [("message", "a\nb\nc", "", None)]),
    ("a byte order mark", b"\xef\xbb\xbfdata: a\n\n", [("message", "a", "", None)]),
    ("just one byte order mark", b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [("message", "b", "", None)]),
    ("invalid UTF-8", b"data: \xff\xc3\n\n", [("message", "\ufffd\ufffd", "", None)]),
    ("an event's type", b"event: add\ndata: 1\n\ndata: 2\n\n", [("add", "1", "", None), ("message", "2", "", None)]),
    ("a type without data", b"event: add\n\ndata: 2\n\n", [("message", "2", "", None)]),
    ("an id that stays", b"id: 7\ndata: a\n\ndata: b\n\n", [("message", "a", "7", None), ("message", "b", "7", None)]),
    ("an id with NUL", b"id: 7\nid: 8\0\ndata: a\n\n", [("message", "a", "7", None)]),
    ("retry", b"retry: 3000\ndata: a\n\ndata: b\n\n", [("message", "a", "", 3000), ("message", "b", "", None)]),
    ("retry that is not a number", "retry: 3x\nretry: ٣\nretry:\ndata: a\n\n".encode(), [("message", "a", "", None)]),
    ("unknown and differently written fields", b"Data: a\nfoo: b\n data: c\n\n", []),
    ("an unfinished block", b"data: a\n\ndata: b\n", [("message", "a", "", None)]),
    ("nothing", b"", []),
]


def events_of(chunks: list[bytes]) -> list[tuple[str, str, str, int | None]]:
    return [(event.event, event.data, event.id, event.retry) for event in decode(chunks)]


@pytest.mark.parametrize(("name", "stream", "expected"), CASES, ids=[name for name, _, _ in CASES])
def test_a_stream_is_decoded_under_any_chunking(
    name: str, stream: bytes, expected: list[tuple[str, str, str, int | None]]
) -> None:
    assert events_of([stream]) == expected
    assert events_of([stream[start : start + 1] for start in range(len(stream))]) == expected
    for cut in range(len(stream)):
        assert events_of([stream[:cut], b"", stream[cut:]]) == expected


def reference(stream: bytes) -> list[tuple[str, str, str, int | None]]:
    """The standard's steps over a whole stream, as plainly as they can be written."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]
    found: list[tuple[str, str, str, int | None]] = []
    data = kind = last_id = ""
    retry: int | None = None
    for line in lines:
        if line == "":
            if data:
                found.append((kind or "message", data.removesuffix("\n"), last_id, retry))
            data = kind = ""
            retry = None
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                data += value + "\n"
            elif name == "event":
                kind = value
            elif name == "id" and "\0" not in value:
                last_id = value
            elif name == "retry" and value and all(letter in "0123456789" for letter in value):
                retry = int(value)
    return found


PIECES = [
    b"\n", b"\r", b"\r\n", b"\n\n", b"data", b"data:", b"data: ", b"event:", b"id:", b"retry:", b":", b" ", b"x", b"12",
    b"data:y\n\n", b"data: z\n\n", b"\0", b"\xef\xbb\xbf", b"\xff", "ü€😀\u2028".encode(), b"\xe2\x80",
]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES)), st.lists(st.integers(0, 200)))
def test_any_bytes_in_any_chunks_are_decoded_as_the_standard_says(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pieces)
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(places)]
    expected = reference(stream)
    assert events_of(chunks) == expected
    found = [data.decode("utf-8", "replace") for batch in data_only(chunks) for data in batch]
    assert found == [data for _, data, _, _ in expected]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\r", b"\r\n\r\n"])
def test_an_event_comes_before_the_next_chunk_is_asked_for(end: bytes) -> None:
    asked: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(3):
            asked.append(number)
            yield b"data: %d%b" % (number, end)

    for decoder in (decode, data_only):
        asked.clear()
        for number, _ in enumerate(decoder(chunks())):
            assert asked == list(range(number + 1))


class CountingBytes(bytes):
    """Bytes that count how often they are copied into longer ones."""

    copies = 0

    def __add__(self, other: Buffer) -> bytes:
        CountingBytes.copies += 1
        return bytes(self) + bytes(other)

    def __radd__(self, other: bytes) -> bytes:
        CountingBytes.copies += 1
        return other + bytes(self)


def test_a_long_line_in_small_chunks_is_joined_once() -> None:
    CountingBytes.copies = 0
    size, count = 4096, 2048
    chunks = [CountingBytes(b"x" * size) for _ in range(count)]
    ((event,),) = data_only([b"data:", *chunks, b"\n\n"])
    assert len(event) == size * count
    assert CountingBytes.copies <= 1


@pytest.mark.parametrize(
    ("chunks", "size", "data"),
    [
        ([b"data: 12345\n", b"\n", b"data: 67890\n", b"\n"], 11, [b"12345", b"67890"]),
        ([b"data: 1234", b"5\n", b"\n"], 11, [b"12345"]),
        ([b"data:1\ndata:2\n", b"data:3\n", b"\n"], 18, [b"1\n2\n3"]),
        ([b"data: 12\n\ndata: 12345\n\ndata: 67\n\n"], 11, [b"12", b"12345", b"67"]),
        ([b"data: 12\n\n", b"data: 12345\n\n", b"data: 67\n\n"], 11, [b"12", b"12345", b"67"]),
        ([b"data\n", b"data\n", b"\n"], 8, [b"\n"]),
        ([b":" + b"-" * 10, b"\n"], 11, []),
    ],
)
def test_an_event_may_have_just_as_many_bytes_as_allowed(chunks: list[bytes], size: int, data: list[bytes]) -> None:
    assert [found for batch in data_only(chunks, size) for found in batch] == data
    with pytest.raises(EventTooLargeError, match=f"more than {size - 1} bytes"):
        list(data_only(chunks, size - 1))


def test_events_are_values() -> None:
    assert ServerSentEvent() == ServerSentEvent("message", "", "", None)
    assert ServerSentEvent(data="a") == ServerSentEvent("message", "a", "", None)


@pytest.mark.parametrize("line", [b"data: 123456", b"data:1234567"])
@pytest.mark.parametrize("before", [[], [b"data: 1\n\n"], [b"\xef\xbb\xbf", b"data: 1\n", b"\n"]])
@pytest.mark.parametrize("size", [1, 5, 100])
def test_the_limit_of_an_event_is_the_same_under_any_chunking(line: bytes, before: list[bytes], size: int) -> None:
    event = line + b"\n\n"
    chunks = [*before, *(event[start : start + size] for start in range(0, len(event), size))]
    expected = [b"1"] if before else []
    assert [data for batch in data_only(chunks, len(line)) for data in batch] == [*expected, line[5:].strip()]
    found = data_only(chunks, len(line) - 1)
    for data in expected:
        assert next(found) == [data]
    with pytest.raises(EventTooLargeError, match=f"more than {len(line) - 1} bytes"):
        next(found)
