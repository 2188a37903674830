"""One client for many threads and processes: no cross-talk, no leak, no more connections than allowed."""

import gc
import logging
import multiprocessing
import os
import random
import socket
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from urllib3.util.connection import create_connection

from freechat_sdk import (
    ApiClient,
    ApiConnectionError,
    ApiException,
    ApiTimeoutError,
    CharacterApi,
    ChatApi,
    NotFoundException,
    SseEmitter,
    StreamInterruptedError,
    _connection,
)
from test.clients import THREADS, TOKEN, Clock, at_once, chat_api, configured, in_threads, texts_until_closed
from test.hostile import never_ending_stream
from test.server import (
    EVENT_STREAM,
    MAX_WAIT,
    Connection,
    RecordingServer,
    Request,
    event_bytes,
    events_response,
    final_event,
    json_response,
    text_response,
)

TOKENS = [TOKEN, *(f"fc-{number:032x}" for number in range(7))]


def echo(request: Request, connection: Connection) -> None:
    """Respond with what the request says, as text, JSON or stream."""
    name = request.path.rpartition("/")[2]
    if "/stream/" not in request.path:
        handler = json_response({"text": name}) if request.method == "POST" else text_response(name)
        handler(request, connection)
        return
    events_response(*[{"text": name}] * 3, final_event(name * 3))(request, connection)


def test_32_threads_share_a_client_without_cross_talk() -> None:
    """Calls, streams read whole, streams left early, and a token that changes all the time."""
    with chat_api(echo, connection_pool_maxsize=THREADS, retries=0) as (api, server):

        def work(thread: int) -> None:
            draw = random.Random(thread)
            for turn in range(20):
                name, kind = f"{thread:02d}{turn:02d}", draw.randrange(5)
                if kind == 0:
                    api.api_client.configuration.access_token = draw.choice(TOKENS)
                elif kind == 1:
                    assert api.get_default_chat_id(int(name)) == str(int(name))
                elif kind == 2:
                    assert api.send_message(name, "Hi").text == name
                elif kind == 3:
                    stream = api.stream_send_message(name, "Hi")
                    assert (stream.until_done().answer, stream.text) == (name * 3, name * 3)
                else:
                    for event in api.stream_send_message(name, "Hi"):
                        assert event.text == name
                        break

        in_threads(work)
        pool: Any = api.api_client.rest_client.transport.pools.host()[0]
        assert 0 < len(pool._idle) <= THREADS
    assert {request.header("Authorization") for request in server.requests} <= {f"Bearer {token}" for token in TOKENS}


def test_a_pool_that_waits_never_opens_more_connections_than_allowed() -> None:
    limit, gate = 4, threading.Event()
    open_now: Counter[str] = Counter()
    peak: list[int] = []
    lock = threading.Lock()

    def hold(request: Request, connection: Connection) -> None:
        with lock:
            open_now["calls"] += 1
            peak.append(open_now["calls"])
            if open_now["calls"] == limit:
                gate.set()
        assert gate.wait(MAX_WAIT)  # until as many calls as allowed are here together
        with lock:
            open_now["calls"] -= 1
        json_response([])(request, connection)

    settings = {"connection_pool_maxsize": limit, "connection_pool_block": True}
    with chat_api(hold, **settings, retries=0) as (api, server):
        in_threads(lambda number: api.list_chats(), 16)
        assert len(server.requests) == 16
    assert (max(peak), len(server.connections)) == (limit, limit)


def test_a_call_that_waits_in_vain_for_a_connection_ends_as_a_timeout_before_anything_is_sent() -> None:
    settings = {"connection_pool_maxsize": 1, "connection_pool_block": True}
    with chat_api(echo, **settings) as (api, server):
        with api.stream_send_message("held", "Hi") as stream:
            next(stream)
            with pytest.raises(ApiTimeoutError, match=r"no connection became free in time .*maxsize: 1") as caught:
                api.send_message("chat", "Hi", _request_timeout=0.1)
        assert caught.value.request_sent is False
        assert api.send_message("chat", "Hi").text == "chat"
    assert len(server.requests) == 2


def test_a_call_whose_time_is_over_before_it_begins_leaves_its_place_to_the_next() -> None:
    clock = Clock()

    def slow_vault() -> str:
        clock.now += 50
        return TOKEN

    settings = {
        "connection_pool_maxsize": 1,
        "connection_pool_block": True,
        "access_token": slow_vault,
        "retries": at_once(0, clock=clock),
    }
    with chat_api(echo, **settings) as (api, server):
        with pytest.raises(ApiTimeoutError) as caught:
            api.send_message("chat", "Hi", _request_timeout=10)
        assert caught.value.request_sent is False
        assert api.send_message("chat", "Hi").text == "chat"
    assert len(server.requests) == 1


