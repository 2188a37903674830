"""Recorded exchanges with running servers, and what makes a server repeat one byte for byte."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dateutil.parser import isoparse

from test.server import Connection, Request, head

DATA = Path(__file__).parent / "data" / "recordings"
SERVERS = {"v1": "v1", "v2.6": "v2", "v2": "v2"}
"""The recorded servers, with the generation that each speaks."""


@dataclass(frozen=True)
class Exchange:
    """One recorded request with its answer."""

    server: str
    name: str
    method_name: str
    request: dict[str, Any]
    response: dict[str, Any]

    @property
    def id(self) -> str:
        return f"{self.server}-{self.method_name}-{self.name}"

    @property
    def status(self) -> int:
        status: int = self.response["status"]
        return status

    @property
    def body(self) -> bytes:
        return (self.response.get("body") or "").encode()

    @property
    def token(self) -> str | None:
        value: str | None = self.request["headers"].get("Authorization")
        return None if value is None else value.removeprefix("Bearer ")

    @property
    def is_cut(self) -> bool:
        return self.response.get("error") is not None

    @property
    def events(self) -> list[Any]:
        """The events of a streamed answer, as JSON values."""
        lines = self.body.decode().split("\n")
        return [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]


def exchanges(server: str) -> Iterator[Exchange]:
    """Yield what was recorded of a server, in order."""
    for line in (DATA / f"{server}.jsonl").read_bytes().splitlines():
        row = json.loads(line)
        yield Exchange(server, row["name"], row["op"].partition(".")[2], row["request"], row["response"])


Cut = Callable[[Exchange], Iterator[bytes]]
"""How the body of an answer is cut into chunks."""


def as_recorded(exchange: Exchange) -> Iterator[bytes]:
    start = 0
    for _, size in exchange.response.get("chunks") or [[0, len(exchange.body)]]:
        yield exchange.body[start : start + size]
        start += size


def in_one(exchange: Exchange) -> Iterator[bytes]:
    yield exchange.body


def in_crumbs(exchange: Exchange) -> Iterator[bytes]:
    """Cut in pieces of 1, 2, 3, 1, 2, ... bytes: through characters, line ends and field names."""
    start, size = 0, 0
    while start < len(exchange.body):
        size = size % 3 + 1
        yield exchange.body[start : start + size]
        start += size


def repeat(exchange: Exchange, cut: Cut) -> Callable[[Request, Connection], None]:
    """Return a handler that answers byte for byte what was recorded, in chunks of the test's choice."""
    headers = [(name, value) for name, value in exchange.response["headers"]]
    is_chunked = any(name.lower() == "transfer-encoding" for name, _ in headers)

    def handle(_: Request, connection: Connection) -> None:
        connection.send(head(exchange.status, headers, exchange.response["reason"]))
        for piece in cut(exchange):
            if is_chunked and piece:
                connection.chunk(piece)
            elif piece:
                connection.send(piece)
        if exchange.is_cut:
            connection.close()
        elif is_chunked:
            connection.end()

    return handle


def normal(value: Any) -> Any:
    """Return JSON in the form to compare: null is absent, dates are instants, whatever form a server writes them in."""
    if isinstance(value, list):
        return [normal(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _instant(held) if key.startswith("gmt") else normal(held)
        for key, held in value.items()
        if held is not None
    }


def _instant(value: Any) -> datetime:
    if isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, timezone.utc)
    moment = isoparse(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
