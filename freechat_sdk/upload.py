"""Uploads: files that are read while they are sent."""

import mimetypes
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from freechat_sdk.exceptions import ApiTypeError, ApiValueError

FileInput = str | os.PathLike[str] | bytes | tuple[str, bytes] | IO[bytes]
"""A file: a path, the bytes themselves, a name with bytes, or a file open for reading bytes."""
Progress = Callable[[int, int | None], object]
"""A function that gets the number of bytes transferred so far, and the size of the file, or None if it is unknown."""

CHUNK_BYTES: Final = 65536
DEFAULT_NAME: Final = "file"
DEFAULT_TYPE: Final = "application/octet-stream"


class FileChangedError(OSError):
    """A file changed while it was sent."""


class Upload:
    """A file to send, with its name, its media type and a progress function.

        characters.upload_character_picture(uid, Upload("me.png", progress=print))

    Args:
        source: a path, the bytes themselves, a name with bytes, or a file open for reading bytes.
        name: the name to send. Default: the name of the path or of the open file, or else "file".
        content_type: the media type to send. Default: the type that belongs to the suffix of the name, or else
            `application/octet-stream`.
        progress: called after each chunk with the number of bytes sent so far and the size of the file, which is None
            if it is unknown.

    Raises:
        OSError: if the file does not exist or cannot be read.
        ApiTypeError: if `source` is a file open for reading text.
        ApiValueError: if the media type cannot be sent.
    """

    def __init__(
        self,
        source: FileInput,
        *,
        name: str | None = None,
        content_type: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        given, content = _parts(source)
        self.name = name or given or DEFAULT_NAME
        self.content_type = content_type or mimetypes.guess_type(self.name)[0] or DEFAULT_TYPE
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in self.name):
            raise ApiValueError("the name of the file is not valid UTF-8. Give another: Upload(path, name=...)")
        if any(not " " <= letter <= "~" for letter in self.content_type):
            raise ApiValueError("content_type must not contain line breaks, control or non-ASCII characters")
        self._content = content
        self._progress = progress
        self.can_block = _can_block(content)
        """Whether reading may wait for another process: a pipe, a terminal, a socket."""
        self._start = None if self.can_block else _position(content)
        self._is_read = False
        self.size: int | None = None if self.can_block else _size(content, self._start)
        """The size in bytes. None if only reading can tell."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes, from the start again each time: as many as `size` says, or an error.

        Raises:
            ApiValueError: if the file has been read and cannot be rewound.
            FileChangedError: if it has become longer or shorter. No surplus byte is yielded: a server would take it
                for the next request.
        """
        count = 0
        for chunk in self._read():
            count += len(chunk)
            if self.size is not None and count > self.size:
                raise FileChangedError(f"the file had {self.size} bytes and has become longer while it was sent")
            yield chunk
            if self._progress is not None:
                self._progress(count, self.size)
        if self.size is not None and count < self.size:
            raise FileChangedError(f"the file had {self.size} bytes, but only {count} could be read")

    def _read(self) -> Iterator[bytes]:
        content = self._content
        if isinstance(content, bytes):
            yield from (content[start : start + CHUNK_BYTES] for start in range(0, len(content), CHUNK_BYTES))
        elif isinstance(content, Path):
            self._check_repeatable(not self.can_block)
            with content.open("rb") as file:
                yield from _pieces(file)
        else:
            self._check_repeatable(self._start is not None)
            if self._start is not None:
                content.seek(self._start)
            yield from _pieces(content)

    def _check_repeatable(self, is_repeatable: bool) -> None:
        """Refuse to read a pipe again: it has other bytes, or only the rest."""
        if self._is_read and not is_repeatable:
            raise ApiValueError("the file has already been read and cannot be rewound. Open it again.")
        self._is_read = True


