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

from freechat_sdk import ApiClient, ApiTimeoutError, ChatApi, Configuration, RetryPolicy
from test.hostile import never_ending_stream
from test.server import MAX_WAIT, Connection, RecordingServer, Request, event_bytes, json_response, text_response

THREADS = 32
TOKENS = [f"fc-{number:032x}" for number in range(8)]
EVENTS = [("Content-Type", "text/event-stream")]


def client_for(server: RecordingServer, **settings: Any) -> ApiClient:
    settings = {"access_token": TOKENS[0], "api_version": "v1", "retries": 0, **settings}
    return ApiClient(Configuration(server.url, **settings))


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
    """Answer with what the request says, as text, JSON or stream."""
    name = request.path.rpartition("/")[2]
    if "/stream/" not in request.path:
        handler = json_response({"text": name}) if request.method == "POST" else text_response(name)
        handler(request, connection)
        return
    connection.start_chunked(headers=EVENTS)
    for _ in range(3):
        connection.chunk(event_bytes({"text": name}))
    message = {"role": "assistant", "contents": [{"type": "text", "content": name * 3}]}
    connection.chunk(event_bytes({"message": message, "finishReason": "stop"}))
    connection.end()


def test_32_threads_share_a_client_without_cross_talk() -> None:
    """Calls, streams read whole, streams left early, and a token that changes all the time."""
    with RecordingServer(echo) as server, client_for(server, connection_pool_maxsize=THREADS) as client:
        chats = ChatApi(client)

        def work(thread: int) -> None:
            draw = random.Random(thread)
            for turn in range(20):
                name, kind = f"{thread:02d}{turn:02d}", draw.randrange(5)
                if kind == 0:
                    client.configuration.access_token = draw.choice(TOKENS)
                elif kind == 1:
                    assert chats.get_default_chat_id(int(name)) == str(int(name))
                elif kind == 2:
                    assert chats.send_message(name, "Hi").text == name
                elif kind == 3:
                    stream = chats.stream_send_message(name, "Hi")
                    assert (stream.until_done().answer, stream.text) == (name * 3, name * 3)
                else:
                    for event in chats.stream_send_message(name, "Hi"):
                        assert event.text == name
                        break

        in_threads(work)
        pool = client.rest_client.transport.pools.host()[0].pool
        assert pool is not None
        idle = sum(connection is not None for connection in pool.queue)
        assert 0 < idle <= THREADS
        assert len(pool.queue) == THREADS  # every place has come back
    assert {request.header("Authorization") for request in server.requests} <= {f"Bearer {token}" for token in TOKENS}


def test_a_pool_that_waits_never_opens_more_connections_than_allowed() -> None:
    most, gate = 4, threading.Event()
    open_now: Counter[str] = Counter()
    peak: list[int] = []
    lock = threading.Lock()

    def hold(request: Request, connection: Connection) -> None:
        with lock:
            open_now["calls"] += 1
            peak.append(open_now["calls"])
            if open_now["calls"] == most:
                gate.set()
        assert gate.wait(MAX_WAIT)  # until as many calls as allowed are here together
        with lock:
            open_now["calls"] -= 1
        json_response([])(request, connection)

    settings = {"connection_pool_maxsize": most, "connection_pool_block": True}
    with RecordingServer(hold) as server, client_for(server, **settings) as client:
        in_threads(lambda number: ChatApi(client).list_chats(), 16)
        assert len(server.requests) == 16
    assert (max(peak), len(server.connections)) == (most, most)


def test_a_call_that_waits_in_vain_for_a_connection_ends_as_a_timeout_before_anything_is_sent() -> None:
    settings = {"connection_pool_maxsize": 1, "connection_pool_block": True, "retries": RetryPolicy(2)}
    with RecordingServer(echo) as server, client_for(server, **settings) as client:
        chats = ChatApi(client)
        with chats.stream_send_message("held", "Hi") as stream:
            next(stream)
            with pytest.raises(ApiTimeoutError, match=r"no connection became free in time .*maxsize: 1") as caught:
                chats.send_message("chat", "Hi", _request_timeout=0.1)
        assert caught.value.request_sent is False
        assert chats.send_message("chat", "Hi").text == "chat"
    assert len(server.requests) == 2


def test_a_call_whose_time_is_over_before_it_begins_leaves_its_place_to_the_next() -> None:
    now = [1000.0]

    def slow_vault() -> str:
        now[0] += 50
        return TOKENS[0]

    settings = {
        "connection_pool_maxsize": 1,
        "connection_pool_block": True,
        "access_token": slow_vault,
        "retries": RetryPolicy(0, clock=lambda: now[0]),
    }
    with RecordingServer(echo) as server, client_for(server, **settings) as client:
        chats = ChatApi(client)
        with pytest.raises(ApiTimeoutError) as caught:
            chats.send_message("chat", "Hi", _request_timeout=10)
        assert caught.value.request_sent is False
        assert chats.send_message("chat", "Hi").text == "chat"
    assert len(server.requests) == 1


@pytest.mark.filterwarnings("ignore:Connection pool is full")
def test_a_pool_that_does_not_wait_keeps_no_more_connections_than_allowed() -> None:
    with RecordingServer(echo) as server, client_for(server, connection_pool_maxsize=2) as client:
        streams = [ChatApi(client).stream_send_message(f"chat{number}", "Hi") for number in range(6)]
        assert [stream.until_done().answer for stream in streams] == [f"chat{number}" * 3 for number in range(6)]
        before = len(server.connections)
        ChatApi(client).get_default_chat_id(1)
        ChatApi(client).get_default_chat_id(2)
        assert len(server.connections) == before == 6


def test_many_readers_are_ended_from_other_threads() -> None:
    with RecordingServer(never_ending_stream) as server, client_for(server, connection_pool_maxsize=THREADS) as client:

        def work(number: int) -> None:
            stream = ChatApi(client).stream_send_message(f"chat{number}", "Hi")
            closer = threading.Thread(target=stream.close)
            texts = []
            for event in stream:
                texts.append(event.text)
                closer.start()
            closer.join(MAX_WAIT)
            assert (texts, stream.closed) == (["a"], True)

        in_threads(work)


# Ends


def test_a_client_dropped_open_is_warned_of() -> None:
    server = RecordingServer(json_response([]))
    with server, pytest.warns(ResourceWarning, match=f"unclosed client of {server.url}"):
        ChatApi(client_for(server)).list_chats()


def test_a_client_that_was_closed_or_never_used_is_not_warned_of() -> None:
    with RecordingServer(json_response([])) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        client = client_for(server)
        ChatApi(client).list_chats()
        client.close()
        client.close()
        del client
        client_for(server)
        gc.collect()


# Processes


def answer_of(chats: ChatApi, number: int) -> str | None:
    return chats.get_default_chat_id(number)


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_client_serves_a_pool_of_processes(method: str) -> None:
    with RecordingServer(echo) as server, client_for(server) as client:
        chats = ChatApi(client)
        assert answer_of(chats, 0) == "0"
        with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
            done = [pool.submit(answer_of, chats, number) for number in range(8)]
            assert [future.result(MAX_WAIT * 3) for future in done] == [str(number) for number in range(8)]
        assert answer_of(chats, 9) == "9"
    first, *others, last = server.requests
    assert first.connection == last.connection
    assert first.connection not in {request.connection for request in others}
