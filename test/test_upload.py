"""Uploads: what may be given as a file, what arrives, and what is said of files that are too large."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SkipValidation
from typing_extensions import Unpack

from freechat_sdk import (
    ApiConnectionError,
    ApiException,
    ApiTypeError,
    ApiValueError,
    BadRequestException,
    Upload,
)
from freechat_sdk._api import Api, RequestOptions, operation
from freechat_sdk._decoders import as_text
from freechat_sdk._operation import ONCE, Operation
from freechat_sdk.upload import FileInput, MultipartBody
from test.clients import api_of
from test.recordings import part_of
from test.server import Connection, Request, in_order, json_response, text_response

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
        with pytest.raises(BadRequestException, match=r"256000 bytes") as caught:
            api.upload(CONTENT)
        assert "2097152" in str(caught.value)
        with pytest.raises(ApiException, match=r"(?s)413.*256000 bytes"):
            api.upload(CONTENT)


def hang_up(_: Request, connection: Connection) -> None:
    connection.reset()


def test_a_server_that_hangs_up_is_not_sent_the_file_again() -> None:
    with api_of(PictureApi, hang_up) as (api, server):
        with pytest.raises(ApiConnectionError, match=r"256000 bytes") as caught:
            api.upload(CONTENT)
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
