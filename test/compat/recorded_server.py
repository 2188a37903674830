"""A loopback server that gives recorded responses to whatever a script asks, in whatever order."""

import json
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from test.facts import OPERATIONS
from test.recordings import Exchange, exchanges, in_one, normal, part_of, repeat
from test.server import Connection, RecordingServer, Request

TOKEN = "fc-00000000000000000000000000000001"
"""The token of the recordings."""
FORBIDDEN = "0" * 32
"""An id in a path that stands for what belongs to somebody else."""
REFUSALS = ("unknown token", "unknown path", "someone else's chat")
APIS = sorted({fact["api"] for fact in OPERATIONS})


@dataclass
class RecordedServer:
    """Chooses a recorded exchange for each request to a server of one generation.

    What was recorded for the very path comes first, then what was recorded for its operation; successes come before
    errors. The same request again gets the next one, so that a script that polls sees an end.
    """

    generation: str
    _probes: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._recorded = list(exchanges(self.generation, *APIS))
        self._refusals = {refusal.name: refusal for refusal in self._recorded if refusal.name in REFUSALS}
        self._templates = sorted(self._patterns(), key=lambda entry: entry[1].count("{"))
        self._asked: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self.server = RecordingServer(self._answer)

    def _patterns(self) -> list[tuple[re.Pattern[str], str, tuple[str, str]]]:
        """Return each operation of the generation: its pattern, its template, and whose it is."""
        prefix = f"/api/{self.generation}"
        routes = [
            (*fact["http"].split(" "), (fact["api"], fact["method_name"]))
            for fact in OPERATIONS
            if self.generation in fact["generations"]
        ]
        return [
            (re.compile(f"{method} {prefix}" + re.sub(r"\{\w+\}", "[^/]+", template)), template, owner)
            for method, template, owner in routes
        ]

    @property
    def requests(self) -> list[tuple[Any, ...]]:
        """What was asked, without the probes, in order, in a form to compare."""
        return [comparable(request) for request in self.server.requests if request not in self._probes]

    @property
    def probes(self) -> list[tuple[Any, ...]]:
        """What was asked below the other generation's prefix and refused with 404, as real servers do."""
        return [comparable(request) for request in self._probes]

    def _answer(self, request: Request, connection: Connection) -> None:
        chosen = self._choose(request)
        if chosen is self._refusals["unknown path"] and request.path.startswith("/api/"):
            self._probes.append(request)
        repeat(chosen, in_one)(request, connection)

    def _choose(self, request: Request) -> Exchange:
        if request.header("Authorization") != f"Bearer {TOKEN}":
            return self._refusals["unknown token"]
        if self._owner(request) is None:
            return self._refusals["unknown path"]
        if FORBIDDEN in request.path.split("/"):
            return self._refusals["someone else's chat"]
        candidates = self._candidates(request)
        with self._lock:
            index = self._asked[request.method, request.path]
            self._asked[request.method, request.path] += 1
        return candidates[min(index, len(candidates) - 1)]

    def _candidates(self, request: Request) -> list[Exchange]:
        """Return what may be said to a request, in order."""
        same_path = [recorded for recorded in self._recorded if is_for(recorded, request)]
        owner = self._owner(request)
        same_operation = [recorded for recorded in self._recorded if (recorded.api, recorded.method_name) == owner]
        known = same_path or same_operation
        return [recorded for recorded in known if recorded.status == 200 and not recorded.is_cut] or known

    def _owner(self, request: Request) -> tuple[str, str] | None:
        asked = f"{request.method} {request.path}"
        return next((owner for pattern, _, owner in self._templates if pattern.fullmatch(asked)), None)


def is_for(recorded: Exchange, request: Request) -> bool:
    path = recorded.request["path"].partition("?")[0]
    return bool(recorded.request["method"] == request.method and unquote(path) == unquote(request.path))


def comparable(request: Request) -> tuple[Any, ...]:
    """Return what a request asks for: its method, path below the prefix, query and body.

    The prefix is left out, because a server of either generation refuses an unusable token below both.
    """
    content_type = request.header("Content-Type") or ""
    body: Any = request.body
    if body and content_type.startswith("application/json"):
        body = normal(json.loads(body))
    elif content_type.startswith("multipart/form-data"):
        body = part_of(content_type, body)
    path = re.sub("^/api/v[12]", "", unquote(request.path))
    return request.method, path, request.query, body
