"""Writes docs/performance.md and its charts from what `make bench` measured."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"
WORKS = {"usage": "a small call", "list": "1,000 messages", "stream": "20,001 events, chunked"}
GROWTH = {"records": "records of a list", "events": "events of a stream", "body_bytes": "bytes of a response"}
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


@dataclass(frozen=True)
class Row:
    """A figure with its goal."""

    name: str
    measured: str
    goal: str
    is_met: bool
    about: str


@dataclass
class Results:
    """What has been measured."""

    rows: list[Row] = field(default_factory=list)
    growth: dict[str, list[tuple[int, float, float]]] = field(default_factory=dict)
    """For each work: sizes, and the seconds of a call of ours and of the floor."""
    threads: list[tuple[int, float, float]] = field(default_factory=list)
    """Threads, and the calls a second of ours and of the floor."""
    peers: dict[str, dict[str, float]] = field(default_factory=dict)
    """For each work the seconds of a call of each tool, ours and the floor included."""
    versions: dict[str, str] = field(default_factory=dict)
    """The versions of the tools."""


PAGE = """# Performance

`make bench` measures and writes this page. Each figure stands beside its floor, measured in turns with it in the same
run: the least that the same work can cost with the same libraries. The floor of a call is urllib3 with a time limit;
that of a list and of each event is the same and pydantic's `TypeAdapter(...).validate_json`; that of a first call is
one request and two models. The server of the measurement is a process of its own on the same machine, so the network
costs next to nothing: with a real server and a model, a call takes far longer, and the differences here far less of it.

Measured on: {machine}.

## Goals

A ratio is ours divided by the floor: less than 1 is faster than the floor.

{goals}

## Beside other clients

The median time, and in brackets how many times the floor that is. Only freechat_sdk, the official client and the floor
check each value against a model. openai-python is called by its generic `get` and `post` and returns plain JSON, httpx
is used with `json.loads`, and msgspec decodes only the few fields that are there into structs: as fast as Python reads
JSON. The official client has no iterator of events.

{peers}

## Growth

The time of a call, and the time of each record, event or byte.

{growth}

![Time of a record and of an event](performance-growth.svg)

## Threads

Calls a second of one client that all threads share. Python runs one thread at a time, so more threads help as long as
they wait for the server; here the server takes nearly no time.

{threads}

![Calls a second](performance-threads.svg)

## What is slow, and why

- **Lists of thousands of records on Python 3.10 and 3.11.** Each record makes about ten objects, and these versions run
  full garbage collections while the list is decoded: the 90th percentile is several times the median, for the floor
  too. The remedy is one line: [Long lists](scaling.md#long-lists-on-python-310-and-311). From Python 3.12 on the
  collector does not start within a decode.
- **Events.** Each event is a pydantic model of its own; validating it is most of the time. What the client adds is
  keeping the data for errors, watching limits and the silence of the stream, and handing each event on through two
  generators. It splits together what has arrived together, which the floor, chunk by chunk, does not.
- **A first call** imports urllib3 and pydantic and builds validators; that takes most of its time, once in a process.

## Advice for bulk readers

- Make one client, and share it between threads; each new client opens connections of its own.
- Call `gc.set_threshold(50_000)` once at the start on Python 3.10 and 3.11, or use a later version.
- Ask for pages with `limit` and `offset` instead of one list of 100,000 records: all of a list is in memory at once,
  about 3 MiB for 1,000 messages.
- Save downloads with `save()`, which needs the same memory for a file of any size. `read()` holds all of it.

## Advice for relays

- One thread for each open stream is enough, and 100 of them are no burden: most of the time they wait.
- Set `connection_pool_maxsize` to the number of streams, so that their connections are kept.
- Pass `event.text` on as it comes. Hooks that are told of each event are called for each: leave `on_event` out of hooks
  that do not need it.
"""


def write_page(results: Results) -> None:
    """Write the page and both charts."""
    page = PAGE.format(
        machine=_machine(),
        goals=_goals(results.rows),
        peers=_peers(results),
        growth="\n\n".join(_growth(work, points) for work, points in results.growth.items()),
        threads=_table(
            ("threads", "calls a second", "floor", "ours / floor"),
            [
                (f"{count}", f"{ours:,.0f}", f"{floor:,.0f}", f"{ours / floor:.2f}")
                for count, ours, floor in results.threads
            ],
        ),
    )
    (DOCS / "performance.md").write_text(page, "utf-8")
    _draw(results)


def _machine() -> str:
    libraries = ("urllib3", "pydantic", "pydantic_core")
    tools = ", ".join(f"{name} {version(name)}" for name in libraries)
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {tools}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _goals(rows: list[Row]) -> str:
    cells = [(row.name, row.measured, row.goal, "yes" if row.is_met else "**no**", row.about) for row in rows]
    return _table(("", "measured", "goal", "met", ""), cells)


def _peers(results: Results) -> str:
    tools = ("ours", "floor", *results.versions)
    names = ("", "freechat_sdk", "floor", *(f"{name} {number}" for name, number in results.versions.items()))
    rows = [
        (WORKS[work], *(_beside(taken[tool], taken["floor"]) if tool in taken else "" for tool in tools))
        for work, taken in results.peers.items()
    ]
    return _table(names, rows)


def _beside(seconds: float, floor: float) -> str:
    return f"{_shown(seconds)} ({seconds / floor:.2f})"


def _growth(work: str, points: list[tuple[int, float, float]]) -> str:
    rows = [
        (f"{size:,}", _shown(ours), _shown(floor), _shown(ours / size), f"{ours / floor:.2f}")
        for size, ours, floor in points
    ]
    return _table((GROWTH[work], "a call", "floor", "each", "ours / floor"), rows)


def _shown(seconds: float) -> str:
    size, unit = next((pair for pair in UNITS if seconds >= pair[0]), UNITS[-1])
    return f"{seconds / size:.3g} {unit}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---", *("---:" for _ in head[1:])), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _draw(results: Results) -> None:
    """Draw the charts. Their files hold neither the date nor names of chance."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "freechat_sdk"
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for work, colour in (("records", "C0"), ("events", "C1")):
        sizes, ours, floor = zip(*results.growth[work], strict=True)
        axes.plot(
            sizes, [taken / size * 1e6 for size, taken in zip(sizes, ours, strict=True)], f"{colour}o-", label=work
        )
        floors = [taken / size * 1e6 for size, taken in zip(sizes, floor, strict=True)]
        axes.plot(sizes, floors, f"{colour}x--", label=f"{work}, floor")
    axes.set(xscale="log", yscale="log", xlabel="records or events of a call", ylabel="microseconds each")
    axes.legend()
    figure.savefig(DOCS / "performance-growth.svg", metadata={"Date": None})

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    counts, ours, floor = zip(*results.threads, strict=True)
    axes.plot(counts, ours, "C0o-", label="freechat_sdk")
    axes.plot(counts, floor, "C0x--", label="floor")
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [f"{count}" for count in counts])
    axes.set(xlabel="threads", ylabel="calls a second", ylim=(0, None))
    axes.legend()
    figure.savefig(DOCS / "performance-threads.svg", metadata={"Date": None})
    plt.close("all")
