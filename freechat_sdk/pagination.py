"""paginate: all items of a search or list, page by page."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, Final, TypeVar, get_origin

from freechat_sdk._model import Model
from freechat_sdk.exceptions import ApiTypeError, ApiValueError

T = TypeVar("T")

MAX_PAGE_SIZE: Final = 100
"""Servers send at most this many items a page."""
_FILTERS_AFTER_PAGING: Final = ("tags", "ai_models")
"""Servers choose the items of a page first and apply these filters to them, so that a page may be short, or empty."""


def paginate(search: Callable[..., list[T]], *args: Any, page_size: int = MAX_PAGE_SIZE, **options: Any) -> Iterator[T]:
    """Yield the items of all pages. Each page is requested when its first item is needed.

        query = CharacterQueryDTO(where=CharacterQueryWhere(lang="en"))
        for character in paginate(characters.search_character_summary, query):
            print(character.name)
        for user in paginate(users.list_users):
            print(user.username)

    Args:
        search: a method of an API class that searches with a query or takes `page_size` and `page_num`.
        args: its arguments. A query is a model or a dict of it; its `page_num` is the page to begin with, counted from
            0, and its `page_size` is replaced.
        page_size: the number of items to request at once, 1 to 100. Default 100.
        options: further arguments of the method, such as `_request_timeout`.

    Items that appear or disappear on the server meanwhile may be missed or come twice.

    Raises:
        ApiTypeError: if the method has no pages.
        ApiValueError: if `page_size` is out of range.
    """
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise ApiValueError(f"page_size must be 1 to {MAX_PAGE_SIZE}, not {page_size!r}")
    signature = inspect.signature(search)
    if "page_num" in signature.parameters:
        return _list_pages(search, args, page_size, options)
    annotations = (parameter.annotation for parameter in signature.parameters.values())
    query = next(filter(_is_query, annotations), None)
    if query is None or get_origin(signature.return_annotation) is not list:
        raise ApiTypeError(f"{getattr(search, '__name__', search)} has no pages")
    if len(args) != 1 or not isinstance(args[0], (query, Mapping)):
        raise ApiTypeError(f"paginate expects one {query.__name__} after the method")
    return _search_pages(search, query.model_validate(args[0]), page_size, options)


def _is_query(type_: object) -> bool:
    return isinstance(type_, type) and issubclass(type_, Model) and "page_num" in type_.model_fields


def _list_pages(
    search: Callable[..., list[T]], args: tuple[Any, ...], page_size: int, options: dict[str, Any]
) -> Iterator[T]:
    for page_num in count(options.pop("page_num", 0)):
        page = search(*args, page_size=page_size, page_num=page_num, **options)
        if not page:
            return
        yield from page


def _search_pages(search: Callable[..., list[T]], query: Model, page_size: int, options: dict[str, Any]) -> Iterator[T]:
    unfiltered = _without_late_filters(query)
    for page_num in count(getattr(query, "page_num", None) or 0):
        page = search(_page_of(query, page_num, page_size), **options)
        yield from page
        if len(page) < page_size and unfiltered is None:
            return
        if not page and unfiltered is not None and not search(_page_of(unfiltered, page_num, page_size), **options):
            return


def _page_of(query: Model, page_num: int, page_size: int) -> Model:
    return query.model_copy(update={"page_num": page_num, "page_size": page_size})


def _without_late_filters(query: Model) -> Model | None:
    """Return a query without the filters that servers apply after paging, or None if it has none of them."""
    where: Model | None = getattr(query, "where", None)
    late = {name: None for name in _FILTERS_AFTER_PAGING if getattr(where, name, None)}
    return query.model_copy(update={"where": where.model_copy(update=late)}) if where and late else None
