"""Holds the sandbox against the recordings: `python -m test.sandbox.oracle FILE [CLASS ...] [--values]`.

A file's exchanges are sent in order to an empty faithful sandbox of its release; ids, uids and tokens of the recording
are replaced by those that the sandbox gave in their place. Prints what differs, of some API classes or of all. With
`--values` it also prints values that differ where only shapes are compared.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import groupby, zip_longest
from threading import Event
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from freechat_sdk.sandbox._app import App
from freechat_sdk.sandbox._contract import OPERATIONS, Operation
from freechat_sdk.sandbox._events import CutError
from freechat_sdk.sandbox._files import key_of, path_of
from freechat_sdk.sandbox._http import MAX_BODY_BYTES, Request, Response
from freechat_sdk.sandbox._release import RELEASES
from freechat_sdk.sandbox._store import Store
from freechat_sdk.sandbox._users import Users
from freechat_sdk.sandbox.completions import paced
from test.recordings import Exchange, exchanges
from test.sandbox.model import Model
from test.server import MAX_WAIT

RELEASE_OF = {
    "v1": "2.0.0",
    "user-v1": "2.0.0",
    "v2.6": "2.6.0",
    "user-v2.6": "2.6.0",
    "v2": "2.9.0",
    "user-v2": "2.9.0",
}
"""The recorded files, with the release that each was made with."""
AT_ONCE = "two at once, "
"""How the names of exchanges begin that were under way at the same time."""
ADMIN_TOKEN = "fc-00000000000000000000000000000001"
IGNORED_HEADERS = frozenset({"connection", "content-length", "date", "keep-alive"})
"""`Connection` is the sockets' affair; how a body is framed shows in `Transfer-Encoding`."""
LISTS = frozenset({"accept", "allow", "vary"})
EARLIER_VIEWS = {
    "referType": "prompt",
    "referId": "0" * 32,
    "viewCount": 5,
    **dict.fromkeys(("referCount", "recommendCount", "scoreCount", "score"), 0),
}
"""What the plain users' servers had counted before the first recorded exchange; a place in a list shows it."""
UNRECORDED = {"get_default_config", "encrypt_text"}
"""Operations whose text is the recorded server's own."""
OPERATIONS_OF = {(operation.tag, operation.name): operation for operation in OPERATIONS}
ID_KINDS = {
    "AIServiceApi": "key",
    "AccountApi": "token",
    "AccountManagerForAdminApi": "token",
    "AgentApi": "agent",
    "CharacterApi": "character",
    "ChatApi": "message",
    "PluginApi": "plugin",
    "PromptApi": "prompt",
    "RagApi": "task",
}
"""What the numbers are that operations of a class take and answer, unless their names say it."""
ID_NAMES = {f"{kind}Id": kind for kind in ("agent", "character", "message", "plugin", "prompt")} | {"taskId": "task"}


class Difference(NamedTuple):
    """What is not as recorded."""

    exchange: Exchange
    what: str
    expected: object
    got: object

    def __str__(self) -> str:
        name = f"{self.exchange.api}.{self.exchange.method_name}"
        request = f"{self.exchange.request['method']} {self.exchange.request['path']}"
        return f"{self.exchange.name} | {name} | {request}\n  {self.what}: expected {self.expected}\n  got {self.got}"


class Clock:
    """A clock that stands unless it is told to move on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def move_to(self, date: datetime) -> None:
        self.now = max(self.now, date.timestamp())


@dataclass
class Got:
    """A response, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_cut: bool


