"""Whatever a server does wrong: the call ends as documented, in time, and the next one works."""

import itertools
import re
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freechat_sdk import (
    ApiConnectionError,
    ApiDecodeError,
    ApiException,
    ApiTimeoutError,
    CharacterApi,
    ChatApi,
    ServiceException,
    ServiceUnavailableException,
    StreamInterruptedError,
    UnauthorizedException,
)
from test.clients import chat_api
from test.hostile import CHUNKED, GZIP, chunked, close, gzipped, keep, repeats, reset, response, says, stall
from test.server import (
    EVENT_STREAM,
    FINAL,
    JSON,
    MAX_WAIT,
    Connection,
    Handler,
    RecordingServer,
    Request,
    event_bytes,
    head,
    in_order,
    json_response,
)

HTML = ("Content-Type", "text/html")
END = b"0\r\n\r\n"
DELTA = event_bytes({"text": "H"})
LAST = event_bytes(FINAL)
BOMB = gzipped(b"[" + b" " * 8_000_000 + b"]")
"""8 kB that unpack to 8 MB."""
LONG = b"x" * 70_000
SHORT_TIME = 0.3
"""Seconds for calls that only time can end."""


def list_chats(api: ChatApi) -> Any:
    return api.list_chats(_request_timeout=MAX_WAIT)


def list_briefly(api: ChatApi) -> Any:
    return api.list_chats(_request_timeout=SHORT_TIME)


def default_chat(api: ChatApi) -> Any:
    return api.get_default_chat_id(1)


def stream(api: ChatApi) -> Any:
    return api.stream_send_message("chat", "Hi", _request_timeout=MAX_WAIT).until_done().answer


def stream_briefly(api: ChatApi) -> Any:
    return api.stream_send_message("chat", "Hi", _request_timeout=SHORT_TIME).until_done().answer


def download(api: ChatApi) -> Any:
    return CharacterApi(api.api_client).export_character(1, _request_timeout=MAX_WAIT).read()


def download_briefly(api: ChatApi) -> Any:
    return CharacterApi(api.api_client).export_character(1, _request_timeout=SHORT_TIME).read()


def upload(api: ChatApi) -> Any:
    return CharacterApi(api.api_client).import_character(b"x" * 3_000_000, _request_timeout=MAX_WAIT)


def upload_briefly(api: ChatApi) -> Any:
    return CharacterApi(api.api_client).import_character(b"x" * 30_000_000, _request_timeout=SHORT_TIME)


@dataclass(frozen=True)
class Case:
    """A misbehaviour, and what a call makes of it: a value, or an error and what it says."""

    handler: Handler
    outcome: Any
    says: str = ""
    call: Callable[[ChatApi], Any] = list_chats
    is_kept: bool = False
    """Whether the connection serves the next call."""


def lost(handler: Handler, said: str = "connection was lost", **about: Any) -> Case:
    return Case(handler, ApiConnectionError, said, **about)


def late(handler: Handler, said: str = "no complete response in time", **about: Any) -> Case:
    about.setdefault("call", list_briefly)
    return Case(handler, ApiTimeoutError, said, **about)


def unreadable(handler: Handler, said: str = "unreadable", **about: Any) -> Case:
    return Case(handler, ApiDecodeError, said, **about)


def garbled(handler: Handler, said: str = "not valid HTTP") -> Case:
    return unreadable(handler, said)


def streamed(*events: bytes, end: bytes = END) -> bytes:
    return chunked(*events, headers=(EVENT_STREAM,)) + end


