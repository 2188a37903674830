"""Each probe sees the same with the official packages and with ours, or differences.yaml argues the difference."""

import base64
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from test.compat.conftest import OFFICIAL, clean_environment
from test.compat.probes import NOT_HERE, PROBES
from test.server import Connection, RecordingServer, Request

SCRIPT = Path(__file__).with_name("probes.py")
DIFFERENCES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("differences.yaml").read_text("utf-8"))
ARGUED = {(entry["probe"], generation): entry for entry in DIFFERENCES for generation in entry["generations"]}
CASES = [
    pytest.param(name, generation, id=f"{generation}-{name}")
    for name, probe in PROBES.items()
    for generation in probe.generations
]
ABSENT = "(absent)"
LIMIT = 100.0
"""Seconds that all the probes may take with one package: one that hangs fails."""

Outcomes = dict[str, Any]
"""What came of each probe, by its name."""


@dataclass
class SteeredServer:
    """Answers as the script has ordered, and tells it what it has received since."""

    order: dict[str, Any] = field(default_factory=dict)
    received: list[Request] = field(default_factory=list)

    def handle(self, request: Request, connection: Connection) -> None:
        if request.path == "/__answer":
            self.order, self.received = request.json, []
            connection.respond(200)
        elif request.path == "/__requests":
            connection.respond(200, json.dumps([as_json(received) for received in self.received]).encode())
        else:
            self.received.append(request)
            self._obey(request, connection)

    def _obey(self, request: Request, connection: Connection) -> None:
        order = self.order
        if order["stalls"]:
            connection.wait_closed()
            return
        content_type = order["content_type"]
        headers = [*map(tuple, order["headers"]), *([("Content-Type", content_type)] if content_type else [])]
        body = b"" if request.method == "HEAD" else base64.b64decode(order["body"])
        connection.respond(order["status"], body, headers, order["reason"])


def as_json(request: Request) -> dict[str, Any]:
    body = base64.b64encode(request.body).decode()
    return {"method": request.method, "target": request.target, "headers": request.headers, "body": body}


def run_probes(python: Path, folder: Path, **settings: str) -> Outcomes:
    """Run the script in a folder of its own, against a server of its own."""
    folder.mkdir()
    with RecordingServer(SteeredServer().handle) as server:
        done = subprocess.run(
            [python, SCRIPT, server.url],
            cwd=folder,
            env={**clean_environment(), **settings},
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=LIMIT,
        )
    assert done.returncode == 0, done.stderr
    return {line["name"]: line["outcome"] for line in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def outcomes(
    official: dict[str, Path], ours: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Outcomes, Outcomes]]:
    """Return the outcomes of the official package and of ours, for each generation.

    Ours gets v2 by a setting, because it would ask this server, which answers below either prefix, as v1.
    """
    folder = tmp_path_factory.mktemp("probes")
    with ThreadPoolExecutor() as pool:
        theirs = {name: pool.submit(run_probes, official[name], folder / f"official-{name}") for name in OFFICIAL}
        mine = {
            "v1": pool.submit(run_probes, ours, folder / "ours-v1"),
            "v2": pool.submit(run_probes, ours, folder / "ours-v2", FREECHAT_API_VERSION="v2"),
        }
    return {name: (theirs[name].result(), mine[name].result()) for name in OFFICIAL}


def differing(theirs: Any, ours: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the places where two outcomes differ, with what is there in each."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted({*theirs, *ours}):
            yield from differing(theirs.get(key, ABSENT), ours.get(key, ABSENT), f"{place}.{key}".lstrip("."))
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, pair in enumerate(zip(theirs, ours, strict=True)):
            yield from differing(*pair, f"{place}.{index}")
    elif theirs != ours or type(theirs) is not type(ours):
        yield place, theirs, ours


def difference(theirs: Any, ours: Any) -> dict[str, Any]:
    """Return where two outcomes differ, as differences.yaml states it; an empty dict if they do not."""
    found = list(differing(theirs, ours))
    if not found:
        return {}
    return {"theirs": {place: seen for place, seen, _ in found}, "ours": {place: seen for place, _, seen in found}}


@pytest.mark.parametrize(("name", "generation"), CASES)
def test_probe_sees_the_same_or_the_difference_is_argued(
    name: str, generation: str, outcomes: dict[str, tuple[Outcomes, Outcomes]]
) -> None:
    theirs, ours = (outcome[name] for outcome in outcomes[generation])
    assert NOT_HERE not in (theirs, ours)
    argued = ARGUED.get((name, generation), {})
    expected = {side: argued[side] for side in ("theirs", "ours") if argued}
    found = difference(theirs, ours)
    if found != expected:
        entry = {"probe": name, "generations": [generation], **found, "why": ""}
        pytest.fail(
            yaml.safe_dump([entry], sort_keys=False, allow_unicode=True) if found else "no longer differs",
            pytrace=False,
        )


def test_there_are_enough_probes() -> None:
    assert len(PROBES) >= 250


def test_each_argued_difference_is_of_a_probe_and_argued_once_in_a_line() -> None:
    assert {name for name, _ in ARGUED} <= set(PROBES)
    assert len(ARGUED) == sum(len(entry["generations"]) for entry in DIFFERENCES)
    for name, generation in ARGUED:
        assert generation in PROBES[name].generations
    assert [entry["probe"] for entry in DIFFERENCES if not entry["why"].strip() or "\n" in entry["why"]] == []
