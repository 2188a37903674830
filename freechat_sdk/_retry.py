"""When a request is sent again. No I/O."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from threading import Lock
from typing import Any

from freechat_sdk.exceptions import ApiTypeError, ApiValueError


def _draw() -> float:
    """Return a number from 0 up to 1. A function of a module pickles by its name, without the numbers' state."""
    return random.random()  # noqa: S311 - spreads load, keeps no secret


@dataclass(frozen=True)
class RetryPolicy:
    """When and how soon a request is sent again. Immutable, so that one policy serves many threads.

    The wait before retry n is random between 0 and `backoff` * 2**(n-1) s ("full jitter"), at most `max_wait`.
    A server's `Retry-After` up to `max_retry_after` s is kept to instead; a longer one ends the call.

    All calls of a client draw on one budget (a token bucket), so that an outage is not multiplied: it holds `budget`
    retries at first and at the most, and every call that is answered puts `refill` of one back. When it is empty,
    calls are made once, and end in the error of that attempt.

    Raises:
        ApiTypeError, ApiValueError: for a number that cannot be: negative, infinite, no number.
    """

    retries: int = 2
    """How often a request is sent again at the most."""
    backoff: float = 0.5
    max_wait: float = 8.0
    max_retry_after: float = 30.0
    budget: float = 20.0
    refill: float = 0.125
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = _draw

    def __post_init__(self) -> None:
        _checked_count(self.retries)
        for name in ("backoff", "max_wait", "max_retry_after", "budget", "refill"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < inf:
                raise ApiValueError(f"{name} of a RetryPolicy is a finite number from 0, not {number!r}")

    @classmethod
    def of(cls, retries: object) -> "RetryPolicy":
        """Return the policy that `Configuration.retries` asks for: None (two), a number, False, a policy, a `Retry`.

        Of a urllib3 `Retry` the numbers of retries (`total`, else the largest of the others) and the waits are taken:
        `backoff_factor` and `backoff_max`. What is sent again stays the SDK's to decide.

        Raises:
            ApiTypeError: for anything else.
            ApiValueError: for a negative number.
        """
        if isinstance(retries, RetryPolicy):
            return retries
        if retries is None:
            return cls()
        given: Any = retries  # a Retry is known by what it has: urllib3 is the REST layer's alone
        if hasattr(given, "backoff_factor"):
            return cls(_count_of(given), float(given.backoff_factor), float(given.backoff_max))
        return cls(_checked_count(retries))

    def wait(self, attempt: int, retry_after: float | None = None) -> float | None:
        """Return the seconds to wait after failed attempt number `attempt`, or None to give up."""
        if attempt > self.retries:
            return None
        if retry_after is not None:
            return retry_after if retry_after <= self.max_retry_after else None
        longest: float = min(self.backoff * 2 ** (attempt - 1), self.max_wait)
        return self.random() * longest


def _count_of(retry: Any) -> int:
    """Return how many retries a urllib3 `Retry` allows."""
    if retry.total is not None:
        return _checked_count(retry.total)
    return max(_checked_count(count) for count in (retry.connect, retry.read, retry.status, 0) if count is not None)


def _checked_count(count: object) -> int:
    if count is False:
        return 0
    if count is True or not isinstance(count, int):
        raise ApiTypeError(f"retries takes a number, False, a RetryPolicy or a urllib3 Retry, not {count!r}")
    if count < 0:
        raise ApiValueError(f"retries cannot be negative, not {count}")
    return count


class RetryBudget:
    """The retries that all calls of one client have left."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._most = self._left = policy.budget
        self._refill = policy.refill
        self._lock = Lock()

    def earn(self) -> None:
        """Put a part of a retry back, after an answer."""
        if self._left < self._most:
            with self._lock:
                self._left = min(self._left + self._refill, self._most)

    def spend(self) -> bool:
        """Take a retry out; False when there is none left."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True
