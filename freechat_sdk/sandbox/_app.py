"""App: from a request to a response. The contract's routes lead to the resources' methods; no sockets."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from datetime import datetime, timezone
from http import HTTPStatus
from typing import Any, NamedTuple

from freechat_sdk.sandbox import _events, _wire
from freechat_sdk.sandbox._contract import OPERATIONS, Operation
from freechat_sdk.sandbox._events import CutError
from freechat_sdk.sandbox._files import Files
from freechat_sdk.sandbox._http import (
    EVENTS,
    JSON,
    TEXT,
    BadPathError,
    ContainerRefusedError,
    Request,
    Response,
    disposition,
)
from freechat_sdk.sandbox._journal import JournalEntry
from freechat_sdk.sandbox._release import Headers, Release
from freechat_sdk.sandbox._resource import NOBODY, Call, Caller, File, Refused, new_uid
from freechat_sdk.sandbox._routes import NoRouteError, Routes, WrongMethodError
from freechat_sdk.sandbox._store import Store
from freechat_sdk.sandbox._users import Users
from freechat_sdk.sandbox.completions import Ask
from freechat_sdk.sandbox.resources import RESOURCES

LOGIN_PATH = "/w/login"
_LOGIN_PAGE = b"<!DOCTYPE html><html><body>This is where people log in.</body></html>"
_HTML = "text/html;charset=UTF-8"
_ERROR_PAGE = b"<html><body>error page of the servlet container</body></html>"
_BUFFER_BYTES = 8192
"""JSON of 2.9.0 that fits in the servlet container's buffer has a Content-Length."""
_NOT_ANONYMOUS = re.compile("count_public_prompts|get_score|get_statistic|list_.*_by_statistic")
"""The operations under `/public/`, by their groups, that need a token all the same."""
_MESSAGES = {403: "Forbidden"}
"""What 2.9.0 says if there is nothing else to say."""
_log = logging.getLogger("freechat_sdk.sandbox")


class _Route(NamedTuple):
    """An operation with the resource's method for it; None if the sandbox has none."""

    operation: Operation
    method: Callable[..., Any] | None

    @property
    def name(self) -> str:
        return f"{self.operation.tag}.{self.operation.name}"


