"""A loopback server that gives recorded responses to whatever a script asks, in whatever order."""

import re
import threading
from collections import Counter
from functools import cache
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
OWN_HEADERS = ("authorization", "x-")
"""How the headers begin that a script decides on; the others are the package's business."""

Owner = tuple[str, str]
"""The API class and the method of an operation."""


class RecordedServer:
    """Chooses a recorded exchange for each request to a server of one generation.

    What was recorded for the same path comes first, then what was recorded for its operation; errors only if there is
    nothing else. The same request again gets the next one, so that a script that polls sees an end.
    """

    def __init__(self, generation: str) -> None:
        self.generation = generation
        self.server = RecordingServer(self._respond)
        self._probes: list[Request] = []
        self._asked: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    @property
    def requests(self) -> list[tuple[Any, ...]]:
        """What a script asked, without the probes, in order, in a form to compare."""
        return [comparable(request) for request in self.server.requests if request not in self._probes]

    @property
    def probes(self) -> list[tuple[Any, ...]]:
        """What was asked below the other generation's prefix and refused with 404, as real servers do."""
        return [comparable(request) for request in self._probes]

    def _respond(self, request: Request, connection: Connection) -> None:
        chosen = self._choose(request)
        if chosen.name == "unknown path":
            self._probes.append(request)
        repeat(chosen, in_one)(request, connection)

    def _choose(self, request: Request) -> Exchange:
        owner = owner_of(request, self.generation)
        if request.header("Authorization") != f"Bearer {TOKEN}":
            return refusals(self.generation)["unknown token"]
        if owner is None:
            return refusals(self.generation)["unknown path"]
        if FORBIDDEN in request.path.split("/"):
            return refusals(self.generation)["someone else's chat"]
        candidates = candidates_for(request, owner, self.generation)
        with self._lock:
            index = self._asked[request.method, request.path]
            self._asked[request.method, request.path] += 1
        return candidates[min(index, len(candidates) - 1)]


@cache
def recordings(generation: str) -> list[Exchange]:
    return list(exchanges(generation, *sorted({fact["api"] for fact in OPERATIONS})))


@cache
def refusals(generation: str) -> dict[str, Exchange]:
    return {recorded.name: recorded for recorded in recordings(generation) if recorded.name in REFUSALS}


@cache
def routes(generation: str) -> list[tuple[re.Pattern[str], Owner]]:
    """Return a pattern of method and path for each operation, those with the fewest parameters first."""
    known = [fact for fact in OPERATIONS if generation in fact["generations"]]
    known.sort(key=lambda fact: fact["http"].count("{"))
    return [(route(fact["http"], generation), (fact["api"], fact["method_name"])) for fact in known]


def route(http: str, generation: str) -> re.Pattern[str]:
    method, template = http.split(" ")
    return re.compile(f"{method} /api/{generation}" + re.sub(r"\{\w+\}", "[^/]+", template))


def owner_of(request: Request, generation: str) -> Owner | None:
    """Return the operation that a request is for, if the generation has one."""
    asked = f"{request.method} {request.path}"
    return next((owner for pattern, owner in routes(generation) if pattern.fullmatch(asked)), None)


def candidates_for(request: Request, owner: Owner, generation: str) -> list[Exchange]:
    """Return the exchanges that fit a request, in order."""
    same_path = [recorded for recorded in recordings(generation) if is_for(recorded, request)]
    same_operation = [recorded for recorded in recordings(generation) if (recorded.api, recorded.method_name) == owner]
    known = same_path or same_operation
    return [recorded for recorded in known if recorded.status == 200 and not recorded.is_cut] or known


def is_for(recorded: Exchange, request: Request) -> bool:
    path: str = recorded.request["path"].partition("?")[0]
    return recorded.request["method"] == request.method and unquote(path) == unquote(request.path)


def comparable(request: Request) -> tuple[Any, ...]:
    """Return what a request asks for: its method, path below the prefix, query, own headers and body.

    The prefix is left out, because a server of either generation refuses an unusable token below both.
    """
    path = re.sub("^/api/v[12]", "", unquote(request.path))
    headers = sorted((name.lower(), value) for name, value in request.headers if name.lower().startswith(OWN_HEADERS))
    return request.method, path, request.query, headers, content(request)


def content(request: Request) -> Any:
    """Return what a body says: JSON in its normal form, the file of a form, else the bytes."""
    content_type = request.header("Content-Type") or ""
    if request.body and content_type.startswith("application/json"):
        return normal(request.json)
    if content_type.startswith("multipart/form-data"):
        return part_of(content_type, request.body)
    return request.body