@dataclass
class Names:
    """The ids, uids and tokens of a recording, with those of the sandbox that stand in their place."""

    texts: dict[str, str] = field(default_factory=dict)
    numbers: dict[tuple[str, int], int] = field(default_factory=dict)

    def in_text(self, text: str) -> str:
        """Return a text with the sandbox's names."""
        pattern = "|".join(map(re.escape, sorted(self.texts, key=len, reverse=True)))
        return re.sub(pattern, lambda match: self.texts[match[0]], text) if pattern else text

    def learn(self, expected: Any, got: Any, kind: str | None) -> None:
        """Take names from two JSON values of the same shape; `kind` is what plain numbers are, None if no ids."""
        if isinstance(expected, dict) and isinstance(got, dict):
            for name, value in expected.items():
                self.learn(value, got.get(name), ID_NAMES.get(name, kind if name == "id" else None))
        elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
            for one, other in zip(expected, got, strict=True):
                self.learn(one, other, kind)
        elif is_number(expected) and is_number(got) and kind:
            self.numbers.setdefault((kind, expected), got)
        elif isinstance(expected, str) and isinstance(got, str) and expected != got:
            self._learn_text(expected, got)

    def _learn_text(self, expected: str, got: str) -> None:
        for pattern in (r"[0-9a-f]{32}", r"fc-[0-9a-f]{32}", r"https?://.*", r"[0-9a-f]{32}-.*", r"voice-.*"):
            if re.fullmatch(pattern, expected) and re.fullmatch(pattern, got):
                self.texts.setdefault(expected.rpartition("/")[2], got.rpartition("/")[2])

    def in_json(self, value: Any, kind: str | None) -> Any:
        """Return a JSON value with the sandbox's names."""
        if isinstance(value, dict):
            return {
                name: self.in_json(held, ID_NAMES.get(name, kind if name == "id" else None))
                for name, held in value.items()
            }
        if isinstance(value, list):
            return [self.in_json(item, kind) for item in value]
        if is_number(value) and kind:
            return self.numbers.get((kind, value), value)
        return self.in_text(value) if isinstance(value, str) else value


def is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class Replay:
    """Sends the exchanges of a file to an empty sandbox."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.clock = Clock()
        self.names = Names()
        self.store = store = Store()
        release = RELEASES[RELEASE_OF[file]]
        self.release = release
        self._gate: tuple[Event, Event] | None = None
        self.app = App(store, release, paced(Model(self._sleep), 0, self._sleep), clock=self.clock)
        first = next(exchanges(file))
        self.clock.move_to(date_of(first))
        users = Users(store)
        users.add("admin", int(self.clock()), is_admin=True, nickname="Admin")
        users.add_token("admin", int(self.clock()), token=ADMIN_TOKEN)
        if file.startswith("user-"):
            store.table("stats", "referId").add(**EARLIER_VIEWS)

    def close(self) -> None:
        self.store.close()

    def differences(self) -> Iterator[Difference]:
        """Yield what is not as recorded, in order."""
        for exchange, got in self.sent():
            yield from self.compare(exchange, got)

    def sent(self) -> Iterator[tuple[Exchange, Got]]:
        """Yield the exchanges with what the sandbox responds."""
        for are_together, group in groupby(exchanges(self.file), lambda exchange: exchange.name.startswith(AT_ONCE)):
            for exchange, got in (self._send_together if are_together else self._send_each)(group):
                yield exchange, got
                self.learn(exchange, got)

    def _send_each(self, group: Iterator[Exchange]) -> Iterator[tuple[Exchange, Got]]:
        return ((exchange, self.send(exchange)) for exchange in group)

    def _sleep(self, seconds: float) -> None:
        if self._gate is None:
            self.clock.sleep(seconds)
        else:
            entered, opened = self._gate
            entered.set()
            assert opened.wait(MAX_WAIT)

    def _send_together(self, exchanges_: Iterator[Exchange]) -> Iterator[tuple[Exchange, Got]]:
        """Send all others while the model is at the one that is slow."""
        group = list(exchanges_)
        self._gate = entered, opened = Event(), Event()
        with ThreadPoolExecutor(len(group)) as pool:
            slow = next(exchange for exchange in group if b"#slow" in exchange.request_body)
            sent = {slow.name: pool.submit(self.send, slow)}
            assert entered.wait(MAX_WAIT)
            sent |= {other.name: pool.submit(self.send, other) for other in group if other is not slow}
            if self.release.refuses_when_busy:
                wait([future for name, future in sent.items() if name != slow.name], MAX_WAIT)
            opened.set()
        self._gate = None
        return ((exchange, sent[exchange.name].result()) for exchange in group)

    def send(self, exchange: Exchange) -> Got:
        """Make a recorded request of the sandbox."""
        self.clock.move_to(date_of(exchange))
        return read(self.app.respond(self.request(exchange)))

    def request(self, exchange: Exchange) -> Request:
        """Return a recorded request with the sandbox's names."""
        headers = {name.lower(): self.names.in_text(value) for name, value in exchange.request["headers"].items()}
        body = exchange.request_body
        if headers.get("content-type", "").startswith("application/json") and body:
            body = self._json(exchange, body)
        too_large = len(body) > MAX_BODY_BYTES
        target = self._target(exchange)
        return Request(exchange.request["method"], target, "127.0.0.1:8080", headers, None if too_large else body)

    def _json(self, exchange: Exchange, body: bytes) -> bytes:
        try:
            value = json.loads(body)
        except ValueError:
            return body
        return json.dumps(self.names.in_json(value, ID_KINDS.get(exchange.api))).encode()

    def _target(self, exchange: Exchange) -> str:
        target: str = exchange.request["path"]
        path, mark, query = target.partition("?")
        operation = OPERATIONS_OF.get((exchange.api, exchange.method_name))
        kinds = kinds_in_path(operation, self.release.generation) if operation else {}
        segments = [self._segment(text, kinds.get(place)) for place, text in enumerate(path.split("/"))]
        return f"{'/'.join(segments)}{mark}{query}"

    def _segment(self, text: str, kind: str | None) -> str:
        if kind and text.isdigit():
            return str(self.names.numbers.get((kind, int(text)), text))
        plain = unquote(text)
        changed = self._key(plain) if plain not in self.names.texts else self.names.in_text(plain)
        return text if changed == plain else quote(changed, safe="=")

    def _key(self, text: str) -> str:
        """Return a text with the sandbox's names, also if they stand in a path that it is the Base64 of."""
        path = path_of(text)
        return key_of(self.names.in_text(path)) if "/" in path else self.names.in_text(text)

    def learn(self, exchange: Exchange, got: Got) -> None:
        if exchange.status != 200 or got.status != 200:
            return
        kind = None if exchange.method_name.startswith("count") else ID_KINDS.get(exchange.api)
        self.names.learn(content(exchange.body, exchange_headers(exchange)), content(got.body, got.headers), kind)

    def compare(self, exchange: Exchange, got: Got) -> Iterator[Difference]:
        """Yield what of a response is not as recorded; of a wrong status only that."""
        headers = exchange_headers(exchange)
        if exchange.status != got.status:
            yield Difference(exchange, "status", (exchange.status, short(exchange.body)), (got.status, short(got.body)))
            return
        if headers != got.headers:
            missing, surplus = headers.items() - got.headers.items(), got.headers.items() - headers.items()
            yield Difference(exchange, "headers", sorted(missing), sorted(surplus))
        expected_shape, got_shape = (
            self.shape(exchange, exchange.body, headers),
            self.shape(exchange, got.body, got.headers),
        )
        if expected_shape != got_shape:
            yield Difference(exchange, "body", *first_difference(expected_shape, got_shape))
        if exchange.is_cut != got.is_cut:
            yield Difference(exchange, "cut", exchange.is_cut, got.is_cut)

    def shape(self, exchange: Exchange, body: bytes, headers: Mapping[str, str]) -> Any:
        """Return what of a body is compared."""
        value = content(body, headers)
        content_type = headers.get("content-type", "")
        if content_type == "text/event-stream":
            return [shape(event) for event in value]
        if isinstance(value, (bool, dict, list)):
            return value if isinstance(value, bool) else shape(value)
        if isinstance(value, str) and exchange.method_name not in UNRECORDED:
            return kind_of(self.names.in_text(value))
        return bool(value)


