"""Decodes event streams (server-sent events; WHATWG HTML, section 9.2). No I/O."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Final

_BLANK_LINE: Final = b"\n\n"
_DATA: Final = b"data:"
_DATA_SPACE: Final = b"data: "
_LATER_SPACE: Final = b"\ndata: "


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event of a stream."""

    event: str = "message"
    """The type of the event."""
    data: str = ""
    """The data lines of the event, joined by line feeds."""
    id: str = ""
    """The last event id that the stream has set."""
    retry: int | None = None
    """The reconnection time in ms, if the block of this event sets one."""


def decode(chunks: Iterable[bytes]) -> Iterator[ServerSentEvent]:
    """Yield the events of a stream of UTF-8 bytes, each as soon as the blank line after it has arrived.

    Invalid UTF-8 is replaced. A block without data, or without its blank line, is not an event.
    """
    event = last_id = ""
    data: list[str] = []
    retry: int | None = None
    splitter = _LineSplitter()
    for line in (line for chunk in chunks for line in splitter.lines(chunk)):
        if not line:
            if data:
                yield ServerSentEvent(event or "message", "\n".join(data), last_id, retry)
            event, data, retry = "", [], None
            continue
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            event = value
        elif name == "id" and "\0" not in value:
            last_id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            retry = int(value)


class EventTooLargeError(ValueError):
    """An event, or a line of one, has more bytes than allowed."""


def data_only(chunks: Iterable[bytes], max_bytes: int | None = None) -> Iterator[list[bytes]]:
    """Yield the data of events as bytes, in lists of those that have arrived together.

    Raises:
        EventTooLargeError: as soon as an event has more than `max_bytes` bytes.
    """
    limit = inf if max_bytes is None else max_bytes
    reader = _LineReader(limit)
    for chunk in chunks:
        if reader.is_within_event:
            end = chunk.find(_BLANK_LINE) + 2
            rest, chunk = (chunk[:end], chunk[end:]) if end > 1 else (chunk, b"")
            for data in reader.events(rest):
                yield [data]
        end = chunk.rfind(_BLANK_LINE) + 2
        if 1 < end <= limit and (plain := _plain_events(chunk[:end])):
            yield plain
            chunk = chunk[end:]
        if chunk:
            for data in reader.events(chunk):
                yield [data]


def _plain_events(block: bytes) -> list[bytes] | None:
    """Return the data of events of one line each, as most are, or None if a block has anything else."""
    start = _DATA_SPACE if block.startswith(_DATA_SPACE) else _DATA
    data = block[len(start) : -2].split(_BLANK_LINE + start)
    is_plain = (
        block.startswith(start)
        and block.count(b"\n") == 2 * len(data)
        and b"\r" not in block
        and (start is _DATA_SPACE or _LATER_SPACE not in block)
    )
    return data if is_plain else None


class _LineReader:
    """Reads events line by line."""

    def __init__(self, max_bytes: float) -> None:
        self._max_bytes = max_bytes
        self._splitter = _LineSplitter(max_bytes)
        self._data: list[bytes] = []
        self._size = 0

    @property
    def is_within_event(self) -> bool:
        """Whether the next chunk may begin in the middle of an event."""
        return self._size > 0 or not self._splitter.is_between_lines

    def events(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the data of the events that a chunk completes.

        Raises:
            EventTooLargeError: if an event has more than `max_bytes` bytes.
        """
        data = self._data
        lines = self._splitter.lines(chunk)[::-1]
        while lines:
            line = lines.pop()  # a list would keep a large line while its event is decoded
            if line[:5] == _DATA:  # cheaper than startswith
                data.append(line[6:] if line[5:6] == b" " else line[5:])
                self._size += len(line)
            elif not line:
                if data:
                    _check_size(self._size, self._max_bytes)
                    yield b"\n".join(data)
                    data.clear()
                    self._size = 0
            elif line == b"data":
                data.append(b"")
                self._size += len(line)
        _check_size(self._size, self._max_bytes)


def _check_size(size: int, max_bytes: float) -> None:
    if size > max_bytes:
        raise EventTooLargeError(f"an event of the stream has more than {max_bytes} bytes")


class _LineSplitter:
    """Splits a stream into lines without their ends (CR, LF or CR LF), and removes a byte order mark at its start."""

    def __init__(self, max_bytes: float = inf) -> None:
        self._max_bytes = max_bytes
        self._pending = bytearray()  # not a list: each of many small parts would cost more than its bytes
        self._is_at_start = True
        self._ended_by_cr = False

    @property
    def is_between_lines(self) -> bool:
        """Whether the next chunk begins a line."""
        return not (self._pending or self._is_at_start or self._ended_by_cr)

    def lines(self, chunk: bytes) -> list[bytes]:
        """Return the lines that a chunk completes.

        Raises:
            EventTooLargeError: if a line has more than `max_bytes` bytes.
        """
        if self._ended_by_cr and chunk:
            chunk = chunk.removeprefix(b"\n")  # the other half of a CR LF
            self._ended_by_cr = False
        if b"\r" in chunk:
            self._ended_by_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = chunk.split(b"\n")
        if lines and self._pending:
            self._pending += lines[0]
            lines[0] = bytes(self._pending)
            self._pending.clear()
        if lines and self._is_at_start:
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
            self._is_at_start = False
        self._pending += rest
        _check_size(len(self._pending), self._max_bytes)
        return lines
