"""What benchmarks share: the peer, the measurement of pairs, and the table at the end.

`make bench` measures; the ordinary test run calls each pair once, to see that both sides do the same.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3
from pydantic import TypeAdapter
from pydantic_core import from_json
from pytest_benchmark.fixture import BenchmarkFixture

from freechat_sdk import ApiClient, ChatApi, ChatMessageDTO, Configuration, LlmResultDTO
from test.benchmarks.page import Results, Row, write_page
from test.benchmarks.peer import PREFIX
from test.clients import TOKEN

ROOT = Path(__file__).parent.parent.parent
ROUNDS = 24
SECONDS = 60
"""The time limit of the floor's calls."""
HEADERS = {
    "Accept": "application/json",
    "Authorization": f"Bearer {TOKEN}",
    "User-Agent": "floor",
    "Content-Type": "application/json",
}
MESSAGE = ChatMessageDTO.user("Hi")
BODY = b'{"role":"user","contents":[{"type":"text","content":"Hi"}]}'
Call = Callable[[], object]
RESULTS = Results()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not RESULTS.rows:
        return
    terminalreporter.section("benchmarks: ours / floor")
    for row in RESULTS.rows:
        verdict = "met" if row.is_met else "MISSED"
        terminalreporter.write_line(f"{row.name:<22}{row.measured:>12}  goal {row.goal:<12}{verdict:<8}{row.about}")
    if RESULTS.peers and RESULTS.growth and RESULTS.threads:
        write_page(RESULTS)
        terminalreporter.write_line("docs/performance.md has been written.")


@dataclass
class Peer:
    """The server, and both ways to call it."""

    host: str
    chats: ChatApi
    pool: urllib3.PoolManager

    def floor(self, method: str, path: str, body: bytes | None = None) -> object:
        """Make a call as plainly as it can be made."""
        return from_json(self.body(method, path, body))

    def body(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Return the body of a response as plainly as it can be had, with a time limit like everybody should have."""
        return self.pool.request(method, self.host + PREFIX + path, body=body, headers=HEADERS, timeout=SECONDS).data

    def stream(self, name: str) -> int:
        """Count the events of a stream."""
        return sum(1 for _ in self.chats.stream_send_message(name, MESSAGE))

    def floor_stream(self, name: str) -> int:
        """Do the same as plainly as it can be done: split what arrives at blank lines, and validate each event."""
        validate = TypeAdapter(LlmResultDTO).validate_json
        url = f"{self.host}{PREFIX}/send/stream/{name}"
        response = self.pool.request("POST", url, body=BODY, headers=HEADERS, preload_content=False, timeout=SECONDS)
        count, rest = 0, b""
        for chunk in response.stream():
            *blocks, rest = (rest + chunk).split(b"\n\n")
            for block in blocks:
                validate(block[5:])
            count += len(blocks)
        response.release_conn()
        return count


@pytest.fixture
def peer() -> Iterator[Peer]:
    process = subprocess.Popen(
        [sys.executable, "-m", "test.benchmarks.peer"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        host = f"http://127.0.0.1:{int(process.stdout.readline())}"
        configuration = Configuration(host, access_token=TOKEN, api_version="v1", connection_pool_maxsize=100)
        with ApiClient(configuration) as client, urllib3.PoolManager(maxsize=100) as pool:
            yield Peer(host, ChatApi(client), pool)
        process.communicate()


@pytest.fixture
def is_measuring(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("benchmark_enable"))


def in_turns(benchmark: BenchmarkFixture, ours: Call, floor: Call, calls: int = 1) -> tuple[list[float], list[float]]:
    """Time two calls in turns, each so many times a round, and return the seconds a call of both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    measure: Any = benchmark.pedantic  # it has no types
    if benchmark.disabled:
        measure(lambda: (ours(), floor()))
        return seconds
    for side in (ours, floor, ours, floor):
        timed(side, calls)
    measure(lambda: take_turn(seconds, ours, floor, calls), rounds=ROUNDS, iterations=1)
    return seconds


def medians(ours: Call, floor: Call, seconds: float, is_measuring: bool) -> tuple[float, float] | None:
    """Time two calls in turns for about so many seconds, at least three times; return the median of both."""
    measured: tuple[list[float], list[float]] = ([], [])
    first = timed(ours, 1) + timed(floor, 1)
    if not is_measuring:
        return None
    calls = max(1, int(0.02 / first))
    for _ in range(max(3, min(50, int(seconds / (first * calls))))):
        take_turn(measured, ours, floor, calls)
    return statistics.median(measured[0]), statistics.median(measured[1])


def take_turn(seconds: tuple[list[float], list[float]], ours: Call, floor: Call, calls: int) -> None:
    """Time both once; they take turns in being first."""
    order = (0, 1) if len(seconds[0]) % 2 else (1, 0)
    for side in order:
        seconds[side].append(timed((ours, floor)[side], calls))


def timed(call: Call, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def report_ratio(name: str, seconds: tuple[list[float], list[float]], goal: float) -> None:
    """Add the median and the 90th percentile of the ratios to the table."""
    if not seconds[0]:
        return
    ratios = sorted(ours / floor for ours, floor in zip(*seconds, strict=True))
    median, late = statistics.median(ratios), ratios[int(len(ratios) * 0.9)]
    floor = statistics.median(seconds[1]) * 1e3
    about = f"90th percentile {late:.2f}; floor {floor:.3g} ms"
    RESULTS.rows.append(Row(name, f"{median:.2f}", f"<= {goal}", median <= goal, about))


def report_spread(name: str, seconds: list[float], goal: float) -> None:
    """Add how much longer than the median the 90th percentile of our own times is."""
    if seconds:
        late, median = sorted(seconds)[int(len(seconds) * 0.9)], statistics.median(seconds)
        report(name, late / median, goal, "", "90th percentile / median of ours")


def report(name: str, measured: float, goal: float, unit: str, about: str, *, at_least: bool = False) -> None:
    """Add a figure to the table."""
    is_met = measured >= goal if at_least else measured <= goal
    RESULTS.rows.append(
        Row(name, f"{measured:.2f} {unit}".strip(), f"{'>=' if at_least else '<='} {goal}", is_met, about)
    )