def test_a_pool_that_does_not_wait_keeps_no_more_connections_than_allowed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with chat_api(echo, connection_pool_maxsize=2, retries=0) as (api, server):
        streams = [api.stream_send_message(f"chat{number}", "Hi") for number in range(6)]
        assert [stream.until_done().answer for stream in streams] == [f"chat{number}" * 3 for number in range(6)]
        before = len(server.connections)
        api.get_default_chat_id(1)
        api.get_default_chat_id(2)
        assert len(server.connections) == before == 6
    assert "full" not in caplog.text


def test_many_readers_are_ended_from_other_threads() -> None:
    with chat_api(never_ending_stream, connection_pool_maxsize=THREADS, retries=0) as (api, _):

        def work(number: int) -> None:
            stream = api.stream_send_message(f"chat{number}", "Hi")
            texts = texts_until_closed(stream)
            assert (texts, stream.closed) == (["a"], True)

        in_threads(work)


# Ends


def test_a_client_dropped_open_is_warned_of() -> None:
    server = RecordingServer(json_response([]))
    with server, pytest.warns(ResourceWarning, match=f"unclosed client of {server.url}"):
        ChatApi(ApiClient(configured(server.url))).list_chats()


def test_a_client_that_was_closed_or_never_used_is_not_warned_of() -> None:
    with RecordingServer(json_response([])) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        client = ApiClient(configured(server.url))
        ChatApi(client).list_chats()
        client.close()
        client.close()
        del client
        ApiClient(configured(server.url))
        gc.collect()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """Return a list of all sockets that clients open."""
    sockets: list[socket.socket] = []

    def connect(*args: Any) -> socket.socket:
        sockets.append(create_connection(*args))
        return sockets[-1]

    monkeypatch.setattr(_connection, "create_connection", connect)
    return sockets


def open_ones(sockets: list[socket.socket]) -> list[socket.socket]:
    return [sock for sock in sockets if sock.fileno() != -1]


def test_a_closed_client_leaves_no_socket_open_whoever_keeps_its_streams_and_errors(
    opened: list[socket.socket],
) -> None:
    def serve(request: Request, connection: Connection) -> None:
        (json_response({"message": "gone"}, 404) if request.method == "DELETE" else echo)(request, connection)

    kept: list[object] = []
    with RecordingServer(serve) as server:
        for number in range(50):
            with ApiClient(configured(server.url)) as client:
                api = ChatApi(client)
                stream = api.stream_send_message(f"chat{number}", "Hi")
                stream.until_done()
                with pytest.raises(NotFoundException) as caught:
                    api.delete_chat("gone")
                unread = api.list_chats_without_preload_content()
                unread.read()
                kept += [stream, caught.value, unread, client]
            assert open_ones(opened) == []
        assert len(opened) >= 50


@pytest.mark.parametrize("is_begun", [True, False])
def test_streams_and_downloads_end_with_their_client(opened: list[socket.socket], is_begun: bool) -> None:
    def serve(request: Request, connection: Connection) -> None:
        connection.start_chunked(headers=[EVENT_STREAM] if "stream" in request.path else [])
        connection.event({"text": "H"})
        assert connection.wait_closed()

    with chat_api(serve) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        download = CharacterApi(api.api_client).export_character(1)
        chunks = iter(download)
        if is_begun:
            assert (next(stream).text, len(next(chunks))) == ("H", len(event_bytes({"text": "H"})))
        api.api_client.close()
        with pytest.raises(StreamInterruptedError) as interrupted:
            stream.until_done()
        with pytest.raises(ApiConnectionError, match="the response or the client was closed"):
            b"".join(chunks)
        assert "the response or the client was closed" in str(interrupted.value.__cause__)
        assert open_ones(opened) == []


def test_a_stream_in_another_thread_ends_when_the_client_is_closed() -> None:
    has_begun = threading.Event()

    def read(stream: SseEmitter) -> None:
        for _ in stream:
            has_begun.set()

    def serve(_: Request, connection: Connection) -> None:
        connection.start_stream()
        connection.event({"text": "H"})
        assert connection.wait_closed()

    with chat_api(serve) as (api, _), ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read, api.stream_send_message("chat", "Hi"))
        assert has_begun.wait(MAX_WAIT)
        api.api_client.close()
        with pytest.raises(StreamInterruptedError):
            reading.result(MAX_WAIT)


