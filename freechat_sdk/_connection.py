"""Connections that keep to the deadline of a call and are strict about framing (RFC 9112, section 6).

- A connection notes whether a byte of the request was sent, which decides whether it may be sent again.
- A response without a clear end is an error, and a connection with surplus bytes is closed.
- Logs and debug output of urllib3 and http.client show neither the values in paths nor headers.

This module and `_pool` are the only ones that know private names of urllib3 and http.client; test_pool.py pins them.
"""

import http.client
import io
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from traceback import walk_tb
from typing import Any, Final

from urllib3 import HTTPHeaderDict
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.response import BaseHTTPResponse, HTTPResponse
from urllib3.util.connection import allowed_gai_family, create_connection

from freechat_sdk._exchange import Exchange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection as HTTPConnection
    from urllib3.connection import HTTPSConnection as HTTPSConnection
else:  # vcrpy replaces the names in `urllib3.connection` while it records, and this module may be loaded then
    from urllib3.connectionpool import HTTPConnection, HTTPSConnection

MAX_LINE_BYTES: Final = 65536
"""The longest line of chunk framing; http.client has the same limit for header lines."""

MAX_FIELDS: Final = 100
"""The most lines of a header; http.client has the same limit."""

_BLANK: Final = (b"\r\n", b"\n", b"")
_FIELD: Final = re.compile(r"^([!-9;-~]+):[ \t]*([^\r\n]*)\r?$", re.MULTILINE)
"""A well-formed line of a header (RFC 9112, 5)."""
_MALFORMED: Final = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)
_LENGTH: Final = re.compile("[0-9]{1,4000}")
"""A Content-Length. Python refuses to convert numbers of thousands of digits, and http.client then ignores them."""
_SHORT_LINE_BYTES: Final = 5
"""The longest line with a chunk size to remember: events are short, and few sizes occur again and again."""
_WRONG_END: Final = "invalid end of a chunk"
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;[^\r\n]*)?\r\n")
"""A line that begins a chunk (RFC 9112, 7.1)."""


class FramingError(http.client.HTTPException):
    """A response is not valid HTTP. Unlike a connection that is lost, it would not be better at a second try."""


@dataclass
class _Surplus:
    """Whether bytes came after the last response of a connection.

    It is an object of its own because a reader that knew its connection would make a circle of references, and a
    response that is dropped would not be freed at once.
    """

    found: bool = False


