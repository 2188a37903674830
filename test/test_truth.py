"""The statuses that the reference lists, against what servers answered an administrator and a plain user, both ways."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any
from urllib.parse import unquote

import pytest

from codegen.document import Body, Operation, Parameter
from test.recordings import DATES, SERVERS, USERS, Exchange, exchanges
from test.test_contract import METHODS

APIS = {tag.name for tag, _ in METHODS}
RECORDED = [exchange for server in (*SERVERS, *USERS) for exchange in exchanges(server, *APIS)]
LOGIN, UNAUTHORIZED = 302, 401
NOT_SENT = {
    *("unknown path", "an unknown path", "an unknown path without a token"),
    *("the other generation", "an unknown generation"),
    *("method not allowed", "a method that a path lacks", "another method that a path lacks"),
    *("path type mismatch", "a word where a number belongs", "encoded slash", "dot segment"),
    *("accept json only on a text operation", "accept html only", "stream with accept json only"),
    *("bad json", "broken JSON", "no body", "unsupported media type"),
    *("date without zone", "date with +00:00", "date as epoch millis"),
}
"""Recorded requests, by name, that the client does not send."""


def fits_path(exchange: Exchange, operation: Operation) -> bool:
    """Whether the client can send this path for the operation."""
    template = f"/api/{exchange.generation}{operation.path}"
    for parameter in operation.parameters:
        template = template.replace("{" + parameter.wire + "}", segment(parameter, exchange.generation))
    return re.fullmatch(template, unquote(exchange.request["path"].partition("?")[0])) is not None


def segment(parameter: Parameter, generation: str) -> str:
    """Return a pattern of one value in a path; the client refuses values with slashes, `.` and `..`."""
    value = parameter.v2 if generation == "v2" and parameter.v2 is not None else parameter
    return r"-?\d+" if value.type.kind == "integer" else r"(?!\.\.?$)[^/]+"


def fits_body(exchange: Exchange, body: Body | None) -> bool:
    """Whether the client would send this body: of the right type, valid, and with dates in UTC."""
    if body is None or body.type.kind == "file":
        return True
    text = exchange.request.get("body")
    if exchange.request["headers"].get("Content-Type") != body.media_type or not text:
        return False
    try:
        return all(str(date).endswith("Z") for date in dates(json.loads(text)))
    except ValueError:
        return False


def dates(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        yield from (held for key, held in value.items() if key in DATES and held is not None)
        for held in value.values():
            yield from dates(held)


def accepts(exchange: Exchange, operation: Operation) -> bool:
    """Whether the request accepts what the operation returns, as requests of the client do."""
    accepted = exchange.request["headers"]["Accept"].split(", ")
    types = operation.response.media_types or ("application/json",)
    return any(fnmatch(types[0], pattern) for pattern in accepted)


def is_call(exchange: Exchange, operation: Operation) -> bool:
    """Whether an exchange is what the client would have sent for the operation."""
    return (
        exchange.request["method"] == operation.method
        and exchange.generation in operation.generations
        and fits_path(exchange, operation)
        and fits_body(exchange, operation.body)
        and accepts(exchange, operation)
    )


def is_about_the_token(exchange: Exchange) -> bool:
    """Whether the token was missing or unusable, which each page says once for all of its operations."""
    has_token = exchange.token is not None
    return exchange.status == (UNAUTHORIZED if has_token else LOGIN)


SEEN: dict[tuple[str, str], set[int]] = {}
for _tag, _operation in METHODS:
    SEEN[_tag.name, _operation.name] = {
        exchange.status
        for exchange in RECORDED
        if (exchange.api, exchange.method_name) == (_tag.name, _operation.name)
        and is_call(exchange, _operation)
        and not is_about_the_token(exchange)
    }


def listed(operation: Operation) -> set[int]:
    return {200, *dict(operation.errors)}


def seen_in_group(tag_name: str, operation: Operation) -> set[int]:
    """Return what was seen of an operation or, as they differ in the size of a page only, of others of its group."""
    group = [other.name for tag, other in METHODS if tag.name == tag_name and operation.group == other.group != ""]
    return set().union(*(SEEN[tag_name, name] for name in {operation.name, *group}))


@pytest.mark.parametrize(("tag", "operation"), METHODS, ids=lambda value: value.name)
def test_each_recorded_status_is_listed(tag: Any, operation: Operation) -> None:
    assert SEEN[tag.name, operation.name] - listed(operation) == set()


@pytest.mark.parametrize(("tag", "operation"), METHODS, ids=lambda value: value.name)
def test_each_listed_status_is_recorded_or_marked_as_not_verified(tag: Any, operation: Operation) -> None:
    assert listed(operation) - seen_in_group(tag.name, operation) == set(operation.unverified)


def test_only_requests_that_the_client_does_not_send_are_left_out() -> None:
    operations = {(tag.name, operation.name): operation for tag, operation in METHODS}
    left_out = {
        exchange.name
        for exchange in RECORDED
        if (exchange.api, exchange.method_name) in operations
        and not is_call(exchange, operations[exchange.api, exchange.method_name])
    }
    assert left_out == NOT_SENT


@pytest.mark.parametrize(("tag", "operation"), METHODS, ids=lambda value: value.name)
def test_an_empty_response_was_recorded_only_of_operations_that_may_return_none(tag: Any, operation: Operation) -> None:
    empty = {
        exchange.id
        for exchange in RECORDED
        if (exchange.api, exchange.method_name) == (tag.name, operation.name)
        and (exchange.status, exchange.body, exchange.is_cut) == (200, b"", False)
    }
    assert operation.nullable or operation.response.kind == "nothing" or empty == set()
