"""Ctrl-C at any line: it comes out, and the client, its places, sockets and threads are as before."""

import gc
import linecache
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import freechat_sdk
from freechat_sdk import CharacterApi, ChatApi
from test.clients import chat_api
from test.hostile import response
from test.server import MAX_WAIT, Connection, Request, chats_and_streams

PACKAGE = Path(freechat_sdk.__file__).parent
TRACED = {
    str(PACKAGE / f"{name}.py")
    for name in ("_pool", "_exchange", "_connection", "_response", "rest", "streaming", "download")
}
STEP = int(os.environ.get("TEST_INTERRUPT_STEP", "1"))
"""After how many lines the next one is interrupted: 1 takes each."""


class Interrupter:
    """Raises KeyboardInterrupt at one of the lines that run, counted from 1, as a signal would."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.count = 0

    @property
    def has_raised(self) -> bool:
        return 0 < self.line <= self.count

    def __call__(self, frame: FrameType, event: str, _: object) -> Any:
        return self._tracer() if frame.f_code.co_filename in TRACED else None

    def _tracer(self) -> Callable[[FrameType, str, object], Any]:
        """Return the function that traces one frame. It does not hold the frame, whose variables must be freed."""
        before = 0

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal before
            if event == "line":
                before, line = frame.f_lineno, before
                if not _leaves_with(frame, line):
                    self.count += 1
                    if self.count == self.line:
                        raise KeyboardInterrupt(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
            return trace

        return trace


def _leaves_with(frame: FrameType, before: int) -> bool:
    """Return whether a `with` is about to end: Python runs no signal handler between its block and `__exit__`."""
    text = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    return frame.f_lineno < before and text.lstrip().startswith("with ")


@contextmanager
def tracing(trace: Interrupter) -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def plain_call(api: ChatApi) -> object:
    return api.list_chats(_request_timeout=MAX_WAIT)


def whole_stream(api: ChatApi) -> object:
    return api.stream_send_message("chat", "Hi", _request_timeout=MAX_WAIT).until_done().answer


def stream_broken_off(api: ChatApi) -> object:
    return next(event.text for event in api.stream_send_message("chat", "Hi", _request_timeout=MAX_WAIT))


def download(api: ChatApi) -> object:
    return CharacterApi(api.api_client).export_character(1, _request_timeout=MAX_WAIT).read()


def download_broken_off(api: ChatApi) -> object:
    return next(iter(CharacterApi(api.api_client).export_character(1, _request_timeout=MAX_WAIT)))[:1]


def serve(request: Request, connection: Connection) -> None:
    if "export" in request.path:
        connection.send(response(b"x" * 70_000))
    else:
        chats_and_streams(request, connection)


CALLS: dict[Callable[[ChatApi], object], object] = {
    plain_call: [],
    whole_stream: "Hi",
    stream_broken_off: "Hi",
    download: b"x" * 70_000,
    download_broken_off: b"x",
}


def interrupted(call: Callable[[ChatApi], object], api: ChatApi, line: int) -> tuple[Interrupter, str]:
    """Interrupt a call at a line, and return where, if the interrupt came out."""
    interrupter = Interrupter(line)
    try:
        with tracing(interrupter):
            assert call(api) == CALLS[call]
    except KeyboardInterrupt as error:
        return interrupter, str(error)
    return interrupter, ""


@contextmanager
def without_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # Python closes one that was just under way
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
@pytest.mark.parametrize("waits", [True, False], ids=["a pool that waits", "a pool that does not wait"])
def test_an_interrupt_at_any_line_comes_out_and_the_next_call_works_at_once(
    call: Callable[[ChatApi], object], waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    swallowed: list[type[BaseException]] = []
    """What Python itself swallows in finalizers, with a word on standard error."""
    monkeypatch.setattr(sys, "unraisablehook", lambda info: swallowed.append(info.exc_type))
    settings = {"connection_pool_maxsize": 1, "connection_pool_block": waits, "retries": 0}
    with chat_api(serve, **settings) as (api, _), without_garbage_collector():
        call(api)
        line, points = random.Random(13).randrange(STEP) + 1, 0
        while True:
            swallowed_before = len(swallowed)
            interrupter, place = interrupted(call, api, line)
            if not interrupter.has_raised:
                break
            assert place or KeyboardInterrupt in swallowed[swallowed_before:]
            assert (place, places_taken(api)) == (place, 0)
            assert api.list_chats(_request_timeout=MAX_WAIT) == []
            points += 1
            line += STEP
        assert points > 100 // STEP
        assert set(swallowed) <= {KeyboardInterrupt}
    print(f"{call.__name__}: {points} interrupts, {len(swallowed)} of them swallowed by Python in finalizers")


def places_taken(api: ChatApi) -> int:
    pool: Any = api.api_client.rest_client.transport.pools.host()[0]
    return sum(taken() is not None for taken in pool._places._taken)