class _TimedReader(io.RawIOBase):
    """Reads a socket, each `recv` within the time that is left of the deadline."""

    _hold: io.RawIOBase | None = None

    def __init__(self, surplus: _Surplus, sock: socket.socket, exchange: Exchange) -> None:
        self._surplus = surplus
        self._sock = sock
        self._exchange: Exchange | None = exchange
        self.has_ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._exchange is None:
            return None
        self._exchange.apply(self._sock)
        count = self._sock.recv_into(buffer)
        self.has_ended = count == 0
        return count

    def finish(self, left: Callable[[], bytes]) -> None:
        """Stop reading. Surplus bytes make the connection unusable.

        The idle connection keeps its last response, which must not keep the exchange, its place and its credentials.
        """
        self._exchange = None
        pending = self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0
        self._surplus.found = bool(left()) or pending > 0

    def hold(self) -> None:
        """Keep the socket open: http.client closes it before the body has been read."""
        self._hold = self._sock.makefile("rb", buffering=0)

    def close(self) -> None:
        if self._hold is not None:
            self._hold.close()
        super().close()

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the file object that http.client reads."""
        return _Lines(self)


class _Lines(io.BufferedReader):
    """The bytes of a response."""

    raw: _TimedReader

    def close(self) -> None:
        if not self.closed:
            with suppress(ValueError):  # an interrupt has left it half closed
                self.raw.finish(self.peek)
        super().close()


class _Chunks(_Lines):
    """The bytes of a chunked body, with strict framing (RFC 9112, 7.1), which urllib3 and http.client do not check.

    Both read the line with the size, the data, and the two bytes after it, one after the other. Half a size may be a
    smaller one, and 0 ends the body.
    """

    _left = 0
    """What is left of the present chunk."""
    _is_in_trailer = False

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(MAX_LINE_BYTES + 1 if size is None or size < 0 else size)
        if line[-1:] != b"\n":
            if len(line) > MAX_LINE_BYTES:
                raise FramingError("a line of the chunk framing is too long")
            raise http.client.IncompleteRead(line)
        if not self._is_in_trailer:
            match = _CHUNK_SIZE.fullmatch(line)
            if match is None:
                raise FramingError("invalid chunk size")
            self._left = int(match[1], 16)
            self._is_in_trailer = self._left == 0
        return line

    def payload(self, max_bytes: int) -> Iterator[bytes]:
        """Yield the data of the body as it arrives, in parts of at most `max_bytes`, up to the end of the body."""
        read = super().read
        sizes: dict[bytes, int] = {}
        while not self._is_in_trailer:
            if data := self._arrived(sizes):
                yield data
            size = self.readline()
            if len(size) <= _SHORT_LINE_BYTES:
                sizes[size[:-2]] = self._left
            while self._left > max_bytes:
                yield self._part(read(max_bytes))
            left, self._left = self._left, 0
            if left:
                data = read(left + 2)
                if data[left:] != b"\r\n":
                    raise http.client.IncompleteRead(b"") if len(data) < left + 2 else FramingError(_WRONG_END)
                yield data[:left]
        while self.readline() not in _BLANK:
            pass

    def _arrived(self, sizes: Mapping[bytes, int]) -> bytes:
        """Return the data of the next chunks, as many as have arrived whole and have one of these sizes."""
        buffer, data, start = self.peek(), bytearray(), 0
        while (line_end := buffer.find(b"\r\n", start)) > 0 and (size := sizes.get(buffer[start:line_end])):
            end = line_end + 2 + size
            if buffer[end : end + 2] != b"\r\n":
                break
            data += buffer[line_end + 2 : end]
            start = end + 2
        super().read(start)
        return bytes(data)

    def _part(self, data: bytes) -> bytes:
        if not data:
            raise http.client.IncompleteRead(data)
        self._left -= len(data)
        return data

    def read(self, size: int | None = -1, /) -> bytes:
        return self._checked(super().read(size))

    def read1(self, size: int = -1, /) -> bytes:
        return self._checked(super().read1(size))

    def readinto(self, buffer: Any, /) -> int:
        count = super().readinto(buffer)
        self._checked(bytes(memoryview(buffer)[:count]))
        return count

    def _checked(self, data: bytes) -> bytes:
        if self._left:
            self._left -= len(data)
        elif not b"\r\n".startswith(data):
            raise FramingError(_WRONG_END)
        return data


class _StrictResponse(http.client.HTTPResponse):
    """The response of http.client over a timed reader, and stricter about where the body ends."""

    fp: Any = None  # if an interrupt comes while it is made
    _method: str
    _read_status: Callable[[], tuple[str, int, str]]
    _check_close: Callable[[], bool]

    def __init__(self, reader: _TimedReader, *args: Any, **kwargs: Any) -> None:
        source: Any = reader
        super().__init__(source, *args, **kwargs)
        self._reader = reader
        self._lines: Any = self.fp

    def begin(self) -> None:
        """Read up to the body, past interim responses (RFC 9110, 15.2).

        This sets what `begin` of http.client sets. It reads the header faster, and is stricter about the framing.
        """
        known: object = self.headers
        if known is not None:
            return
        try:
            self._read_heads()
        except http.client.HTTPException as error:
            if self._reader.has_ended:
                raise
            raise FramingError(str(error) or type(error).__name__) from error
        if self._reader.has_ended:  # http.client takes the end of the connection for the end of the header
            raise http.client.IncompleteRead(b"")
        self._find_end()
        if self.will_close:
            self._reader.hold()
        if self.chunked:
            self._lines.__class__ = _Chunks

    def _read_heads(self) -> None:
        """Read the header of the response, past those of interim responses."""
        while 100 <= self._read_head() < 200:
            if self.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                raise FramingError("the server switches to another protocol without being asked")

    def _read_head(self) -> int:
        """Read a status line and a header, and return the status."""
        version, status, reason = self._read_status()
        if not version.startswith(("HTTP/1.", "HTTP/0.9")):
            raise http.client.UnknownProtocol(version)
        self.version = 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11
        self.code = self.status = status
        self.reason = reason.strip()
        self.headers = self.msg = _read_fields(self._lines.readline)
        return status

    def _find_end(self) -> None:
        """Find out where the body ends (RFC 9112, 6.3).

        Raises:
            FramingError: if that is in doubt.
        """
        headers = self.headers
        if headers.defects and any(isinstance(defect, _MALFORMED) for defect in headers.defects):
            raise FramingError("malformed header line")
        coding = headers.get("Transfer-Encoding")
        self.chunked = coding is not None and coding.lower() == "chunked"
        self.chunk_left = None
        if coding is not None and not self.chunked:
            raise FramingError("unsupported Transfer-Encoding")
        lengths = headers.get_all("Content-Length", ())
        if lengths and self.chunked:
            raise FramingError("both Transfer-Encoding and Content-Length")
        if lengths and not (_LENGTH.fullmatch(lengths[0]) and len(set(lengths)) == 1):
            raise FramingError("invalid Content-Length")
        self.length = int(lengths[0]) if lengths else None
        if self.status in (http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED) or self._method == "HEAD":
            self.length = 0
        self.will_close = self._check_close() or (self.length is None and not self.chunked)


def _read_fields(readline: Callable[[int], bytes]) -> http.client.HTTPMessage:
    """Read a header up to its blank line.

    Well-formed fields are taken as they are; everything else (folding, malformed lines) goes through the parser of the
    standard library, which is made for mail and takes a third of the time of a small call.

    Raises:
        LineTooLong, HTTPException: if a line is too long, or there are too many.
    """
    lines: list[bytes] = []
    while (line := readline(MAX_LINE_BYTES + 1)) not in _BLANK:
        if len(line) > MAX_LINE_BYTES:
            raise http.client.LineTooLong("header line")
        if len(lines) == MAX_FIELDS:
            raise http.client.HTTPException(f"more than {MAX_FIELDS} header lines")
        lines.append(line)
    block = b"".join(lines)
    fields = _FIELD.findall(block.decode("iso-8859-1"))
    if len(fields) != len(lines):
        return http.client.parse_headers(io.BytesIO(block))
    message = http.client.HTTPMessage()
    for name, value in fields:
        message.set_raw(name, value)
    message.set_payload("")
    return message


class ShownTarget(str):
    """The target of a request as logs show it: the path without its values, which may be tokens."""

    __slots__ = ("sent",)
    sent: str


class Connection(HTTPConnection):
    """A connection that keeps to the deadline of a call and notes whether the request was sent."""

    debuglevel = 0
    """Overrides the setting of http.client, which prints requests with their tokens."""
    exchange: Exchange
    """The call that uses the connection. The pool sets it before each use."""
    idle_since = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._surplus = _Surplus()

    @property
    def has_surplus_bytes(self) -> bool:
        """Whether bytes came after the response: then the connection cannot be used again."""
        return self._surplus.found

    def connect(self) -> None:
        self._surplus.found = False
        try:
            super().connect()
        finally:
            self.exchange.request_sent = False  # a CONNECT to a proxy is not the request

    def _new_conn(self) -> socket.socket:
        """Connect to the first address that accepts, to each within what is left of the deadline."""
        try:
            host = self._dns_host.strip("[]")
            found = socket.getaddrinfo(host, self.port, allowed_gai_family(), socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        failure: OSError = OSError("the host has no address")
        for *_, address in found:
            try:
                timeout = self.exchange.deadline.for_connect()
                self.sock = create_connection(_target(address), timeout, self.source_address, self.socket_options)
            except OSError as error:
                failure = error
            else:
                return self.sock
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, str(failure)) from failure
        raise NewConnectionError(self, str(failure)) from failure

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        super().putrequest(method, url.sent if isinstance(url, ShownTarget) else url, *args, **kwargs)

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.exchange.apply(self.sock)
        try:
            super().send(data)
        except (BrokenPipeError, ConnectionResetError):
            # None of these bytes was sent. If they are the header, which comes first, `request_sent` stays False.
            raise
        except BaseException:
            self.exchange.request_sent = True
            raise
        self.exchange.request_sent = True

    def response_class(self, sock: socket.socket, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        return _StrictResponse(_TimedReader(self._surplus, sock, self.exchange), *args, **kwargs)


def _target(address: Any) -> tuple[str, int]:
    """Return an address that was looked up as host and port. Link-local IPv6 addresses keep their zone."""
    host, port, *rest = address
    return (f"{host}%{rest[1]}" if rest and rest[1] else host), port


class TlsConnection(Connection, HTTPSConnection):
    """A `Connection` over TLS."""

    def connect(self) -> None:
        try:
            super().connect()
        except OSError as error:
            _close_abandoned(error)
            raise
        secured: Any = self.sock
        secured.suppress_ragged_eofs = False  # an end without close_notify may be an attacker's (RFC 8446, 6.1)

    def _new_conn(self) -> socket.socket:
        return self._limited(super()._new_conn())

    def _tunnel(self) -> None:
        super()._tunnel()
        self._limited(self.sock)

    def _limited(self, sock: socket.socket) -> socket.socket:
        """Limit the TLS handshake, which comes next, to what is left of the deadline."""
        sock.settimeout(self.exchange.deadline.for_connect())
        return sock


def _close_abandoned(error: OSError) -> None:
    """Close the socket that the ssl module leaves open, up to Python 3.12, if the peer resets before the handshake.

    Only a variable of the module holds it. A look at the connection beforehand would not do: the reset may come after.
    """
    for frame, _ in walk_tb(error.__traceback__):
        sock = frame.f_locals.get("self")
        if frame.f_code.co_name == "_create" and isinstance(sock, ssl.SSLSocket):
            sock.close()


def read_chunks(response: BaseHTTPResponse, max_bytes: int) -> Iterator[bytes]:
    """Yield the body of a chunked response as it arrives, and give its connection back at its end.

    `read_chunked` of urllib3 does the same in three times as many steps for each chunk.
    """
    original: Any = getattr(response, "_original_response", None)
    if not isinstance(original, _StrictResponse) or not isinstance(original.fp, _Chunks):
        yield from response.read_chunked(max_bytes)
        return
    yield from original.fp.payload(max_bytes)
    original.close()
    response.release_conn()


def as_unread(response: Any) -> BaseHTTPResponse:
    """Return what a tool gave in place of a response of urllib3 as one that has not been read.

    Its `data` is the whole body, decompressed and without framing.
    """
    if isinstance(response, HTTPResponse) and not response.closed and not response.tell():
        return response
    body: bytes = response.data or b""
    headers = HTTPHeaderDict(response.headers.items())  # they may be a message of the email package
    for name in ("Content-Encoding", "Transfer-Encoding"):
        headers.discard(name)
    headers["Content-Length"] = str(len(body))
    return HTTPResponse(io.BytesIO(body), headers, response.status, reason=response.reason, preload_content=False)


def is_unpacked_whole(response: BaseHTTPResponse) -> bool:
    """Return whether a compressed body is complete, which urllib3 does not check."""
    decoder: Any = getattr(response, "_decoder", None)
    unpackers = (getattr(part, "_obj", None) for part in getattr(decoder, "_decoders", [decoder]))
    return all(getattr(unpacker, "eof", True) for unpacker in unpackers)
