"""Uploads: what may be given as a file, what arrives, and what is said of files that are too large."""

import errno
import io
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from pydantic import SkipValidation
from typing_extensions import Unpack

from freechat_sdk import (
    ApiClient,
    ApiConnectionError,
    ApiException,
    ApiTimeoutError,
    ApiTypeError,
    ApiValueError,
    BadRequestException,
    NotFoundException,
    Upload,
)
from freechat_sdk._api import Api, RequestOptions, operation
from freechat_sdk._decoders import as_text
from freechat_sdk._operation import ONCE, Operation
from freechat_sdk.upload import FileInput, MultipartBody
from test.clients import api_of, configured
from test.recordings import part_of
from test.server import MAX_WAIT, Connection, Handler, Request, in_order, json_response, refused_port, text_response

CONTENT = bytes(range(256)) * 1000


class PictureApi(Api):
    """An API that takes files."""

    @operation
    def upload(self, file: SkipValidation[FileInput | Upload], **options: Unpack[RequestOptions]) -> Operation[str]:
        """Upload a picture."""
        return Operation("POST", "/picture", as_text, options, retry=ONCE, body=MultipartBody(file))


def part(request: Request) -> tuple[str, str, bytes]:
    return part_of(str(request.header("Content-Type")), request.body)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "me.png"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize(
    ("given", "name", "media_type"),
    [
        (lambda path: str(path), "me.png", "image/png"),
        (lambda path: path, "me.png", "image/png"),
        (lambda path: path.read_bytes(), "file", "application/octet-stream"),
        (lambda path: ("you.pdf", path.read_bytes()), "you.pdf", "application/pdf"),
        (lambda path: ["you.pdf", path.read_bytes()], "you.pdf", "application/pdf"),
        (lambda path: io.BytesIO(path.read_bytes()), "file", "application/octet-stream"),
        (lambda path: Upload(path, name="x.jpg"), "x.jpg", "image/jpeg"),
        (lambda path: Upload(path, content_type="image/webp"), "me.png", "image/webp"),
    ],
)
def test_a_file_may_be_given_in_many_ways(picture: Path, given: Any, name: str, media_type: str) -> None:
    with api_of(PictureApi, text_response("http://x/1")) as (api, server):
        assert api.upload(given(picture)) == "http://x/1"
        (request,) = server.requests
        assert part(request) == (name, media_type, CONTENT)
        assert request.header("Content-Length") == str(len(request.body))


def test_an_open_file_is_sent_from_where_it_stands_and_stays_open(picture: Path) -> None:
    with api_of(PictureApi, text_response("x")) as (api, server):
        with picture.open("rb") as file:
            file.seek(1000)
            api.upload(file)
            assert not file.closed
        assert part(server.requests[0]) == ("me.png", "image/png", CONTENT[1000:])


def unseekable(content: bytes) -> IO[bytes]:
    """Return a file that can be read once, like the response of another server."""
    file = io.BytesIO(content)
    file.seekable = lambda: False  # type: ignore[method-assign]
    return file


def only_generation(generation: str) -> Handler:
    """Return a handler that knows the paths of one generation."""

    def handle(request: Request, connection: Connection) -> None:
        is_known = request.path.startswith(f"/api/{generation}/")
        is_picture = request.path.endswith("/picture")
        response = (
            json_response({}, 404) if not is_known else text_response("done") if is_picture else json_response({})
        )
        response(request, connection)

    return handle


@pytest.mark.parametrize("generation", ["v1", "v2"])
@pytest.mark.parametrize("is_pipe", [True, False], ids=["a pipe", "bytes"])
def test_a_file_as_the_first_call_is_sent_once_whatever_the_generation(generation: str, is_pipe: bool) -> None:
    with api_of(PictureApi, only_generation(generation), api_version="auto") as (api, server):
        file: Any = unseekable(CONTENT) if is_pipe else CONTENT
        assert api.upload(file) == "done"
        assert api.api_client.generation == generation
        assert api.upload(b"more") == "done"
    asked = [f"/api/{tried}/account/basic" for tried in ("v1", "v2") if tried <= generation]
    sent = [f"/api/{generation}/picture"] * 2
    assert [request.path for request in server.requests] == asked + sent
    assert part(server.requests[-2])[2] == CONTENT


