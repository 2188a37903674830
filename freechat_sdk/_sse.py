"""Decodes event streams (server-sent events; WHATWG HTML, section 9.2). No I/O."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"


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

    Chunks may end anywhere. Invalid UTF-8 is replaced. A block without data is not an event, and a block without a
    blank line after it is dropped.
    """
    event = last_id = ""
    data: list[str] = []
    retry: int | None = None
    for lines in _lines(chunks):
        for line in lines:
            if not line:
                if data:
                    yield ServerSentEvent(event or "message", "\n".join(data), last_id, retry)
                event, data, retry = "", [], None
                continue
            name, value = _field(line)
            if name == "data":
                data.append(value)
            elif name == "event":
                event = value
            elif name == "id" and "\0" not in value:
                last_id = value
            elif name == "retry" and value.isascii() and value.isdigit():
                retry = int(value)


def _field(line: bytes) -> tuple[str, str]:
    """Return the name and the value of a line. A comment has an empty name."""
    name, _, value = line.decode("utf-8", "replace").partition(":")
    return name, value.removeprefix(" ")


class EventTooLargeError(ValueError):
    """An event, or a line of one, has more bytes than allowed."""


def data_only(chunks: Iterable[bytes], max_bytes: int | None = None) -> Iterator[bytes]:
    """Yield the data of each event as bytes, as soon as the blank line after it has arrived.

    Raises:
        EventTooLargeError: as soon as an event has more than `max_bytes` bytes.
    """
    data: list[bytes] = []
    size = 0
    for lines in _lines(chunks, max_bytes):
        lines.reverse()
        while lines:
            line = lines.pop()  # the list would keep a large line while its event is decoded
            if line[:5] == b"data:":  # cheaper than startswith
                data.append(line[6:] if line[5:6] == b" " else line[5:])
                size += len(line)
            elif not line:
                if data:
                    yield b"\n".join(data)
                    data.clear()
                    size = 0
            elif line == b"data":
                data.append(b"")
                size += len(line)
        if size:
            _check_size(size, max_bytes)


def _check_size(size: int, max_bytes: int | None) -> None:
    if max_bytes is not None and size > max_bytes:
        raise EventTooLargeError(f"an event of the stream has more than {max_bytes} bytes")


def _lines(chunks: Iterable[bytes], max_bytes: int | None = None) -> Iterator[list[bytes]]:
    """Yield the lines that each chunk completes, without their ends: CR, LF or CR LF.

    Raises:
        EventTooLargeError: if a line has more than `max_bytes` bytes.
    """
    pending = bytearray()  # not a list: each of many small parts would cost more than its bytes
    ended_by_cr = False
    for chunk in _without_bom(chunks):
        if ended_by_cr and chunk:
            chunk = chunk.removeprefix(b"\n")  # the other half of a CR LF
            ended_by_cr = False
        if b"\r" in chunk:
            ended_by_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if lines and pending:
            pending += lines[0]
            lines[0] = bytes(pending)
            pending.clear()
        if rest:
            pending += rest
            _check_size(len(pending), max_bytes)
        if lines:
            yield lines


def _without_bom(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks without a byte order mark at the start."""
    source = iter(chunks)
    start = b""
    for chunk in source:
        start += chunk
        if len(start) >= len(_BOM) or not _BOM.startswith(start):
            break
    yield start.removeprefix(_BOM)
    yield from source
