"""Responses that are dropped, closed late, or closed by another thread."""

import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from freechat_sdk import ApiConnectionError, ApiException, CharacterApi, ChatApi, Download
from test.clients import Closings, at_once, chat_api
from test.hostile import response, says, stall
from test.server import (
    MAX_WAIT,
    Connection,
    Request,
    chats_and_streams,
    head,
    in_order,
    json_response,
)

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def without_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def serve(request: Request, connection: Connection) -> None:
    if "export" in request.path:
        connection.send(response(CONTENT))
    else:
        chats_and_streams(request, connection)


def export(api: ChatApi) -> Download:
    return CharacterApi(api.api_client).export_character(1)


def stream_unread(api: ChatApi) -> None:
    api.stream_send_message("chat", "Hi")


def stream_after_next(api: ChatApi) -> None:
    next(api.stream_send_message("chat", "Hi"))


def stream_after_next_of_its_iterator(api: ChatApi) -> None:
    next(iter(api.stream_send_message("chat", "Hi")))


def deltas_after_next(api: ChatApi) -> None:
    next(api.stream_send_message("chat", "Hi").text_deltas())


def iterator_of_a_stream_unread(api: ChatApi) -> None:
    iter(api.stream_send_message("chat", "Hi"))


def stream_with_http_info(api: ChatApi) -> None:
    api.stream_send_message_with_http_info("chat", "Hi")


def stream_in_a_failed_block(api: ChatApi) -> None:
    def fail() -> None:
        stream = api.stream_send_message("chat", "Hi")
        raise KeyError(next(stream).text)

    with pytest.raises(KeyError):
        fail()


def download_unread(api: ChatApi) -> None:
    export(api)


def download_after_next(api: ChatApi) -> None:
    next(iter(export(api)))


def iterator_of_a_download_unread(api: ChatApi) -> None:
    iter(export(api))


def download_with_http_info(api: ChatApi) -> None:
    CharacterApi(api.api_client).export_character_with_http_info(1)


DROPS = [
    stream_unread,
    stream_after_next,
    stream_after_next_of_its_iterator,
    deltas_after_next,
    iterator_of_a_stream_unread,
    stream_with_http_info,
    stream_in_a_failed_block,
    download_unread,
    download_after_next,
    iterator_of_a_download_unread,
    download_with_http_info,
]


@pytest.mark.usefixtures("without_garbage_collector")
@pytest.mark.parametrize("drop", DROPS)
def test_what_is_dropped_gives_its_place_back_and_is_closed_once(drop: Callable[[ChatApi], None]) -> None:
    hooks = Closings()
    settings = {"connection_pool_maxsize": 1, "connection_pool_block": True, "hooks": hooks}
    with chat_api(serve, **settings) as (api, _):
        for count in range(1, 4):
            drop(api)
            assert hooks.count == count
            pool: Any = api.api_client.rest_client.transport.pools.host()[0]
            assert not any(taken() for taken in pool._places._taken)
        assert api.list_chats() == []


@pytest.mark.usefixtures("without_garbage_collector")
def test_an_unread_response_that_is_dropped_gives_its_place_back() -> None:
    with chat_api(serve, connection_pool_maxsize=1, connection_pool_block=True) as (api, _):
        for _ in range(3):
            api.list_chats_without_preload_content()
            api.api_client.call_api("GET", "/api/v1/chat")
        assert api.list_chats(_request_timeout=MAX_WAIT) == []


@pytest.mark.usefixtures("without_garbage_collector")
def test_the_iterator_of_a_dropped_download_goes_on_and_closes_it_at_its_end() -> None:
    hooks = Closings()
    with chat_api(serve, connection_pool_maxsize=1, connection_pool_block=True, hooks=hooks) as (api, server):
        chunks = iter(export(api))
        first = next(chunks)
        assert (hooks.count, first + b"".join(chunks)) == (0, CONTENT)
        assert hooks.count == 1
        assert api.list_chats() == []
        assert [request.connection for request in server.requests] == [0, 0]


