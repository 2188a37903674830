"""How fast the client is, each figure next to the least that the same work can cost, in the same run."""

import gc
import os
import statistics
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from pytest_benchmark.fixture import BenchmarkFixture

from freechat_sdk import ChatMessageRecordDTO, ChatSessionDTO, LlmResultDTO
from test.benchmarks.conftest import BODY, MESSAGE, ROOT, Call, Peer, in_turns, report, report_ratio, report_spread
from test.benchmarks.peer import CHAT, PREFIX, TOKENS


def small_calls(peer: Peer) -> tuple[Call, Call]:
    return lambda: peer.chats.get_memory_usage(CHAT), lambda: peer.floor("GET", f"/memory/usage/{CHAT}")


def test_a_small_call(benchmark: BenchmarkFixture, peer: Peer) -> None:
    ours, floor = small_calls(peer)
    assert peer.chats.get_memory_usage(CHAT).to_dict() == floor()
    report_ratio("small call", in_turns(benchmark, ours, floor, 200), 0.9)


def test_a_send(benchmark: BenchmarkFixture, peer: Peer) -> None:
    def ours() -> LlmResultDTO:
        return peer.chats.send_message(CHAT, MESSAGE)

    def floor() -> object:
        return peer.floor("POST", f"/send/{CHAT}", BODY)

    assert ours().to_dict() == floor()
    report_ratio("send", in_turns(benchmark, ours, floor, 200), 0.9)


def test_a_list_of_50_chats(benchmark: BenchmarkFixture, peer: Peer) -> None:
    validate = TypeAdapter(list[ChatSessionDTO]).validate_json

    def ours() -> list[ChatSessionDTO]:
        return peer.chats.list_chats()

    def floor() -> list[ChatSessionDTO]:
        return validate(peer.body("GET", ""))

    assert ours() == floor()
    report_ratio("50 chats", in_turns(benchmark, ours, floor, 20), 1.15)


def test_a_list_of_1000_messages(benchmark: BenchmarkFixture, peer: Peer) -> None:
    def ours() -> list[ChatMessageRecordDTO]:
        return peer.chats.list_messages(CHAT)

    validate = TypeAdapter(list[ChatMessageRecordDTO]).validate_json

    def floor() -> list[ChatMessageRecordDTO]:
        return validate(peer.body("GET", f"/messages/{CHAT}"))

    assert ours() == floor()
    seconds = in_turns(benchmark, ours, floor)
    report_ratio("1000 messages", seconds, 1.15)
    report_spread("1000 messages, spread", seconds[0], 1.3)


@pytest.mark.parametrize(("framing", "goal"), [("length", 1.5), ("chunks", 1.1), ("length-v2", 1.2)])
def test_a_stream_of_20000_events(benchmark: BenchmarkFixture, peer: Peer, framing: str, goal: float) -> None:
    def ours() -> int:
        return peer.stream(framing)

    def floor() -> int:
        return peer.floor_stream(framing)

    assert ours() == floor() == TOKENS + 1
    report_ratio(f"stream, {framing}", in_turns(benchmark, ours, floor), goal)


@pytest.mark.parametrize("threads", [16, 64])
def test_many_threads(benchmark: BenchmarkFixture, peer: Peer, threads: int) -> None:
    def together(call: Call) -> None:
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(call) for _ in range(threads * 20)]:
                done.result()

    ours, floor = small_calls(peer)
    seconds = in_turns(benchmark, lambda: together(ours), lambda: together(floor))
    if seconds[0]:
        speed = statistics.median(floor / ours for ours, floor in zip(*seconds, strict=True))
        report(f"{threads} threads", speed, 1.0, "", "calls a second, ours / floor", at_least=True)


def test_the_memory_of_a_list(peer: Peer, is_measuring: bool) -> None:
    peer.chats.list_messages(CHAT)
    gc.collect()
    tracemalloc.start()
    messages = peer.chats.list_messages(CHAT)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    assert len(messages) == 1000
    if is_measuring:
        report("memory, 1000 messages", peak, 3.3, "MiB", "peak")


def test_streams_and_calls_use_one_socket(peer: Peer, is_measuring: bool) -> None:
    for _ in range(20):
        peer.chats.stream_send_message("length", MESSAGE).until_done()
        peer.chats.stream_send_message("chunks", MESSAGE).until_done()
    for _ in range(100):
        peer.chats.get_memory_usage(CHAT)
    sockets = peer.floor("GET", "/sockets")
    assert sockets == 2  # the floor's own is the other
    if is_measuring:
        report("sockets", sockets - 1, 1, "", "40 streams and 100 calls in a row")


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], None]:
    """Run a script in a Python of its own, compiled beforehand as installed packages are."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)

    def run_script(script: str) -> None:
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=True)

    return run_script


def test_the_import(benchmark: BenchmarkFixture, run: Callable[[str], None]) -> None:
    seconds = in_turns(benchmark, lambda: run("import freechat_sdk"), lambda: run("pass"))
    if seconds[0]:
        added = statistics.median(ours - floor for ours, floor in zip(*seconds, strict=True)) * 1e3
        floor = statistics.median(seconds[1]) * 1e3
        report("import", added, 5.0, "ms", f"above `python -c pass`, which takes {floor:.3g} ms")


def test_the_first_call(benchmark: BenchmarkFixture, peer: Peer, run: Callable[[str], None]) -> None:
    script = (
        "from freechat_sdk import ApiClient, ChatApi, Configuration\n"
        f"with ApiClient(Configuration({peer.host!r}, api_version='v1')) as client:\n"
        f"    ChatApi(client).get_memory_usage({CHAT!r})\n"
    )
    floor = (
        "import urllib3\n"
        "from pydantic import BaseModel, ConfigDict, StrictInt, TypeAdapter\n"
        "class Usage(BaseModel):\n"
        "    model_config = ConfigDict(extra='allow')\n"
        "    inputTokenCount: StrictInt | None = None\n"
        "class Memory(BaseModel):\n"
        "    model_config = ConfigDict(extra='allow')\n"
        "    tokenUsage: Usage | None = None\n"
        "pool = urllib3.PoolManager(timeout=60)\n"
        f"body = pool.request('GET', {peer.host + PREFIX + '/memory/usage/' + CHAT!r}).data\n"
        "TypeAdapter(Memory).validate_json(body)\n"
    )
    report_ratio("import and first call", in_turns(benchmark, lambda: run(script), lambda: run(floor)), 1.2)


def test_the_sandbox_is_ready_at_once(benchmark: BenchmarkFixture, run: Callable[[str], None]) -> None:
    script = "from freechat_sdk.sandbox import Sandbox\nwith Sandbox() as sandbox:\n    pass\n"
    seconds = in_turns(benchmark, lambda: run(script), lambda: run("pass"))
    if seconds[0]:
        added = statistics.median(ours - floor for ours, floor in zip(*seconds, strict=True))
        report("sandbox", added, 0.3, "s", "import, start and stop, above `python -c pass`")
