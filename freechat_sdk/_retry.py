"""Whether and when a request is sent again: the retry policy and the retry budget. No I/O."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from threading import Lock
from typing import Any

from freechat_sdk.exceptions import ApiTypeError, ApiValueError


def _draw() -> float:
    """Return a random number from 0 to 1.

    Unlike `random.random`, this function is pickled by its name, without the state of the generator.
    """
    return random.random()  # noqa: S311 - it spreads load; no secret depends on it


_BUSY_STEPS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""The longest waits for a busy chat, in seconds; each is at least half as long. The last one repeats."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is sent again, and after which wait. Immutable, so threads can share it.

    The wait before retry n is a random time between 0 s and the smaller of `max_wait` and `backoff` * 2**(n-1)
    ("full jitter"). If the server sends `Retry-After`, the client waits that long instead. If that is longer than
    `max_retry_after`, the call ends with the server's error.

    All calls of a client share one budget of retries (a token bucket), which keeps retries from multiplying the load
    of a failing server. It starts full. Each retry takes one from it, and each response other than 502, 503 and 504
    puts `refill` back. If it is empty, requests are not sent again.

    A busy chat is waited for: servers up to FreeChat 2.6 return 503 while they process another message, and store
    nothing. The waits for it grow to 8 s and end after `busy_wait` seconds, or at the deadline of the call. They cost
    neither retries nor budget. 0 retries turn them off.

    Raises:
        ApiTypeError, ApiValueError: if a number is negative, not finite or not a number.
    """

    retries: int = 2
    """The maximum number of retries of a request."""
    backoff: float = 0.5
    """The longest wait before the first retry, in seconds. It doubles with each further retry."""
    max_wait: float = 8.0
    """The longest wait before any retry, in seconds."""
    max_retry_after: float = 30.0
    """The longest `Retry-After` that is honoured, in seconds."""
    budget: float = 20.0
    """The number of retries in a full budget."""
    refill: float = 0.125
    """The part of a retry that each response puts back into the budget."""
    busy_wait: float = 30.0
    """How long a call waits for a busy chat, in seconds."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = _draw
    """Like `clock` and `sleep`, it may be replaced in tests."""

    def __post_init__(self) -> None:
        _checked_count(self.retries)
        for name in ("backoff", "max_wait", "max_retry_after", "budget", "refill", "busy_wait"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < inf:
                raise ApiValueError(f"{name} of RetryPolicy must be a finite number, 0 or above, not {number!r}")

    @classmethod
    def of(cls, retries: object) -> "RetryPolicy":
        """Return the policy for a value of `Configuration.retries`.

        It may be None for the default, a number, False for no retries, a policy, or a urllib3 `Retry`. Only the number
        of retries (`total`, or else the largest of the others), `backoff_factor` and `backoff_max` of a `Retry` are
        used: the SDK itself decides which requests are sent again.

        Raises:
            ApiTypeError: if it is anything else.
            ApiValueError: if a number is negative.
        """
        if isinstance(retries, RetryPolicy):
            return retries
        if retries is None:
            return cls()
        given: Any = retries  # a Retry is recognized by an attribute, because this module does not import urllib3
        if hasattr(given, "backoff_factor"):
            return cls(_count_of(given), float(given.backoff_factor), float(given.backoff_max))
        return cls(_checked_count(retries))

    def with_retries(self, retries: object) -> "RetryPolicy":
        """Return the policy for a value of `Configuration.retries`; a number replaces only the number of this one.

        Raises:
            ApiTypeError, ApiValueError: as `of` does.
        """
        other = RetryPolicy.of(retries)
        return replace(self, retries=other.retries) if isinstance(retries, int) else other

    def wait(self, attempt: int, retry_after: float | None = None) -> float | None:
        """Return how many seconds to wait after the failed attempt number `attempt`, or None to give up."""
        if attempt > self.retries:
            return None
        if retry_after is not None:
            return retry_after if retry_after <= self.max_retry_after else None
        max_wait: float = min(self.backoff * 2 ** (attempt - 1), self.max_wait)
        return self.random() * max_wait

    def wait_while_busy(self, attempt: int, waited: float) -> float | None:
        """Return how many seconds to wait for a busy chat, or None to give up.

        `attempt` is how often the chat has been busy, `waited` how many seconds the call has waited for it.
        """
        left = self.busy_wait - waited
        if self.retries == 0 or left <= 0:
            return None
        step = _BUSY_STEPS[min(attempt, len(_BUSY_STEPS)) - 1]
        return min(step * (1 + self.random()) / 2, left)


def _count_of(retry: Any) -> int:
    """Return the number of retries that a urllib3 `Retry` allows."""
    if retry.total is not None:
        return _checked_count(retry.total)
    return max(_checked_count(count) for count in (retry.connect, retry.read, retry.status, 0) if count is not None)


def _checked_count(count: object) -> int:
    if count is False:
        return 0
    if count is True or not isinstance(count, int):
        raise ApiTypeError(f"retries must be an int, False, a RetryPolicy or a urllib3 Retry, not {count!r}")
    if count < 0:
        raise ApiValueError(f"retries must be 0 or above, not {count}")
    return count


class RetryBudget:
    """The number of retries that the calls of a client have left. Threads share it."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._max = self._left = policy.budget
        self._refill = policy.refill
        self._lock = Lock()

    def earn(self) -> None:
        """Put a part of a retry back, after a response."""
        if self._left < self._max:
            with self._lock:
                self._left = min(self._left + self._refill, self._max)

    def spend(self) -> bool:
        """Take a retry from the budget. Return whether there was one."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True