def test_a_file_whose_generation_cannot_be_found_out_is_sent_once_and_the_error_is_about_it() -> None:
    with (
        api_of(PictureApi, json_response({}, 404), api_version="auto") as (api, server),
        pytest.raises(NotFoundException, match=r"POST .*/api/v1/picture returned 404") as caught,
    ):
        api.upload(unseekable(CONTENT))
    assert caught.value.attempts == 1
    assert [request.method for request in server.requests] == ["GET", "GET", "POST"]
    with (
        refused_port() as port,
        ApiClient(configured(f"http://127.0.0.1:{port}", api_version="auto", retries=0)) as client,
        pytest.raises(ApiConnectionError, match=r"POST .*/api/v1/picture failed"),
    ):
        PictureApi(client).upload(CONTENT)


def test_the_question_about_the_generation_has_the_authorization_of_the_upload() -> None:
    auth = {"in": "header", "key": "Authorization", "value": "Bearer of-this-call"}
    with api_of(PictureApi, only_generation("v2"), api_version="auto") as (api, server):
        api.upload(CONTENT, _request_auth=auth)
    assert {request.header("Authorization") for request in server.requests} == {"Bearer of-this-call"}


def test_a_file_that_cannot_be_rewound_is_sent_in_chunks_once() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"from a pipe")
    os.close(writer)
    with api_of(PictureApi, text_response("x")) as (api, server), os.fdopen(reader, "rb") as file:
        upload = Upload(file, name="a.txt")
        api.upload(upload)
        assert part(server.requests[0]) == ("a.txt", "text/plain", b"from a pipe")
        assert server.requests[0].header("Transfer-Encoding") == "chunked"
        with pytest.raises(ApiValueError, match="cannot be rewound"):
            list(upload.chunks())


