"""How long a call may take, and what is left of it. No I/O."""

import time
from collections.abc import Callable
from typing import NamedTuple

from freechat_sdk._operation import MODEL, TimeClass
from freechat_sdk.configuration import Configuration


class Durations(NamedTuple):
    """The time limits of one call in seconds; None is no limit."""

    total: float | None
    """For the whole call; of a stream, up to its first event."""
    connect: float | None
    """For each connect."""
    read: float | None = None
    """For each wait for bytes, up to a stream's first event."""
    silence: float | None = None
    """For each wait for an event after a stream's first."""
    stream: float | None = None
    """For the whole of a stream."""

    @classmethod
    def of(cls, configuration: Configuration, time_class: TimeClass, streamed: bool = False) -> "Durations":
        """Return the limits of a call that sets none of its own."""
        connect = configuration.connect_timeout
        if streamed:
            first, whole = configuration.stream_first_event_timeout, configuration.stream_timeout
            return cls(shortest(first, whole), connect, None, configuration.stream_idle_timeout, whole)
        return cls(configuration.model_timeout if time_class is MODEL else configuration.timeout, connect)

    def within(self, seconds: float) -> "Durations":
        """Return the limits of a call that is given one number: all of it, or a stream's first event and silences."""
        return self._replace(total=seconds, silence=seconds)

    def with_steps(self, total: float | None, connect: float | None, read: float | None) -> "Durations":
        """Return these limits with others for each connect and each wait for bytes."""
        return self._replace(total=shortest(self.total, total), connect=connect, read=read, silence=read)


UNLIMITED = Durations(None, None)


def shortest(limit: float | None, other: float | None) -> float | None:
    """Return the shorter of two limits, where None is no limit."""
    if limit is None or other is None:
        return other if limit is None else limit
    return min(limit, other)


class TimeLimit:
    """What is left of a call's time, for all of its attempts together."""

    def __init__(self, durations: Durations, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the time."""
        self.durations = durations
        self.clock = clock
        self._start = clock()
        self.longest_wait = shortest(durations.read, durations.total)
        """The most seconds that a wait for bytes may take, at the start."""
        self._deadline = self._after(durations.total)
        self._read = durations.read
        self.is_streaming = False
        self._silence: float | None = None
        self._silent_until = self._start
        self.has_progressed = False
        """To be set when something whole of a stream has come: then its silence begins anew with the next wait."""

    def _after(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._start + seconds

    def for_connect(self) -> float | None:
        """Return the seconds that the next connect may take.

        Raises:
            TimeoutError: when none are left.
        """
        return shortest(self.durations.connect, self._left())

    def for_read(self) -> float | None:
        """Return the seconds that the next wait for bytes may take.

        Raises:
            TimeoutError: when none are left.
        """
        left = shortest(self._read, self._left())
        return left if self._silence is None else shortest(left, self._left_of_silence(self._silence))

    def _left_of_silence(self, silence: float) -> float:
        """Return what is left until a stream has been silent for too long: bytes alone do not end a silence."""
        if self.has_progressed:
            self.has_progressed = False
            self._silent_until = self.clock() + silence
        return self._until(self._silent_until)

    def _left(self) -> float | None:
        return None if self._deadline is None else self._until(self._deadline)

    def _until(self, moment: float) -> float:
        left = moment - self.clock()
        if left <= 0:
            raise TimeoutError("the time is over")
        return left

    def allows(self, wait: float) -> bool:
        """Tell whether a wait of so many seconds leaves time for another attempt."""
        return self._deadline is None or self.clock() + wait < self._deadline

    def begin_stream(self) -> None:
        """Change over to the limits that hold after a stream's first event."""
        self._deadline = self._after(self.durations.stream)
        self.is_streaming = True
        self._read = None
        self._silence = self.durations.silence
        self.has_progressed = True

    def end_within(self, seconds: float) -> None:
        """Leave just so many seconds from now."""
        self._deadline = self.clock() + seconds