class MultipartBody:
    """The body of a file upload: multipart/form-data (RFC 7578) with a single part, the field `file`."""

    def __init__(self, file: object) -> None:
        self.upload = file if isinstance(file, Upload) else Upload(_checked(file))
        self._boundary = secrets.token_hex(16)
        # The escapes that browsers use in file names (WHATWG HTML, 4.10.21.8).
        quoted = self.upload.name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
        head = (
            f"--{self._boundary}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{quoted}"\r\n'
            f"Content-Type: {self.upload.content_type}\r\n\r\n"
        )
        self._head, self._tail = head.encode(), f"\r\n--{self._boundary}--\r\n".encode()

    @property
    def headers(self) -> dict[str, str]:
        """The headers that describe the body."""
        headers = {"Content-Type": f"multipart/form-data; boundary={self._boundary}"}
        if self.size is not None:
            headers["Content-Length"] = str(self.size)
        return headers

    @property
    def size(self) -> int | None:
        """The size of the body in bytes, or None if it is known only after reading the file."""
        file = self.upload.size
        return None if file is None else len(self._head) + file + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body. Each call yields it from the start."""
        yield self._head
        yield from self.upload.chunks()
        yield self._tail


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the rest of a file. An exception of the file, StopIteration too, is not taken for its end.

    Raises:
        ApiValueError: if the file does not wait for its bytes.
    """
    while piece := file.read(CHUNK_BYTES):
        yield piece
    if piece is None:
        raise ApiValueError("the file is in non-blocking mode, so its end cannot be told. Open it in blocking mode.")


def _checked(file: Any) -> FileInput:
    if isinstance(file, (tuple, list)) and [type(part) for part in file] == [str, bytes]:
        return file[0], file[1]
    if isinstance(file, (str, bytes, os.PathLike)) or hasattr(file, "read"):
        checked: FileInput = file
        return checked
    given = type(file).__name__
    raise ApiTypeError(
        f"file must be a path, bytes, (name, bytes), a file open for reading bytes, or an Upload, not {given}"
    )


def _parts(source: FileInput) -> tuple[str | None, bytes | Path | IO[bytes]]:
    """Return the name of a file, if it has one, and its content."""
    if isinstance(source, bytes):
        return None, source
    if isinstance(source, tuple):
        return source
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return path.name, path
    if isinstance(source.read(0), str):
        raise ApiTypeError("file must be open for reading bytes, not text. Open it with mode 'rb'.")
    name = getattr(source, "name", None)
    return (Path(name).name if isinstance(name, str) else None), source


def _can_block(content: bytes | Path | IO[bytes]) -> bool:
    """Return whether a read may wait for another process, as from a pipe; a regular file and memory never do.

    Raises:
        OSError: if there is no such file.
    """
    if isinstance(content, bytes):
        return False
    if isinstance(content, Path):
        mode = content.stat().st_mode
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))  # opening a folder raises the right error
    try:
        return not stat.S_ISREG(os.fstat(content.fileno()).st_mode)
    except (AttributeError, OSError):  # not a file of the operating system
        return False


def _position(content: bytes | Path | IO[bytes]) -> int | None:
    """Return the position of an open file; None if it cannot be rewound, and for anything else."""
    if isinstance(content, (bytes, Path)) or not content.seekable():
        return None
    return content.tell()


def _size(content: bytes | Path | IO[bytes], start: int | None) -> int | None:
    """Return the size in bytes; None if only reading can tell. Files of /proc and /sys state 0 and hold more."""
    if isinstance(content, bytes):
        return len(content)
    if isinstance(content, Path):
        with content.open("rb") as file:  # a folder, or a file that may not be read, raises here
            return os.fstat(file.fileno()).st_size or (None if file.read(1) else 0)
    if start is None:
        return None
    try:
        end = content.seek(0, os.SEEK_END)
    except OSError:  # files of /proc have no end
        end = start
    content.seek(start)
    if end > start:
        return end - start
    has_more = bool(content.read(1))
    content.seek(start)
    return None if has_more else 0
