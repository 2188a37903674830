"""Downloads: responses that are files."""

import os
import re
import secrets
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import unquote_plus

from typing_extensions import Self

from freechat_sdk._decoders import StreamedResponse
from freechat_sdk.upload import Progress

PROGRESS_BYTES: Final = 1024
"""How many bytes end a silence. A server that sends fewer counts as silent."""

_MAX_NAME_LENGTH: Final = 150
_DEVICE_NAME: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
_UNFIT_IN_NAMES: Final = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')


class Download:
    """A file that the server sends: `save()` it, `read()` it, or iterate over its chunks, once.

    It is a context manager. It closes itself at its end and on any error.

    Raises, while it is read:
        ApiConnectionError: if the connection is lost before the end of the file.
        ApiTimeoutError: if the server is silent for too long.
    """

    def __init__(self, response: StreamedResponse) -> None:
        self._response = response
        self._chunks = _closing(response)
        self._content: bytes | None = None
        self.content_type: str | None = response.headers.get("Content-Type")
        """The media type that the server states: `application/gzip`, `audio/mpeg`, ..."""
        self.file_name: str | None = file_name(response.headers.get("Content-Disposition"))
        """The file name that the server suggests, made safe, or None if it does not suggest one."""
        length = response.headers.get("Content-Length", "")
        self.length: int | None = int(length) if length.isdigit() else None
        """The size in bytes, or None if the server does not state it."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes as they arrive."""
        return self._chunks

    def read(self) -> bytes:
        """Return all bytes. They are kept: a second call returns them again.

        Raises:
            ApiDecodeError: if there are more than `Configuration.max_response_bytes`; `save()` has no such limit.
        """
        if self._content is None:
            self._content = b"".join(self._response.limited(self._chunks))
        return self._content

    def __bytes__(self) -> bytes:
        return self.read()

    def __buffer__(self, flags: int) -> memoryview:
        """Support functions that accept a buffer, such as `file.write(download)` (Python 3.12, PEP 688)."""
        return memoryview(self.read())

    def save(self, target: str | os.PathLike[str] = ".", progress: Progress | None = None) -> Path:
        """Write the file and return its path. An existing file is replaced.

        `target` is a path or a folder. In a folder the file gets the name that the server suggests, or `download`. The
        bytes are first written under another name beside it, so that a partial file never stands in its place.

        Raises:
            OSError: if the file cannot be written.
        """
        path = Path(target)
        if path.is_dir():
            path /= self.file_name or "download"
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                for count in self._counted(file.write):
                    if progress is not None:
                        progress(count, self.length)
            part.replace(path)
        except BaseException:
            self.close()
            part.unlink(missing_ok=True)
            raise
        return path

    def _counted(self, write: Callable[[bytes], object]) -> Iterator[int]:
        """Write the chunks, and yield the number of bytes written so far."""
        count = 0
        for chunk in self._chunks:
            write(chunk)
            count += len(chunk)
            yield count

    def close(self) -> None:
        """Give the connection back; the rest of the file is lost."""
        self._chunks.close()
        self._response.end_stream()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Download(file_name={self.file_name!r}, content_type={self.content_type!r}, length={self.length!r})"


def _closing(response: StreamedResponse) -> Generator[bytes]:
    """Yield the chunks of a response, and end it after the last one or on an error."""
    count = 0
    try:
        for chunk in response.chunks():
            count += len(chunk)
            if count >= PROGRESS_BYTES:
                response.note_progress()
                count = 0
            yield chunk
    finally:
        response.end_stream()


def file_name(disposition: str | None) -> str | None:
    """Return the file name in a `Content-Disposition` header (RFC 6266), made safe, or None.

    FreeChat encodes names like forms, with `+` for a space. A safe name does not contain a folder or a character that
    file systems refuse, and it is not the name of a device.
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
    return f"{stem[:_MAX_NAME_LENGTH]}{dot}{suffix[-_MAX_NAME_LENGTH:]}" or None


class _File:
    """Opens a download."""

    accept = "application/octet-stream, */*, application/json"
    is_stream: Final = True

    def takes(self, content_type: str) -> bool:
        return not content_type.startswith("text/html")

    def open(self, response: StreamedResponse) -> Download:
        response.begin_stream()
        return Download(response)


as_download = _File()