class App:
    """Responds to requests as a server of one release does."""

    def __init__(self, store: Store, release: Release, ask: Ask, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._release = release
        self._ask = ask
        self._clock = clock
        self.journal: list[JournalEntry] = []
        """The requests that reached an operation, in order."""
        self._users = Users(store)
        self._files = Files(store)
        resources = {f"{kind.__name__}Api": kind(store) for kind in RESOURCES}
        self._prefix = f"/api/{release.generation}"
        self._routes = self._bound(resources)

    def _bound(self, resources: Mapping[str, object]) -> Routes[_Route]:
        """Return the release's operations, each bound to its method by its name or its group's."""
        routes = Routes[_Route]()
        for operation in OPERATIONS:
            if self._release.generation in operation.generations:
                resource = resources.get(operation.tag)
                method = getattr(resource, operation.name, None) or getattr(resource, operation.group, None)
                routes.add(operation.method, self._prefix + operation.path, _Route(operation, method))
        return routes

    def respond(self, request: Request) -> Response:
        try:
            return self._respond(request)
        except ContainerRefusedError:
            return Response(400, (("Content-Type", "text/html;charset=utf-8"), ("Content-Language", "en")), _ERROR_PAGE)
        except BadPathError:
            body = _wire.dumps(self._error_body(400, request.path, ""), self._release)
            return Response(400, (("Content-Type", JSON),), chunks=iter([body]))
        except Refused as refusal:
            return self._error(request, refusal)
        except Exception:  # noqa: BLE001 - whatever it is, it is a bug in a resource or in a model function
            _log.exception("A request failed: %s %s", request.method, request.path)
            return self._error(request, Refused(500))

    def operation_of(self, request: Request) -> tuple[Operation, Mapping[str, str]] | None:
        """Return the operation that a request leads to, with the values of its path; None if there is none."""
        try:
            route, values = self._match(request, request.decoded_path())
        except (BadPathError, ContainerRefusedError, Refused):
            return None
        return route.operation, values

    def _respond(self, request: Request) -> Response:
        path = request.decoded_path()
        if request.body is None:
            raise Refused(413)
        now = int(self._clock())
        if path.startswith("/public/"):
            return self._file(path)
        caller = self._caller(request, now)
        if caller is None:
            return Response(401, self._release.headers)
        if caller is NOBODY and not path.startswith(f"{self._prefix}/public/"):
            return self._login(request)
        if path.startswith(f"{self._prefix}/admin/") and "ROLE_ADMIN" not in caller.authorities:
            raise Refused(403)
        route, values = self._match(request, path)
        if caller is NOBODY and _NOT_ANONYMOUS.fullmatch(route.operation.group):
            raise Refused(401)
        return self._call(request, route, values, caller, now)

    def _file(self, path: str) -> Response:
        with self._store.transaction():
            file = self._files.load(path.rpartition("/")[2])
        if file is None:
            return Response(404, self._release.headers)
        return self._download(file)

    def _caller(self, request: Request, now: int) -> Caller | None:
        """Return who asks; None if the token is not valid."""
        value = request.headers.get("authorization")
        if value is None:
            return NOBODY
        with self._store.transaction():
            return self._users.caller(value.removeprefix("Bearer "), now)

    def _login(self, request: Request) -> Response:
        """Return the login page, or the way to it."""
        if request.path == LOGIN_PATH:
            return Response(200, (*self._release.headers, ("Content-Type", _HTML)), _LOGIN_PAGE)
        return Response(302, (*self._release.headers, ("Location", f"http://{request.host}{LOGIN_PATH}")))

    def _match(self, request: Request, path: str) -> tuple[_Route, Mapping[str, str]]:
        try:
            route, values = self._routes.match(request.method, path)
        except WrongMethodError as wrong:
            message = f"Method '{request.method}' is not supported."
            raise Refused(405, message, headers=(("Allow", ", ".join(wrong.allowed)),)) from None
        except NoRouteError:
            raise Refused(404, f"No static resource {path[1:]}.") from None
        if route.operation.name in self._release.lacks:
            raise Refused(404)
        return route, values

    def _call(self, request: Request, route: _Route, values: Mapping[str, str], caller: Caller, now: int) -> Response:
        operation = route.operation
        if operation.kind in ("events", "download") or operation.media_types == (TEXT,):
            self._check_acceptable(request, operation.media_types)
        arguments = self._arguments(operation, {**request.query, **values})
        call = self._read(request, operation, caller, now)
        status = 500
        try:
            if request.refusal is not None:
                raise request.refusal
            if route.method is None:
                raise Refused(501, f"{route.name} is not in the sandbox.")
            with nullcontext() if operation.asks_model else self._store.transaction():  # models take their time
                value = route.method(call, **arguments)
            response = self._write(request, operation, call, value)
            status = response.status
        except Refused as refusal:
            status = refusal.status
            raise
        finally:
            self.journal.append(JournalEntry(route.name, caller.username, arguments, call.body, status))
        return response

    def _check_acceptable(self, request: Request, media_types: tuple[str, ...]) -> None:
        if not request.accepts(*media_types):
            types = ", ".join(media_types)
            raise Refused(406, f"Acceptable representations: [{types}].", headers=(("Accept", types),))

    def _arguments(self, operation: Operation, given: Mapping[str, str]) -> dict[str, Any]:
        arguments = {}
        for parameter in operation.parameters:
            if self._release.generation in parameter.generations:
                value = given.get(parameter.wire)
                if value is not None:
                    arguments[parameter.name] = self._read_value(parameter.type, value)
                elif parameter.required:
                    raise Refused(400)
        return arguments

    def _read(self, request: Request, operation: Operation, caller: Caller, now: int) -> Call:
        is_form = operation.body == "file"
        body = None if operation.body is None or is_form else self._body(request, operation)
        return Call(
            operation=operation.name,
            caller=caller,
            release=self._release,
            ask=self._ask,
            now=now,
            clock=self._clock,
            host=f"http://{request.host}",
            request_id=new_uid(),
            body=body,
            file=request.upload() if is_form else None,
            token=request.headers.get("authorization", "").removeprefix("Bearer ") or None,
        )

    def _body(self, request: Request, operation: Operation) -> Any:
        if not request.body:
            raise Refused(400)
        if request.media_type and not request.media_type.endswith(("/json", "+json")):
            message = f"Content-Type '{request.media_type};charset=UTF-8' is not supported."
            raise Refused(415, message, headers=(("Accept", ", ".join(self._release.json_types)),))
        try:
            value = json.loads(request.body)
        except ValueError:
            raise Refused(400) from None
        if value is None:
            raise Refused(400)
        assert operation.body is not None  # noqa: S101 - the caller has seen it
        return self._read_value(operation.body, value)

    def _read_value(self, type_: Any, value: Any) -> Any:
        try:
            return _wire.read(type_, value, self._release)
        except _wire.UnreadableError:
            raise Refused(400) from None

    def _write(self, request: Request, operation: Operation, call: Call, value: Any) -> Response:
        if operation.kind == "events":
            return self._stream(request, operation, value)
        if value is None:
            return Response(200, self._release.headers)
        if operation.kind == "download":
            return self._download(value)
        if operation.kind == "text":
            label = TEXT if operation.media_types == (TEXT,) else request.preferred() or TEXT
            content_type = label if label.endswith("json") else f"{label};charset=UTF-8"
            common = () if operation.name in self._release.bare_operations else self._release.headers
            headers = (*disposition(request.path), *common, ("Content-Type", content_type))
            return Response(200, headers, value.encode())
        self._check_acceptable(request, self._release.json_types)
        written = _wire.write(operation.type, value, self._release, call.request_id)
        return self._json(200, written, disposition(request.path))

    def _json(self, status: int, value: Any, headers: Headers = ()) -> Response:
        body = _wire.dumps(value, self._release)
        headers = (*headers, *self._release.headers, ("Content-Type", JSON))
        if self._release.has_length and status < 400 and len(body) <= _BUFFER_BYTES:
            return Response(status, headers, body)
        return Response(status, headers, chunks=iter([body]))

    def _download(self, file: File) -> Response:
        headers = (*file.headers, *self._release.headers, ("Content-Type", file.media_type))
        if self._release.downloads_have_length:
            return Response(200, headers, file.data)
        return Response(200, headers, chunks=iter([file.data]))

    def _stream(self, request: Request, operation: Operation, events: Iterator[dict[str, Any]]) -> Response:
        """Wait for the first event, as a failure up to then is an ordinary error, and return the stream."""
        try:
            first = next(events)
        except Refused as refusal:
            return self._error(request, refusal, self._release.stream_headers)
        headers = (*self._release.stream_headers, *self._release.headers, ("Content-Type", EVENTS))
        return Response(200, headers, chunks=self._chunks(operation, first, events))

    def _chunks(self, operation: Operation, first: dict[str, Any], events: Iterator[dict[str, Any]]) -> Iterator[bytes]:
        try:
            yield from _events.chunks(operation.type, first, self._release)
            for event in events:
                yield from _events.chunks(operation.type, event, self._release)
        except CutError:
            raise
        except Exception:  # noqa: BLE001 - a bug in a resource or in a model function
            _log.exception("A stream failed: %s.%s", operation.tag, operation.name)
            raise CutError from None

    def _error(self, request: Request, refusal: Refused, headers: Headers = ()) -> Response:
        headers = (*headers, *refusal.headers)
        if self._release.has_error_pages and "text/html" in request.headers.get("accept", ""):
            page = (("Content-Type", _HTML), ("Content-Language", "en"))
            return Response(refusal.status, (*headers, *self._release.headers, *page), _ERROR_PAGE)
        is_empty = self._release.empties_errors and not request.accepts(JSON)
        if is_empty or refusal.status == 413:
            return Response(refusal.status, (*headers, *self._release.headers))
        body = self._error_body(refusal.status, request.path, refusal.message)
        return self._json(refusal.status, body, (*headers, *disposition(request.path)))

    def _error_body(self, status: int, path: str, message: str) -> dict[str, Any]:
        phrase = HTTPStatus(status).phrase
        if self._release.has_error_messages:
            return {"code": status, "error": phrase, "message": message or _MESSAGES.get(status, ""), "path": path}
        now = self._clock()
        timestamp: Any = int(now * 1000)
        if self._release.date_form == "offset":
            timestamp = datetime.fromtimestamp(now, timezone.utc).isoformat(timespec="milliseconds")
        body = {"timestamp": timestamp, "status": status, "error": phrase, "path": path}
        return {**body, "message": message} if status == 501 else body
