"""The sandbox responds to the recorded `/chat` requests, sent in their order, as the recorded servers did."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from freechat_sdk.sandbox import Completion, ModelError, Prompt, Sandbox, Usage
from test.recordings import SERVERS, Exchange, exchanges
from test.server import MAX_WAIT

RELEASES = {"v1": "2.0.0", "v2.6": "2.6.0", "v2": "2.9.0"}
NOT_SENT = {
    ("v1", "stream that lasts 40 s"): "the server ends it after 30 s",
    ("v1", "chats, one of them broken"): "the newest message is what became of that stream",
    ("v1", "stream, model sends broken JSON after 3 tokens"): "the server fails at what is not JSON",
    ("v2", "stream, model sends broken JSON after 3 tokens"): "the server fails at what is not JSON",
    ("v2", "stream, model resets the connection after 3 tokens"): "how many of the tokens arrive is a race",
    ("v2.6", "stream, model resets the connection after 3 tokens"): "how many of the tokens arrive is a race",
    **{
        (server, name): "needs calls at the same time"
        for server in SERVERS
        for name in ("two at once, the first", "two at once, the second", "two at once, a stream as third")
    },
}
"""Waits until the sandbox can make faults."""
IGNORED_HEADERS = {"date", "content-length", "keep-alive"}


def requests_of(server: str) -> list[Exchange]:
    return [exchange for exchange in exchanges(server, "ChatApi") if (server, exchange.name) not in NOT_SENT]


def tokens_of(exchange: Exchange) -> list[str]:
    """The tokens of a recorded answer."""
    if exchange.events:
        texts = [event.get("text") for event in exchange.events]
        return [text for text in texts if text]
    return [json.loads(exchange.body)["text"]]


def usage_of(answer: dict[str, Any]) -> Usage | None:
    counts = answer.get("tokenUsage") or {}
    if counts.get("inputTokenCount") is None:
        return None
    return Usage(counts["inputTokenCount"], counts["outputTokenCount"])


@dataclass
class Model:
    """Repeats what the recorded model said."""

    expected: Exchange | None = None
    asked: list[Prompt] = field(default_factory=list)

    def __call__(self, prompt: Prompt) -> Completion:
        self.asked.append(prompt)
        exchange = self.expected
        if exchange is None or "/send/" not in exchange.request["path"]:
            return Completion(["You said: ", prompt.text], Usage(11, 4))
        if prompt.text == "#error":
            raise ModelError
        if prompt.text.startswith("#reset"):
            return Completion(failing(tokens_of(exchange) if exchange.events else []), None)
        if prompt.text.startswith("#break"):
            return Completion(tokens_of(exchange), None, None)
        answer = exchange.events[-1] if exchange.events else json.loads(exchange.body)
        return Completion(tokens_of(exchange), usage_of(answer), answer.get("finishReason") or "stop")


def failing(tokens: list[str]) -> Iterator[str]:
    """Yield tokens, and fail when the next one is wanted."""
    yield from tokens
    raise ModelError


@dataclass
class World:
    """A sandbox with what the recordings name, and the ids that it gave in place of the recorded ones."""

    sandbox: Sandbox
    ids: dict[str, str] = field(default_factory=dict)

    def send(self, exchange: Exchange) -> tuple[int, dict[str, str], bytes, bool]:
        """Make a recorded request; return status, headers, body, and whether the response was cut."""
        connection = http.client.HTTPConnection("127.0.0.1", self.sandbox.port, timeout=MAX_WAIT)
        path, body = self.translated(exchange.request["path"]), exchange.request.get("body")
        connection.request(exchange.request["method"], path, body and body.encode(), exchange.request["headers"])
        response = connection.getresponse()
        headers = headers_of(response.getheaders())
        try:
            return response.status, headers, response.read(), False
        except http.client.IncompleteRead as cut:
            return response.status, headers, cut.partial, True
        finally:
            connection.close()

    def translated(self, path: str) -> str:
        for recorded, given in self.ids.items():
            if path.endswith(recorded) or (len(recorded) == 32 and recorded in path):
                return path.replace(recorded, given)
        return path


def headers_of(pairs: list[Any]) -> dict[str, str]:
    """The headers that matter, by name in lower case; those that come more than once are joined."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        if name.lower() not in IGNORED_HEADERS:
            headers[name.lower()] = ", ".join(filter(None, (headers.get(name.lower()), value)))
    if "allow" in headers:
        headers["allow"] = ", ".join(sorted(headers["allow"].split(", ")))
    if "location" in headers:
        headers["location"] = "/" + headers["location"].split("/", 3)[3]
    return headers


