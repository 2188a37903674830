"""Every operation of both generations over a real socket: the request is what the API takes, the response is read.

Arguments and responses are made of the facts (`test/data/contract`), not of the project's own document; what is sent is
also held against that document by openapi-core, which knows nothing of the generator.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import yaml
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from werkzeug.datastructures import Headers, ImmutableMultiDict

import freechat_sdk
from freechat_sdk import ApiVersionError
from freechat_sdk._names import API_MODULES
from test.clients import TOKEN, api_of
from test.facts import BYTES, OPERATIONS, Example
from test.server import RecordingServer, Request

ROOT = Path(__file__).parent.parent
HOST = "http://127.0.0.1:8080"

KNOWN = [fact for fact in OPERATIONS if fact["api"] in API_MODULES]
CALLS = [(fact, generation) for fact in KNOWN for generation in fact["generations"]]
NOT_VALIDATED = {
    "get_default_chat_id": "has a key of another type on v2, which OpenAPI cannot say of one path",
    "expose": "has objects in its query, whose fields stand there one by one; openapi-core looks for the names",
}
DOCUMENT = OpenAPI.from_dict(yaml.safe_load((ROOT / "codegen" / "openapi.yaml").read_text("utf-8")))


def name_of(case: tuple[Any, str]) -> str:
    fact, generation = case
    return f"{fact['api']}.{fact['method_name']}-{generation}"


@dataclass
class AsOpenApiCore:
    """A request in the form that openapi-core reads."""

    request: Request
    host_url: str = HOST

    def __post_init__(self) -> None:
        self.path = self.request.path
        self.method = self.request.method.lower()
        self.body = self.request.body or None
        self.content_type = self.request.header("Content-Type") or ""
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(parse_qsl(self.request.target.partition("?")[2])),
            header=Headers(list(self.request.headers)),
        )


def called(example: Example, generation: str) -> AbstractContextManager[tuple[Callable[..., Any], RecordingServer]]:
    """Return the method of an example, and a server that responds to it."""
    kind, name = getattr(freechat_sdk, example.fact["api"]), example.fact["method_name"]
    return api_of(lambda client: getattr(kind(client), name), example.respond, api_version=generation)


@pytest.mark.parametrize("case", CALLS, ids=name_of)
def test_a_call_sends_what_the_api_takes_and_reads_what_it_returns(case: tuple[Any, str]) -> None:
    example = Example(*case)
    with called(example, example.generation) as (method, server):
        example.check_value(method(**example.arguments))
    (request,) = server.requests
    check_request(request, example)
    is_form = example.fact.get("sends") == "multipart/form-data"  # for openapi-core bytes are not a string
    if example.fact["method_name"] not in NOT_VALIDATED and not is_form:
        DOCUMENT.validate_request(AsOpenApiCore(request))


def check_request(request: Request, example: Example) -> None:
    fact = example.fact
    assert f"{request.method} {request.path}" == f"{fact['http'].split(' ')[0]} {example.path}"
    assert sorted(request.query) == sorted(example.query)
    assert request.header("Authorization") == f"Bearer {TOKEN}"
    accepted = str(request.header("Accept"))
    assert "application/json" in accepted
    assert all(media_type in accepted or "*/*" in accepted for media_type in fact["produces"] or [])
    sent = (request.header("Content-Type") or "").partition(";")[0] or None
    assert sent == fact.get("sends")
    if sent == "multipart/form-data":
        assert BYTES in request.body
    elif example.body is not None:
        assert request.json == example.body
    else:
        assert request.body == b""


def only_one_generation() -> Iterator[Any]:
    for fact in KNOWN:
        if len(fact["generations"]) == 1:
            other = "v2" if fact["generations"] == ["v1"] else "v1"
            yield pytest.param(fact, other, id=f"{fact['api']}.{fact['method_name']}-{other}")


@pytest.mark.parametrize(("fact", "generation"), list(only_one_generation()))
def test_what_a_generation_lacks_is_refused_before_anything_is_sent(fact: Any, generation: str) -> None:
    example = Example(fact, fact["generations"][0])
    with called(example, generation) as (method, server), pytest.raises(ApiVersionError):
        method(**example.arguments)
    assert server.requests == []


GROUPED = [fact for fact in KNOWN if "group" in fact]


@pytest.mark.parametrize("fact", GROUPED, ids=lambda fact: f"{fact['api']}.{fact['method_name']}")
def test_each_name_of_a_group_reaches_its_shortest_route(fact: Any) -> None:
    members = [other for other in GROUPED if (other["api"], other["group"]) == (fact["api"], fact["group"])]
    shortest = min(members, key=lambda member: len(member["http"].split("{")))
    example = Example(shortest, "v2" if "v2" in shortest["generations"] else "v1")
    method_name = fact["method_name"]
    needed = {p["name"]: example.arguments[p["name"]] for p in shortest.get("parameters", []) if p["in"] == "path"}
    kind = getattr(freechat_sdk, fact["api"])
    with api_of(kind, example.respond, api_version=example.generation) as (api, server):
        example.check_value(getattr(api, method_name)(**needed))
        example.check_value(getattr(api, method_name)(*needed.values()))
    assert [request.path for request in server.requests] == [example.path] * 2
