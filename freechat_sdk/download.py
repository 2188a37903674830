"""Downloads: responses that are files."""

import errno
import os
import re
import secrets
from collections.abc import Generator, Iterator
from contextlib import suppress
from inspect import GEN_CLOSED, getgeneratorstate
from pathlib import Path
from types import TracebackType
from typing import IO, Final
from urllib.parse import unquote_plus

from typing_extensions import Self

from freechat_sdk._decoders import StreamedResponse
from freechat_sdk._response import joined
from freechat_sdk._secrets import without_frames
from freechat_sdk.exceptions import ApiException
from freechat_sdk.upload import Progress

PROGRESS_BYTES: Final = 1024
"""How many bytes end a silence. A server that sends fewer counts as silent."""

MAX_NAME_BYTES: Final = 255
"""The longest file name that common file systems take."""

PERMISSIONS: Final = 0o777
"""What a file keeps of its mode: not setuid and setgid, which were meant for the contents that it had."""

_DEVICE_NAME: Final = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³]) *(\.|$)")
_UNFIT_IN_NAMES: Final = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
"""What file systems refuse, and what makes a name look like another: line ends and changes of direction."""


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
        self._is_taken = False
        self.content_type: str | None = response.headers.get("Content-Type")
        """The media type that the server states: `application/gzip`, `audio/mpeg`, ..."""
        self.file_name: str | None = file_name(response.headers.get("Content-Disposition"))
        """The file name that the server suggests, made safe, or None if it does not suggest one."""
        length = response.headers.get("Content-Length", "")
        self.length: int | None = int(length) if length.isdigit() else None
        """The size in bytes, or None if the server does not state it."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes as they arrive, once; after `read()`, the bytes that it has kept."""
        try:
            yield from self._take()
        except BaseException as error:  # noqa: BLE001 - raised again
            raise without_frames(error)  # noqa: B904 - the same error

    def _take(self) -> Iterator[bytes]:
        """Return the chunks, which can be read once.

        Raises:
            ApiException: if they have been read, unless `read()` has kept them, or the download has been closed.
        """
        if self._content is not None:
            return iter((self._content,))
        if self._is_taken:
            raise self._unreadable("the file has been read before, or the download has been closed")
        self._is_taken = True
        return self._whole()

    def _whole(self) -> Iterator[bytes]:
        """Yield the chunks.

        Raises:
            ApiException: if the download is closed before its end, perhaps by another thread.
        """
        is_whole: bool | None = False
        try:
            is_whole = yield from self._chunks
        except ApiException:
            raise
        except ValueError:  # the generator is running: another thread closes it
            pass
        if not is_whole:
            raise self._unreadable("the download has been closed before its end")

    def _unreadable(self, message: str) -> ApiException:
        return self._response.error(ApiException, message=message, hint="Call read() first to use it more than once.")

    def read(self) -> bytes:
        """Return all bytes. They are kept, so that a second call, `save()` and `bytes(download)` can use them again.

        Raises:
            ApiDecodeError: if there are more than `Configuration.max_response_bytes`; `save()` has no such limit.
            ApiException: if the file has been read in another way, or the download has been closed.
        """
        if self._content is None:
            chunks = self._take()
            try:
                self._content = joined(self._response.limited(chunks))
            except BaseException as error:  # noqa: BLE001 - raised again
                self.close()
                raise without_frames(error)  # noqa: B904 - the same error
        return self._content

    __bytes__ = read

    def __buffer__(self, flags: int) -> memoryview:
        """Support functions that accept a buffer, such as `file.write(download)` (Python 3.12, PEP 688)."""
        return memoryview(self.read())

    def save(self, target: str | os.PathLike[str] = ".", progress: Progress | None = None) -> Path:
        """Write the file and return its path. An existing file is replaced and keeps its mode.

        `target` is a path or a folder. In a folder the file gets the name that the server suggests, or `download`. The
        bytes are first written under another name beside it, so that a partial file never stands in its place, and a
        failure leaves what was there. A link is followed, unless the server has chosen its name; a device is written
        to, and so is a named pipe, once it has a reader.

        Raises:
            OSError: if the file cannot be written.
            ApiTimeoutError: if the reader of a named pipe, like the server, is silent for too long.
            ApiException: if the file has been read before without `read()`, or the download has been closed.
        """
        path = Path(target)
        if path.is_dir():
            path = _free_of_links(path / (self.file_name or "download"))
        chunks = self._take()
        try:
            if path.is_fifo():
                with _NamedPipe(path, self._response) as pipe:
                    self._write(chunks, pipe, progress)
            elif path.exists() and not path.is_file():
                with path.open("wb") as device:
                    self._write(chunks, device, progress)
            else:
                self._replace(Path(os.path.realpath(path)), chunks, progress)
        except BaseException as error:  # noqa: BLE001 - raised again
            self.close()
            raise without_frames(error)  # noqa: B904 - the same error
        return path

    def _replace(self, path: Path, chunks: Iterator[bytes], progress: Progress | None) -> None:
        """Write a file beside `path`, and put it in its place when it is whole."""
        part = path.with_name(f".{cut_name(path.name, MAX_NAME_BYTES - 16)}.{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                self._write(chunks, file, progress)
            with suppress(FileNotFoundError):
                part.chmod(path.stat().st_mode & PERMISSIONS)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def _write(self, chunks: Iterator[bytes], file: "IO[bytes] | _NamedPipe", progress: Progress | None) -> None:
        count = 0
        for chunk in chunks:
            file.write(chunk)
            count += len(chunk)
            if progress is not None:
                progress(count, self.length)

    def close(self) -> None:
        """Give the connection back; the rest of the file is lost. In a thread that reads it, reading fails."""
        self._is_taken = True
        try:
            self._chunks.close()
        except ValueError:  # the generator is running: another thread reads
            self._response.interrupt()
            return
        self._response.end_stream()

    def __del__(self) -> None:
        if not getattr(self, "_is_taken", True):  # otherwise its chunks end the response
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        about = f"file_name={self.file_name!r}, content_type={self.content_type!r}, length={self.length!r}"
        return f"Download({self._state}, {about})"

    @property
    def _state(self) -> str:
        if self._content is not None:
            return "read"
        if getgeneratorstate(self._chunks) == GEN_CLOSED:
            return "closed"
        return "being read" if self._is_taken else "unread"


class _NamedPipe:
    """A named pipe, which waits for its reader as long as the time limits of the download allow."""

    def __init__(self, path: Path, response: StreamedResponse) -> None:
        self._response = response
        self._descriptor = self._opened(path)

    def _opened(self, path: Path) -> int:
        while True:
            try:
                return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno != errno.ENXIO:  # it has no reader
                    raise
            self._response.pause()

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                self._response.pause()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _free_of_links(path: Path) -> Path:
    """Return a path whose name the server has chosen. It may replace a file, but not lead anywhere else.

    Raises:
        FileExistsError: if it is anything but a file.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        message = "The name that the server suggests belongs to a link, a folder or a device. Give a path"
        raise FileExistsError(errno.EEXIST, message, str(path))
    return path


def _closing(response: StreamedResponse) -> Generator[bytes, None, bool]:
    """Yield the chunks of a response, and end it after the last one or on an error. Return True after the last one."""
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
    return True


def file_name(disposition: str | None) -> str | None:
    """Return the file name in a `Content-Disposition` header (RFC 6266), made safe, or None.

    FreeChat encodes names like forms, with `+` for a space. The result is a single name: without folders, not the name
    of a device, without characters that a file system refuses, and not too long for one.
    """
    if disposition is None:
        return None
    match = re.search(r"(?i)filename\*\s*=\s*UTF-8'[^']*'([^;\s]+)", disposition)
    match = match or re.search(r'(?i)filename\s*=\s*(?:"([^"]*)"|([^;\s]+))', disposition)
    if match is None:
        return None
    name = unquote_plus(next(group for group in match.groups() if group is not None))
    name = _UNFIT_IN_NAMES.sub("_", re.split(r"[/\\]", name)[-1]).strip(" .")
    if _DEVICE_NAME.match(name):
        name = f"_{name}"
    return cut_name(name, MAX_NAME_BYTES) or None


def cut_name(name: str, size: int) -> str:
    """Return a file name with at most so many bytes in UTF-8. The suffixes stay if they are short."""
    stem, dot, suffix = name.partition(".")
    end = dot + _first_bytes(suffix, size // 2)
    return _first_bytes(stem, size - len(end.encode())) + end


def _first_bytes(text: str, size: int) -> str:
    """Return the start of a text that has at most so many bytes in UTF-8, without half a character."""
    return text.encode()[:size].decode("utf-8", "ignore")


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
