"""From a request to an answer: routes, tokens, media types and bodies. No sockets."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from werkzeug.http import parse_accept_header

from freechat_sdk.sandbox._chat_store import Message, Store
from freechat_sdk.sandbox._chats import (
    MOST_MESSAGES,
    Chats,
    MissingFinalError,
    ModelFailedError,
    RefusedError,
    Result,
)
from freechat_sdk.sandbox._dialect import Dialect, Headers, Json
from freechat_sdk.sandbox._events import CutError
from freechat_sdk.sandbox._http import EVENTS, JSON, TEXT, Request, Response
from freechat_sdk.sandbox._routes import NoRouteError, Routes, WrongMethodError

_HTML = "text/html;charset=utf-8"
LOGIN_PATH = "/w/login"

_CONTAINER_PAGE = b"<html><body>The request was refused before it reached the application.</body></html>"
_LOGIN_PAGE = b"<!DOCTYPE html><html><body>This is where people log in.</body></html>"


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
            value = json.loads(self.request.body or b"")
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
        self._routes = self._map()

    def _map(self) -> Routes[_Operation]:
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
        map_ = Routes[_Operation]()
        for method, path, operation in routes:
            map_.add(method, prefix + path.replace("<", "{").replace(">", "}"), operation)
        return map_

    def respond(self, request: Request) -> Response:
        """Return the answer to a request."""
        try:
            path = _decoded(request.path)
            user = self._user(request)
            if user is None:
                return self._anonymous(request)
            return self._run(self._call(request, path, user))
        except _ContainerRefusedError:
            return Response(400, (("Content-Type", _HTML), ("Content-Language", "en")), _CONTAINER_PAGE)
        except _UnauthorizedError:
            return Response(401, self._dialect.headers)
        except _BadPathError:
            error = self._dialect.error(400, request.path, "")
            return Response(400, (("Content-Type", JSON),), chunks=iter([self._dialect.write(error)]))
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

    def _anonymous(self, request: Request) -> Response:
        if request.path == LOGIN_PATH:
            return Response(200, (*self._dialect.headers, ("Content-Type", _HTML)), _LOGIN_PAGE)
        return Response(302, (*self._dialect.headers, ("Location", f"http://{request.host}{LOGIN_PATH}")))

    def _call(self, request: Request, path: str, user: str) -> tuple[_Operation, _Call]:
        """Return what was asked for."""
        try:
            operation, values = self._routes.match(request.method, path)
        except WrongMethodError as wrong:
            raise _WrongMethodError(wrong.allowed) from None
        except NoRouteError:
            raise RefusedError(404) from None
        return operation, _Call(user, dict(values), request)

    def _run(self, called: tuple[_Operation, _Call]) -> Response:
        """Make a call and return its answer in the operation's media type."""
        operation, call = called
        if not _accepts(call.request, operation.media_type):
            message = f"Acceptable representations: [{operation.media_type}]."
            return self._error(call.request, 406, message, (("Accept", operation.media_type),))
        value = operation.run(call)
        if operation.media_type == EVENTS:
            return self._stream_answer(call.request, value, is_assistant=operation.is_assistant)
        if value is None:
            return Response(200, self._dialect.headers)
        if operation.media_type == TEXT:
            return Response(200, (*self._dialect.headers, ("Content-Type", "text/plain;charset=UTF-8")), value.encode())
        return self._json(200, value)

    def _json(self, status: int, value: Json, headers: Headers = ()) -> Response:
        body = self._dialect.write(value)
        given = (*headers, *self._dialect.headers, ("Content-Type", JSON))
        if self._dialect.has_length(status, len(body)):
            return Response(status, given, body)
        return Response(status, given, chunks=iter([body]))

    def _error(self, request: Request, status: int, message: str, headers: Headers = ()) -> Response:
        if self._dialect.empties_errors and not _accepts(request, JSON):
            return Response(status, (*headers, *self._dialect.headers))
        return self._json(status, self._dialect.error(status, request.path, message), headers)

    def _stream_answer(self, request: Request, parts: Iterator[str | Result], *, is_assistant: bool) -> Response:
        """Wait for the first part, as an error up to then is an ordinary answer, and return the stream."""
        starts = self._dialect.first_events()
        try:
            first = next(parts)
        except ModelFailedError:
            return self._error(request, 500, "", self._dialect.stream_headers)
        except CutError:
            opening = list(starts)
            if not opening:
                return self._error(request, 500, "", self._dialect.stream_headers)
            return self._events(self._cut(opening))
        return self._events(self._frames(starts, first, parts, is_assistant=is_assistant))

    def _events(self, chunks: Iterator[bytes]) -> Response:
        headers = (*self._dialect.stream_headers, *self._dialect.headers, ("Content-Type", EVENTS))
        return Response(200, headers, chunks=chunks)

    def _cut(self, opening: list[Json]) -> Iterator[bytes]:
        for event in opening:
            yield from self._dialect.frames(event)
        raise CutError

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
            raise CutError from None

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
