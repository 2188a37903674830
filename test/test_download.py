"""Downloads: to memory, to disk, in chunks; names that servers suggest; what is left when they break off."""

import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
from typing_extensions import Unpack

from freechat_sdk import (
    ApiConnectionError,
    ApiDecodeError,
    ApiException,
    ApiTimeoutError,
    Download,
    NotFoundException,
    _response,
)
from freechat_sdk._api import Api, RequestOptions, operation, with_http_info, without_preload_content
from freechat_sdk._operation import READ, Operation
from freechat_sdk.download import as_download, file_name
from test.clients import Clock, Closings, api_of, at_once
from test.hostile import close, gzipped, response, says
from test.server import MAX_WAIT, Connection, Handler, Request, head, html_response, in_order, json_response

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
        assert download.__buffer__(0) == CONTENT


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


# Whole or an error, each time

Step = Callable[[Download, Path], object]
READ_IT: Step = lambda download, path: download.read()  # noqa: E731
BYTES: Step = lambda download, path: bytes(download)  # noqa: E731
ITERATE: Step = lambda download, path: b"".join(download)  # noqa: E731
NEXT: Step = lambda download, path: next(iter(download))  # noqa: E731
CLOSE: Step = lambda download, path: download.close()  # noqa: E731
SAVE: Step = lambda download, path: download.save(path).read_bytes()  # noqa: E731
FAIL: Step = lambda download, path: download.save(path, progress=fail)  # noqa: E731
WAYS = [READ_IT, BYTES, ITERATE, SAVE]


def fail(*_: object) -> None:
    raise LookupError("mine")


def test_what_read_has_kept_is_served_again_in_every_way_even_after_close(tmp_path: Path) -> None:
    with api_of(FileApi, whole) as (api, server):
        download = api.export()
        for way in (READ_IT, *WAYS, *WAYS, CLOSE, *WAYS):
            assert way(download, tmp_path / "file") in (CONTENT, None)
        assert len(server.requests) == 1


@pytest.mark.parametrize("handler", [whole, in_chunks])
@pytest.mark.parametrize("first", [ITERATE, NEXT, SAVE, CLOSE, FAIL])
def test_what_was_used_up_failed_or_closed_is_an_error_in_every_way(
    first: Step, handler: Handler, tmp_path: Path
) -> None:
    target = tmp_path / "file"
    with api_of(FileApi, handler) as (api, _):
        download = api.export()
        with suppress(LookupError):
            first(download, target)
        target.write_bytes(b"before")
        for way in (*WAYS, NEXT, *WAYS):
            with pytest.raises(ApiException, match="read before, or the download has been closed"):
                way(download, target)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"before"}


@pytest.mark.parametrize("first", WAYS)
def test_what_broke_off_is_an_error_each_time(first: Step, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"before")
    with api_of(FileApi, cut) as (api, _):
        download = api.export()
        with pytest.raises(ApiConnectionError, match="more expected"):
            first(download, target)
        for way in WAYS:
            with pytest.raises(ApiException):
                way(download, target)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"before"}


def test_the_callers_own_exception_comes_out_of_save_with_its_frame(tmp_path: Path) -> None:
    with api_of(FileApi, whole) as (api, server):
        with pytest.raises(LookupError, match="mine") as caught:
            api.export().save(tmp_path / "file", progress=fail)
        assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][1:] == ["save", "fail"]
        assert list(tmp_path.iterdir()) == []
        assert api.export().read() == CONTENT
        assert {request.connection for request in server.requests} == {0, 1}


def test_an_iterator_goes_on_when_it_alone_is_kept() -> None:
    with api_of(FileApi, whole) as (api, _):
        chunks = iter(api.export())
        assert next(chunks) + b"".join(chunks) == CONTENT


def test_a_response_made_by_hand_is_read_whole_or_an_error_each_time() -> None:
    with api_of(FileApi, in_order(whole, cut, whole, whole)) as (api, _):
        response, broken, closed, begun = (api.api_client.call_api("GET", "/") for _ in range(4))
        assert response.read() == response.read() == response.data == CONTENT
        response.close()
        assert response.read() == CONTENT
        closed.close()
        closed.close()
        begun.response.read(10)
        with pytest.raises(ApiConnectionError):
            broken.read()
        for spent in (broken, closed, begun):
            for _ in range(2):
                with pytest.raises(ApiException, match="read before, or the response has been closed"):
                    spent.read()
            assert spent.data is None


class Received:
    """A response whose chunks are known."""

    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, *sizes: int) -> None:
        self.told: list[str] = []
        self._sizes = sizes

    def chunks(self) -> Iterator[bytes]:
        for size in self._sizes:
            self.told.append(str(size))
            yield bytes(size)

    def begin_stream(self) -> None:
        self.told.append("begin")

    def note_progress(self) -> None:
        self.told.append("progress")

    def end_stream(self) -> None:
        self.told.append("end")