def test_a_forked_child_that_closes_its_client_leaves_the_streams_of_its_parent_alone() -> None:
    with chat_api(echo) as (api, _):
        stream = api.stream_send_message("chat", "Hi")

        def close() -> bool:
            api.api_client.close()
            return True

        assert in_child(close)()
        assert stream.until_done().answer == "chat" * 3


def test_close_does_not_disturb_calls_that_run_in_other_threads(opened: list[socket.socket]) -> None:
    """Calls that run go on, with their own response, and streams up to the close."""
    is_done = threading.Event()
    with chat_api(echo, connection_pool_maxsize=4, connection_pool_block=True, retries=0) as (api, _):

        def close() -> None:
            while not is_done.is_set():
                api.api_client.close()

        def work(thread: int) -> None:
            for turn in range(25):
                name = f"{thread:02d}{turn:02d}"
                assert api.get_default_chat_id(int(name)) == str(int(name))
                stream = api.stream_send_message(name, "Hi")
                with suppress(StreamInterruptedError):
                    stream.until_done()
                assert stream.text in ("", name, name * 2, name * 3)

        closer = threading.Thread(target=close)
        closer.start()
        try:
            in_threads(work, 8)
        finally:
            is_done.set()
            closer.join(MAX_WAIT)
        api.api_client.close()
        assert open_ones(opened) == []


# Processes


def own_responses(api: ChatApi, first: int, count: int = 300) -> int:
    """Make some calls and return how many got their own response, up to the first that did not."""
    for number in range(first, first + count):
        try:
            if api.get_default_chat_id(number, _request_timeout=MAX_WAIT) != str(number):
                return number - first
        except ApiException:
            return number - first
    return count


def in_child(work: Callable[[], bool]) -> Callable[[], bool]:
    """Fork a child that does some work, and return a function that waits for it and returns its result."""
    child = os.fork()
    if child == 0:
        is_right = False
        try:
            is_right = work()
        finally:
            os._exit(0 if is_right else 1)
    return lambda: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
in_clean_fork = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@forks
@in_clean_fork
def test_four_forked_children_of_a_client_in_use_get_their_own_responses() -> None:
    def all_own(first: int) -> Callable[[], bool]:
        return lambda: own_responses(api, first) == 300

    with chat_api(echo, retries=0) as (api, server):
        assert own_responses(api, 0, 1) == 1
        children = [in_child(all_own(first)) for first in range(1000, 5000, 1000)]
        assert own_responses(api, 5000) == 300
        assert [is_right() for is_right in children] == [True] * 4
        assert own_responses(api, 6000, 1) == 1
    assert len(server.connections) == 5


@forks
@in_clean_fork
def test_a_child_forked_in_the_middle_of_another_threads_call_gets_its_own_responses() -> None:
    is_there, may_respond = threading.Event(), threading.Event()

    def hold_the_first(request: Request, connection: Connection) -> None:
        if request.path.endswith("/1"):
            is_there.set()
            assert may_respond.wait(MAX_WAIT)
        echo(request, connection)

    settings = {"connection_pool_maxsize": 1, "connection_pool_block": True}
    with chat_api(hold_the_first, **settings, retries=0) as (api, server), ThreadPoolExecutor(1) as pool:
        held = pool.submit(api.get_default_chat_id, 1)
        assert is_there.wait(MAX_WAIT)
        is_right = in_child(lambda: own_responses(api, 1000, 20) == 20)
        assert is_right()
        may_respond.set()
        assert held.result(MAX_WAIT) == "1"
        assert own_responses(api, 2000, 1) == 1
    assert len(server.connections) == 2


@forks
@in_clean_fork
def test_a_child_forked_while_another_thread_holds_the_locks_of_the_client_can_call() -> None:
    with chat_api(echo, connection_pool_maxsize=1, connection_pool_block=True) as (api, _):
        assert own_responses(api, 0, 1) == 1
        transport = api.api_client.rest_client.transport
        pool: Any = transport.pools.host()[0]
        with transport.pools._lock, transport.budget._lock, pool._places._lock:
            is_right = in_child(lambda: own_responses(api, 1000, 1) == 1)
        assert is_right()


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@in_clean_fork
def test_a_client_serves_a_pool_of_processes(method: str) -> None:
    with chat_api(echo, retries=0) as (api, server):
        assert own_responses(api, 0, 1) == 1
        with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
            done = [pool.submit(own_responses, api, first) for first in range(1000, 5000, 1000)]
            assert [future.result(MAX_WAIT * 3) for future in done] == [300] * 4
        assert own_responses(api, 5000, 1) == 1
    first, *others, last = server.requests
    assert first.connection == last.connection
    assert first.connection not in {request.connection for request in others}
