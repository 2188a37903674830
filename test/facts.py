"""Calls and responses made of the facts of the API (`test/data/contract`), not of the project's own document."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from test.server import FINAL, Connection, Request, event_bytes, head

FACTS = Path(__file__).parent / "data" / "contract"
MODELS: Mapping[str, Any] = yaml.safe_load((FACTS / "models.yaml").read_text("utf-8"))
OPERATIONS: list[Any] = yaml.safe_load((FACTS / "operations.yaml").read_text("utf-8"))
BY_NAME: Mapping[tuple[str, str], dict[str, Any]] = {(fact["api"], fact["method_name"]): fact for fact in OPERATIONS}
"""The same, by class and method."""

TEXT, BYTES = "some text, 朋友", b"\x1f\x8b some bytes"
PLAIN = {"str": TEXT, "int": 7, "bool": True, "float": 0.5, "datetime": "2024-10-18T09:42:44Z", "Any": {"a": [1, "b"]}}


def sample(type_: str, depth: int = 0) -> Any:
    """Return a JSON value of a type of the facts."""
    if inner := re.fullmatch(r"List\[(.+)\]", type_):
        return [sample(inner[1], depth)]
    if inner := re.fullmatch(r"Dict\[str, (.+)\]", type_):
        return {"key": sample(inner[1], depth)}
    if type_ in PLAIN:
        return PLAIN[type_]
    fields = MODELS[type_]["fields"].items()
    return {
        entry.get("json", name): sample(entry["type"], depth + 1)
        for name, entry in fields
        if depth < 4 or not re.search(r"DTO|Where", entry["type"])
    }


@dataclass
class Example:
    """An operation with arguments, and what they are on the wire."""

    fact: Any
    generation: str
    arguments: dict[str, Any] = field(default_factory=dict)
    path: str = ""
    query: list[tuple[str, str]] = field(default_factory=list)
    body: Any = None

    def __post_init__(self) -> None:
        self.path = f"/api/{self.generation}{self.fact['http'].split(' ')[1]}"
        for parameter in self.fact.get("parameters", []):
            if self.generation == "v2" and "v2" in parameter:
                parameter = {**parameter, **parameter["v2"], "wire": parameter["wire"]}
            if self.generation in parameter.get("generations", ["v1", "v2"]):
                self._add(parameter, parameter.get("wire", parameter["name"]))

    def _add(self, parameter: Any, wire: str) -> None:
        name, location = parameter["name"], parameter["in"]
        value = ("a b.txt", BYTES) if location == "file" else sample(parameter["type"])
        self.arguments[name] = value
        if location == "path":
            self.path = self.path.replace("{" + wire + "}", quote(str(value), safe=""))
        elif location == "query":
            self.query += [
                (key, flag(held)) for key, held in (value.items() if isinstance(value, dict) else [(wire, value)])
            ]
        else:
            self.body = value

    @property
    def returns(self) -> str:
        return str(self.fact["returns"])

    def respond(self, _: Request, connection: Connection) -> None:
        """Respond with an example of what the operation returns."""
        media_type = (self.fact["produces"] or ["application/json"])[0]
        headers = [("Content-Type", media_type)]
        if self.returns == "SseEmitter":
            connection.start_chunked(headers=headers)
            connection.chunk(event_bytes({"text": "Hi"}) + event_bytes(FINAL))
            connection.end()
        elif self.returns == "download":
            connection.respond(200, BYTES, headers)
        elif self.returns == "None":
            connection.send(head(200, [("Content-Length", "0")]))
        elif media_type == "text/plain" or self.fact.get("body") == "text":
            connection.respond(200, TEXT.encode(), headers)
        else:
            connection.respond(200, json.dumps(sample(self.returns)).encode(), headers)

    def check_value(self, value: Any) -> None:
        if self.returns == "SseEmitter":
            assert value.until_done().answer == "Hi"
        elif self.returns == "download":
            assert value.read() == BYTES
        elif self.returns == "None":
            assert value is None
        elif self.returns == "str":
            assert value == TEXT
        else:
            assert plain(value) == sample(self.returns)


def flag(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def plain(value: Any) -> Any:
    """Return models as JSON values."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return json.loads(value.to_json()) if hasattr(value, "to_json") else value
