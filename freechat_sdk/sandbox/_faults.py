"""Faults: what a sandbox does wrong on command. Each is a value that the sockets obey once a request has come."""

import ast
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from functools import partial
from http import HTTPStatus
from itertools import islice
from random import Random
from typing import Protocol, TypeAlias

from freechat_sdk.sandbox._contract import Operation
from freechat_sdk.sandbox._events import CutError
from freechat_sdk.sandbox._http import Response
from freechat_sdk.sandbox._resource import Refused
from freechat_sdk.sandbox.completions import Ask, Completion, ModelError, Prompt

HEADER = "x-sandbox-fault"
_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to the network.</body></html>"
_GARBAGE = b"\x16\x03\x01\x00\xff\xfe what is this?\r\n\r\n"

_END_OF_EVENT = b"\n\n"

Pieces: TypeAlias = Iterator[bytes]
Sleep: TypeAlias = Callable[[float], object]


class Connection(Protocol):
    """The connection on which a request has come, for a fault to act on."""

    def ask(self, refusal: Refused | None = None) -> Response:
        """Let the application carry the request out, or refuse it, and return the response."""

    def write(
        self, response: Response, through: Callable[[Pieces], Pieces] | None = None, *, ends_by_close: bool = False
    ) -> None:
        """Write a response; its body as a function passes it on."""

    def send(self, data: bytes) -> None:
        """Write bytes that are not HTTP, and close."""

    def pause(self, seconds: float) -> None:
        """Wait, unless the sandbox stops."""

    def hold(self) -> None:
        """Say nothing until the client has gone or the sandbox stops."""

    def reset(self) -> None:
        """Break the connection."""


@dataclass(frozen=True)
class Fault:
    """What a server does wrong; this one does nothing wrong."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type in (int, float) and not (isinstance(value, (int, float)) and value >= 0):
                raise ValueError(f"{field.name} of {type(self).__name__} is a number from 0 on, not {value!r}")

    @property
    def leaves_doubt(self) -> bool:
        """Whether the client cannot know if its request was carried out."""
        return False

    def on(self, connection: Connection) -> None:
        """Respond to a request."""
        connection.write(connection.ask())


@dataclass(frozen=True)
class _Doubt(Fault):
    """The server carries the request out, but the client does not get to know."""

    @property
    def leaves_doubt(self) -> bool:
        return True


@dataclass(frozen=True)
class Status(Fault):
    """The server refuses with an error status, as its release writes errors, and does nothing."""

    status: int
    message: str = ""
    retry_after: int | None = None
    """Seconds, for the header `Retry-After`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.status < 400 or self.status not in set(HTTPStatus):
            raise ValueError(f"status is an error status such as 429, not {self.status}")

    @property
    def leaves_doubt(self) -> bool:
        """Whether the request may have been carried out, as far as the client knows; 503 means a busy chat."""
        return self.status in (500, 502, 504)

    def on(self, connection: Connection) -> None:
        """Refuse."""
        headers = () if self.retry_after is None else (("Retry-After", str(self.retry_after)),)
        connection.write(connection.ask(Refused(self.status, self.message, headers=headers)))


@dataclass(frozen=True)
class Busy(Status):
    """The chat is busy with another message, as servers up to 2.6 say. Nothing is stored."""

    status: int = 503
    message: str = "Failed to chat."


@dataclass(frozen=True)
class QuotaUsedUp(Status):
    """The quota of the chat is used up. Nothing is stored."""

    status: int = 429
    message: str = "Usage 10 exceeds limit 10"


@dataclass(frozen=True)
class Html(_Doubt):
    """A login page of a network or a proxy comes instead of the response; the server gets nothing."""

    def on(self, connection: Connection) -> None:
        """Write the page."""
        connection.write(Response(200, (("Content-Type", "text/html;charset=UTF-8"),), _PAGE))


@dataclass(frozen=True)
class Reset(_Doubt):
    """The server carries the request out, and the connection breaks before the response."""

    def on(self, connection: Connection) -> None:
        """Break the connection."""
        _carry_out(connection)
        connection.reset()


@dataclass(frozen=True)
class Garbage(_Doubt):
    """The server carries the request out, and what comes is not HTTP."""

    def on(self, connection: Connection) -> None:
        """Write garbage."""
        _carry_out(connection)
        connection.send(_GARBAGE)


@dataclass(frozen=True)
class Stall(_Doubt):
    """The server carries the request out and says nothing, on an open connection.

    With a number, a stream falls silent after so many events, and another response after so many bytes of its body.
    """

    after: int | None = None

    def on(self, connection: Connection) -> None:
        """Be silent."""
        if self.after is None:
            _carry_out(connection)
            connection.hold()
            return
        response = connection.ask()
        connection.write(response, partial(self._through, connection, response.is_stream))

    def _through(self, connection: Connection, counts_events: bool, pieces: Pieces) -> Pieces:
        yield from _first(pieces, self.after or 0, counts_events)
        connection.hold()
        raise CutError


@dataclass(frozen=True)
class Cut(_Doubt):
    """The connection ends after some events of a stream, or bytes of its body; of another response, after bytes.

    Bytes may end in the middle of a character.
    """

    after: int = 0
    unit: str = "events"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit not in ("events", "bytes"):
            raise ValueError(f"unit of Cut is 'events' or 'bytes', not {self.unit!r}")

    def on(self, connection: Connection) -> None:
        """Write the beginning of the response."""
        response = connection.ask()
        connection.write(response, partial(self._through, response.is_stream and self.unit == "events"))

    def _through(self, counts_events: bool, pieces: Pieces) -> Pieces:
        yield from _first(pieces, self.after, counts_events)
        raise CutError


