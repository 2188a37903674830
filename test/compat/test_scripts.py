"""Scripts as users of the official packages write them do the same with ours: they print, exit and ask alike."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from test.compat.conftest import OFFICIAL, clean_environment
from test.compat.recorded_server import TOKEN, RecordedServer

FOLDER = Path(__file__).parent / "scripts"
SCRIPTS = sorted(FOLDER.glob("*/*.py"))
CASES = [
    pytest.param(generation, script, id=f"{generation}-{script.stem}")
    for generation in OFFICIAL
    for script in SCRIPTS
    if script.parent.name in (generation, "both")
]
UNORDERED = {"threads.py"}
"""Scripts whose requests come in no certain order."""
FAILING = {"uncaught.py"}
"""Scripts that end with a traceback; all others must run to their end with the official package."""
TIMEOUT = 60.0
"""Seconds that a script may last: one that hangs fails."""


@dataclass(frozen=True)
class Outcome:
    """What a script did, as its user and the server see it."""

    output: str
    status: int
    requests: list[tuple[Any, ...]]
    probes: list[tuple[Any, ...]]
    errors: str
    """Standard error, which holds tracebacks and warnings: to read, not to compare."""


def run_script(python: Path, script: Path, generation: str, folder: Path) -> Outcome:
    """Run a script in a folder of its own, against a server of its own."""
    folder.mkdir()
    recorded = RecordedServer(generation)
    with recorded.server:
        environment = {**clean_environment(), "SERVER": recorded.server.url, "TOKEN": TOKEN}
        done = subprocess.run(
            [python, script],
            cwd=folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT,
        )
    requests = sorted(recorded.requests, key=repr) if script.name in UNORDERED else recorded.requests
    return Outcome(done.stdout, done.returncode, requests, recorded.probes, done.stderr)


@pytest.mark.parametrize(("generation", "script"), CASES)
def test_script_does_the_same_with_our_package(
    generation: str, script: Path, official: dict[str, Path], ours: Path, tmp_path: Path
) -> None:
    with ThreadPoolExecutor() as pool:
        theirs = pool.submit(run_script, official[generation], script, generation, tmp_path / "official").result
        mine = pool.submit(run_script, ours, script, generation, tmp_path / "ours").result
    expected, got = theirs(), mine()
    assert expected.status == (script.name in FAILING), expected.errors
    assert (got.output, got.status) == (expected.output, expected.status), f"{expected.errors}\n{got.errors}"
    asked = [request for request in got.requests if request in expected.requests or not is_question(request)]
    assert asked == expected.requests
    # Users who swap the packages set no FREECHAT_API_VERSION, so these runs do not either: ours finds out by itself
    # that a server is v2. For that it may ask with the v1 prefix, but only what the script asks anyway, and one
    # question before the first file that it sends.
    assert got.probes == expected.probes or generation == "v2"
    assert all(probe in got.requests for probe in got.probes)


def is_question(request: tuple[Any, ...]) -> bool:
    """Return whether a request may be the one that finds out the generation before the first file is sent."""
    return request[:2] == ("GET", "/account/basic")


def test_there_are_scripts_of_each_generation() -> None:
    assert len(SCRIPTS) >= 20
    assert {script.parent.name for script in SCRIPTS} == {"v1", "v2", "both"}