STATUS_LINES = {
    "nothing": lost(says(b"", close)),
    "a reset": lost(says(b"", reset)),
    "silence": late(says(b"", stall)),
    "an empty line": garbled(says(b"\r\n", close)),
    "a greeting of another protocol": garbled(says(b"220 mail.example.com ESMTP\r\n", close)),
    "a TLS alert": lost(says(b"\x15\x03\x01\x00\x02\x02\x46", close)),
    "a frame of HTTP/2": lost(says(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", close)),
    "HTTP/2 in words": garbled(says(b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\n[]")),
    "a status that is not a number": garbled(says(b"HTTP/1.1 abc OK\r\n\r\n")),
    "a status below 100": garbled(says(b"HTTP/1.1 99 Low\r\n\r\n")),
    "a status above 999": garbled(says(b"HTTP/1.1 1000 High\r\n\r\n")),
    "half a status line": lost(says(b"HTTP/1.1 20", close)),
    "half a status line and silence": late(says(b"HTTP/1.1 20", stall)),
    "an endless status line": garbled(repeats(b"HTTP/1.1 200 ", LONG)),
    "a status line byte by byte": late(repeats(b"HTTP/1.1 200 ", b"O")),
}
HEADERS = {
    "half a header": lost(says(b"HTTP/1.1 200 OK\r\nContent-Le", close)),
    "half a header and silence": late(says(b"HTTP/1.1 200 OK\r\nContent-", stall)),
    "half a header and a reset": lost(says(b"HTTP/1.1 200 OK\r\nContent-", reset)),
    "a header byte by byte": late(repeats(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x")),
    "headers without end": garbled(repeats(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 50)),
    "a header of 70 kB": garbled(says(head(200, [("X-Long", LONG.decode())]))),
    "101 headers": garbled(says(head(200, [(f"X-{number}", "y") for number in range(101)]))),
    "a header line without a colon": garbled(says(b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 2\r\n\r\n[]")),
    "a header that begins folded": garbled(says(b"HTTP/1.1 200 OK\r\n folded\r\nContent-Length: 2\r\n\r\n[]")),
    "a NUL in a header": Case(says(response(b"[]", ("X-Odd", "a\0b"))), [], is_kept=True),
    "bytes beyond ASCII in a header": Case(says(response(b"[]", ("X-Odd", "ÿþ"))), [], is_kept=True),
    "a folded header": Case(says(response(b"[]", ("X-Odd", "a\r\n b"))), [], is_kept=True),
    **{
        f"a Content-Length of {length!r} for {call.__name__}": unreadable(
            says(head(200, [("Content-Length", length)]) + b"[]"), "invalid Content-Length", call=call
        )
        for length, call in itertools.product(("two", "-2", "+2", "2_0", "0x2", "2, 2", ""), (list_chats, download))
    },
    "two different Content-Lengths": unreadable(
        says(response(b"[]", ("Content-Length", "5"))), "invalid Content-Length"
    ),
    "the same Content-Length twice": Case(says(response(b"[]", ("Content-Length", "2"))), [], is_kept=True),
    "an unknown Transfer-Encoding": garbled(
        says(response(b"[]", ("Transfer-Encoding", "rot13"))), "unsupported Transfer-Encoding"
    ),
    "two Transfer-Encodings": garbled(
        says(response(b"[]", ("Transfer-Encoding", "gzip, chunked"))), "unsupported Transfer-Encoding"
    ),
    "a petabyte announced": unreadable(says(head(200, [("Content-Length", "1" + "0" * 15)])), "max_response_bytes"),
    "hundreds of digits announced": unreadable(says(head(200, [("Content-Length", "9" * 400)])), "max_response_bytes"),
}
INTERIM = {
    "100 first": Case(says(b"HTTP/1.1 100 Continue\r\n\r\n" + response(b"[]")), [], is_kept=True),
    "103 first": Case(says(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + response(b"[]")), [], is_kept=True),
    "102 and 100 first": Case(says(head(102) + head(100) + head(102) + response(b"[]")), [], is_kept=True),
    "100 for ever": late(repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "103 for ever": late(repeats(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n")),
    "101, to another protocol": garbled(says(head(101, [("Upgrade", "chat")])), "switches to another protocol"),
}
BODIES = {
    "a cut body": lost(says(head(200, [("Content-Length", "100")]) + b"[", close)),
    "a body cut by a reset": lost(says(head(200, [("Content-Length", "100")]) + b"[", reset)),
    "a body that stops": late(says(head(200, [("Content-Length", "100")]) + b"[", stall)),
    "a body byte by byte": late(repeats(head(200, [("Content-Length", "1000000")]), b" ")),
    "a large body that is cut": lost(says(head(200, [("Content-Length", "900000")]) + b"[" + LONG, close)),
    "more bytes than announced": Case(says(response(b"[]") + b"\r\n<html>"), []),
    "two responses": Case(says(response(b"[]") * 2), []),
    "a response and half another": Case(says(response(b"[]") + b"HTTP/1.1 408 Request Time"), []),
    "a body without a length, and an end": Case(says(head(200) + b"[]", close), []),
    "a body without a length, and no end": late(says(head(200) + b"[]", stall)),
    "a body of HTTP/1.0": Case(says(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n[]", close), []),
    "an empty body": Case(says(response(b"")), None, is_kept=True),
    "204 with a body": Case(says(head(204, [("Content-Length", "2")]) + b"[]"), None),
    "304 with a body": Case(says(head(304, [("Content-Length", "2")]) + b"[]"), ApiException, "returned 304"),
    "chunks and a Content-Length": garbled(
        says(chunked(b"[]", headers=(("Content-Length", "1"),)) + END), "both Transfer-Encoding and Content-Length"
    ),
    "a chunk cut in two": Case(says(chunked(b"[", b"]") + END), [], is_kept=True),
    "chunks with extensions": Case(says(head(200, [CHUNKED]) + b"2;a=b\r\n[]\r\n0;c\r\n\r\n"), [], is_kept=True),
    "chunks with trailers": Case(says(chunked(b"[]") + b"0\r\nX-Sum: 1\r\n\r\n"), [], is_kept=True),
    "no last chunk": lost(says(chunked(b"[]"), close)),
    "half a chunk": lost(says(head(200, [CHUNKED]) + b"ff\r\n[", close)),
    "half a chunk and silence": late(says(head(200, [CHUNKED]) + b"ff\r\n[", stall)),
    "a chunk size that is not a number": garbled(says(head(200, [CHUNKED]) + b"zz\r\n[]\r\n", close)),
    "a negative chunk size": garbled(says(head(200, [CHUNKED]) + b"-2\r\n[]\r\n", close)),
    "an empty chunk size": garbled(says(head(200, [CHUNKED]) + b"\r\n[]\r\n", close)),
    "a chunk of an exabyte": late(says(head(200, [CHUNKED]) + b"f" * 15 + b"\r\n[", stall)),
    "a chunk size without end": garbled(repeats(head(200, [CHUNKED]), b"0" * 70_000)),
    "a trailer without end": garbled(repeats(chunked(b"[]") + b"0\r\nX: ", LONG)),
}
ENCODINGS = {
    "gzip": Case(says(response(gzipped(b"[]"), GZIP)), [], is_kept=True),
    "cut gzip": unreadable(says(response(gzipped(b"[]" * 99)[:-9], GZIP, JSON)), "Content-Encoding", is_kept=True),
    "a cut text in gzip": unreadable(
        says(response(gzipped(b"0" * 32)[:-9], GZIP)),
        "Content-Encoding",
        call=default_chat,
        is_kept=True,
    ),
    "broken gzip": unreadable(
        says(response(gzipped(b"[]")[:-6] + b"broken", GZIP)), r"returned 200 OK: .*Content-Encoding", is_kept=True
    ),
    "gzip that is not gzip": unreadable(says(response(b"[]", GZIP)), "Content-Encoding", is_kept=True),
    "a gzip bomb": unreadable(says(response(BOMB, GZIP)), "more than 1048576 bytes", is_kept=True),
    "a gzip bomb in chunks": unreadable(says(chunked(BOMB, headers=(GZIP,)) + END), "more than 1048576 bytes"),
    "a bomb in a bomb": unreadable(
        says(response(gzipped(BOMB), ("Content-Encoding", "gzip, gzip"))), "unsupported Content-Encoding"
    ),
    "an encoding nobody knows": unreadable(
        says(response(b"\x93\x01", ("Content-Encoding", "x-odd"))), "unsupported Content-Encoding 'x-odd'"
    ),
    "more than memory may hold": unreadable(says(response(b"[" + b" " * 1_100_000 + b"]")), "more than 1048576 bytes"),
    "more than memory may hold in chunks": unreadable(
        says(chunked(*[b" " * 100_000] * 11) + END), "more than 1048576 bytes"
    ),
    "more without a length": unreadable(says(head(200) + b" " * 1_100_000, close), "more than 1048576 bytes"),
}
TEXTS = {
    "HTML": unreadable(
        says(response(b"<html>", HTML)),
        "a login page or a proxy may have answered",
        is_kept=True,
    ),
    "HTML for a text": unreadable(
        says(response(b"<html>", HTML)),
        "a login page or a proxy may have answered",
        call=default_chat,
        is_kept=True,
    ),
    "UTF-16 for UTF-8": unreadable(says(response("文".encode("utf-16"))), call=default_chat, is_kept=True),
    "Latin-1 for UTF-8": unreadable(says(response("é".encode("latin-1"))), call=default_chat, is_kept=True),
    "half a character": unreadable(says(response("文".encode()[:2])), call=default_chat, is_kept=True),
    "JSON in UTF-16": unreadable(says(response("[]".encode("utf-16"), JSON)), is_kept=True),
    "half of JSON": unreadable(says(response(b'[{"chatId":', JSON)), is_kept=True),
    "JSON and more": unreadable(says(response(b"[] []", JSON)), is_kept=True),
    "deep JSON": unreadable(says(response(b"[" * 100_000, JSON)), is_kept=True),
    "deep JSON in a field": unreadable(says(response(b'[{"x":' + b'{"a":' * 50_000, JSON)), is_kept=True),
    "JSON of another shape": unreadable(says(response(b'{"a":1}', JSON)), is_kept=True),
    "JSON with NaN for a list": unreadable(says(response(b"NaN", JSON)), is_kept=True),
    "a lone surrogate": unreadable(says(response(b'[{"about":"\\ud800"}]', JSON)), is_kept=True),
}
STATUSES = {
    "a redirect in a circle": Case(
        says(response(b"", ("Location", "/api/v1/chat"), status=302)), ApiException, "302", is_kept=True
    ),
    "a redirect to nowhere": Case(says(response(b"", status=301)), ApiException, "301", is_kept=True),
    "a redirect to another host": Case(
        says(response(b"", ("Location", "http://127.0.0.1:1/"), status=307)), ApiException, "307", is_kept=True
    ),
    "the login page": Case(
        says(response(b"", ("Location", "https://x/w/login?y"), status=302)),
        UnauthorizedException,
        "(?s)returned 302.*FREECHAT_TOKEN",
        is_kept=True,
    ),
    "401 without a body": Case(says(response(b"", status=401)), UnauthorizedException, "token", is_kept=True),
    "500 in HTML": Case(
        says(response(b"<h1>Oops</h1>", HTML, status=500)),
        ServiceException,
        "Oops",
        is_kept=True,
    ),
    "503 with a broken body": Case(
        says(response(b'{"timestamp":', status=503)), ServiceUnavailableException, "503", is_kept=True
    ),
    "503 that is cut": lost(says(head(503, [("Content-Length", "10")]) + b"x", close)),
    "an error of megabytes": unreadable(says(response(b"x" * 1_100_000, status=500)), "more than 1048576 bytes"),
    "deep JSON in an error": Case(
        says(response(b"[" * 100_000, JSON, status=500)), ServiceException, "500", is_kept=True
    ),
    "a status nobody knows": Case(says(response(b"", status=799)), ApiException, "returned 799", is_kept=True),
    "an odd Retry-After": Case(
        says(response(b"", ("Retry-After", "²"), status=503)), ServiceUnavailableException, "503", is_kept=True
    ),
}
STREAMS = {
    "a whole stream": Case(says(streamed(DELTA, LAST)), "Hi", call=stream, is_kept=True),
    "a stream without a first event": late(says(head(200, [EVENT_STREAM, CHUNKED]), stall), call=stream_briefly),
    "a stream of comments": late(repeats(head(200, [EVENT_STREAM, CHUNKED]), b"5\r\n:hi\n\n\r\n"), call=stream_briefly),
    "a stream that stops": late(says(streamed(DELTA, end=b""), stall), "silent", call=stream_briefly),
    "a stream that trickles": late(repeats(streamed(DELTA, end=b""), b"1\r\nx\r\n"), "silent", call=stream_briefly),
    "a stream that is cut": Case(says(streamed(DELTA, end=b""), close), StreamInterruptedError, "lost", call=stream),
    "a stream that is reset": Case(says(streamed(DELTA, end=b""), reset), StreamInterruptedError, "lost", call=stream),
    "a stream that just ends": Case(
        says(streamed(DELTA)), StreamInterruptedError, "without its final", call=stream, is_kept=True
    ),
    "an empty stream": Case(says(streamed()), StreamInterruptedError, "without its final", call=stream, is_kept=True),
    "an event without its end": Case(
        says(streamed(DELTA, LAST[:-1])), StreamInterruptedError, "without its final", call=stream, is_kept=True
    ),
    "an event that is not JSON": unreadable(says(streamed(DELTA, b"data:oops\n\n")), "not what FreeChat", call=stream),
    "an event of another shape": unreadable(says(streamed(b"data:[1]\n\n")), "not what FreeChat", call=stream),
    "an event in Latin-1": unreadable(says(streamed(b'data:{"text":"\xe9"}\n\n')), "not what FreeChat", call=stream),
    "a deep event": unreadable(says(streamed(b"data:" + b"[" * 50_000 + b"\n\n")), "not what FreeChat", call=stream),
    "HTML in a stream": unreadable(
        says(streamed(DELTA, b"<html>\n\ndata:<html>\n\n")), "not what FreeChat", call=stream
    ),
    "HTML for a stream": unreadable(
        says(response(b"<html>", HTML)),
        "a login page or a proxy may have answered",
        call=stream,
        is_kept=True,
    ),
    "JSON for a stream": unreadable(says(response(b"{}", JSON)), "event-stream", call=stream, is_kept=True),
    "no media type for a stream": unreadable(says(response(b"data:{}\n\n")), "event-stream", call=stream, is_kept=True),
    "204 for a stream": unreadable(says(head(204)), "event-stream", call=stream, is_kept=True),
    "an event that is too large": unreadable(
        says(streamed(b"data:" + b"x" * 300_000)), "more than 262144 bytes", call=stream
    ),
    "an event of too many lines": unreadable(
        says(streamed(*[b"data:x\n" * 10_000] * 10)), "more than 262144 bytes", call=stream
    ),
    "a line without end": unreadable(
        repeats(head(200, [EVENT_STREAM]), b"x" * 50_000), "more than 262144 bytes", call=stream
    ),
    "a stream without end": unreadable(
        repeats(head(200, [EVENT_STREAM]), b'data:{"text":"' + b"x" * 50_000 + b'"}\n\n'),
        "more than 1048576 bytes",
        call=stream,
    ),
    "more after the final event": Case(says(streamed(LAST) + b"more"), "Hi", call=stream),
    "silence after the final event": Case(says(streamed(LAST, end=b""), stall), "Hi", call=stream),
    "no end after the final event": Case(says(streamed(LAST, end=b""), close), "Hi", call=stream),
    "a stream without a length": Case(says(head(200, [EVENT_STREAM]) + DELTA + LAST, close), "Hi", call=stream),
    "a stream of HTTP/1.0": Case(
        says(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + DELTA + LAST, close), "Hi", call=stream
    ),
    "a gzipped stream": Case(
        says(chunked(gzipped(DELTA + LAST), headers=(EVENT_STREAM, GZIP)) + END),
        "Hi",
        call=stream,
        is_kept=True,
    ),
    "nothing in gzip": Case(says(response(b"", GZIP)), None, is_kept=True),
    "an event in chunks of a byte": Case(
        says(streamed(*[bytes([byte]) for byte in DELTA + LAST])), "Hi", call=stream, is_kept=True
    ),
    "lines that end in CR": Case(says(streamed((DELTA + LAST).replace(b"\n", b"\r"))), "Hi", call=stream, is_kept=True),
    "a byte order mark": Case(says(streamed(b"\xef\xbb\xbf" + DELTA + LAST)), "Hi", call=stream, is_kept=True),
}
FILES = {
    "a cut file": lost(says(head(200, [("Content-Length", "9")]) + b"x", close), call=download),
    "a file byte by byte": late(
        repeats(head(200, [("Content-Length", "1000000")]), b"x"), "silent", call=download_briefly
    ),
    "a file that is too large for memory": unreadable(
        says(chunked(*[b" " * 100_000] * 11) + END), "more than 1048576 bytes", call=download
    ),
    "HTML for a file": unreadable(says(response(b"<html>", HTML)), call=download, is_kept=True),
    "an upload that is refused": Case(
        says(response(b"", ("Connection", "close"), status=413), close), ApiException, "413", call=upload
    ),
}
CASES = {
    **STATUS_LINES, **HEADERS, **INTERIM, **BODIES, **ENCODINGS, **TEXTS, **STATUSES, **STREAMS, **FILES
}  # fmt: skip


def one_place_api(handler: Handler, **settings: Any) -> AbstractContextManager[tuple[ChatApi, RecordingServer]]:
    """Return an API with one place for a connection: a call that did not give it back would leave none for the next."""
    limits = {"max_response_bytes": 1024 * 1024, "max_event_bytes": 256 * 1024}
    return chat_api(handler, retries=0, connection_pool_maxsize=1, connection_pool_block=True, **{**limits, **settings})


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_misbehaviour_ends_as_documented_and_the_next_call_works(case: Case) -> None:
    with one_place_api(in_order(case.handler, json_response([]))) as (api, server):
        if isinstance(case.outcome, type):
            with pytest.raises(case.outcome, match=case.says) as caught:
                case.call(api)
            check_error(caught.value, case.outcome)
        else:
            assert case.call(api) == case.outcome
        assert api.list_chats() == []
    first, second = server.requests
    assert (first.connection == second.connection) is case.is_kept


def check_error(error: BaseException, kind: type[ApiException]) -> None:
    assert type(error) is kind
    assert len(str(error)) < 500
    assert re.match(r"(GET|POST) /\S+", str(error))
    if isinstance(error, (ApiConnectionError, ApiTimeoutError)):
        assert isinstance(error, (ConnectionError, TimeoutError))
        assert (error.request_sent, error.status) == (True, None)


def test_there_are_many_misbehaviours() -> None:
    assert len(CASES) > 100  # as docs/reliability.md says


@pytest.mark.parametrize("greet", [Connection.reset, Connection.close], ids=["reset", "closed"])
def test_a_connection_that_is_cut_before_the_request_is_an_error_that_says_if_it_was_sent(
    greet: Callable[[Connection], None],
) -> None:
    greetings = iter([greet, keep])
    with one_place_api(json_response([]), greet=lambda connection: next(greetings)(connection)) as (api, server):
        with pytest.raises(ApiConnectionError) as caught:
            api.send_message("chat", "Hi")
        assert type(caught.value) is ApiConnectionError
        assert api.list_chats() == []
    assert len(server.requests) == 1


def test_a_response_to_nothing_is_not_taken_for_the_next_one() -> None:
    is_sent = threading.Event()

    def respond_and_hang_up(_: Request, connection: Connection) -> None:
        connection.send(response(b"[]"))
        connection.send(response(b'{"message":"you were silent for too long"}', status=408))
        is_sent.set()

    with one_place_api(in_order(respond_and_hang_up, json_response([]))) as (api, server):
        assert api.list_chats() == []
        assert is_sent.wait(MAX_WAIT)
        assert api.list_chats() == []
    assert [request.connection for request in server.requests] == [0, 1]


def reads_nothing_before(event: threading.Event) -> Callable[[Connection], None]:
    def wait(_: Connection) -> None:
        assert event.wait(MAX_WAIT)

    return wait


def test_a_server_that_does_not_read_an_upload_ends_it_in_time_while_it_holds_the_connection() -> None:
    is_over = threading.Event()
    with one_place_api(json_response([]), greet=reads_nothing_before(is_over), connect_timeout=0.1) as (api, _):
        with pytest.raises(ApiTimeoutError) as caught:
            upload_briefly(api)
        is_over.set()
    assert caught.value.request_sent is True


def test_an_upload_to_a_slow_reader_may_last_as_long_as_the_call_not_only_as_the_connect() -> None:
    may_read = threading.Event()
    with one_place_api(json_response(1), greet=reads_nothing_before(may_read), connect_timeout=0.05) as (api, server):
        release = threading.Timer(0.3, may_read.set)  # six times the connect timeout
        release.start()
        CharacterApi(api.api_client).import_character_with_http_info(b"x" * 10_000_000, _request_timeout=MAX_WAIT)
        release.join()
    assert len(server.requests[0].body) > 10_000_000


def text_before(body: bytes) -> str:
    """The text of the events that are whole in the first bytes of a stream."""
    return ("H" if body.count(b"\n\n\r\n") > 0 else "") + ("i 😀" if body.count(b"\n\n\r\n") > 1 else "")


def test_a_stream_may_be_cut_at_every_byte() -> None:
    """Only the whole final event is a success; what came before the cut is in the error."""
    whole = streamed(DELTA, b'data:{"text":"i \\ud83d\\ude00"}\n\n', LAST)
    body = whole.index(b"\r\n\r\n") + 4
    complete = whole.index(LAST) + len(LAST + b"\r\n")
    outcomes = []
    with one_place_api(in_order(*(says(whole[:cut], close) for cut in range(len(whole))))) as (api, _):
        for _ in range(len(whole)):
            try:
                outcomes.append(stream(api))
            except (StreamInterruptedError, ApiConnectionError) as error:
                outcomes.append((type(error), getattr(error, "text", None)))
    lost = [(ApiConnectionError, None)] * body
    texts = [text_before(whole[body:cut]) for cut in range(body, complete)]
    interrupted = [(StreamInterruptedError, text) for text in texts]
    assert outcomes == [*lost, *interrupted, *["Hi"] * (len(whole) - complete)]


TEXT = "9d2e9cfb87034e379b0ad6e420e4fb20"
PACKED = {"gzip": gzipped(TEXT.encode()), "deflate": zlib.compress(TEXT.encode())}


@pytest.mark.parametrize("encoding", PACKED)
def test_a_cut_packed_body_is_never_taken_for_an_empty_one(encoding: str) -> None:
    """Also if the server announces no more than it sends: the packed form has an end of its own."""
    packed = PACKED[encoding]
    cuts = [packed[:size] for size in range(1, len(packed))]
    with chat_api(in_order(*(says(response(cut, ("Content-Encoding", encoding))) for cut in cuts))) as (api, _):
        for _ in cuts:
            with pytest.raises(ApiDecodeError):
                default_chat(api)


WHOLE = {
    "a length": response(TEXT.encode()),
    "chunks": chunked(TEXT[:9].encode(), TEXT[9:].encode()) + END,
    "gzip": response(gzipped(TEXT.encode()), GZIP),
    "gzip in chunks": chunked(gzipped(TEXT.encode()), headers=(GZIP,)) + END,
    "deflate": response(zlib.compress(TEXT.encode()), ("Content-Encoding", "deflate")),
}


@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_half_a_response_is_never_taken_for_a_whole_one(whole: bytes) -> None:
    """A text has no end of its own to check: only the framing tells."""
    with one_place_api(in_order(*(says(whole[:cut], close) for cut in range(len(whole))))) as (api, _):
        for _ in whole:
            with pytest.raises(ApiConnectionError):
                default_chat(api)


MUTATIONS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=4)), min_size=1, max_size=6)
"""Where, how many bytes to take out, and what to put in."""
STARTS = [
    *WHOLE.values(),
    response(b'[{"chatId":"x","context":{}}]', JSON),
    streamed(DELTA, LAST),
    head(100) + response(b"[]"),
]


@pytest.fixture(scope="module")
def any_response() -> Iterator[tuple[ChatApi, list[bytes]]]:
    said: list[bytes] = []
    with one_place_api(lambda request, connection: says(said[-1], close)(request, connection)) as (api, _):
        yield api, said


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(STARTS), MUTATIONS, st.sampled_from([list_chats, default_chat, stream, download]))
def test_whatever_bytes_come_the_call_ends_in_a_value_of_its_type_or_in_an_api_exception(
    any_response: tuple[ChatApi, list[bytes]],
    start: bytes,
    mutations: list[tuple[float, int, bytes]],
    call: Callable[[ChatApi], Any],
) -> None:
    api, said = any_response
    data = start
    for place, taken, put in mutations:
        at = int(place * len(data))
        data = data[:at] + put + data[at + taken :]
    said.append(data)
    try:
        value = call(api)
    except ApiException:
        return
    assert value is None or isinstance(value, (list, str, bytes))
