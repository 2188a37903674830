"""From a request to an answer: routes, tokens, media types and bodies. No sockets."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.http import parse_accept_header
from werkzeug.routing import Map, Rule

from freechat_sdk.sandbox._chats import (
    MOST_MESSAGES,
    BrokenStreamError,
    Chats,
    MissingFinalError,
    ModelFailedError,
    RefusedError,
    Result,
)
from freechat_sdk.sandbox._dialect import Dialect, Headers, Json
from freechat_sdk.sandbox._store import Message, Store

JSON = "application/json"
TEXT = "text/plain"
EVENTS = "text/event-stream"
_HTML = "text/html;charset=utf-8"
LOGIN_PATH = "/w/login"
MOST_BODY_BYTES = 10 * 1024 * 1024

_CONTAINER_PAGE = b"<html><body>The request was refused before it reached the application.</body></html>"
_LOGIN_PAGE = b"<!DOCTYPE html><html><body>This is where people log in.</body></html>"


@dataclass(frozen=True)
class Request:
    """A request, whole."""

    method: str
    target: str
    host: str
    headers: dict[str, str]
    """By name in lower case."""
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Answer:
    """An answer; a body in chunks may raise BrokenStreamError, which cuts the connection."""

    status: int
    headers: Headers
    body: bytes = b""
    chunks: Iterator[bytes] | None = None


@dataclass(frozen=True)
class _Call:
    """A request of a known user to a known operation."""

    user: str
    values: dict[str, str]
    request: Request

    def number(self, name: str, default: int) -> int:
        """Return a number of the path."""
        try:
            return int(self.values.get(name, default))
        except ValueError:
            raise RefusedError(400) from None

    def json(self) -> dict[str, Any]:
        """Return the body, an object in JSON."""
        try:
            value = json.loads(self.request.body)
        except ValueError:
            raise RefusedError(400) from None
        if not isinstance(value, dict):
            raise RefusedError(400)
        return value


@dataclass(frozen=True)
class _Operation:
    """What answers a request, and in which media type."""

    run: Callable[[_Call], Any]
    media_type: str = JSON
    is_assistant: bool = field(default=False)


class App:
    """Answers requests as a server of one release does."""

    def __init__(self, store: Store, chats: Chats, dialect: Dialect) -> None:
        self._store = store
        self._chats = chats
        self._dialect = dialect
        self._routes = self._map().bind("")

    def _map(self) -> Map:
        chats = self._chats
        routes: Sequence[tuple[str, str, _Operation]] = (
            ("GET", "", _Operation(self._list_chats)),
            ("POST", "", _Operation(lambda call: chats.start(call.user, call.json()), TEXT)),
            ("GET", "/<key>", _Operation(self._default_chat, TEXT)),
            ("PUT", "/<chat>", _Operation(lambda call: chats.update(call.user, call.values["chat"], call.json()))),
            ("DELETE", "/<chat>", _Operation(lambda call: chats.delete(call.user, call.values["chat"]))),
            ("GET", "/messages/<chat>", _Operation(self._messages)),
            ("GET", "/messages/<chat>/<limit>", _Operation(self._messages)),
            ("GET", "/messages/<chat>/<limit>/<offset>", _Operation(self._messages)),
            ("GET", "/messages/debug/<chat>", _Operation(self._debug_messages)),
            ("GET", "/messages/debug/<chat>/<limit>", _Operation(self._debug_messages)),
            ("GET", "/messages/debug/<chat>/<limit>/<offset>", _Operation(self._debug_messages)),
            ("POST", "/messages/rollback/<chat>/<count>", _Operation(self._rollback)),
            ("GET", "/memory/usage/<chat>", _Operation(self._usage)),
            ("DELETE", "/memory/<chat>", _Operation(self._clear)),
            ("POST", "/send/<chat>", _Operation(self._send)),
            ("POST", "/send/stream/<chat>", _Operation(self._stream, EVENTS)),
            ("GET", "/send/assistant/<chat>/<assistant>", _Operation(self._assist)),
            ("GET", "/send/stream/assistant/<chat>/<assistant>", _Operation(self._stream_assist, EVENTS, True)),
        )
        prefix = f"/api/{self._dialect.generation}/chat"
        rules = [Rule(prefix + path, endpoint=operation, methods=[method]) for method, path, operation in routes]
        return Map(rules, strict_slashes=True, merge_slashes=False)

    def answer(self, request: Request) -> Answer:
        """Return the answer to a request."""
        try:
            path = _decoded(request.path)
            user = self._user(request)
            if user is None:
                return self._anonymous(request)
            return self._run(self._call(request, path, user))
        except _ContainerRefusedError:
            return Answer(400, (("Content-Type", _HTML), ("Content-Language", "en")), _CONTAINER_PAGE)
        except _UnauthorizedError:
            return Answer(401, self._dialect.headers)
        except _BadPathError:
            error = self._dialect.error(400, request.path, "")
            return Answer(400, (("Content-Type", JSON),), chunks=iter([self._dialect.write(error)]))
        except RefusedError as refusal:
            return self._error(request, refusal.status, refusal.message)
        except _WrongMethodError as wrong:
            message = f"Method '{request.method}' is not supported."
            return self._error(request, 405, message, (("Allow", ", ".join(wrong.allowed)),))

    def _user(self, request: Request) -> str | None:
        """Return who asks; None where the request has no token."""
        value = request.headers.get("authorization")
        if value is None:
            return None
        user = self._store.user_of(value.removeprefix("Bearer "))
        if user is None:
            raise _UnauthorizedError
        return user

    def _anonymous(self, request: Request) -> Answer:
        if request.path == LOGIN_PATH:
            return Answer(200, (*self._dialect.headers, ("Content-Type", _HTML)), _LOGIN_PAGE)
        return Answer(302, (*self._dialect.headers, ("Location", f"http://{request.host}{LOGIN_PATH}")))

    def _call(self, request: Request, path: str, user: str) -> tuple[_Operation, _Call]:
        """Return what was asked for."""
        try:
            operation, values = self._routes.match(path, method=request.method)
        except MethodNotAllowed as wrong:
            allowed = [method for method in wrong.valid_methods or () if method not in ("HEAD", "OPTIONS")]
            raise _WrongMethodError(sorted(allowed)) from None
        except HTTPException:
            raise RefusedError(404) from None
        return operation, _Call(user, dict(values), request)

    def _run(self, called: tuple[_Operation, _Call]) -> Answer:
        """Make a call and return its answer in the operation's media type."""
        operation, call = called
        if not _accepts(call.request, operation.media_type):
            message = f"Acceptable representations: [{operation.media_type}]."
            return self._error(call.request, 406, message, (("Accept", operation.media_type),))
        value = operation.run(call)
        if operation.media_type == EVENTS:
            return self._stream_answer(call.request, value, is_assistant=operation.is_assistant)
        if value is None:
            return Answer(200, self._dialect.headers)
        if operation.media_type == TEXT:
            return Answer(200, (*self._dialect.headers, ("Content-Type", "text/plain;charset=UTF-8")), value.encode())
        return self._json(200, value)

    def _json(self, status: int, value: Json, headers: Headers = ()) -> Answer:
        body = self._dialect.write(value)
        given = (*headers, *self._dialect.headers, ("Content-Type", JSON))
        if self._dialect.has_length(status, len(body)):
            return Answer(status, given, body)
        return Answer(status, given, chunks=iter([body]))

    def _error(self, request: Request, status: int, message: str, headers: Headers = ()) -> Answer:
        if self._dialect.empties_errors and not _accepts(request, JSON):
            return Answer(status, (*headers, *self._dialect.headers))
        return self._json(status, self._dialect.error(status, request.path, message), headers)

    def _stream_answer(self, request: Request, parts: Iterator[str | Result], *, is_assistant: bool) -> Answer:
        """Wait for the first part, as an error up to then is an ordinary answer, and return the stream."""
        starts = self._dialect.first_events()
        try:
            first = next(parts)
        except ModelFailedError:
            return self._error(request, 500, "", self._dialect.stream_headers)
        except BrokenStreamError:
            opening = list(starts)
            if not opening:
                return self._error(request, 500, "", self._dialect.stream_headers)
            return self._events(self._cut(opening))
        return self._events(self._frames(starts, first, parts, is_assistant=is_assistant))

    def _events(self, chunks: Iterator[bytes]) -> Answer:
        headers = (*self._dialect.stream_headers, *self._dialect.headers, ("Content-Type", EVENTS))
        return Answer(200, headers, chunks=chunks)

    def _cut(self, opening: list[Json]) -> Iterator[bytes]:
        for event in opening:
            yield from self._dialect.frames(event)
        raise BrokenStreamError

    def _frames(
        self, starts: Iterator[Json], first: str | Result, parts: Iterator[str | Result], *, is_assistant: bool
    ) -> Iterator[bytes]:
        for event in starts:
            yield from self._dialect.frames(event)
        yield from self._dialect.frames(self._event(first, is_assistant=is_assistant))
        try:
            for part in parts:
                yield from self._dialect.frames(self._event(part, is_assistant=is_assistant))
        except MissingFinalError:
            raise BrokenStreamError from None

    def _event(self, part: str | Result, *, is_assistant: bool) -> Json:
        if isinstance(part, Result):
            return self._dialect.final(part)
        return self._dialect.delta(part, is_assistant=is_assistant)

    def _list_chats(self, call: _Call) -> Json:
        return [self._dialect.session(session) for session in self._chats.sessions(call.user)]

    def _default_chat(self, call: _Call) -> str | None:
        if self._dialect.generation == "v1":
            character = self._store.character_by_id(call.number("key", 0))
        else:
            character = self._store.character(call.values["key"])
        return self._chats.default(call.user, character)

    def _messages(self, call: _Call) -> Json:
        return self._records(self._chats.messages(call.user, call.values["chat"], *_window(call)), with_ext=False)

    def _debug_messages(self, call: _Call) -> Json:
        return self._records(self._chats.debug_messages(call.user, call.values["chat"], *_window(call)), with_ext=True)

    def _records(self, messages: list[Message], *, with_ext: bool) -> Json:
        return [self._dialect.record(message, with_ext=with_ext) for message in messages]

    def _rollback(self, call: _Call) -> Json:
        return self._chats.rollback(call.user, call.values["chat"], call.number("count", 0))

    def _usage(self, call: _Call) -> Json:
        return self._dialect.usage(*self._chats.usage(call.user, call.values["chat"]))

    def _clear(self, call: _Call) -> Json:
        return self._records(self._chats.clear(call.user, call.values["chat"]), with_ext=False)

    def _send(self, call: _Call) -> Json:
        return self._dialect.result(self._chats.send(call.user, call.values["chat"], call.json()))

    def _stream(self, call: _Call) -> Iterator[str | Result]:
        return self._chats.stream(call.user, call.values["chat"], call.json())

    def _assist(self, call: _Call) -> Json:
        return self._dialect.result(self._chats.assist(call.user, call.values["chat"], call.values["assistant"]))

    def _stream_assist(self, call: _Call) -> Iterator[str | Result]:
        return self._chats.stream_assist(call.user, call.values["chat"], call.values["assistant"])