@dataclass(frozen=True)
class Slow(Fault):
    """The server waits before it responds, and before each further event of a stream."""

    seconds: float

    def on(self, connection: Connection) -> None:
        """Write slowly."""
        response = connection.ask()
        connection.pause(self.seconds)
        connection.write(response, partial(self._through, connection))

    def _through(self, connection: Connection, pieces: Pieces) -> Pieces:
        is_next = False
        for piece in pieces:
            if is_next:
                connection.pause(self.seconds)
            yield piece
            is_next = piece.endswith(_END_OF_EVENT)


@dataclass(frozen=True)
class Gzip(Fault):
    """A proxy packs the response, whether or not the client takes that."""

    def on(self, connection: Connection) -> None:
        """Write the response packed."""
        response = connection.ask()
        headers = (*response.headers, ("Content-Encoding", "gzip"))
        connection.write(Response(response.status, headers, chunks=_packed(response.pieces())))


@dataclass(frozen=True)
class CloseDelimited(Fault):
    """The response has neither a length nor chunks: it ends with the connection."""

    def on(self, connection: Connection) -> None:
        """Write the response and close."""
        connection.write(connection.ask(), ends_by_close=True)


@dataclass(frozen=True)
class _ModelFault(Fault):
    """What goes wrong is the model."""

    def on(self, connection: Connection) -> None:
        """Carry the request out with a model that obeys."""
        before = _model_fault.set(self)
        try:
            connection.write(connection.ask())
        finally:
            _model_fault.reset(before)

    def tokens(self, given: Iterable[str], sleep: Sleep) -> Iterator[str]:
        """Yield the tokens of the model's answer."""
        raise NotImplementedError


@dataclass(frozen=True)
class SlowFirstToken(_ModelFault):
    """The model takes its time before the first token."""

    seconds: float

    def tokens(self, given: Iterable[str], sleep: Sleep) -> Iterator[str]:
        """Yield the tokens late."""
        sleep(self.seconds)
        yield from given


@dataclass(frozen=True)
class ModelFails(_ModelFault):
    """The model fails after some tokens."""

    after: int = 0

    def tokens(self, given: Iterable[str], sleep: Sleep) -> Iterator[str]:
        """Yield the first tokens."""
        yield from islice(given, self.after)
        raise ModelError("The model failed.")


_KINDS = (Busy, CloseDelimited, Cut, Garbage, Gzip, Html, ModelFails, QuotaUsedUp, Reset, Slow, SlowFirstToken, Stall)
KINDS: dict[str, Callable[..., Fault]] = {kind.__name__: kind for kind in (*_KINDS, Status)}
"""The faults by name, as the header `X-Sandbox-Fault` names them."""
_model_fault: ContextVar[_ModelFault | None] = ContextVar("model_fault", default=None)


def obedient(ask: Ask, sleep: Sleep) -> Ask:
    """Return a model that obeys the fault under whose request it is asked."""

    def asked(prompt: Prompt) -> Completion:
        completion, fault = ask(prompt), _model_fault.get()
        return completion if fault is None else replace(completion, tokens=fault.tokens(completion.tokens, sleep))

    return asked


def parse(text: str) -> Fault:
    """Return the fault that a text such as `Cut(after=3)` or `Reset` names.

    Raises:
        ValueError: if it names none.
    """
    try:
        call = ast.parse(text.strip(), mode="eval").body
        name, positional, keywords = (
            (call.func, call.args, call.keywords) if isinstance(call, ast.Call) else (call, [], [])
        )
        given = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
        return KINDS[ast.unparse(name)](*map(ast.literal_eval, positional), **given)
    except (KeyError, SyntaxError, TypeError, ValueError) as error:
        names = ", ".join(sorted(KINDS))
        raise ValueError(
            f"{text!r} is not a fault ({error}). Write it like Cut(after=3); the kinds are {names}."
        ) from None


@dataclass
class _Rule:
    """Which requests a fault befalls."""

    pattern: str
    fault: Fault
    left: int | None
    probability: float
    draw: Random

    def befalls(self, operation: Operation) -> bool:
        """Return whether the fault befalls a request, which counts then."""
        if self.left == 0 or not matches(self.pattern, operation) or self.draw.random() >= self.probability:
            return False
        self.left = None if self.left is None else self.left - 1
        return True


class Faults:
    """The faults that a sandbox has been told; of several that befall a request, the first one counts."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def add(self, pattern: str, fault: Fault, times: int | None, probability: float, seed: int) -> None:
        """Add a fault; `times` None means always."""
        with self._lock:
            self._rules.append(_Rule(pattern, fault, times, probability, Random(seed)))  # noqa: S311 - not a secret

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._rules.clear()

    def of(self, operation: Operation | None, header: str | None) -> Fault:
        """Return the fault of a request.

        Raises:
            ValueError: if the header names none.
        """
        if header is not None:
            return parse(header)
        with self._lock:
            befalling = (rule.fault for rule in self._rules if operation is not None and rule.befalls(operation))
            return next(befalling, Fault())


def matches(pattern: str, operation: Operation) -> bool:
    """Return whether a pattern such as `ChatApi.*` means an operation."""
    return any(fnmatchcase(f"{operation.tag}.{name}", pattern) for name in (operation.name, operation.group))


def _carry_out(connection: Connection) -> None:
    with suppress(CutError):
        for _ in connection.ask().pieces():
            pass


def _first(pieces: Pieces, limit: int, counts_events: bool) -> Pieces:
    """Yield the first events or bytes of a body."""
    while limit > 0 and (piece := next(pieces, None)) is not None:
        yield piece if counts_events else piece[:limit]
        limit -= piece.endswith(_END_OF_EVENT) if counts_events else len(piece)


def _packed(pieces: Pieces) -> Pieces:
    packer = zlib.compressobj(wbits=31)
    for piece in pieces:
        yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
