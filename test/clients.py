"""Clients for tests: of a server of the test's own, without sleeps between retries, closed at the end of the block.

with chat_api(json_response([])) as (api, server):
    assert api.list_chats() == []
assert server.requests[0].path == "/api/v1/chat"
"""

import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from traceback import walk_tb
from types import FrameType
from typing import Any, TypeVar

import pytest

from freechat_sdk import ApiClient, Call, ChatApi, Configuration, Hooks, RetryPolicy, SseEmitter
from test.server import MAX_WAIT, Connection, Handler, RecordingServer

TOKEN = "fc-0123456789abcdef0123456789abcdef"
THREADS = 32
RELEASES = ("2.0.0", "2.6.0", "2.9.0")

A = TypeVar("A")


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def no_sleep(seconds: float) -> None:
    """Stand in for `time.sleep`; a function of a module, so that policies with it pickle."""


def no_jitter() -> float:
    """Stand in for `random.random`, so that each wait is the longest that is allowed."""
    return 1.0


def at_once(retries: int = 2, **settings: Any) -> RetryPolicy:
    """Return a policy that does not sleep and whose waits are known."""
    return RetryPolicy(retries, **{"sleep": no_sleep, "random": no_jitter, **settings})


def configured(host: str, *, retries: object = 2, **settings: Any) -> Configuration:
    """Return a configuration with a token, for v1 unless another generation is given; retries are made `at_once`."""
    policy = at_once(retries) if isinstance(retries, int) else retries
    return Configuration(**{"host": host, "access_token": TOKEN, "api_version": "v1", "retries": policy, **settings})


def each_release() -> list[object]:
    """Return the releases of the server as parameters, each with a sandbox of that release."""
    return [pytest.param(release, marks=pytest.mark.freechat(release=release)) for release in RELEASES]


class Closings(Hooks):
    """Counts how many streams and downloads have been closed."""

    def __init__(self) -> None:
        self.count = 0

    def on_close(self, call: Call) -> None:
        self.count += 1


@contextmanager
def chat_api_at(host: str, **settings: Any) -> Iterator[ChatApi]:
    """Yield a ChatApi for any host; the settings are those of `configured`."""
    with ApiClient(configured(host, **settings)) as client:
        yield ChatApi(client)


@contextmanager
def api_of(
    kind: Callable[[ApiClient], A],
    handler: Handler,
    *,
    tls: ssl.SSLContext | None = None,
    greet: Callable[[Connection], None] | None = None,
    **settings: Any,
) -> Iterator[tuple[A, RecordingServer]]:
    """Yield an API of a class, and the server that it calls; the settings are those of `configured`."""
    with (
        RecordingServer(handler, tls, greet) as server,
        ApiClient(configured(**{"host": server.url, **settings})) as client,
    ):
        yield kind(client), server


@contextmanager
def chat_api(handler: Handler, **settings: Any) -> Iterator[tuple[ChatApi, RecordingServer]]:
    """Yield a ChatApi, and the server that it calls; the arguments are those of `api_of`."""
    with api_of(ChatApi, handler, **settings) as pair:
        yield pair


def inner_frames(error: BaseException) -> list[FrameType]:
    """Return the frames below the test's own ones, of an error, its causes and its contexts."""
    frames, waiting = [], [error]
    while waiting:
        found = waiting.pop()
        frames += [frame for frame, _ in walk_tb(found.__traceback__) if "/test/" not in frame.f_code.co_filename]
        waiting += [other for other in (found.__cause__, found.__context__) if other is not None]
    return frames


def shown_in_frames(error: BaseException) -> str:
    """Return what tools show of the variables in the inner frames: containers by repr, objects opened."""
    values = [value for frame in inner_frames(error) for value in frame.f_locals.values()]
    return "\n".join(f"{value!r} {getattr(value, '__dict__', None)!r}" for value in values)


def in_threads(work: Callable[[int], object], threads: int = THREADS) -> None:
    """Run work in many threads that begin together, and raise what one of them raises."""
    barrier = threading.Barrier(threads)

    def run(number: int) -> None:
        barrier.wait(MAX_WAIT)
        work(number)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(run, number) for number in range(threads)]:
            done.result(MAX_WAIT * 3)


def texts_until_closed(stream: SseEmitter) -> list[str | None]:
    """Read a stream, and close it from another thread at its first event; return the texts of its events."""
    closer = threading.Thread(target=stream.close)
    texts = []
    for event in stream:
        texts.append(event.text)
        closer.start()
    closer.join(MAX_WAIT)
    return texts
