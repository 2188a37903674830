"""The services of docs/services.md as processes, under the servers that the page names; and browsers that call them."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import Any

from test.server import MAX_WAIT


@dataclass
class Service:
    """A service that runs, and the lines that it logs."""

    port: int
    process: subprocess.Popen[str]

    def wait_for_log(self, pattern: str) -> None:
        """Read what the service logs until a line has the pattern."""
        assert self.process.stderr is not None
        assert any(re.search(pattern, line) for line in self.process.stderr)

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
            env={**os.environ, **environment},
            pass_fds=[listener.fileno()],
            stderr=subprocess.PIPE,
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