@pytest.mark.parametrize(
    ("sizes", "progress_after"),
    [([1023], []), ([1024], [0]), ([1023, 1], [1]), ([512, 512, 512, 511, 1], [1, 4]), ([5000, 1, 1023], [0, 2])],
)
def test_a_kib_ends_a_silence(sizes: list[int], progress_after: list[int]) -> None:
    response: Any = Received(*sizes)
    assert b"".join(as_download.open(response)) == bytes(sum(sizes))
    told = [
        part for number, size in enumerate(sizes) for part in (str(size), *["progress"] * (number in progress_after))
    ]
    assert response.told == ["begin", *told, "end"]


def test_a_file_is_asked_for_under_any_media_type() -> None:
    with api_of(FileApi, whole) as (api, server):
        api.export().read()
    assert server.requests[0].header("Accept") == "application/octet-stream, */*, application/json"


def test_a_closed_download_ends_whoever_iterates_and_is_told_of_once() -> None:
    closings = Closings()
    with api_of(FileApi, whole, hooks=closings) as (api, _):
        download = api.export()
        chunks = iter(download)
        next(chunks)
        with download:
            pass
        assert closings.count == 1
        with pytest.raises(ApiException, match="closed before its end"):
            list(chunks)
        download.close()
        assert closings.count == 1


def test_a_file_that_is_too_large_for_memory_is_closed_at_once() -> None:
    closings = Closings()
    with api_of(FileApi, whole, hooks=closings, max_response_bytes=1000) as (api, _):
        download = api.export()
        with pytest.raises(ApiDecodeError, match="more than 1000 bytes"):
            download.read()
        assert closings.count == 1


def test_a_file_is_saved_to_the_present_folder_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with api_of(FileApi, whole) as (api, _):
        assert api.export().save().resolve() == (tmp_path / "My café.tar.gz").resolve()


def test_a_folder_that_may_not_be_written_to_is_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def refuse(path: Path, *args: Any, **options: Any) -> Any:
        if path.suffix == ".part":
            raise PermissionError("mine")
        return opened(path, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with api_of(FileApi, whole) as (api, _), pytest.raises(PermissionError, match="mine"):
        api.export().save(tmp_path / "file")


# Encodings and lengths


@pytest.mark.parametrize("encoding", ["gzip, gzip", "deflate, gzip", "gzip ", "br", "*", ""])
@pytest.mark.parametrize("way", WAYS)
def test_an_encoding_that_servers_never_use_is_refused(encoding: str, way: Step, tmp_path: Path) -> None:
    packed = says(response(gzipped(gzipped(CONTENT)), *HEADERS, ("Content-Encoding", encoding)))
    with api_of(FileApi, packed) as (api, _):
        with pytest.raises(ApiDecodeError, match="unsupported Content-Encoding"):
            way(api.export(), tmp_path / "file")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
def test_a_packed_file_is_unpacked(encoding: str) -> None:
    with api_of(FileApi, says(response(gzipped(CONTENT), *HEADERS, ("Content-Encoding", encoding)))) as (api, _):
        assert api.export().read() == CONTENT


@pytest.mark.parametrize("length", ["1_0", "+5", "-1", "0x10", "5,5", "5;", "5 5", "1e3", "\u0663", "9" * 5000, ""])
def test_a_length_that_is_not_plain_digits_is_refused(length: str) -> None:
    headers = f"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: {length}\r\n\r\n12345"
    with api_of(FileApi, says(headers.encode(), close), retries=0) as (api, _):
        with pytest.raises(ApiDecodeError, match="invalid Content-Length"):
            api.export()
        with pytest.raises(ApiDecodeError, match="invalid Content-Length"):
            api.api_client.call_api("GET", "/")


# Targets


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_device_and_a_named_pipe_are_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with api_of(FileApi, whole) as (api, _), ThreadPoolExecutor(1) as pool:
        reading = pool.submit(pipe.read_bytes)
        assert api.export().save(pipe) == pipe
        assert reading.result(MAX_WAIT) == CONTENT
        assert (pipe.is_fifo(), [path.name for path in tmp_path.iterdir()]) == (True, ["pipe"])
        api.export().save(os.devnull)
        assert Path(os.devnull).is_char_device()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_named_pipe_that_nobody_reads_ends_as_a_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, waits = Clock(), Counter[float]()

    def sleep(seconds: float) -> None:
        clock.now += seconds
        waits[seconds] += 1

    monkeypatch.setattr(_response, "time", SimpleNamespace(sleep=sleep))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with api_of(FileApi, whole, retries=at_once(clock=clock)) as (api, _):
        with pytest.raises(ApiTimeoutError, match="10 s for each silence"):
            api.export(_request_timeout=10).save(pipe)
        assert list(waits) == [_response.PAUSE_SECONDS]
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # it reads nothing, so the pipe is full soon
        with pytest.raises(ApiTimeoutError, match="10 s for each silence"):
            api.export(_request_timeout=10).save(pipe)
        os.close(reader)
        assert (pipe.is_fifo(), [path.name for path in tmp_path.iterdir()]) == (True, ["pipe"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_named_pipe_that_may_not_be_opened_is_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("mine")

    os.mkfifo(tmp_path / "pipe")
    with api_of(FileApi, whole) as (api, _):
        download = api.export()
        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(PermissionError, match="mine"):
            download.save(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no terminals of this kind")
def test_a_device_gets_the_bytes() -> None:
    reader, writer = os.openpty()
    with api_of(FileApi, says(response(b"file", *HEADERS))) as (api, _):
        api.export().save(os.ttyname(writer))
    assert os.read(reader, 10) == b"file"
    os.close(reader)
    os.close(writer)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "pipe"])
def test_a_name_that_the_server_chose_leads_nowhere_else(kind: str, tmp_path: Path) -> None:
    folder, victim = tmp_path / "folder", tmp_path / "victim"
    folder.mkdir()
    taken = folder / "My café.tar.gz"
    victim.write_bytes(b"before")
    if kind == "folder":
        taken.mkdir()
    elif kind == "pipe":
        os.mkfifo(taken)
    else:
        taken.symlink_to(victim if kind == "link" else tmp_path / "new")
    with api_of(FileApi, whole) as (api, _):
        download = api.export()
        with pytest.raises(FileExistsError, match="Give a path"):
            download.save(folder)
        assert (victim.read_bytes(), (tmp_path / "new").exists()) == (b"before", False)
        assert download.save(folder / "mine").read_bytes() == CONTENT


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_is_followed_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_bytes(b"before")
    for name, aim in (("link", "folder/file"), ("dangling", "folder/new"), ("loop", "loop")):
        (tmp_path / name).symlink_to(aim)
    with api_of(FileApi, whole) as (api, _):
        for name in ("link", "dangling"):
            assert api.export().save(tmp_path / name) == tmp_path / name
            assert (tmp_path / name).is_symlink()
        assert (folder / "file").read_bytes() == (folder / "new").read_bytes() == CONTENT
        with pytest.raises(OSError, match="symbolic links"):
            api.export().save(tmp_path / "loop")
        assert (tmp_path / "loop").is_symlink()
        assert {path.name for path in folder.iterdir()} == {"file", "new"}


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o400, 0o4755, 0o2755, 0o1777])
def test_an_existing_file_keeps_its_permissions_and_nothing_more(mode: int, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"before")
    target.chmod(mode)
    with api_of(FileApi, whole) as (api, _):
        api.export().save(target)
    assert (target.read_bytes(), oct(target.stat().st_mode & 0o7777)) == (CONTENT, oct(mode & 0o777))


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "x" * 250 + ".gz"])
def test_the_longest_names_can_be_saved_to(name: str, tmp_path: Path) -> None:
    with api_of(FileApi, whole) as (api, _):
        assert api.export().save(tmp_path / name).read_bytes() == CONTENT
        assert api.export().save(tmp_path / name).name == name