@pytest.mark.usefixtures("without_garbage_collector")
def test_the_iterator_of_a_dropped_stream_goes_on_and_closes_it_at_its_end() -> None:
    hooks = Closings()
    with chat_api(serve, connection_pool_maxsize=1, connection_pool_block=True, hooks=hooks) as (api, server):
        events = iter(api.stream_send_message("chat", "Hi"))
        assert next(events).text == "Hi"
        assert hooks.count == 0
        assert [event.text for event in events] == [None]
        assert hooks.count == 1
        assert api.list_chats() == []
        assert [request.connection for request in server.requests] == [0, 0]


# Another thread


HALVES = {
    "a length": head(200, [("Content-Length", "9")]) + b"file",
    "no length": head(200) + b"file",
    "chunks": head(200, [("Transfer-Encoding", "chunked")]) + b"4\r\nfile\r\n",
}
"""Files that stop. Without a length, the end that `close` makes looks like the end of the file."""


def read_all(download: Download, is_reading: Callable[[], object]) -> None:
    for _ in download:
        is_reading()


def save(download: Download, is_reading: Callable[[], object]) -> None:
    with TemporaryDirectory() as folder:
        try:
            download.save(folder, lambda count, length: is_reading() and None)
        finally:
            assert list(Path(folder).iterdir()) == []


@pytest.mark.parametrize("read", [read_all, save], ids=lambda read: read.__name__)
@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_close_of_a_download_from_another_thread_ends_the_reader_with_an_error(
    half: bytes, read: Callable[[Download, Callable[[], object]], None]
) -> None:
    with chat_api(in_order(says(half, stall), json_response([])), retries=0) as (api, _):
        download = export(api)
        closer = threading.Thread(target=download.close)
        with pytest.raises(ApiException, match=r"closed|lost"):
            read(download, closer.start)
        closer.join(MAX_WAIT)
        with pytest.raises(ApiException, match="closed"):
            download.read()
        assert api.list_chats() == []


@pytest.mark.parametrize("read", [read_all, save], ids=lambda read: read.__name__)
@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_close_of_a_download_whose_reader_waits_for_bytes_ends_the_reader_with_an_error(
    half: bytes, read: Callable[[Download, Callable[[], object]], None]
) -> None:
    """The clock is read just before each wait, where it stands in for the other thread."""
    waiting: list[Download] = []

    def clock() -> float:
        if waiting:
            waiting.pop().close()
        return 1000.0

    with chat_api(says(half, stall), retries=at_once(0, clock=clock)) as (api, _):
        download = export(api)
        with pytest.raises(ApiConnectionError, match=r"lost \((OSError|IncompleteRead|ProtocolError)"):
            read(download, lambda: waiting.append(download))


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_a_download_closed_between_two_chunks_is_an_error(half: bytes) -> None:
    with chat_api(says(half, stall), retries=0) as (api, _):
        download = export(api)

        def close() -> None:
            closer = threading.Thread(target=download.close)
            closer.start()
            closer.join(MAX_WAIT)

        with pytest.raises(ApiException, match="has been closed before its end"):
            read_all(download, close)


def test_a_late_close_of_a_stream_never_touches_the_connection_of_another_call() -> None:
    is_there, may_respond = threading.Event(), threading.Event()

    def hold(_: Request, connection: Connection) -> None:
        is_there.set()
        assert may_respond.wait(MAX_WAIT)
        json_response([])(_, connection)

    with chat_api(in_order(chats_and_streams, hold), retries=0) as (api, server):
        stream = api.stream_send_message("chat", "Hi")
        assert stream.until_done().answer == "Hi"
        results: list[object] = []
        caller = threading.Thread(target=lambda: results.append(api.list_chats()))
        caller.start()
        assert is_there.wait(MAX_WAIT)
        stream.close()
        stream._response.interrupt()  # as `close` does if another thread is still in the generator
        may_respond.set()
        caller.join(MAX_WAIT)
        assert results == [[]]
        assert [request.connection for request in server.requests] == [0, 0]
