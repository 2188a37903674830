"""Recorded exchanges with running servers, and what makes a server repeat one byte for byte."""

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from email import message_from_bytes
from pathlib import Path
from typing import Any

from dateutil.parser import isoparse

from test.facts import MODELS
from test.server import Connection, Request, head

DATA = Path(__file__).parent / "data" / "recordings"
DATES = {
    field.get("json", name)
    for model in MODELS.values()
    for name, field in model["fields"].items()
    if field["type"] == "datetime"
}
"""The JSON names of the fields that hold a date."""
SERVERS = {"v1": "v1", "v2.6": "v2", "v2": "v2"}
"""What an administrator did on each recorded server, with the generation that the server speaks."""
USERS = {f"user-{server}": generation for server, generation in SERVERS.items()}
"""What a plain user did on the same servers."""


@dataclass(frozen=True)
class Exchange:
    """One recorded request with its response."""

    server: str
    name: str
    api: str
    method_name: str
    request: dict[str, Any]
    response: dict[str, Any]

    @property
    def id(self) -> str:
        return f"{self.server}-{self.api}.{self.method_name}-{self.name}"

    @property
    def generation(self) -> str:
        return {**SERVERS, **USERS}[self.server]

    @property
    def status(self) -> int:
        status: int = self.response["status"]
        return status

    @property
    def body(self) -> bytes:
        if "body_b64" in self.response:
            return base64.b64decode(self.response["body_b64"])
        return (self.response.get("body") or "").encode()

    @property
    def upload(self) -> tuple[str, str, bytes] | None:
        """The name, the media type and the bytes of a file that was sent."""
        content_type = self.request["headers"].get("Content-Type", "")
        if not content_type.startswith("multipart/form-data"):
            return None
        return part_of(content_type, self.request_body)

    @property
    def request_body(self) -> bytes:
        """The bytes that were sent."""
        content_type = self.request["headers"].get("Content-Type", "")
        if content_type.startswith("multipart/form-data"):
            return self._form(content_type.partition("boundary=")[2])
        return (self.request.get("body") or "").encode()

    def _form(self, boundary: str) -> bytes:
        """Return a form that was sent; of a large one the recording has the start, all else is `x`."""
        if "body_b64" in self.request:
            return base64.b64decode(self.request["body_b64"])
        text: str = self.request["body"]
        start, _, rest = text.partition("\N{HORIZONTAL ELLIPSIS}(")
        if not rest:
            return text.encode()
        tail = f"\r\n--{boundary}--\r\n"
        return (start + "x" * (int(rest.split(" ")[0]) - len(start) - len(tail)) + tail).encode()

    @property
    def token(self) -> str | None:
        value: str | None = self.request["headers"].get("Authorization")
        return None if value is None else value.removeprefix("Bearer ")

    @property
    def is_cut(self) -> bool:
        return self.response.get("error") is not None

    @property
    def events(self) -> list[Any]:
        """The events of a streamed response, as JSON values."""
        lines = self.body.decode().split("\n")
        return [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]


def exchanges(server: str, *apis: str) -> Iterator[Exchange]:
    """Yield what was recorded of a server, or of some of its API classes, in order."""
    for line in _read(server).splitlines():
        row = json.loads(line)
        api, _, method_name = row["op"].partition(".")
        if not apis or api in apis:
            yield Exchange(server, row["name"], api, method_name, row["request"], row["response"])


def _read(server: str) -> bytes:
    packed = DATA / f"{server}.jsonl.gz"
    return gzip.decompress(packed.read_bytes()) if packed.exists() else (DATA / f"{server}.jsonl").read_bytes()


def part_of(content_type: str, body: bytes) -> tuple[str, str, bytes]:
    """Return the name, the media type and the bytes of the one part of a form, as the standard library reads it."""
    parts: Any = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body).get_payload()
    (part,) = parts
    assert part.get_param("name", header="Content-Disposition") == "file"
    return part.get_filename(), part.get_content_type(), part.get_payload(decode=True)


Cut = Callable[[Exchange], Iterator[bytes]]
"""How the body of a response is cut into chunks."""


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
    """Return a handler that sends byte for byte what was recorded, in chunks of the test's choice."""
    size = str(len(exchange.body))  # some recorded bodies are shorter stand-ins
    headers = [(name, size if name == "Content-Length" else value) for name, value in exchange.response["headers"]]
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
    return {key: _instant(held) if key in DATES else normal(held) for key, held in value.items() if held is not None}


def _instant(value: Any) -> datetime:
    if isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, timezone.utc)
    instant = isoparse(value)
    return instant if instant.tzinfo else instant.replace(tzinfo=timezone.utc)
