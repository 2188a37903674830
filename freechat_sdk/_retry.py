"""When a request is sent again. No I/O."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from freechat_sdk.exceptions import ApiTypeError, ApiValueError


def _draw() -> float:
    """Return a number from 0 up to 1. A function of a module pickles by its name, without the numbers' state."""
    return random.random()  # noqa: S311 - spreads load, keeps no secret


@dataclass(frozen=True)
class RetryPolicy:
    """When and how soon a request is sent again. Immutable, so that one policy serves many threads.

    The wait before retry n is random between 0 and `backoff` * 2**(n-1) s ("full jitter"), at most `longest_wait`.
    A server's `Retry-After` up to `longest_retry_after` s is kept to instead; a longer one ends the call.
    """

    retries: int = 2
    """How often a request is sent again at the most."""
    backoff: float = 0.5
    longest_wait: float = 8.0
    longest_retry_after: float = 30.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = _draw

    @classmethod
    def of(cls, retries: object) -> "RetryPolicy":
        """Return the policy that `Configuration.retries` asks for: None (two), a number, False, a policy, a `Retry`.

        Raises:
            ApiTypeError: for anything else.
            ApiValueError: for a negative number.
        """
        if isinstance(retries, RetryPolicy):
            return retries
        if retries is None:
            return cls()
        count = retries.total if hasattr(retries, "total") else retries
        if count is False:
            count = 0
        if count is None or count is True or not isinstance(count, int):
            raise ApiTypeError(f"retries takes a number, False, a RetryPolicy or a urllib3 Retry, not {retries!r}")
        if count < 0:
            raise ApiValueError(f"retries cannot be negative, not {count}")
        return cls(retries=count)

    def wait(self, attempt: int, retry_after: float | None = None) -> float | None:
        """Return the seconds to wait after failed attempt number `attempt`, or None to give up."""
        if attempt > self.retries:
            return None
        if retry_after is not None:
            return retry_after if retry_after <= self.longest_retry_after else None
        longest: float = min(self.backoff * 2 ** (attempt - 1), self.longest_wait)
        return self.random() * longest