def kinds_in_path(operation: Operation, generation: str) -> dict[int, str]:
    """Return the kinds of the ids in a path, by the places of their segments."""
    segments = f"/api/{generation}{operation.path}".split("/")
    kinds = {}
    for parameter in operation.parameters:
        if parameter.location == "path" and parameter.type == "integer" and generation in parameter.generations:
            named = ID_NAMES.get(re.sub(r"_(\w)", lambda match: match[1].upper(), parameter.name))
            kind = named or (ID_KINDS.get(operation.tag) if parameter.name == "id" else None)
            if kind:
                kinds[segments.index("{" + parameter.wire + "}")] = kind
    return kinds


def date_of(exchange: Exchange) -> datetime:
    """Return when the server responded."""
    return parsedate_to_datetime(dict(exchange.response["headers"])["Date"])


def read(response: Response) -> Got:
    """Read a response to its end."""
    body, is_cut = response.body, False
    pairs = list(response.headers)
    if response.chunks is not None:
        pairs.append(("Transfer-Encoding", "chunked"))
        try:
            for chunk in response.chunks:
                body += chunk
        except CutError:
            is_cut = True
    return Got(response.status, headers_of(pairs), body, is_cut)


def exchange_headers(exchange: Exchange) -> dict[str, str]:
    return headers_of(exchange.response["headers"])


