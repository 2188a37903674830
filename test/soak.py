"""Mixed operations of many threads, through the chaos proxy, to a server that remembers what it has done.

`python -m test.soak` (`make soak`) runs 100,000 in rounds and prints figures. SOAK_OPERATIONS and SOAK_SEED change the
number and the seed.
"""

import gzip
import json
import os
import ssl
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import trustme

from freechat_sdk import (
    ApiClient,
    ApiConnectionError,
    ApiException,
    CharacterApi,
    ChatApi,
    NotFoundException,
    ServiceException,
    ServiceUnavailableException,
    SseEmitter,
    StreamInterruptedError,
)
from test.chaos import ChaosProxy, Ending
from test.clients import at_once, configured
from test.server import (
    JSON,
    MAX_WAIT,
    Connection,
    Handler,
    RecordingServer,
    Request,
    events_response,
    final_event,
    json_response,
    text_response,
    tls_context,
)

THREADS = 16
POOL_SIZE = 12
SECONDS_PER_CALL = 0.5
"""The limit of each call. Only calls that the proxy stalls need it."""
EXPECTED_ERRORS = (ApiConnectionError, StreamInterruptedError)
"""What a call may end with on a harmed connection. Nothing else fits: no byte is changed."""


class WrongResultError(Exception):
    """A call returned what belongs to no call or to another one."""


@dataclass
class Caller:
    """What an operation needs to call."""

    client: ApiClient
    folder: Path

    def __post_init__(self) -> None:
        self.chats = ChatApi(self.client)
        self.characters = CharacterApi(self.client)


