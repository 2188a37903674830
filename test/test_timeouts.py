"""Timeouts and retries on a clock that the test moves."""

import socket
from typing import Any

import pytest
from urllib3.util import Retry

from freechat_sdk import ApiTypeError, ApiValueError, Configuration
from freechat_sdk._operation import MODEL, ORDINARY
from freechat_sdk._retry import RetryBudget
from freechat_sdk._timeouts import UNLIMITED, CallTimeouts, Deadline, shortest
from freechat_sdk.configuration import MAX_SECONDS
from freechat_sdk.rest import RetryPolicy, Timeout, timeouts_for
from test.clients import Clock


def test_the_defaults_follow_the_kind_of_call() -> None:
    configuration = Configuration()
    assert CallTimeouts.of(configuration, ORDINARY) == CallTimeouts(60, 5)
    assert CallTimeouts.of(configuration, MODEL) == CallTimeouts(300, 5)
    assert CallTimeouts.of(configuration, MODEL, True) == CallTimeouts(300, 5, None, 120, None)
    configuration.stream_timeout = 30
    assert CallTimeouts.of(configuration, MODEL, True) == CallTimeouts(30, 5, None, 120, 30)


def test_a_request_timeout_changes_what_it_names() -> None:
    call, stream = CallTimeouts(60, 5), CallTimeouts(300, 5, None, 120)
    assert timeouts_for(call, 7) == CallTimeouts(7, 5, None, 7)
    assert timeouts_for(stream, 7) == CallTimeouts(7, 5, None, 7)
    assert timeouts_for(call, (1, 2)) == CallTimeouts(60, 1, 2, 2)
    assert timeouts_for(call, Timeout(connect=1, read=2)) == CallTimeouts(60, 1, 2, 2)
    assert timeouts_for(call, Timeout(total=9)).total == 9
    assert timeouts_for(call, None) == UNLIMITED


@pytest.mark.parametrize("wrong", [0, -1, float("inf"), float("nan"), (0, 1), (1,)])
def test_a_timeout_is_a_finite_number_above_zero(wrong: object) -> None:
    with pytest.raises((ApiValueError, ApiTypeError), match="_request_timeout"):
        timeouts_for(UNLIMITED, wrong)


@pytest.mark.parametrize("wrong", [True, "5", [1, "2"], {1: 2}, (1, "2")])
def test_a_timeout_is_a_number(wrong: object) -> None:
    with pytest.raises(ApiTypeError, match="_request_timeout"):
        timeouts_for(UNLIMITED, wrong)


LONG = [1e12, 10**400, (1e12, 1e300), Timeout(1e12), Timeout(connect=1e12, read=1e12), Timeout(total=1e12, read=1e9)]


@pytest.mark.parametrize("timeout", LONG)
def test_a_timeout_beyond_what_a_socket_takes_is_cut(timeout: object) -> None:
    limits = timeouts_for(CallTimeouts(None, None), timeout)
    assert 0 < max(limit for limit in limits if limit is not None) <= MAX_SECONDS
    with socket.socket() as sock:
        sock.settimeout(Deadline(limits).for_connect())
        sock.settimeout(Deadline(limits).for_read())


def test_a_timeout_of_the_configuration_beyond_what_a_socket_takes_is_cut() -> None:
    assert Configuration(timeout=10**400, connect_timeout=1e12).timeout == MAX_SECONDS


@pytest.mark.parametrize("total", [float("inf"), float("nan")])
def test_a_urllib3_timeout_must_be_finite(total: float) -> None:
    with pytest.raises(ApiValueError, match="finite"):
        timeouts_for(UNLIMITED, Timeout(total=total))


def test_a_urllib3_timeout_may_be_shorter_than_it_takes_to_look_at_it() -> None:
    assert timeouts_for(UNLIMITED, Timeout(total=1e-9)).read == 1e-9


def test_a_pair_may_be_a_list() -> None:
    assert timeouts_for(UNLIMITED, [1, 2.5]) == timeouts_for(UNLIMITED, (1, 2.5))


def test_each_step_gets_what_is_left() -> None:
    clock = Clock()
    deadline = Deadline(CallTimeouts(10, 5, 8), clock)
    assert (deadline.for_connect(), deadline.for_read()) == (5, 8)
    clock.now += 7
    assert (deadline.for_connect(), deadline.for_read()) == (3, 3)
    assert deadline.allows(2.9)
    assert not deadline.allows(3)
    clock.now += 3
    for step in (deadline.for_connect, deadline.for_read):
        with pytest.raises(TimeoutError):
            step()


def test_no_timeout_is_no_deadline() -> None:
    deadline = Deadline(UNLIMITED, Clock())
    assert (deadline.for_connect(), deadline.for_read(), deadline.allows(1e9)) == (None, None, True)
    assert shortest(None, None) is None
    assert (shortest(None, 3), shortest(2, None), shortest(3, 2)) == (3, 2, 2)