def headers_of(pairs: list[Any]) -> dict[str, str]:
    """Return the headers that matter, by name in lower case; those that come more than once are joined."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        if name.lower() not in IGNORED_HEADERS:
            headers[name.lower()] = ", ".join(filter(None, (headers.get(name.lower()), value)))
    for name in LISTS & headers.keys():
        headers[name] = ", ".join(sorted(headers[name].split(", ")))
    if "location" in headers:
        headers["location"] = "/" + headers["location"].split("/", 3)[3]
    return headers


def content(body: bytes, headers: Mapping[str, str]) -> Any:
    """Return what a body holds: JSON, the events of a stream, text, or bytes."""
    content_type = headers.get("content-type", "")
    if content_type == "application/json":
        try:
            return json.loads(body)
        except ValueError:
            return body.decode()
    if content_type == "text/event-stream":
        return [json.loads(line.removeprefix("data:")) for line in body.decode().split("\n") if line]
    return body.decode() if content_type.startswith("text/plain") else body


def shape(value: Any) -> Any:
    """Return the names of a JSON value and the kinds of its values; of an array the kinds of its items."""
    if isinstance(value, dict):
        return {name: shape(held) for name, held in sorted(value.items())}
    if isinstance(value, list):
        return sorted({json.dumps(shape(item)): None for item in value})
    return type(value).__name__


def kind_of(text: str) -> str:
    """Return a text that says what a text is, if it is different each time; else the text."""
    if re.fullmatch(r"https?://.*", text):
        path = text.split("/", 3)[3]
        return f"address: {path.rpartition('/')[0]}"
    if re.fullmatch(r"(fc-)?[0-9a-f]{32}", text):
        return "token" if text.startswith("fc-") else "uid"
    return text


def first_difference(expected: Any, got: Any) -> tuple[object, object]:
    """Return the parts of two shapes that differ."""
    if isinstance(expected, dict) and isinstance(got, dict):
        parts = [
            (f"{name}: {expected.get(name, 'absent')}", f"{name}: {got.get(name, 'absent')}")
            for name in sorted(expected.keys() | got.keys())
            if expected.get(name) != got.get(name)
        ]
        return "; ".join(part for part, _ in parts), "; ".join(part for _, part in parts)
    if isinstance(expected, list) and isinstance(got, list):
        for place, (one, other) in enumerate(zip_longest(expected, got)):
            if one != other:
                both = [json.loads(x) if isinstance(x, str) and x[:1] in '{["' else x for x in (one, other)]
                part = first_difference(*both)
                return f"[{place}] {part[0]}", f"[{place}] {part[1]}"
    return expected, got


def short(body: bytes) -> str:
    return body[:200].decode("utf-8", "replace")


def values(replay: Replay, exchange: Exchange, got: Got) -> Iterator[str]:
    """Yield the paths of JSON values that are not as recorded, dates and ids of requests apart."""
    expected, other = content(exchange.body, exchange_headers(exchange)), content(got.body, got.headers)
    if exchange.status == got.status and isinstance(expected, (dict, list)):
        yield from _values("", replay.names.in_json(expected, ID_KINDS.get(exchange.api)), other)


def _values(path: str, expected: Any, got: Any) -> Iterator[str]:
    name = path.rpartition(".")[2]
    if name.startswith("gmt") or name in ("requestId", "timestamp", "token", "issuedAt", "expiresAt"):
        return
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in expected:
            yield from _values(f"{path}.{key}", expected[key], got.get(key))
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for place, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from _values(f"{path}[{place}]", one, other)
    elif expected != got:
        yield f"  value {path}: expected {expected!r:.300}, got {got!r:.300}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", choices=[*RELEASE_OF, "all"])
    parser.add_argument("classes", nargs="*", metavar="CLASS")
    parser.add_argument("--values", action="store_true")
    options = parser.parse_args()
    for file in RELEASE_OF if options.file == "all" else [options.file]:
        with closing(Replay(file)) as replay:
            show(replay, options)


def show(replay: Replay, options: argparse.Namespace) -> None:
    file, count, total = replay.file, Counter[str](), Counter[str]()
    for exchange, got in replay.sent():
        found = list(replay.compare(exchange, got))
        total[exchange.api] += 1
        count[exchange.api] += bool(found)
        if not options.classes or exchange.api in options.classes:
            print(*found, sep="\n", end="\n" if found else "")
            for line in values(replay, exchange, got) if options.values and not found else ():
                print(f"{exchange.name} | {exchange.method_name}\n{line}")
    print(f"{file}: " + ", ".join(f"{api} {total[api] - count[api]}/{total[api]}" for api in sorted(total)))


if __name__ == "__main__":
    main()
