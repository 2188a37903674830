"""Downloads: an answer that is a file, read when and how the caller wants it."""

import os
import re
import secrets
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import unquote_plus

from typing_extensions import Self

from freechat_sdk._response import Reply
from freechat_sdk.upload import Progress

PROGRESS_BYTES: Final = 1024
"""How much must come until a silence counts as over: less is a server that trickles."""

_MOST_NAME_LENGTH: Final = 150
_DEVICE_NAME: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
_UNFIT_IN_NAMES: Final = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')


class Download:
    """A file that the server sends: `save()` it, `read()` it, or iterate over its chunks, once.

    A context manager; it closes itself at its end, and on any error.

    Raises, while it is read:
        ApiConnectionError: when the connection is lost before the file's end.
        ApiTimeoutError: when the server is silent for too long.
    """

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._chunks = _closing(reply)
        self._content: bytes | None = None
        self.content_type: str | None = reply.headers.get("Content-Type")
        """The media type, as the server says it: `application/gzip`, `audio/mpeg`, ..."""
        self.file_name: str | None = file_name(reply.headers.get("Content-Disposition"))
        """The name that the server suggests, without anything that could lead out of a folder; None without one."""
        length = reply.headers.get("Content-Length", "")
        self.length: int | None = int(length) if length.isdigit() else None
        """How many bytes there are, where the server says so."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes as they arrive."""
        return self._chunks

    def read(self) -> bytes:
        """Return all bytes; they are kept, so a second time gives them again.

        Raises:
            ApiDecodeError: when there are more than `Configuration.max_response_bytes`; `save()` takes any number.
        """
        if self._content is None:
            self._content = b"".join(self._reply.limited(self._chunks))
        return self._content

    def __bytes__(self) -> bytes:
        return self.read()

    def __buffer__(self, flags: int) -> memoryview:
        """Stand for the bytes where bytes are wanted, as in `file.write(download)` (Python 3.12, PEP 688)."""
        return memoryview(self.read())

    def save(self, target: str | os.PathLike[str] = ".", progress: Progress | None = None) -> Path:
        """Write the file and return its path; a file that is there already is replaced.

        `target` is a path, or a folder: then the file takes the name that the server suggests, or `download`. It is
        written under another name beside its place first, so that nothing half-written is ever found there.

        Raises:
            OSError: when the file cannot be written.
        """
        place = Path(target)
        if place.is_dir():
            place /= self.file_name or "download"
        part = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                for count in self._counted(file.write):
                    if progress is not None:
                        progress(count, self.length)
            part.replace(place)
        except BaseException:
            self.close()
            part.unlink(missing_ok=True)
            raise
        return place

    def _counted(self, write: Callable[[bytes], object]) -> Iterator[int]:
        """Write the chunks, and yield how many bytes there have been."""
        count = 0
        for chunk in self._chunks:
            write(chunk)
            count += len(chunk)
            yield count

    def close(self) -> None:
        """Let go of the connection; what has not been read is lost."""
        self._chunks.close()
        self._reply.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Download(file_name={self.file_name!r}, content_type={self.content_type!r}, length={self.length!r})"


def _closing(reply: Reply) -> Generator[bytes]:
    """Yield the chunks of an answer, and close it."""
    count = 0
    try:
        for chunk in reply.chunks():
            count += len(chunk)
            if count >= PROGRESS_BYTES:
                reply.exchange.limit.has_progressed, count = True, 0
            yield chunk
    finally:
        reply.finish()


def file_name(disposition: str | None) -> str | None:
    """Return the file name of a `Content-Disposition` (RFC 6266), made safe; None without one.

    FreeChat writes names form-encoded, where a space is `+`. What remains is one name: no folders, no name of a device,
    nothing that some file system refuses.
    """
    header = disposition or ""
    match = re.search(r"(?i)filename\*\s*=\s*UTF-8'[^']*'([^;\s]+)", header)
    match = match or re.search(r'(?i)filename\s*=\s*(?:"([^"]*)"|([^;\s]+))', header)
    if match is None:
        return None
    name = unquote_plus(next(group for group in match.groups() if group is not None))
    name = _UNFIT_IN_NAMES.sub("_", re.split(r"[/\\]", name)[-1]).strip(" .")
    if _DEVICE_NAME.match(name):
        name = f"_{name}"
    stem, dot, suffix = name.partition(".")
    return f"{stem[:_MOST_NAME_LENGTH]}{dot}{suffix[-_MOST_NAME_LENGTH:]}" or None


class _File:
    """Opens an answer that is a file."""

    accept = "application/octet-stream, */*, application/json"
    is_streamed = True

    def decode(self, body: bytes, /) -> Download:
        raise ValueError("the answer is no file")

    def takes(self, content_type: str) -> bool:
        return not content_type.startswith("text/html")

    def open(self, reply: Reply) -> Download:
        reply.exchange.limit.begin_stream()
        return Download(reply)


as_download = _File()