@dataclass
class Record:
    """What the server has done."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    seen: Counter[int] = field(default_factory=Counter)
    """How often each operation has arrived."""
    done: Counter[int] = field(default_factory=Counter)
    """How often each operation that must not be done twice has been done."""


Call = Callable[[Caller, int, dict[str, Any]], object]
Respond = Callable[[int, Record], Handler]


@dataclass(frozen=True)
class Kind:
    """A kind of operation: how to call it, and how the server responds."""

    call: Call
    respond: Respond
    may_be_refused: bool = False
    """Whether the server refuses the first request with 503, which may be the last one that the client makes."""


def expect(value: object, expected: object) -> None:
    """Compare a result with what the server sent for this operation.

    Raises:
        WrongResultError: if they differ.
    """
    if value != expected:
        raise WrongResultError(f"expected {str(expected)[:80]!r}, got {str(value)[:80]!r}")


def payload(number: int) -> bytes:
    """Return bytes that belong to one operation, up to 40,000 of them."""
    size = int(10 ** Random(number).uniform(0, 4.6))
    return (b"%d," % number * (size // 2 + 1))[:size]


def chat_of(number: int) -> str:
    return f"chat{number}"


# What the server does


def once(handler: Handler, number: int, record: Record) -> Handler:
    """Return a handler that notes that an operation has been done."""

    def handle(request: Request, connection: Connection) -> None:
        with record.lock:
            record.done[number] += 1
        handler(request, connection)

    return handle


def first_refused(refused: Handler, handler: Handler, number: int, record: Record) -> Handler:
    """Return a handler that refuses the first request of an operation."""
    with record.lock:
        return handler if record.seen[number] > 1 else refused


def in_chunks(body: bytes, *headers: tuple[str, str]) -> Handler:
    def handle(_: Request, connection: Connection) -> None:
        connection.start_chunked(headers=headers)
        for start in range(0, len(body), 4000):
            connection.chunk(body[start : start + 4000])
        connection.end()

    return handle


def details(number: int) -> bytes:
    return json.dumps({"characterId": number, "description": payload(number).decode()}).encode()


def packed_details(number: int, _: Record) -> Handler:
    body = gzip.compress(details(number), mtime=0)
    headers = [JSON, ("Content-Encoding", "gzip")]
    return lambda _, connection: connection.respond(200, body, headers)


def answer_of(number: int) -> list[str]:
    """Return the parts of the answer to a message."""
    return [f"{number}:{part} " for part in range(1 + number % 40)]


def stream_of(number: int, record: Record) -> Handler:
    parts = answer_of(number)
    return once(events_response(*({"text": part} for part in parts), final_event("".join(parts))), number, record)


def file_of(number: int, _: Record) -> Handler:
    body = payload(number)
    if number % 2:
        return in_chunks(body, ("Content-Type", "application/gzip"))
    return lambda _, connection: connection.respond(200, body, [("Content-Type", "application/gzip")])


def checksum(number: int, record: Record) -> Handler:
    """Return a handler that responds with the checksum of the uploaded file."""

    def handle(request: Request, connection: Connection) -> None:
        boundary = b"\r\n--" + (request.header("Content-Type") or "").partition("boundary=")[2].encode()
        content = request.body.partition(b"\r\n\r\n")[2].partition(boundary)[0]
        text_response(f"{number}/{crc32(content)}")(request, connection)

    return once(handle, number, record)


def busy(number: int, record: Record) -> Handler:
    refusal = json_response({"timestamp": "2026-01-01T00:00:00Z", "status": 503}, 503)
    return first_refused(refusal, once(json_response({"text": chat_of(number)}), number, record), number, record)


# What the client does


def save(caller: Caller, number: int, options: dict[str, Any]) -> None:
    target = caller.folder / str(number)
    try:
        caller.characters.export_character(number, **options).save(target)
    except ApiException:
        expect(target.exists(), False)
        raise
    expect(target.read_bytes(), payload(number))
    target.unlink()


def drop_download(caller: Caller, number: int, options: dict[str, Any]) -> None:
    first = next(iter(caller.characters.export_character(number, **options)))
    expect(first, payload(number)[: len(first)])


def read_by_hand(caller: Caller, number: int, options: dict[str, Any]) -> None:
    headers = options["_headers"]
    response = caller.client.call_api("GET", "/api/v1/hand", headers, _request_timeout=options["_request_timeout"])
    expect(response.read(), payload(number))


def open_stream(caller: Caller, number: int, options: dict[str, Any]) -> SseEmitter:
    return caller.chats.stream_send_message(chat_of(number), "Hi", **options)


def read_stream(caller: Caller, number: int, options: dict[str, Any]) -> None:
    stream, parts = open_stream(caller, number, options), answer_of(number)
    try:
        expect([event.text for event in stream if event.text], parts)
    except StreamInterruptedError as error:
        expect([event.text for event in error.events], parts[: len(error.events)])
        expect(error.text, "".join(parts[: len(error.events)]))
        raise
    expect(stream.result and stream.result.answer, "".join(parts))


def break_stream_off(caller: Caller, number: int, options: dict[str, Any]) -> None:
    parts = answer_of(number)
    for index, event in enumerate(open_stream(caller, number, options)):
        expect(event.text, parts[index] if index < len(parts) else None)
        if index == number % 5:
            break


def close_stream(caller: Caller, number: int, options: dict[str, Any]) -> None:
    with open_stream(caller, number, options) as stream:
        expect(next(stream).text, answer_of(number)[0])


def fail(kind: type[ApiException]) -> Callable[[Caller, int, dict[str, Any]], None]:
    """Return a call that the server answers with an error of this kind."""

    def call(caller: Caller, number: int, options: dict[str, Any]) -> None:
        try:
            caller.chats.get_memory_usage(chat_of(number), **options)
        except kind as error:
            expect(error.data, {"message": str(number)})
        else:
            raise WrongResultError("the error of the server was taken for a result")

    return call


def upload(caller: Caller, number: int, options: dict[str, Any]) -> None:
    content = payload(number)
    file = BytesIO(content) if number % 2 else content
    expect(caller.characters.upload_character_document("uid", file, **options), f"{number}/{crc32(content)}")


KINDS = {
    "text": Kind(
        lambda caller, number, options: expect(
            caller.characters.new_character_name("Ada", **options), payload(number).decode()
        ),
        lambda number, _: text_response(payload(number).decode()),
    ),
    "chunked text": Kind(
        lambda caller, number, options: expect(
            caller.chats.get_default_chat_id(number, **options), payload(number).decode()
        ),
        lambda number, _: in_chunks(payload(number), ("Content-Type", "text/plain")),
    ),
    "model": Kind(
        lambda caller, number, options: expect(
            caller.characters.get_character_details(number, **options).to_json(), details_as_sent(number)
        ),
        lambda number, _: in_chunks(details(number), JSON),
    ),
    "packed model": Kind(
        lambda caller, number, options: expect(
            caller.characters.get_character_details(number, **options).to_json(), details_as_sent(number)
        ),
        packed_details,
    ),
    "list": Kind(
        lambda caller, number, options: expect(
            caller.characters.list_character_backend_ids("uid", **options), [str(number)] * (number % 300)
        ),
        lambda number, _: json_response([str(number)] * (number % 300)),
    ),
    "unavailable at first": Kind(
        lambda caller, number, options: expect(
            caller.characters.list_character_documents("uid", **options), [str(number)]
        ),
        lambda number, record: first_refused(json_response({}, 503), json_response([str(number)]), number, record),
        may_be_refused=True,
    ),
    "idempotent": Kind(
        lambda caller, number, options: expect(
            caller.characters.delete_character_by_uid("uid", **options), [number, number + 1]
        ),
        lambda number, _: json_response([number, number + 1]),
    ),
    "once": Kind(
        lambda caller, number, options: expect(caller.characters.clone_character(number, **options), number),
        lambda number, record: once(json_response(number), number, record),
    ),
    "message": Kind(
        lambda caller, number, options: expect(
            caller.chats.send_message(chat_of(number), "Hi", **options).text, chat_of(number)
        ),
        busy,
        may_be_refused=True,
    ),
    "stream": Kind(read_stream, stream_of),
    "stream broken off": Kind(break_stream_off, stream_of),
    "stream closed": Kind(close_stream, stream_of),
    "download": Kind(
        lambda caller, number, options: expect(
            caller.characters.export_character(number, **options).read(), payload(number)
        ),
        file_of,
    ),
    "download saved": Kind(save, file_of),
    "download dropped": Kind(drop_download, file_of),
    "read by hand": Kind(read_by_hand, file_of),
    "upload": Kind(upload, checksum),
    "404": Kind(fail(NotFoundException), lambda number, _: json_response({"message": str(number)}, 404)),
    "500": Kind(fail(ServiceException), lambda number, _: json_response({"message": str(number)}, 500)),
}
NAMES = list(KINDS)


def details_as_sent(number: int) -> str:
    return json.dumps(json.loads(details(number)), separators=(",", ":"))


@dataclass
class Figures:
    """What came of a number of operations."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """How many operations succeeded, and how many ended in each kind of error."""
    succeeded: Counter[str] = field(default_factory=Counter)
    """How many operations of each kind succeeded."""
    endings: Counter[Ending] = field(default_factory=Counter)
    requests: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    """What must not happen."""

    def add(self, other: "Figures") -> None:
        """Add the figures of another round."""
        self.outcomes.update(other.outcomes)
        self.succeeded.update(other.succeeded)
        self.endings.update(other.endings)
        self.requests += other.requests
        self.seconds += other.seconds
        self.failures += other.failures

    def __str__(self) -> str:
        lines = [
            f"{self.outcomes.total()} operations, {self.requests} requests, {self.seconds:.0f} s",
            *(f"  {count:7} {outcome}" for outcome, count in self.outcomes.most_common()),
            f"{self.endings.total()} connections",
            *(f"  {count:7} {ending.value}" for ending, count in self.endings.most_common()),
            f"{len(self.failures)} failures",
            *self.failures[:20],
        ]
        return "\n".join(lines)


class Round:
    """A number of operations over one client."""

    def __init__(self, caller: Caller, operations: int, seed: object) -> None:
        self.figures = Figures()
        self.unsent: set[int] = set()
        """The operations whose error said that nothing was sent."""
        self._caller = caller
        self._numbers = iter(range(operations))
        self._seed = seed
        self._lock = threading.Lock()
        self._began: dict[str, tuple[float, int]] = {}

    def run(self) -> None:
        """Make the operations in many threads, and watch that each one ends."""
        threads = [threading.Thread(target=self._work, name=f"soak {number}") for number in range(THREADS)]
        done = threading.Event()
        watchdog = threading.Thread(target=self._watch, args=(done,))
        for thread in (*threads, watchdog):
            thread.start()
        for thread in threads:
            while thread.is_alive() and not self.figures.failures:
                thread.join(0.5)
        for thread in threads:
            thread.join(MAX_WAIT)
        done.set()
        watchdog.join(MAX_WAIT)

    def _work(self) -> None:
        name = threading.current_thread().name
        while not self.figures.failures:
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                return
            self._began[name] = (time.monotonic(), number)
            kind = Random(f"{self._seed}/{number}").choice(NAMES)
            outcome = self._outcome(kind, number)
            del self._began[name]
            with self._lock:
                self.figures.outcomes[outcome] += 1
                self.figures.succeeded[kind] += outcome == "succeeded"

    def _outcome(self, kind: str, number: int) -> str:
        headers = {"X-Operation": str(number), "X-Kind": kind}
        options = {"_headers": headers, "_request_timeout": SECONDS_PER_CALL}
        try:
            KINDS[kind].call(self._caller, number, options)
        except EXPECTED_ERRORS as error:
            if isinstance(error, ApiConnectionError) and error.request_sent is False:
                self.unsent.add(number)
                return f"{type(error).__name__}, nothing sent"
            return type(error).__name__
        except BaseException as error:  # noqa: BLE001 - whatever it is, it fails the run
            if KINDS[kind].may_be_refused and isinstance(error, ServiceUnavailableException):
                return type(error).__name__
            self.figures.failures.append(f"operation {number}, {kind}: {traceback.format_exc()}")
            return "failure"
        return "succeeded"

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(0.5):
            for began, number in list(self._began.values()):
                if time.monotonic() - began > MAX_WAIT:
                    self.figures.failures.append(f"operation {number} has not ended after {MAX_WAIT} s")
                    done.wait(MAX_WAIT)


class _ServerSocket(ssl.SSLSocket):
    """Closes itself silently where the ssl module leaves it open: if the peer resets before the handshake."""

    def __del__(self) -> None:
        self.close()


def responder(record: Record) -> Handler:
    """Return the handler of the server."""

    def handle(request: Request, connection: Connection) -> None:
        number, kind = int(request.header("X-Operation") or ""), KINDS[request.header("X-Kind") or ""]
        with record.lock:
            record.seen[number] += 1
        kind.respond(number, record)(request, connection)

    return handle


@contextmanager
def nothing_left_behind(figures: Figures) -> Iterator[None]:
    """Note threads and file descriptors that are there afterwards and were not before."""
    threads, files = set(threading.enumerate()), open_files()
    yield
    left = [thread.name for thread in threading.enumerate() if thread not in threads]
    if left:
        figures.failures.append(f"threads left: {left}")
    if opened := open_files() - files:
        figures.failures.append(f"file descriptors left: {opened}")


def open_files() -> set[str]:
    """Return the open file descriptors, less the one that lists them. Tests before may still be closing theirs."""
    folder = Path("/proc/self/fd")
    listed = list(folder.iterdir()) if folder.exists() else []
    return {path.name for path in listed if os.path.lexists(path)}


def run(operations: int, seed: object, authority: trustme.CA | None = None, *, block: bool = False) -> Figures:
    """Run operations through the proxy, over TLS if an authority is given, and return what came of them.

    `block` lets calls wait for a free connection; there are fewer connections than threads.
    """
    figures = Figures()
    with nothing_left_behind(figures), tempfile.TemporaryDirectory() as folder:
        _run(figures, operations, seed, authority, block, Path(folder))
        figures.failures += [f"left in the folder: {path.name}" for path in Path(folder).iterdir()]
    return figures


def _run(
    figures: Figures, operations: int, seed: object, authority: trustme.CA | None, block: bool, folder: Path
) -> None:
    record = Record()
    tls: ssl.SSLContext | None = None
    settings: dict[str, Any] = {"connection_pool_block": block, "connection_pool_maxsize": POOL_SIZE}
    if authority is not None:
        tls = tls_context(authority, "127.0.0.1")
        tls.sslsocket_class = _ServerSocket
        settings["ca_cert_data"] = authority.cert_pem.bytes().decode()
    retries = at_once(2, backoff=0.0, budget=1e6)
    server = RecordingServer(responder(record), tls)
    with server, ChaosProxy(server.port, seed) as proxy:
        host = server.url.replace(str(server.port), str(proxy.port))
        with ApiClient(configured(host, retries=retries, **settings)) as client:
            round_ = Round(Caller(client, folder), operations, seed)
            began = time.monotonic()
            round_.run()
            round_.figures.seconds = time.monotonic() - began
            pool: Any = client.rest_client.transport.pools.host()[0]
            places, idle = [taken for taken in pool._places._taken if taken() is not None], len(pool._idle)
    figures.add(round_.figures)
    figures.requests = len(server.requests)
    figures.endings = proxy.fates
    if places or idle > POOL_SIZE:
        figures.failures.append(f"{len(places)} places taken, {idle} connections idle, of {POOL_SIZE}")
    for number in sorted(round_.unsent & record.seen.keys()):
        figures.failures.append(f"operation {number} was said not to be sent and has arrived")
    for number, count in record.done.items():
        if count > 1:
            figures.failures.append(f"operation {number} was done {count} times")


def main() -> int:
    """Run rounds over http and TLS in turn, and print the figures."""
    operations = int(os.environ.get("SOAK_OPERATIONS", "100000"))
    seed = os.environ.get("SOAK_SEED", str(time.time_ns()))
    total, authority, round_size = Figures(), trustme.CA(), 3000
    print("seed", seed, flush=True)
    for number, start in enumerate(range(0, operations, round_size)):
        size = min(round_size, operations - start)
        secure = authority if number % 2 else None
        total.add(run(size, f"{seed}.{number}", secure, block=number // 2 % 2 == 1))
        print(f"round {number}: {total.outcomes.total()} operations, {len(total.failures)} failures", flush=True)
    print(total)
    return 1 if total.failures else 0


if __name__ == "__main__":
    sys.exit(main())
