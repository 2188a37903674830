"""Requests are sent again if that is safe, never if it could double something, and never without end."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from urllib3.util import Retry

from freechat_sdk import (
    ApiConnectionError,
    ApiException,
    ApiTimeoutError,
    RetryPolicy,
    ServiceException,
    ServiceUnavailableException,
)
from test.clients import Clock, at_once, chat_api, chat_api_at
from test.hostile import LOST, STALLS
from test.server import (
    Connection,
    Handler,
    Request,
    chats_and_streams,
    in_order,
    json_response,
    login_redirect,
    refused_port,
)

CALLS = 1500


@pytest.fixture
def waits() -> list[float]:
    """The seconds that the client would have slept."""
    return []


@pytest.fixture
def policy(waits: list[float]) -> RetryPolicy:
    return at_once(sleep=waits.append)


# What is made again


@pytest.mark.parametrize("handler", LOST.values(), ids=LOST)
def test_a_read_is_made_again_after_a_lost_response(handler: Handler, policy: RetryPolicy, waits: list[float]) -> None:
    with chat_api(in_order(handler, handler, json_response([])), retries=policy) as (api, _):
        response = api.list_chats_with_http_info()
    assert (response.data, response.attempts) == ([], 3)
    assert waits == [0.5, 1.0]


def test_a_refused_connection_says_that_nothing_was_sent_and_is_tried_again_even_once_only(
    policy: RetryPolicy, waits: list[float]
) -> None:
    with (
        refused_port() as port,
        chat_api_at(f"http://127.0.0.1:{port}", retries=policy) as api,
        pytest.raises(ApiConnectionError) as caught,
    ):
        api.send_message("chat", "Hi")
    assert not isinstance(caught.value, ApiTimeoutError)
    assert (caught.value.request_sent, caught.value.attempts, len(waits)) == (False, 3, 2)
    assert "that the server is running" in str(caught.value)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_reads_and_idempotent_calls_are_made_again_while_the_server_is_away(status: int) -> None:
    with chat_api(in_order(json_response({}, status), json_response(True))) as (api, _):
        assert api.delete_chat_with_http_info("x").attempts == 2
    with chat_api(json_response({}, status)) as (api, server):
        with pytest.raises(ServiceException, match="3 attempts"):
            api.list_chats()
        with pytest.raises(ServiceException):
            api.rollback_messages("x", 2)
    assert len(server.requests) == 4


BUSY = json_response({"timestamp": 1, "status": 503, "error": "Service Unavailable"}, 503)
HELLO = json_response({"text": "Hello"})


def test_a_busy_chat_is_waited_for_longer_than_retries_would(policy: RetryPolicy, waits: list[float]) -> None:
    with chat_api(in_order(*[BUSY] * 6, HELLO), retries=policy) as (api, _):
        response = api.send_message_with_http_info("x", "Hi")
    assert (response.data.answer, response.attempts) == ("Hello", 7)
    assert waits == [0.5, 1, 2, 4, 8, 8]


def test_a_stream_waits_for_a_busy_chat_too(policy: RetryPolicy, waits: list[float]) -> None:
    with chat_api(in_order(BUSY, BUSY, BUSY, chats_and_streams), retries=policy) as (api, _):
        assert api.stream_send_message("x", "Hi").until_done().answer == "Hi"
    assert waits == [0.5, 1, 2]


def test_waiting_for_a_busy_chat_ends_and_names_both_causes(policy: RetryPolicy, waits: list[float]) -> None:
    with chat_api(BUSY, retries=policy) as (api, _), pytest.raises(ServiceUnavailableException) as caught:
        api.send_message("x", "Hi")
    assert (sum(waits), waits[-1]) == (30, 6.5)
    assert "busy with another message, or its character has been deleted" in str(caught.value)
    assert "after 8 attempts" in str(caught.value)


@pytest.mark.parametrize(
    ("retries", "settings", "expected"),
    [
        (0, {}, []),
        (1, {}, [0.5, 1, 2, 4, 8, 8, 6.5]),
        (2, {"busy_wait": 0}, []),
        (2, {"busy_wait": 2}, [0.5, 1, 0.5]),
        (2, {"budget": 0}, [0.5, 1, 2, 4, 8, 8, 6.5]),
        (2, {"backoff": 0, "random": lambda: 0.0}, [0.25, 0.5, 1, 2, 4, 4, 4, 4, 4, 4, 2.25]),
    ],
)
def test_retries_turn_the_wait_off_but_do_not_limit_it(
    retries: int, settings: Any, expected: list[float], waits: list[float]
) -> None:
    with (
        chat_api(BUSY, retries=at_once(retries, sleep=waits.append, **settings)) as (api, _),
        pytest.raises(ServiceUnavailableException),
    ):
        api.send_message("x", "Hi")
    assert waits == expected


def test_waiting_for_a_busy_chat_keeps_to_the_deadline(waits: list[float]) -> None:
    clock = Clock()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.now += seconds

    policy = at_once(sleep=sleep, clock=clock)
    with chat_api(BUSY, retries=policy) as (api, _), pytest.raises(ServiceUnavailableException):
        api.send_message("x", "Hi", _request_timeout=6)
    assert waits == [0.5, 1, 2]


def test_a_wait_for_a_busy_chat_costs_no_retry_and_a_retry_no_wait(policy: RetryPolicy, waits: list[float]) -> None:
    def refuse(_: Request, connection: Connection) -> None:
        server.refuse_connections()
        connection.respond(503, b'{"timestamp":1}', [("Connection", "close")])

    with chat_api(in_order(BUSY, BUSY, refuse), retries=policy) as (api, server):
        with pytest.raises(ApiConnectionError) as caught:
            api.send_message("x", "Hi")
        assert caught.value.attempts == 6
    assert waits == [0.5, 1, 2, 0.5, 1]


def test_another_503_of_a_send_is_not_waited_for(waits: list[float]) -> None:
    with (
        chat_api(json_response({"code": 503, "message": "Failed to chat by x"}, 503)) as (api, server),
        pytest.raises(ServiceUnavailableException, match="character of the chat may have been deleted"),
    ):
        api.send_message("x", "Hi")
    assert (len(server.requests), waits) == (1, [])


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", [7.0]),
        ("3600", []),
        ("soon", [0.5]),
        ("Mon, 23 Nov 2020 09:00:00 GMT", [0.0]),
        ("Sun, 23 Nov 2220 09:00:00 GMT", []),
    ],
)
def test_retry_after_is_honoured_within_limits(header: str, expected: list[float], waits: list[float]) -> None:
    with (
        chat_api(json_response({}, 503, [("Retry-After", header)]), retries=at_once(1, sleep=waits.append)) as (api, _),
        pytest.raises(ServiceUnavailableException),
    ):
        api.list_chats()
    assert waits == expected


def test_a_urllib3_retry_says_how_often() -> None:
    with (
        chat_api(json_response({}, 503), retries=Retry(total=1, backoff_factor=0)) as (api, server),
        pytest.raises(ServiceUnavailableException, match="2 attempts"),
    ):
        api.list_chats()
    assert len(server.requests) == 2


def test_attempts_count_retries_but_not_the_look_for_the_generation() -> None:
    failing, fine = json_response({}, 503), json_response([])
    with chat_api(in_order(login_redirect(), failing, fine), api_version="auto") as (api, server):
        assert api.list_chats_with_http_info().attempts == 2
    assert [request.path for request in server.requests] == ["/api/v1/chat", "/api/v2/chat", "/api/v2/chat"]


def test_an_error_says_whether_any_attempt_was_sent_not_only_the_last() -> None:
    def lose_and_refuse(_: Request, connection: Connection) -> None:
        server.refuse_connections()
        connection.reset()

    with chat_api(lose_and_refuse) as (api, server), pytest.raises(ApiConnectionError) as caught:
        api.list_chats()
    assert "that the server is running" in str(caught.value)
    assert (caught.value.request_sent, caught.value.attempts, len(server.requests)) == (True, 3, 1)


# What is not


@pytest.mark.parametrize("handler", LOST.values(), ids=LOST)
def test_a_once_only_call_is_never_made_again_after_a_byte_left(
    handler: Handler, policy: RetryPolicy, waits: list[float]
) -> None:
    """The call is a GET that costs tokens."""
    with chat_api(handler, retries=policy) as (api, server), pytest.raises(ApiConnectionError) as caught:
        api.send_assistant("chat", "assistant")
    assert (caught.value.request_sent, caught.value.attempts, len(server.requests), waits) == (True, 1, 1, [])


@pytest.mark.parametrize("handler", STALLS.values(), ids=STALLS)
def test_a_call_to_a_silent_or_trickling_server_ends_as_a_timeout_and_is_not_made_again(handler: Handler) -> None:
    with chat_api(handler) as (api, server), pytest.raises(ApiTimeoutError) as caught:
        api.list_chats(_request_timeout=0.2)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.request_sent is True
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500])
def test_other_errors_are_not_tried_again(status: int, policy: RetryPolicy, waits: list[float]) -> None:
    with (
        chat_api(json_response({"message": "no"}, status, [("Retry-After", "1")]), retries=policy) as (api, server),
        pytest.raises(ApiException, match="no"),
    ):
        api.list_chats()
    assert (len(server.requests), waits) == (1, [])


def test_no_once_only_call_is_doubled_while_the_server_closes_idle_connections_at_random() -> None:
    """Each call has a text of its own; the server closes connections at random, some at once, some a little later."""
    draw = random.Random(6)

    def respond_and_close_sometimes(request: Request, connection: Connection) -> None:
        json_response({"text": request.json["contents"][0]["content"]})(request, connection)
        choice = draw.random()
        if choice < 0.1:
            connection.is_open = False  # closed as soon as this returns
        elif choice < 0.5:
            connection.sock.settimeout(draw.uniform(0.0005, 0.004))  # closed if the next request does not come soon

    def send(number: int) -> tuple[str, bool | None]:
        try:
            return api.send_message("chat", f"text {number}").text or "", None
        except ApiConnectionError as error:
            return f"text {number}", error.request_sent

    settings = {"retries": at_once(budget=CALLS), "connection_pool_maxsize": 32}
    with chat_api(respond_and_close_sometimes, **settings) as (api, server), ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(send, range(CALLS)))
    seen = Counter(request.json["contents"][0]["content"] for request in server.requests)
    assert [text for text, _ in outcomes] == [f"text {number}" for number in range(CALLS)]
    assert set(seen.values()) == {1}
    answered = [text for text, request_sent in outcomes if request_sent is None]
    assert set(answered) <= seen.keys()
    assert all(request_sent is not False for _, request_sent in outcomes)  # what had not left was sent again
    assert len(answered) > CALLS / 2  # others lost a race that nobody can win: it closed while a request was coming


# The budget


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_outage_is_not_multiplied(status: int) -> None:
    """A hundred calls into an outage make a hundred requests and no more retries than the budget has."""
    with chat_api(json_response({}, status), retries=at_once(budget=5)) as (api, server):
        for _ in range(100):
            with pytest.raises(ApiException) as caught:
                api.list_chats()
    assert len(server.requests) == 105
    assert caught.value.attempts == 1


def test_a_refused_connection_draws_on_the_budget_too() -> None:
    attempts = []
    with refused_port() as port, chat_api_at(f"http://127.0.0.1:{port}", retries=at_once(budget=3)) as api:
        for _ in range(4):
            with pytest.raises(ApiConnectionError) as caught:
                api.list_chats()
            attempts.append(caught.value.attempts)
    assert attempts == [3, 2, 1, 1]


def test_responses_fill_the_budget_again() -> None:
    busy, fine = json_response({}, 503), json_response([])
    handler = in_order(busy, fine, busy, fine, busy, fine)
    with chat_api(handler, retries=at_once(budget=1, refill=0.5)) as (api, _):
        assert api.list_chats_with_http_info().attempts == 2  # a half is left
        with pytest.raises(ServiceUnavailableException):
            api.list_chats()
        assert api.list_chats_with_http_info().attempts == 1  # one again
        assert api.list_chats_with_http_info().attempts == 2


def test_the_budget_is_kept_among_threads() -> None:
    budget, threads = 40, 16
    barrier = threading.Barrier(threads)
    settings = {"retries": at_once(budget=budget), "connection_pool_maxsize": 32}
    with chat_api(json_response({}, 503), **settings) as (api, server):

        def call_ten_times() -> None:
            barrier.wait()
            for _ in range(10):
                with pytest.raises(ServiceUnavailableException):
                    api.list_chats()

        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(call_ten_times) for _ in range(threads)]:
                done.result()
    assert len(server.requests) == threads * 10 + budget
