"""The time limits of a call, and the time that is left. No I/O."""

import time
from collections.abc import Callable
from typing import NamedTuple

from freechat_sdk._operation import MODEL, TimeClass
from freechat_sdk.configuration import Configuration

_SLACK = 0.05
"""How many seconds before the deadline a socket may give up: its timeout is not always exact."""


class CallTimeouts(NamedTuple):
    """The time limits of one call in seconds. None means unlimited."""

    total: float | None
    """For the whole call; for a stream, up to its first event."""
    connect: float | None
    """For each connect."""
    read: float | None = None
    """For each wait for bytes; for a stream, up to its first event."""
    silence: float | None = None
    """For each wait for an event after the first one of a stream."""
    stream: float | None = None
    """For the whole of a stream."""

    @classmethod
    def of(cls, configuration: Configuration, time_class: TimeClass, is_streamed: bool = False) -> "CallTimeouts":
        """Return the limits that the configuration sets for a call."""
        connect = configuration.connect_timeout
        if is_streamed:
            first, whole = configuration.stream_first_event_timeout, configuration.stream_timeout
            return cls(shortest(first, whole), connect, None, configuration.stream_idle_timeout, whole)
        return cls(configuration.model_timeout if time_class is MODEL else configuration.timeout, connect)

    def within(self, seconds: float) -> "CallTimeouts":
        """Return these limits with another one for the whole call, or for a stream's first event and its silences."""
        return self._replace(total=seconds, silence=seconds)

    def with_steps(self, total: float | None, connect: float | None, read: float | None) -> "CallTimeouts":
        """Return these limits with other limits for each connect and each wait for bytes."""
        return self._replace(total=shortest(self.total, total), connect=connect, read=read, silence=read)


UNLIMITED = CallTimeouts(None, None)


def shortest(limit: float | None, other: float | None) -> float | None:
    """Return the shorter of two limits. None means unlimited."""
    if limit is None or other is None:
        return other if limit is None else limit
    return min(limit, other)


class Deadline:
    """The time that is left for a call, for all of its attempts together."""

    def __init__(self, timeouts: CallTimeouts, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock of the call."""
        self.timeouts = timeouts
        self.clock = clock
        self._start = clock()
        self.max_wait = shortest(timeouts.read, timeouts.total)
        """The longest that the first wait for bytes may take, in seconds."""
        self._end = self._after(timeouts.total)
        self._read = timeouts.read
        self.is_streaming = False
        self._silence: float | None = None
        self._silent_until = self._start
        self._has_progressed = False

    def _after(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._start + seconds

    def for_connect(self) -> float | None:
        """Return the seconds that the next connect may take.

        Raises:
            TimeoutError: if no time is left.
        """
        return shortest(self.timeouts.connect, self._left())

    def for_read(self) -> float | None:
        """Return the seconds that the next wait for bytes may take.

        Raises:
            TimeoutError: if no time is left.
        """
        left = shortest(self._read, self._left())
        return left if self._silence is None else shortest(left, self._left_of_silence(self._silence))

    def _left_of_silence(self, silence: float) -> float:
        """Return the seconds left until a stream has been silent for too long. Bytes without progress do not count."""
        if self._has_progressed:
            self._has_progressed = False
            self._silent_until = self.clock() + silence
        return self._until(self._silent_until)

    def _left(self) -> float | None:
        return None if self._end is None else self._until(self._end)

    def _until(self, instant: float) -> float:
        left = instant - self.clock()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left

    def allows(self, wait: float) -> bool:
        """Return whether a wait of this many seconds leaves time for another attempt."""
        return self._end is None or self.clock() + wait < self._end

    def reached(self, is_connecting: bool) -> tuple[str, float] | None:
        """Return the name and the seconds of the limit that has ended a wait, or None if there is no limit."""
        limits = self.timeouts
        if self.is_streaming:
            step, whole = ("each silence", self._silence), ("the whole stream", limits.stream)
        else:
            step = ("each connect", limits.connect) if is_connecting else ("each wait for bytes", self._read)
            whole = ("the whole call", limits.total)
        is_over = self._end is not None and self._end - self.clock() < _SLACK
        name, seconds = whole if is_over or step[1] is None else step
        return None if seconds is None else (name, seconds)

    def begin_stream(self) -> None:
        """Switch to the limits that apply after the first event of a stream."""
        self._end = self._after(self.timeouts.stream)
        self.is_streaming = True
        self._read = None
        self._silence = self.timeouts.silence
        self._has_progressed = True

    def note_progress(self) -> None:
        """End the present silence of a stream; the next one begins with the next wait."""
        self._has_progressed = True

    def end_within(self, seconds: float) -> None:
        """Move the deadline to this many seconds from now."""
        self._end = self.clock() + seconds
