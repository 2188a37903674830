"""How the cost grows with records, events, bytes, threads and streams, and what other clients take for it."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from freechat_sdk import ChatMessageRecordDTO
from test.benchmarks.conftest import RESULTS, ROOT, Call, Peer, medians, report, timed
from test.benchmarks.peer import CHAT, PREFIX

PEERS_PYTHON = os.environ.get("FREECHAT_BENCH_PYTHON")
"""The Python that has the other clients."""
STREAMS, EVENTS = 100, 150
validate_records = TypeAdapter(list[ChatMessageRecordDTO]).validate_json


def records(peer: Peer, count: int) -> tuple[Call, Call]:
    path = f"/messages/grow{count}"
    return lambda: len(peer.chats.list_messages(f"grow{count}")), lambda: len(validate_records(peer.body("GET", path)))


def events(peer: Peer, count: int) -> tuple[Call, Call]:
    name = f"grow{count}"
    return lambda: peer.stream(name) - 1, lambda: peer.floor_stream(name) - 1


def body_bytes(peer: Peer, count: int) -> tuple[Call, Call]:
    path = f"/bytes/grow{count}"
    client = peer.chats.api_client
    headers = {"Accept": "*/*"}
    return (
        lambda: len(client.call_api("GET", peer.host + PREFIX + path, headers).read()),
        lambda: len(peer.body("GET", path)),
    )


@pytest.mark.parametrize(
    ("work", "sizes"),
    [
        (records, (10, 100, 1_000, 10_000, 100_000)),
        (events, (1_000, 10_000, 100_000, 200_000)),
        (body_bytes, (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)),
    ],
    ids=["records", "events", "bytes"],
)
def test_growth(
    peer: Peer, is_measuring: bool, work: Callable[[Peer, int], tuple[Call, Call]], sizes: tuple[int, ...]
) -> None:
    for size in sizes if is_measuring else sizes[:1]:
        ours, floor = work(peer, size)
        assert ours() == floor() == size
        measured = medians(ours, floor, 3.0, is_measuring)
        if measured is not None:
            RESULTS.growth.setdefault(work.__name__, []).append((size, *measured))


@pytest.mark.parametrize("threads", [1, 2, 4, 8, 16, 32, 64])
def test_threads(peer: Peer, is_measuring: bool, threads: int) -> None:
    def together(call: Call) -> None:
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(call) for _ in range(640 if is_measuring else threads)]:
                done.result()

    measured = medians(
        lambda: together(lambda: peer.chats.get_memory_usage(CHAT)),
        lambda: together(lambda: peer.floor("GET", f"/memory/usage/{CHAT}")),
        2.0,
        is_measuring,
    )
    if measured is not None:
        RESULTS.threads.append((threads, 640 / measured[0], 640 / measured[1]))


def test_a_relay(peer: Peer, is_measuring: bool) -> None:
    """Measures the time of the processor: the streams last as long as the server makes them."""
    streams, count = (STREAMS, EVENTS) if is_measuring else (2, 2)

    def relay(read: Callable[[str], int]) -> float:
        start = time.process_time()
        with ThreadPoolExecutor(streams) as pool:
            counts = list(pool.map(lambda _: read(f"relay{count}"), range(streams)))
        assert counts == [count + 1] * streams
        return (time.process_time() - start) / (streams * count)

    rounds = [(relay(peer.stream), relay(peer.floor_stream)) for _ in range(3 if is_measuring else 1)]
    if is_measuring:
        floor = statistics.median(floor for _, floor in rounds) * 1e6
        ratio = statistics.median(ours / floor for ours, floor in rounds)
        report("relay", ratio, 1.6, "", f"{streams} streams, 50 events a second; floor {floor:.3g} us of CPU an event")


DOWNLOAD = "CharacterApi(client).export_character({size}).save(sys.argv[2])"
UPLOAD = "CharacterApi(client).upload_character_document('grow1', sys.argv[2])"
SCRIPT = """
import sys
from freechat_sdk import ApiClient, CharacterApi, Configuration
with ApiClient(Configuration(sys.argv[1], api_version='v1')) as client:
    {work}
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""


@pytest.mark.parametrize("work", [DOWNLOAD, UPLOAD], ids=["download", "upload"])
def test_the_memory_of_a_large_file(peer: Peer, is_measuring: bool, work: str, tmp_path: Path) -> None:
    def peak(size: int) -> float:
        """Return the largest memory of a process (Linux) that moves a file of so many bytes, in MiB."""
        path = tmp_path / "file.txt"
        with path.open("wb") as file:
            file.truncate(size)
        script = SCRIPT.format(work=work.format(size=size))
        ran = subprocess.run(
            [sys.executable, "-c", script, peer.host, path], cwd=ROOT, check=True, capture_output=True, text=True
        )
        assert path.stat().st_size == size
        return int(ran.stdout) / 1024

    if not is_measuring:
        peak(1000)
        return
    name = "download" if work is DOWNLOAD else "upload"
    report(f"memory, 200 MiB {name}", peak(200 * 2**20) - peak(2**20), 4.0, "MiB", "more than for 1 MiB")


def test_peers(peer: Peer, is_measuring: bool) -> None:
    if not is_measuring or PEERS_PYTHON is None:
        pytest.skip("make bench has the other clients")
    works: dict[str, tuple[int, Call, Call]] = {
        "usage": (100, lambda: peer.chats.get_memory_usage(CHAT), lambda: peer.floor("GET", f"/memory/usage/{CHAT}")),
        "list": (
            1,
            lambda: peer.chats.list_messages(CHAT),
            lambda: validate_records(peer.body("GET", f"/messages/{CHAT}")),
        ),
        "stream": (1, lambda: peer.stream("chunks"), lambda: peer.floor_stream("chunks")),
    }
    with subprocess.Popen(
        [PEERS_PYTHON, ROOT / "test/benchmarks/peers.py", peer.host],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        versions = RESULTS.versions = json.loads(process.stdout.readline())
        for work, (calls, ours, floor) in works.items():
            taken: dict[str, list[float]] = {}
            for _ in range(7):
                taken.setdefault("ours", []).append(timed(ours, calls))
                taken.setdefault("floor", []).append(timed(floor, calls))
                for tool in versions:
                    print(tool, work, calls, file=process.stdin, flush=True)
                    line = process.stdout.readline()
                    if line != "none\n":
                        taken.setdefault(tool, []).append(float(line))
            RESULTS.peers[work] = {name: statistics.median(seconds) for name, seconds in taken.items()}
        process.stdin.close()
