"""One client for many threads and processes: no cross-talk, no leak, no more connections than allowed."""

import gc
import multiprocessing
import random
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from freechat_sdk import ApiClient, ApiTimeoutError, ChatApi
from test.clients import TOKEN, Clock, at_once, chat_api, configured, texts_until_closed
from test.hostile import never_ending_stream
from test.server import (
    MAX_WAIT,
    Connection,
    RecordingServer,
    Request,
    events_response,
    final_event,
    json_response,
    text_response,
)

THREADS = 32
TOKENS = [TOKEN, *(f"fc-{number:032x}" for number in range(7))]


def in_threads(work: Callable[[int], object], threads: int = THREADS) -> None:
    """Run work in many threads that begin together, and raise what one of them raises."""
    barrier = threading.Barrier(threads)

    def run(number: int) -> None:
        barrier.wait(MAX_WAIT)
        work(number)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(run, number) for number in range(threads)]:
            done.result(MAX_WAIT * 3)


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


@pytest.mark.filterwarnings("ignore:Connection pool is full")
def test_a_pool_that_does_not_wait_keeps_no_more_connections_than_allowed() -> None:
    with chat_api(echo, connection_pool_maxsize=2, retries=0) as (api, server):
        streams = [api.stream_send_message(f"chat{number}", "Hi") for number in range(6)]
        assert [stream.until_done().answer for stream in streams] == [f"chat{number}" * 3 for number in range(6)]
        before = len(server.connections)
        api.get_default_chat_id(1)
        api.get_default_chat_id(2)
        assert len(server.connections) == before == 6


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


# Processes


def default_chat(api: ChatApi, number: int) -> str | None:
    return api.get_default_chat_id(number)


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_client_serves_a_pool_of_processes(method: str) -> None:
    with chat_api(echo, retries=0) as (api, server):
        assert default_chat(api, 0) == "0"
        with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
            done = [pool.submit(default_chat, api, number) for number in range(8)]
            assert [future.result(MAX_WAIT * 3) for future in done] == [str(number) for number in range(8)]
        assert default_chat(api, 9) == "9"
    first, *others, last = server.requests
    assert first.connection == last.connection
    assert first.connection not in {request.connection for request in others}
