"""Every operation of both generations over a real socket: what goes out is what the API takes, what comes back is read.

Arguments and answers are made of the facts (`test/data/contract`), not of the project's own document; what is sent is
also held against that document by openapi-core, which knows nothing of the generator.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
import yaml
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from werkzeug.datastructures import Headers, ImmutableMultiDict

import freechat_sdk
from freechat_sdk import ApiClient, ApiVersionError, Configuration
from freechat_sdk._names import API_MODULES
from test.server import Connection, RecordingServer, Request, event_bytes, head

ROOT = Path(__file__).parent.parent
FACTS = Path(__file__).parent / "data" / "contract"
TOKEN = "fc-0123456789abcdef0123456789abcdef"
HOST = "http://127.0.0.1:8080"

MODELS: Mapping[str, Any] = yaml.safe_load((FACTS / "models.yaml").read_text("utf-8"))
ALL_OPERATIONS = yaml.safe_load((FACTS / "operations.yaml").read_text("utf-8"))
OPERATIONS = [fact for fact in ALL_OPERATIONS if fact["api"] in API_MODULES]
CALLS = [(fact, generation) for fact in OPERATIONS for generation in fact["generations"]]
TWO_KEYS = {"get_default_chat_id"}
"""Has a key of another type on v2, which OpenAPI cannot say of one path."""
DOCUMENT = OpenAPI.from_dict(yaml.safe_load((ROOT / "codegen" / "openapi.yaml").read_text("utf-8")))

TEXT, BYTES = "some text, 朋友", b"\x1f\x8b some bytes"
PLAIN = {"str": TEXT, "int": 7, "bool": True, "float": 0.5, "datetime": "2024-10-18T09:42:44Z", "Any": {"a": [1, "b"]}}
FINAL = {"message": {"role": "assistant", "contents": [{"type": "text", "content": "Hi"}]}, "finishReason": "stop"}


def name_of(case: tuple[Any, str]) -> str:
    fact, generation = case
    return f"{fact['api']}.{fact['method_name']}-{generation}"


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
        name, place = parameter["name"], parameter["in"]
        value = ("a b.txt", BYTES) if place == "file" else sample(parameter["type"])
        self.arguments[name] = value
        if place == "path":
            self.path = self.path.replace("{" + wire + "}", quote(str(value), safe=""))
        elif place == "query":
            self.query += [
                (key, flag(held)) for key, held in (value.items() if isinstance(value, dict) else [(wire, value)])
            ]
        else:
            self.body = value

    @property
    def returns(self) -> str:
        return str(self.fact["returns"])

    def answer(self, _: Request, connection: Connection) -> None:
        """Answer with an example of what the operation returns."""
        media_type = (self.fact["produces"] or ["application/json"])[0]
        headers = [("Content-Type", media_type)]
        if self.returns == "SseEmitter":
            connection.start_chunked(headers=headers)
            connection.chunk(event_bytes({"text": "Hi"}) + event_bytes(FINAL))
            connection.end()
        elif self.returns == "download":
            connection.answer(200, BYTES, headers)
        elif self.returns == "None":
            connection.send(head(200, [("Content-Length", "0")]))
        elif media_type == "text/plain" or self.fact.get("body") == "text":
            connection.answer(200, TEXT.encode(), headers)
        else:
            connection.answer(200, json.dumps(sample(self.returns)).encode(), headers)

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


@dataclass
class AsOpenApiCore:
    """A request in the form that openapi-core reads."""

    request: Request
    host_url: str = HOST

    def __post_init__(self) -> None:
        self.path = self.request.path
        self.method = self.request.method.lower()
        self.body = self.request.body or None
        self.content_type = self.request.header("Content-Type") or ""
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(parse_qsl(self.request.target.partition("?")[2])),
            header=Headers(list(self.request.headers)),
        )


@pytest.mark.parametrize("case", CALLS, ids=name_of)
def test_a_call_sends_what_the_api_takes_and_reads_what_it_answers(case: tuple[Any, str]) -> None:
    example = Example(*case)
    with RecordingServer(example.answer) as server:
        configuration = Configuration(server.url, access_token=TOKEN, api_version=example.generation)
        with ApiClient(configuration) as client:
            api = getattr(freechat_sdk, example.fact["api"])(client)
            example.check_value(getattr(api, example.fact["method_name"])(**example.arguments))
    (request,) = server.requests
    check_request(request, example)
    if example.fact["method_name"] not in TWO_KEYS:
        DOCUMENT.validate_request(AsOpenApiCore(request))


def check_request(request: Request, example: Example) -> None:
    fact = example.fact
    assert f"{request.method} {request.path}" == f"{fact['http'].split(' ')[0]} {example.path}"
    assert sorted(request.query) == sorted(example.query)
    assert request.header("Authorization") == f"Bearer {TOKEN}"
    accepted = str(request.header("Accept"))
    assert "application/json" in accepted
    assert all(media_type in accepted or "*/*" in accepted for media_type in fact["produces"] or [])
    sent = (request.header("Content-Type") or "").partition(";")[0] or None
    assert sent == fact.get("sends")
    if sent == "multipart/form-data":
        assert BYTES in request.body
    elif example.body is not None:
        assert request.json == example.body
    else:
        assert request.body == b""


def only_one_generation() -> Iterator[Any]:
    for fact in OPERATIONS:
        if len(fact["generations"]) == 1:
            other = "v2" if fact["generations"] == ["v1"] else "v1"
            yield pytest.param(fact, other, id=f"{fact['api']}.{fact['method_name']}-{other}")


@pytest.mark.parametrize(("fact", "generation"), list(only_one_generation()))
def test_what_a_generation_lacks_is_refused_before_anything_is_sent(fact: Any, generation: str) -> None:
    example = Example(fact, fact["generations"][0])
    with RecordingServer(example.answer) as server:
        with ApiClient(Configuration(server.url, api_version=generation)) as client:
            api = getattr(freechat_sdk, fact["api"])(client)
            with pytest.raises(ApiVersionError):
                getattr(api, fact["method_name"])(**example.arguments)
        assert server.requests == []