@pytest.mark.parametrize("name", ["é" * 300 + ".tar.gz", "x." + "é" * 300, "\U0001f44d" * 100, "a.b" * 200])
def test_a_suggested_name_is_cut_by_bytes(name: str, tmp_path: Path) -> None:
    suggested = file_name(f"attachment; filename*=UTF-8''{quote(name)}")
    assert suggested is not None
    assert 100 < len(suggested.encode()) <= 255
    assert suggested[0] == name[0]
    (tmp_path / suggested).touch()


@pytest.mark.parametrize("ending", ["", ".txt", " ", " .txt", ".tar.gz"])
@pytest.mark.parametrize("device", ["con", "PRN", "Aux", "nul", "COM1", "lpt9", "com¹", "LPT³", "CONIN$", "conout$"])
def test_a_suggested_name_is_not_a_windows_device(device: str, ending: str) -> None:
    header = f"attachment; filename*=UTF-8''{quote(device + ending)}"
    assert file_name(header) == "_" + (device + ending).strip()


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
        ('attachment; filename="console.log"', "console.log"),
        ("attachment; filename*=UTF-8''a%E2%80%AEgnp.exe", "a_gnp.exe"),
        ('attachment; filename="lpt1.txt"', "_lpt1.txt"),
        ('attachment; filename="a%00b%0Ac?.txt. "', "a_b_c_.txt"),
        (f'attachment; filename="{"x" * 300}.tar.gz"', "x" * 248 + ".tar.gz"),
    ],
)
def test_a_suggested_name_is_one_safe_name(disposition: str | None, name: str | None) -> None:
    assert file_name(disposition) == name


def test_the_repr_of_a_download_shows_its_state() -> None:
    about = f"file_name='My café.tar.gz', content_type='application/gzip', length={len(CONTENT)}"
    with api_of(FileApi, whole) as (api, _):
        response = api.export_with_http_info()
        download = response.data
        assert repr(download) == f"Download(unread, {about})"
        assert repr(response) == f"ApiResponse(status_code=200, data={download!r}, attempts=1)"
        chunks = iter(download)
        next(chunks)
        assert repr(download) == f"Download(being read, {about})"
        download.close()
        assert repr(download) == f"Download(closed, {about})"
        kept = api.export()
        kept.read()
        assert repr(kept) == f"Download(read, {about})"
