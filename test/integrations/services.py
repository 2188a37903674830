"""Services as processes under real servers, browsers that call them, and the FreeChat that they call."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Any

from test.server import MAX_WAIT, Connection, Handler, RecordingServer, Request, json_response, text_response


@dataclass
class Service:
    """A service that runs, and the lines that it logs."""

    port: int
    process: subprocess.Popen[str]

    def wait_for_log(self, pattern: str) -> str:
        """Read what the service logs until a line has the pattern, and return what matched."""
        assert self.process.stdout is not None
        return next(found[0] for line in self.process.stdout if (found := re.search(pattern, line)))

    def get(self, path: str) -> int:
        """Return the status of a GET."""
        with Browser(self.port, "GET", path) as browser:
            return browser.response.status

    def ask(self, character: str, text: str, token: str) -> "Browser":
        return Browser(self.port, "POST", f"/ask/{character}", {"text": text}, token)


@contextmanager
def serve(folder: Path, code: str, command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Service]:
    """Run code as the module `service` in a server whose command takes a listening socket as "{fd}"."""
    (folder / "service.py").write_text(code, "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listener:  # requests that come before it is ready wait in the queue
        process = subprocess.Popen(
            [sys.executable, "-m", *(part.format(fd=listener.fileno()) for part in command)],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        port = listener.getsockname()[1]
    with process:
        try:
            yield Service(port, process)
        finally:
            process.terminate()
            process.communicate(timeout=MAX_WAIT)


class Browser:
    """One request that has been sent, and its response."""

    def __init__(self, port: int, method: str, path: str, body: object = None, token: str = "") -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=3 * MAX_WAIT)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)

    @cached_property
    def response(self) -> HTTPResponse:
        """The response, which is awaited when it is first used."""
        return self._connection.getresponse()

    def events(self) -> Iterator[tuple[str, Any]]:
        """Yield the kind and the data of each event."""
        kind = "message"
        while line := self.response.readline().decode():
            field, _, value = line.rstrip("\n").partition(":")
            if field == "event":
                kind = value.strip()
            elif field == "data":
                yield kind, json.loads(value) if value.strip() else None
                kind = "message"

    def leave(self) -> None:
        """Close the connection, as a browser does whose page is left."""
        if "response" in vars(self):
            self.response.close()
        self._connection.close()

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()


def freechat(stream: Handler) -> RecordingServer:
    """Return a FreeChat that has one character, pip, and answers with a stream of the test's own."""
    chat, character = "9d2e9cfb87034e379b0ad6e420e4fb20", {"characterUid": "7" * 32, "name": "pip"}
    responses = {
        ("POST", "/api/v1/chat"): text_response(chat),
        ("GET", "/api/v1/chat"): json_response([]),
        ("POST", "/api/v1/character/search"): json_response([character]),
        ("GET", "/api/v1/account/details"): json_response({"username": "ann"}),
    }

    def handle(request: Request, connection: Connection) -> None:
        responses.get((request.method, request.path), stream)(request, connection)

    return RecordingServer(handle)


def first_event_then_silence(closed: threading.Event) -> Handler:
    """Return the handler of a model that falls silent, and note when the service closes the connection."""

    def handle(_: Request, connection: Connection) -> None:
        connection.start_stream()
        connection.event({"text": "Once"})
        if connection.wait_closed():
            closed.set()

    return handle


def endless(closed: threading.Event) -> Handler:
    """Return the handler of a model that talks until the service closes the connection."""

    def handle(_: Request, connection: Connection) -> None:
        connection.start_stream()
        try:
            while True:
                connection.event({"text": "and then "})
        except ConnectionError:
            closed.set()
            raise

    return handle
