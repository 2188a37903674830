"""paginate: every item once, with as few requests as the server's rules allow."""

import inspect
import json
import re
from typing import Any

import pytest

from freechat_sdk import (
    AccountManagerForAdminApi,
    ApiTypeError,
    ApiValueError,
    CharacterApi,
    CharacterQueryDTO,
    CharacterQueryWhere,
    InteractiveStatisticsApi,
    api,
)
from freechat_sdk.pagination import paginate
from test.clients import api_of
from test.server import Connection, Handler, Request, json_response


def searched(total: int, tagged: set[int] = frozenset()) -> Handler:  # type: ignore[assignment]
    """Return a handler that finds `total` characters; a filter by tags is applied after paging, as servers do."""

    def handle(request: Request, connection: Connection) -> None:
        query = json.loads(request.body)
        start = query["pageNum"] * query["pageSize"]
        found = range(start, min(start + query["pageSize"], total))
        if query.get("where", {}).get("tags"):
            found = [number for number in found if number in tagged]  # type: ignore[assignment]
        json_response([{"characterId": number} for number in found])(request, connection)

    return handle


def listed(total: int) -> Handler:
    """Return a handler for a list whose path ends in page size and number."""

    def handle(request: Request, connection: Connection) -> None:
        size, page = map(int, request.path.partition("?")[0].rsplit("/", 2)[1:])
        found = range(page * size, min((page + 1) * size, total))
        json_response([{"userId": number, "modelId": str(number)} for number in found])(request, connection)

    return handle


@pytest.mark.parametrize(("total", "requests"), [(0, 1), (1, 1), (99, 1), (100, 2), (250, 3)])
def test_a_search_yields_every_item_and_ends_at_a_short_page(total: int, requests: int) -> None:
    with api_of(CharacterApi, searched(total)) as (api, server):
        found = paginate(api.search_character_summary, CharacterQueryDTO(where=CharacterQueryWhere(name="a")))
        assert [item.character_id for item in found] == list(range(total))
        assert len(server.requests) == requests


def test_pages_are_requested_when_they_are_needed() -> None:
    with api_of(CharacterApi, searched(100)) as (api, server):
        found = paginate(api.search_character_summary, CharacterQueryDTO(), page_size=2)
        assert server.requests == []
        assert [next(found).character_id for _ in range(3)] == [0, 1, 2]
        assert len(server.requests) == 2


@pytest.mark.parametrize("tagged", [set(), {0}, {57}, {0, 30, 31, 99}])
def test_a_page_that_a_tag_filter_empties_is_not_the_last(tagged: set[int]) -> None:
    with api_of(CharacterApi, searched(100, tagged)) as (api, _):
        query = CharacterQueryDTO(where=CharacterQueryWhere(tags=["x"]))
        found = paginate(api.search_character_summary, query, page_size=10)
        assert [item.character_id for item in found] == sorted(tagged)


def test_a_query_may_be_a_dict_and_begin_with_a_later_page() -> None:
    with api_of(CharacterApi, searched(10)) as (api, _):
        found = paginate(api.search_character_details, {"where": {"lang": "en"}, "page_num": 2}, page_size=4)
        assert [item.character_id for item in found] == [8, 9]


def test_the_query_of_the_caller_stays_as_it_is() -> None:
    with api_of(CharacterApi, searched(3)) as (api, _):
        query = CharacterQueryDTO(where=CharacterQueryWhere(tags=["x"]), page_size=7)
        list(paginate(api.search_character_summary, query))
        assert (query.page_size, query.page_num, query.where and query.where.tags) == (7, None, ["x"])


def test_a_list_yields_every_item() -> None:
    with api_of(AccountManagerForAdminApi, listed(5)) as (api, server):
        assert len(list(paginate(api.list_users, page_size=2))) == 5
        assert [request.path for request in server.requests] == [f"/api/v1/admin/users/2/{page}" for page in range(4)]


def test_a_list_takes_its_own_arguments() -> None:
    with api_of(InteractiveStatisticsApi, listed(0)) as (api, server):
        assert list(paginate(api.list_characters_by_statistic, "view_count", asc="1")) == []
        (request,) = server.requests
        assert request.target == "/api/v1/public/stats/characters/by/view_count/100/0?asc=1"


def has_pages(method: object) -> bool:
    parameters = inspect.signature(method).parameters  # type: ignore[arg-type]
    return "page_num" in parameters or any(name.endswith("_query_dto") for name in parameters)


PAGED = [
    (kind, name)
    for kind in (getattr(api, name) for name in api.__all__)
    for name, method in vars(kind).items()
    if re.fullmatch(r"(search|list)_.*(?<!_with_http_info)(?<!_without_preload_content)", name) and has_pages(method)
]
"""What the names say: searches with a query, and lists by page."""


def test_searches_and_lists_with_pages_are_found() -> None:
    assert len(PAGED) == 28


@pytest.mark.parametrize(("kind", "name"), PAGED)
def test_every_search_and_list_with_pages_is_accepted(kind: Any, name: str) -> None:
    with api_of(kind, json_response([])) as (api, server):
        arguments: list[Any] = [{}] if name.startswith("search") else ["view_count"] if "_by_statistic" in name else []
        assert list(paginate(getattr(api, name), *arguments)) == []
        assert len(server.requests) == 1


def test_a_method_without_pages_is_refused() -> None:
    with api_of(CharacterApi, searched(0)) as (api, server):
        with pytest.raises(ApiTypeError, match="list_character_backends has no pages"):
            paginate(api.list_character_backends, "uid")
        with pytest.raises(ApiTypeError, match="count_characters has no pages"):
            paginate(api.count_characters, {})  # type: ignore[arg-type]
        with pytest.raises(ApiTypeError, match="one CharacterQueryDTO"):
            paginate(api.search_character_summary)
        for size in (0, 101):
            with pytest.raises(ApiValueError, match="1 to 100"):
                paginate(api.search_character_summary, {}, page_size=size)
        assert server.requests == []
