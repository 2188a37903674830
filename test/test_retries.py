"""Requests are sent again where that is safe, never where it could double, and never without end."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from urllib3.util import Retry

from freechat_sdk import (
    ApiClient,
    ApiConnectionError,
    ApiException,
    ChatApi,
    Configuration,
    RetryPolicy,
    ServiceUnavailableException,
)
from test.hostile import says
from test.server import Connection, RecordingServer, Request, in_order, json_response, login_redirect, refused_port

CALLS = 1500


def api_for(url: str, retries: object = None) -> ChatApi:
    return ChatApi(ApiClient(Configuration(url, api_version="v1", retries=retries, connection_pool_maxsize=32)))


def at_once(retries: int = 2, **settings: float) -> RetryPolicy:
    return RetryPolicy(retries, sleep=lambda seconds: None, **settings)  # type: ignore[arg-type]  # all are numbers


def test_no_once_only_call_is_doubled_while_the_server_closes_idle_connections_at_random() -> None:
    """Each call has a text of its own; the server closes connections at random, some at once, some a little later."""
    draw = random.Random(6)

    def answer_and_close_sometimes(request: Request, connection: Connection) -> None:
        json_response({"text": request.json["contents"][0]["content"]})(request, connection)
        choice = draw.random()
        if choice < 0.1:
            connection.is_open = False  # closed as soon as this returns
        elif choice < 0.5:
            connection.sock.settimeout(draw.uniform(0.0005, 0.004))  # closed when the next request does not come soon

    def send(number: int) -> tuple[str, bool | None]:
        try:
            return api.send_message("chat", f"text {number}").text or "", None
        except ApiConnectionError as error:
            return f"text {number}", error.request_sent

    with RecordingServer(answer_and_close_sometimes) as server:
        api = api_for(server.url, at_once(budget=CALLS))
        with api.api_client, ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(send, range(CALLS)))
    seen = Counter(request.json["contents"][0]["content"] for request in server.requests)
    assert [text for text, _ in outcomes] == [f"text {number}" for number in range(CALLS)]
    assert set(seen.values()) == {1}
    answered = [text for text, request_sent in outcomes if request_sent is None]
    assert set(answered) <= seen.keys()
    assert all(request_sent is not False for _, request_sent in outcomes)  # what had not left was sent again
    assert len(answered) > CALLS / 2  # others lost a race that nobody can win: it closed while a request was coming


def test_a_get_that_costs_tokens_is_once_only() -> None:
    with RecordingServer(says(b"", Connection.close)) as server:
        api = api_for(server.url, at_once())
        with api.api_client, pytest.raises(ApiConnectionError) as caught:
            api.send_assistant("chat", "assistant")
    assert (len(server.requests), caught.value.request_sent, caught.value.attempts) == (1, True, 1)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_outage_is_not_multiplied(status: int) -> None:
    """A hundred calls into an outage make a hundred requests and no more retries than the budget has."""
    with RecordingServer(json_response({}, status)) as server:
        api = api_for(server.url, at_once(budget=5))
        with api.api_client:
            for _ in range(100):
                with pytest.raises(ApiException) as caught:
                    api.list_chats()
    assert len(server.requests) == 105
    assert caught.value.attempts == 1


def test_a_refused_connection_draws_on_the_budget_too() -> None:
    with refused_port() as port:
        api = api_for(f"http://127.0.0.1:{port}", at_once(budget=3))
        attempts = []
        with api.api_client:
            for _ in range(4):
                with pytest.raises(ApiConnectionError) as caught:
                    api.list_chats()
                attempts.append(caught.value.attempts)
    assert attempts == [3, 2, 1, 1]


def test_answers_fill_the_budget_again() -> None:
    busy, fine = json_response({}, 503), json_response([])
    with RecordingServer(in_order(busy, fine, busy, fine, busy, fine)) as server:
        api = api_for(server.url, at_once(budget=1, refill=0.5))
        with api.api_client:
            assert api.list_chats_with_http_info().attempts == 2  # a half is left
            with pytest.raises(ServiceUnavailableException):
                api.list_chats()
            assert api.list_chats_with_http_info().attempts == 1  # one again
            assert api.list_chats_with_http_info().attempts == 2


def test_a_urllib3_retry_says_how_often() -> None:
    with RecordingServer(json_response({}, 503)) as server:
        api = api_for(server.url, Retry(total=1, backoff_factor=0))
        with api.api_client, pytest.raises(ServiceUnavailableException, match="2 attempts"):
            api.list_chats()
        assert len(server.requests) == 2


def test_attempts_count_the_requests_to_the_other_generation() -> None:
    with RecordingServer(in_order(login_redirect(), json_response([]))) as server:
        with ApiClient(Configuration(server.url)) as client:
            assert ChatApi(client).list_chats_with_http_info().attempts == 2
        assert [request.path for request in server.requests] == ["/api/v1/chat", "/api/v2/chat"]


def test_the_budget_is_kept_among_threads() -> None:
    budget, threads = 40, 16
    with RecordingServer(json_response({}, 503)) as server:
        api = api_for(server.url, at_once(budget=budget))
        barrier = threading.Barrier(threads)

        def call_ten_times() -> None:
            barrier.wait()
            for _ in range(10):
                with pytest.raises(ServiceUnavailableException):
                    api.list_chats()

        with api.api_client, ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(call_ten_times) for _ in range(threads)]:
                done.result()
    assert len(server.requests) == threads * 10 + budget