def shape(value: Any) -> Any:
    """The shape of a JSON value: names, and kinds of values; of an array the kinds of its items."""
    if isinstance(value, dict):
        return tuple(sorted((name, shape(held)) for name, held in value.items()))
    if isinstance(value, list):
        return ("array", tuple(sorted({repr(shape(item)) for item in value})))
    return type(value).__name__


def shape_of(exchange_or_body: bytes, content_type: str) -> Any:
    if content_type.startswith("application/json"):
        return shape(json.loads(exchange_or_body))
    if content_type == "text/event-stream":
        lines = exchange_or_body.decode().split("\n")
        return [shape(json.loads(line[5:])) for line in lines if line]
    return bool(exchange_or_body)


def build(server: str) -> tuple[World, Model]:
    """Make a sandbox with the users, characters and backends that the recordings name."""
    model = Model()
    ids: dict[str, str] = {}
    sandbox = Sandbox(release=RELEASES[server], model=model, faithful=True)
    recorded = list(exchanges(server, "ChatApi"))
    for token in sorted({exchange.token for exchange in recorded if exchange.token}):
        sandbox.add_user("admin" if token.endswith("01") else f"user{token[-2:]}", token)
    sessions = json.loads(next(exchange for exchange in recorded if exchange.method_name == "list_chats").body)
    for session in sessions:
        character = session["character"]
        fields = {name: character.get(name) for name in ("nickname", "description", "greeting", "gender", "lang")}
        added = sandbox.add_character(
            character["name"],
            owner="admin",
            uid=character["characterUid"],
            backend=session["context"]["backendId"],
            tags=character["tags"],
            default_scene=character.get("defaultScene"),
            visibility=character["visibility"],
            **fields,
        )
        ids[f"/chat/{character['characterId']}"] = f"/chat/{added.id}"
    for exchange in recorded:
        body = json.loads(exchange.request.get("body") or "{}")
        if exchange.method_name == "start_chat" and body.get("backendId"):
            kind, quota = ("messages", 1) if "quota" in exchange.name else ("none", 0)
            sandbox.add_backend(body["characterUid"], body["backendId"], quota_type=kind, quota=quota)
    return World(sandbox, ids), model


@pytest.mark.parametrize("server", SERVERS)
def test_each_request_gets_what_was_recorded(server: str) -> None:
    world, model = build(server)
    differences = []
    with world.sandbox:
        for exchange in requests_of(server):
            model.expected = exchange
            if exchange.name == "chats, one of them without a backend":
                world.sandbox.remove_backend(last_backend(server))
            status, headers, body, is_cut = world.send(exchange)
            if exchange.method_name == "start_chat" and status == 200:
                world.ids[exchange.body.decode()] = body.decode()
            content_type = headers.get("content-type", "")
            got = (status, headers, shape_of(body, content_type), is_cut)
            wanted_headers = headers_of(exchange.response["headers"])
            wanted_type = wanted_headers.get("content-type", "")
            wanted = (exchange.status, wanted_headers, shape_of(exchange.body, wanted_type), exchange.is_cut)
            if got != wanted:
                differences.append((exchange.name, got, wanted))
    assert differences == []


def last_backend(server: str) -> str:
    started = [exchange for exchange in exchanges(server, "ChatApi") if exchange.method_name == "start_chat"]
    bodies = [json.loads(exchange.request["body"]) for exchange in started]
    backend: str = [body["backendId"] for body in bodies if "backendId" in body][-1]
    return backend