class _ContainerRefusedError(Exception):
    """The servlet container takes no such path."""


class _BadPathError(Exception):
    """A path that is refused before anybody looks at the token."""


class _UnauthorizedError(Exception):
    """There is a token, and it is nobody's."""


class _WrongMethodError(Exception):
    def __init__(self, allowed: list[str]) -> None:
        super().__init__(allowed)
        self.allowed = allowed


def _window(call: _Call) -> tuple[int, int]:
    return call.number("limit", MOST_MESSAGES), call.number("offset", 0)


def _accepts(request: Request, media_type: str) -> bool:
    """Tell whether the client takes answers of a media type (RFC 9110, 12.5.1)."""
    accepted = request.headers.get("accept", "*/*")
    kinds = [kind for kind, quality in parse_accept_header(accepted) if quality > 0]
    return any(kind in ("*/*", media_type, media_type.partition("/")[0] + "/*") for kind in kinds)


def _decoded(path: str) -> str:
    """Return a path without its percent-encoding.

    Raises:
        _ContainerRefusedError, _BadPathError: for characters that real servers refuse in a path, even encoded ones.
    """
    if not path.isascii() or any(letter in "[]|\\" for letter in path):
        raise _ContainerRefusedError
    segments = [unquote_to_bytes(segment).decode("utf-8", "replace") for segment in path.split("/")]
    for segment in segments:
        if any(letter in "/\\\0" for letter in segment):
            raise _ContainerRefusedError
        if segment in (".", "..") or any(letter in "%;\r\n\u2028\u2029" for letter in segment):
            raise _BadPathError
    return "/".join(segments)
