"""Downloads: to memory, to disk, in chunks; names that servers suggest; what is left when they break off."""

import sys
from pathlib import Path

import pytest
from typing_extensions import Unpack

from freechat_sdk import ApiConnectionError, ApiDecodeError, Download, NotFoundException
from freechat_sdk._api import Api, RequestOptions, operation, with_http_info, without_preload_content
from freechat_sdk._operation import READ, Operation
from freechat_sdk.download import as_download, file_name
from test.clients import api_of
from test.server import Connection, Handler, Request, head, html_response, in_order, json_response

CONTENT = bytes(range(256)) * 1000
HEADERS = [
    ("Content-Type", "application/gzip"),
    ("Content-Disposition", "attachment; filename=\"My+caf%C3%A9.tar.gz\"; filename*=UTF-8''My+caf%C3%A9.tar.gz"),
]


class FileApi(Api):
    """An API that returns files."""

    @operation
    def export(self, **options: Unpack[RequestOptions]) -> Operation[Download]:
        """Export everything."""
        return Operation("GET", "/export", as_download, options, retry=READ)

    export_with_http_info = with_http_info(export)
    export_without_preload_content = without_preload_content(export)


def whole(_: Request, connection: Connection) -> None:
    connection.respond(200, CONTENT, HEADERS)


def in_chunks(_: Request, connection: Connection) -> None:
    connection.start_chunked(headers=HEADERS[:1])
    for start in range(0, len(CONTENT), 10_000):
        connection.chunk(CONTENT[start : start + 10_000])
    connection.end()


def cut(_: Request, connection: Connection) -> None:
    connection.send(head(200, [*HEADERS, ("Content-Length", str(len(CONTENT)))]) + CONTENT[:100_000])
    connection.close()


@pytest.mark.parametrize("handler", [whole, in_chunks])
def test_a_file_can_be_read_iterated_and_saved(handler: Handler, tmp_path: Path) -> None:
    with api_of(FileApi, handler) as (api, server):
        assert api.export().read() == CONTENT
        assert b"".join(api.export()) == bytes(api.export()) == CONTENT
        saved = api.export().save(tmp_path / "file")
        assert saved.read_bytes() == CONTENT
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        assert {request.connection for request in server.requests} == {0}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="PEP 688: objects of Python stand for bytes from 3.12 on")
def test_a_file_can_be_written_as_the_bytes_that_the_official_client_returns(tmp_path: Path) -> None:
    with api_of(FileApi, whole) as (api, _):
        with (tmp_path / "file").open("wb") as file:
            file.write(api.export())  # type: ignore[arg-type,unused-ignore]
        assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_file_can_be_read_twice() -> None:
    with api_of(FileApi, whole) as (api, _):
        download = api.export()
        assert download.read() == download.read() == CONTENT


def test_a_file_says_what_it_is() -> None:
    with api_of(FileApi, whole) as (api, _):
        with api.export() as download:
            assert (download.content_type, download.file_name, download.length) == (
                "application/gzip",
                "My café.tar.gz",
                len(CONTENT),
            )
        response = api.export_with_http_info()
        assert (response.status_code, response.data.read(), response.raw_data) == (200, CONTENT, CONTENT)


def test_a_folder_gives_the_file_the_servers_name(tmp_path: Path) -> None:
    with api_of(FileApi, in_order(whole, in_chunks)) as (api, _):
        assert api.export().save(tmp_path) == tmp_path / "My café.tar.gz"
        assert api.export().save(tmp_path) == tmp_path / "download"


def test_progress_is_told(tmp_path: Path) -> None:
    with api_of(FileApi, whole) as (api, _):
        told: list[tuple[int, int | None]] = []
        api.export().save(tmp_path, lambda *state: told.append(state))
        assert told[-1] == (len(CONTENT), len(CONTENT))
        assert told == sorted(told)


def test_a_download_that_breaks_off_leaves_nothing_half_written(tmp_path: Path) -> None:
    with api_of(FileApi, in_order(cut, cut, whole), retries=0) as (api, _):
        (tmp_path / "file").write_bytes(b"before")
        with pytest.raises(ApiConnectionError):
            api.export().save(tmp_path / "file")
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"before"}
        with pytest.raises(ApiConnectionError):
            api.export().read()
        assert api.export().read() == CONTENT


def test_what_cannot_be_written_is_an_os_error_and_the_connection_is_let_go(tmp_path: Path) -> None:
    with api_of(FileApi, whole) as (api, server):
        with pytest.raises(OSError, match="No such file"):
            api.export().save(tmp_path / "missing" / "file")
        assert api.export().read() == CONTENT
        assert [request.connection for request in server.requests] == [0, 1]


def test_leaving_early_closes_the_connection() -> None:
    with api_of(FileApi, whole) as (api, server):
        for _ in api.export():
            break
        with api.export() as download:
            next(iter(download))
        assert api.export().read() == CONTENT
        assert [request.connection for request in server.requests] == [0, 1, 2]


def test_an_unknown_encoding_is_a_decode_error(tmp_path: Path) -> None:
    def encoded(_: Request, connection: Connection) -> None:
        connection.respond(200, CONTENT, [("Content-Encoding", "x-odd")])

    with api_of(FileApi, encoded) as (api, _):
        for read in (lambda: api.export().read(), lambda: api.export().save(tmp_path), lambda: list(api.export())):
            with pytest.raises(ApiDecodeError, match="unsupported Content-Encoding 'x-odd'"):
                read()


def test_an_error_or_a_web_page_is_not_a_file() -> None:
    with api_of(FileApi, in_order(json_response({"message": "no such character"}, 404), html_response())) as (api, _):
        with pytest.raises(NotFoundException, match="no such character"):
            api.export()
        with pytest.raises(ApiDecodeError, match="does not look like a FreeChat server"):
            api.export()


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (None, None),
        ("attachment", None),
        ('attachment; filename=""', None),
        ("attachment; filename=plain.txt", "plain.txt"),
        ('attachment; filename="a b.txt"', "a b.txt"),
        ("attachment; filename=\"x\"; filename*=UTF-8''caf%C3%A9+au+lait", "café au lait"),
        ("attachment; filename*=utf-8'en'r%2Bd", "r+d"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="..%2F..%2Fetc%2Fpasswd"', "passwd"),
        ('attachment; filename="C:\\\\Users\\\\a.txt"', "a.txt"),
        ('attachment; filename=".."', None),
        ('attachment; filename=".bashrc"', "bashrc"),
        ('attachment; filename="CON"', "_CON"),
        ('attachment; filename="lpt1.txt"', "_lpt1.txt"),
        ('attachment; filename="a%00b%0Ac?.txt. "', "a_b_c_.txt"),
        (f'attachment; filename="{"x" * 300}.tar.gz"', "x" * 248 + ".tar.gz"),
    ],
)
def test_a_suggested_name_is_one_safe_name(disposition: str | None, name: str | None) -> None:
    assert file_name(disposition) == name