def test_a_stream_changes_over_to_silences_and_counts_its_whole_from_the_start() -> None:
    clock = Clock()
    deadline = Deadline(CallTimeouts(300, 5, None, 120, 400), clock)
    clock.now += 200
    deadline.begin_stream()
    assert deadline.for_read() == 120
    clock.now += 60
    assert deadline.for_read() == 60  # bytes alone do not end a silence
    deadline.note_progress()
    assert deadline.for_read() == 120
    clock.now += 90
    deadline.note_progress()
    assert deadline.for_read() == 50
    deadline.end_within(0.05)
    assert deadline.for_read() == pytest.approx(0.05)


def test_the_limit_of_each_wait_holds_until_a_stream_begins() -> None:
    deadline = Deadline(CallTimeouts(300, 5, 8, 120), Clock())
    assert (deadline.is_streaming, deadline.for_read()) == (False, 8)
    deadline.begin_stream()
    assert (deadline.is_streaming, deadline.for_read()) == (True, 120)


def test_waits_grow_up_to_a_maximum_and_are_spread_out() -> None:
    policy = RetryPolicy(retries=9, random=lambda: 1.0)
    assert [policy.wait(attempt) for attempt in (1, 2, 3, 4, 5, 6)] == [0.5, 1, 2, 4, 8, 8]
    assert RetryPolicy(random=lambda: 0.0).wait(1) == 0
    assert RetryPolicy().wait(3) is None
    assert policy.wait(1, retry_after=30) == 30
    assert policy.wait(1, retry_after=31) is None


@pytest.mark.parametrize(
    ("given", "count"), [(None, 2), (0, 0), (False, 0), (5, 5), (Retry(4), 4), (Retry(False), 0), (RetryPolicy(7), 7)]
)
def test_retries_are_given_in_many_ways(given: object, count: int) -> None:
    assert RetryPolicy.of(given).retries == count


def test_of_a_urllib3_retry_the_number_and_the_waits_are_taken() -> None:
    policy = RetryPolicy.of(Retry(total=4, backoff_factor=0.2, backoff_max=3))
    assert (policy.retries, policy.backoff, policy.max_wait) == (4, 0.2, 3)
    assert RetryPolicy.of(Retry(total=None, connect=1, read=3, status=None)).retries == 3


def test_retries_draw_on_a_budget_that_responses_fill() -> None:
    budget = RetryBudget(RetryPolicy(budget=2, refill=0.5))
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    budget.earn()
    assert not budget.spend()
    budget.earn()
    assert [budget.spend() for _ in range(2)] == [True, False]
    for _ in range(99):
        budget.earn()
    assert [budget.spend() for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    "wrong", [{"retries": -1}, {"retries": 1.5}, {"backoff": -1}, {"budget": float("inf")}, {"refill": "1"}]
)
def test_a_policy_checks_its_numbers(wrong: dict[str, Any]) -> None:
    with pytest.raises((ApiTypeError, ApiValueError), match=r"retries|RetryPolicy"):
        RetryPolicy(**wrong)


@pytest.mark.parametrize("wrong", [True, "2", 1.5, -1])
def test_wrong_retries_are_refused(wrong: object) -> None:
    with pytest.raises((ApiTypeError, ApiValueError), match="retries"):
        RetryPolicy.of(wrong)


def test_the_default_policy() -> None:
    policy = RetryPolicy()
    assert (policy.retries, policy.backoff, policy.max_wait, policy.max_retry_after) == (2, 0.5, 8, 30)
    assert (policy.budget, policy.refill) == (20, 0.125)


@pytest.mark.parametrize(
    ("retry", "count"),
    [
        (Retry(total=None, connect=0, read=None, status=None), 0),
        (Retry(total=None, connect=None, read=None, status=None), 0),
        (Retry(total=None, connect=1, read=4, status=2), 4),
    ],
)
def test_a_retry_of_urllib3_without_a_total_counts_the_largest(retry: Retry, count: int) -> None:
    assert RetryPolicy.of(retry).retries == count


LIMITS = CallTimeouts(10, 2, 3, 4, 20)


@pytest.mark.parametrize(
    ("limits", "is_connecting", "after", "name", "seconds"),
    [
        (LIMITS, True, 9.9, "each connect", 2),
        (LIMITS, False, 9.9, "each wait for bytes", 3),
        (LIMITS, False, 9.951, "the whole call", 10),
        (LIMITS, True, 11, "the whole call", 10),
        (CallTimeouts(10, None), True, 5, "the whole call", 10),
        (CallTimeouts(10, None), False, 5, "the whole call", 10),
        (CallTimeouts(None, 2), True, 5, "each connect", 2),
    ],
)
def test_the_limit_that_was_reached_is_named(
    limits: CallTimeouts, is_connecting: bool, after: float, name: str, seconds: float
) -> None:
    clock = Clock()
    deadline = Deadline(limits, clock)
    clock.now += after
    assert deadline.reached(is_connecting) == (name, seconds)


@pytest.mark.parametrize(("after", "expected"), [(19.9, ("each silence", 4)), (20, ("the whole stream", 20))])
def test_the_limit_of_a_stream_that_was_reached_is_named(after: float, expected: tuple[str, float]) -> None:
    clock = Clock()
    deadline = Deadline(LIMITS, clock)
    deadline.begin_stream()
    clock.now += after
    assert deadline.reached(False) == expected


def test_no_limit_is_named_if_there_is_none() -> None:
    assert Deadline(UNLIMITED).reached(False) is Deadline(UNLIMITED).reached(True) is None