def test_names_cannot_break_out_of_their_line() -> None:
    with api_of(PictureApi, text_response("x")) as (api, server):
        api.upload(('a"\r\nX-Evil: 1\r\n.txt', b"x"))
        assert b'filename="a%22%0D%0AX-Evil: 1%0D%0A.txt"' in server.requests[0].body


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="all names are Unicode there")
@pytest.mark.parametrize("given", [str, Path, lambda name: (name, b"x"), lambda name: Upload(b"x", name=name)])
def test_a_name_that_is_not_utf_8_is_refused_before_anything_is_sent(given: Any, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(b"x")
    with api_of(PictureApi, text_response("ok")) as (api, server):
        with pytest.raises(ApiValueError, match="name of the file is not valid UTF-8"):
            api.upload(given(str(path)))
        api.upload(Upload(path, name="café.png"))
    assert ['filename="café.png"' in request.body.decode() for request in server.requests] == [True]


def test_a_media_type_may_have_blanks_and_any_visible_ascii() -> None:
    assert Upload(b"x", content_type="a/b; c=~!").content_type == "a/b; c=~!"
    for letter in ("\x1f", "\x7f", "é", "\n"):
        with pytest.raises(ApiValueError, match="content_type"):
            Upload(b"x", content_type=f"a/b{letter}")


@pytest.mark.parametrize("content", [b"abcdef", b"abc"])
def test_measuring_an_open_file_leaves_it_where_it_stands(content: bytes) -> None:
    file = io.BytesIO(content)
    file.seek(3)
    upload = Upload(file)
    assert (upload.size, upload.can_block, file.tell()) == (len(content) - 3, False, 3)
    assert Upload(content).can_block is False


class Endless(io.BytesIO):
    """A file that states no end, as those of /proc."""

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == os.SEEK_END:
            raise OSError(errno.EINVAL, "no end")
        return super().seek(offset, whence)


@pytest.mark.parametrize(("content", "size"), [(b"abcd", None), (b"abc", 0)])
def test_a_file_that_states_no_end_is_left_where_it_stands_too(content: bytes, size: int | None) -> None:
    file = Endless(content)
    file.seek(3)
    assert (Upload(file).size, file.tell()) == (size, 3)


def test_progress_is_told(picture: Path) -> None:
    with api_of(PictureApi, text_response("x")) as (api, _):
        told: list[tuple[int, int | None]] = []
        api.upload(Upload(picture, progress=lambda *state: told.append(state)))
        assert told[-1] == (len(CONTENT), len(CONTENT))
        assert len(told) == 4


@pytest.mark.parametrize("wrong", [3, None, ("a", "text"), ("a",), ["path"], io.StringIO("text")])
def test_what_is_not_a_file_is_refused_before_anything_is_sent(wrong: Any) -> None:
    with api_of(PictureApi, text_response("x")) as (api, server):
        with pytest.raises(ApiTypeError, match="file"):
            api.upload(wrong)
        with pytest.raises(ApiValueError):
            Upload(b"", content_type="a\r\nb")
        assert server.requests == []


def test_a_file_that_is_not_there_is_an_os_error_before_anything_is_sent(tmp_path: Path) -> None:
    with api_of(PictureApi, text_response("x")) as (api, server):
        for missing in (tmp_path / "missing.png", tmp_path):
            with pytest.raises(OSError, match=r"No such file|Is a directory|Permission"):
                api.upload(missing)
        assert server.requests == []


def test_an_error_names_the_size_of_the_file() -> None:
    error = json_response({"code": 400, "message": "File size should be less than 2097152"}, 400)
    with api_of(PictureApi, in_order(error, json_response({}, 413))) as (api, _):
        with pytest.raises(BadRequestException, match=r"2560000 bytes") as caught:
            api.upload(CONTENT * 10)
        assert "2097152" in str(caught.value)
        with pytest.raises(ApiException, match=r"(?s)413.*2560000 bytes"):
            api.upload(CONTENT * 10)


def hang_up(_: Request, connection: Connection) -> None:
    connection.reset()


def test_a_server_that_hangs_up_is_not_sent_the_file_again() -> None:
    with api_of(PictureApi, hang_up) as (api, server):
        with pytest.raises(ApiConnectionError, match=r"2560000 bytes") as caught:
            api.upload(CONTENT * 10)
        assert (caught.value.request_sent, len(server.requests)) == (True, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no sparse files to speak of")
def test_a_large_file_is_read_while_it_is_sent(tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(1 << 40)
    form = MultipartBody(large)
    assert int(form.headers["Content-Length"]) > 1 << 40
    pieces = iter(form)
    assert len(next(pieces)) < 500
    assert [len(next(pieces)) for _ in range(3)] == [65536] * 3


# Files that change, and files without a size

SECOND_REQUEST = b"DELETE /api/v1/chat/abc HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"


def changing(path: Path, change: Callable[[Path], object]) -> Upload:
    """Return an upload of a file that changes after its first chunk has been sent."""
    changes = iter([change])
    return Upload(path, progress=lambda *_: next(changes, lambda _: None)(path))


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(SECOND_REQUEST)


def shorter(path: Path) -> None:
    os.truncate(path, 70_000)


def test_surplus_of_a_file_that_grows_is_never_sent(picture: Path) -> None:
    with api_of(PictureApi, text_response("x")) as (api, server):
        with pytest.raises(ApiConnectionError, match="has become longer") as caught:
            api.upload(changing(picture, longer))
        assert (caught.value.request_sent, caught.value.attempts) == (True, 1)
        assert api.upload(picture) == "x"
    assert [(request.method, request.connection) for request in server.requests] == [("POST", 1)]
    cut = server.connections[0].partial
    assert 0 < len(cut) < len(CONTENT)
    assert b"DELETE" not in cut


def test_a_file_that_shrinks_ends_at_once_and_closes_the_connection(picture: Path) -> None:
    with api_of(PictureApi, text_response("x"), timeout=None) as (api, server):
        with pytest.raises(ApiConnectionError, match="256000 bytes, but only 70000 could be read"):
            api.upload(changing(picture, shorter))
        assert api.upload(picture) == "x"
    assert [request.connection for request in server.requests] == [1]


def test_an_open_file_that_changes_is_found_out_too(picture: Path) -> None:
    with api_of(PictureApi, text_response("x")) as (api, _), picture.open("rb") as file:
        file.seek(1000)
        upload = Upload(file)
        longer(picture)
        with pytest.raises(ApiConnectionError, match="has become longer"):
            api.upload(upload)
        shorter(picture)
        with pytest.raises(ApiConnectionError, match="only 69000 could be read"):
            api.upload(upload)


def test_an_empty_file_is_sent(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    with api_of(PictureApi, text_response("x")) as (api, server):
        for empty in (b"", tmp_path / "empty.txt", io.BytesIO()):
            api.upload(empty)
        assert [part(request)[2] for request in server.requests] == [b"", b"", b""]
        assert all(request.header("Content-Length") for request in server.requests)


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="there is no /proc")
def test_a_file_that_states_no_size_is_sent_whole() -> None:
    path = Path("/proc/version")
    with api_of(PictureApi, text_response("x")) as (api, server):
        api.upload(path)
        with path.open("rb") as file:
            api.upload(file)
        assert [part(request)[2] for request in server.requests] == [path.read_bytes()] * 2


def test_an_upload_may_be_sent_again_after_a_refused_connection(picture: Path) -> None:
    upload = Upload(picture)
    with refused_port() as port, api_of(PictureApi, text_response("x"), host=f"http://127.0.0.1:{port}") as (api, _):
        with pytest.raises(ApiConnectionError) as caught:
            api.upload(upload)
        assert (caught.value.request_sent, caught.value.attempts) == (False, 3)
    with api_of(PictureApi, text_response("x")) as (api, server):
        api.upload(upload)
        api.upload(upload)
        assert [part(request)[2] for request in server.requests] == [CONTENT] * 2


# Pipes

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")


@contextmanager
def blocking_pipe() -> Iterator[IO[bytes]]:
    """Yield the reading end of a pipe that nobody writes to."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as file:
        yield file
        os.close(writer)  # ends the read


@contextmanager
def blocking_fifo(path: Path) -> Iterator[Path]:
    """Yield a named pipe that nobody writes to."""
    os.mkfifo(path)
    yield path
    path.write_bytes(b"")  # ends the read


@needs_pipes
def test_a_named_pipe_is_sent_when_its_writer_comes(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(CONTENT,))  # waits for the reader
    with api_of(PictureApi, text_response("x")) as (api, server):
        writer.start()
        assert api.upload(path) == "x"
        writer.join(MAX_WAIT)
        assert part(server.requests[0])[2] == CONTENT
        assert server.requests[0].header("Transfer-Encoding") == "chunked"


@needs_pipes
@pytest.mark.parametrize("kind", ["pipe", "named pipe"])
def test_a_pipe_that_nobody_writes_to_ends_at_the_deadline(kind: str, tmp_path: Path) -> None:
    blocking: Any = blocking_pipe() if kind == "pipe" else blocking_fifo(tmp_path / "pipe")
    with api_of(PictureApi, text_response("x"), timeout=0.2) as (api, server), blocking as file:
        with pytest.raises(ApiTimeoutError, match=r"0.2 s for the whole call") as caught:
            api.upload(file)
        assert (caught.value.attempts, server.requests) == (1, [])
    for thread in threading.enumerate():
        if thread.name == "freechat_sdk upload":
            thread.join(MAX_WAIT)
            assert not thread.is_alive()


@needs_pipes
def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    upload = Upload(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"once",))
    writer.start()
    assert b"".join(upload.chunks()) == b"once"
    writer.join(MAX_WAIT)
    with pytest.raises(ApiValueError, match="already been read"):
        list(upload.chunks())


def test_a_file_that_does_not_wait_is_refused_instead_of_cut_short() -> None:
    with api_of(PictureApi, text_response("x")) as (api, server), blocking_pipe() as file:
        os.set_blocking(file.fileno(), False)
        with pytest.raises(ApiValueError, match="Open it in blocking mode"):
            api.upload(file)
        assert server.requests == []


# The caller's own exceptions


class FailingFile(io.RawIOBase):
    """A file that fails after one chunk."""

    def __init__(self, error: BaseException, reads_file: bool) -> None:
        self._error = error
        self._handle = os.open(os.devnull, os.O_RDONLY) if reads_file else None
        self._chunks = iter([b"first"])

    def fileno(self) -> int:
        if self._handle is None:
            raise OSError("no descriptor")
        return self._handle

    def read(self, size: int = -1, /) -> bytes:
        for chunk in self._chunks if size else [b""]:
            return chunk
        raise self._error

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        super().close()


@pytest.mark.parametrize(
    "kind", [LookupError, OSError, BrokenPipeError, ConnectionResetError, TimeoutError, KeyboardInterrupt]
)
@pytest.mark.parametrize("source", ["file", "pipe", "progress"])
def test_what_the_callers_code_raises_reaches_the_caller_with_its_own_frames(
    kind: type[BaseException], source: str
) -> None:
    error = kind("mine")

    def fail(*_: object) -> None:
        raise error

    with api_of(PictureApi, text_response("x")) as (api, server):
        file: Any
        with FailingFile(error, source == "pipe") as file, pytest.raises(kind) as caught:
            api.upload(Upload(CONTENT, progress=fail) if source == "progress" else file)
        assert caught.value is error
        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        assert names[-1] == ("fail" if source == "progress" else "read")
        assert names.count("call") == 1
        assert len(names) == 3
        assert all(b"first" not in request.body for request in server.requests)
        assert api.upload(b"x") == "x"


def test_a_file_that_raises_stop_iteration_is_not_taken_for_whole() -> None:
    with api_of(PictureApi, text_response("x")) as (api, server):
        file: Any
        with FailingFile(StopIteration(), reads_file=False) as file, pytest.raises(RuntimeError):
            api.upload(file)
        assert server.requests == []
