"""Small probes of the package that is installed: what a script sees when it uses `freechat_sdk` in some way.

    python probes.py http://127.0.0.1:1234

prints one JSON object per line, the name of a probe and its outcome. The same file runs with the official packages and
with ours, so it uses only what they all have. The server at that address is test_probes.py's: it can be told what to
answer, and asked what it has received.
"""

import array
import base64
import builtins
import contextlib
import copy
import http.client
import importlib
import inspect
import io
import itertools
import json
import logging
import pickle
import re
import socket
import sys
import tempfile
import urllib.request
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from email.message import Message
from email.parser import BytesParser
from enum import Enum
from functools import partial
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pydantic
import urllib3

sdk: Any = importlib.import_module("freechat_sdk")

Thunk = Callable[[], Any]
TOKEN = "fc-0123456789abcdef0123456789abcdef"
WHEN = "2024-05-01T10:20:30.123Z"
INSTANT = datetime(2024, 5, 1, 10, 20, 30, 123000, timezone.utc)
PNG = b"\x89PNG\r\n\x1a\nprobe"
NOT_HERE = "not in this generation"
SENT_HEADERS = ("authorization", "content-type", "cookie", "x-")
"""How the names of the headers begin that each request is compared by; other headers have probes of their own."""


@dataclass(frozen=True)
class Probe:
    """A use of the package, and the generations whose official package knows it."""

    function: Thunk
    generations: tuple[str, ...]


PROBES: dict[str, Probe] = {}


def register(group: str, functions: Mapping[str, Thunk], generations: tuple[str, ...] = ("v1", "v2")) -> None:
    for name, function in functions.items():
        full_name = f"{group}.{name}"
        assert full_name not in PROBES, full_name
        PROBES[full_name] = Probe(function, generations)


# What a script sees


class Outcome(dict[str, Any]):
    """What a probe did: its value or what catches its exception, and with a server what was sent."""


def catchers() -> dict[str, type[BaseException]]:
    """Return the exception classes that scripts know, by name."""
    known: dict[str, type[BaseException]] = {
        name: getattr(sdk.exceptions, name)
        for name in (
            "OpenApiException",
            "ApiTypeError",
            "ApiValueError",
            "ApiAttributeError",
            "ApiKeyError",
            "ApiException",
            "BadRequestException",
            "UnauthorizedException",
            "ForbiddenException",
            "NotFoundException",
            "ConflictException",
            "UnprocessableEntityException",
            "ServiceException",
        )
        if hasattr(sdk.exceptions, name)
    }
    for name in (
        "HTTPError",
        "MaxRetryError",
        "TimeoutError",
        "NewConnectionError",
        "ProtocolError",
        "LocationValueError",
    ):
        known[f"urllib3.{name}"] = getattr(urllib3.exceptions, name)
    names = ("ValueError", "TypeError", "AttributeError", "LookupError", "AssertionError", "OSError", "Warning")
    known |= {name: getattr(builtins, name) for name in names}
    return {**known, "ValidationError": pydantic.ValidationError, "JSONDecodeError": json.JSONDecodeError}


def caught_by(error: BaseException) -> str:
    """Return the names of the classes that catch an exception, or its own if no class that scripts know does."""
    names = sorted(name for name, kind in catchers().items() if isinstance(error, kind))
    return ", ".join(names) or type(error).__name__


def described(value: Any) -> Any:
    """Return a value as JSON, so that values of different types stay different."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return str(value).replace(server.url, "http://server") if server.url else str(value)
    if isinstance(value, pydantic.BaseModel) and hasattr(value, "to_dict"):
        return {"model": type(value).__name__, "dict": described(value.to_dict())}
    if isinstance(value, BaseException):
        return {"caught by": caught_by(value)}
    if isinstance(value, list):
        return [described(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): described(held) for key, held in value.items()}
    return {type(value).__name__: shown(value)}


def shown(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return value.decode("latin-1")
    if isinstance(value, (set, frozenset)):
        return sorted(map(described, value))
    if isinstance(value, tuple):
        return [described(item) for item in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return str(value) if isinstance(value, (UUID, Decimal)) else None


def outcome_of(function: Thunk) -> Outcome:
    """Run a probe and return what came of it; no exception leaves it."""
    try:
        value = function()
        return value if isinstance(value, Outcome) else Outcome(value=described(value))
    except Exception as error:  # noqa: BLE001 - it is what the probe is about
        return Outcome(raised=caught_by(error))


# The server


@dataclass(frozen=True)
class Answer:
    """What the server is to answer to every request."""

    body: bytes = b""
    status: int = 200
    content_type: str | None = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    reason: str = "Said"
    stalls: bool = False


def said(value: object, status: int = 200, *headers: tuple[str, str]) -> Answer:
    return Answer(json.dumps(value).encode(), status, headers=headers)


def text(value: str, status: int = 200, content_type: str | None = "text/plain;charset=UTF-8") -> Answer:
    return Answer(value.encode(), status, content_type)


STALLS = Answer(stalls=True)
NOTHING = Answer(b"", content_type=None)


class Server:
    """The server of the runner, as the probes use it."""

    url = ""

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, body, timeout=10) as response:
            return bytes(response.read())

    def expect(self, answer: Answer) -> None:
        """Have every request answered so, and forget those of before."""
        order = {**vars(answer), "body": base64.b64encode(answer.body).decode()}
        self._ask("/__answer", json.dumps(order).encode())

    def received(self) -> list[dict[str, Any]]:
        """Return the requests since `expect()`, as the server has read them."""
        received: list[dict[str, Any]] = json.loads(self._ask("/__requests"))
        return received

    def sent(self) -> list[dict[str, Any]]:
        """Return the requests since `expect()`, in a form to compare."""
        return [described_request(request) for request in self.received()]


server = Server()


def described_request(request: dict[str, Any]) -> dict[str, Any]:
    parts = urlsplit(request["target"])
    body = base64.b64decode(request["body"])
    headers = {name.lower(): value for name, value in request["headers"]}
    content_type = headers.get("content-type", "")
    kept = {name: value for name, value in headers.items() if name.startswith(SENT_HEADERS)}
    if content_type.startswith("multipart/"):
        kept["content-type"] = content_type.partition(";")[0]
    return {
        "method": request["method"],
        "path": re.sub("^/api/v[12]", "", parts.path),
        "query": parse_qsl(parts.query, keep_blank_values=True),
        "headers": kept,
        "body": described_body(content_type, body),
    }


def described_body(content_type: str, body: bytes) -> Any:
    if not body:
        return None
    if content_type.startswith("multipart/"):
        return described_form(content_type, body)
    with contextlib.suppress(ValueError):
        return {"json": json.loads(body)}
    return body.decode("latin-1")


def described_form(content_type: str, body: bytes) -> list[dict[str, Any]]:
    whole = BytesParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    return [described_part(part) for part in whole.walk() if not part.is_multipart()]


def described_part(part: Message) -> dict[str, Any]:
    content = part.get_payload(decode=True)
    return {
        "name": part.get_param("name", header="Content-Disposition"),
        "file name": part.get_filename(),
        "type": part.get("Content-Type"),
        "content": content.decode("latin-1") if isinstance(content, bytes) else None,
    }


def configuration(**settings: Any) -> Any:
    return sdk.Configuration(**{"host": server.url, "access_token": TOKEN, **settings})


def wire(use: Callable[[Any], Any], answer: Answer, **settings: Any) -> Thunk:
    """Return a probe that uses a client of the server."""

    def run() -> Outcome:
        server.expect(answer)
        with sdk.ApiClient(configuration(**settings)) as client:
            outcome = outcome_of(lambda: use(client))
        return Outcome({**outcome, "sent": server.sent()})

    return run


def call(api: str, use: Callable[[Any], Any], answer: Answer, **settings: Any) -> Thunk:
    """Return a probe that uses an API class."""
    return wire(lambda client: use(getattr(sdk, api)(client)), answer, **settings)


def counted(run: Thunk) -> Thunk:
    """Return a probe that has the number of requests in place of what was sent."""

    def count() -> Outcome:
        outcome = run()
        return Outcome({**outcome, "sent": len(outcome["sent"])})

    return count


def repeated(run: Thunk) -> Thunk:
    """Return a probe that has whether the request was repeated in place of what was sent: how often is up to time."""

    def look() -> Outcome:
        outcome = run()
        return Outcome({**outcome, "sent": "once" if len(outcome["sent"]) == 1 else "again"})

    return look


def sends(api: str, use: Callable[[Any], Any], answer: Answer, **settings: Any) -> Thunk:
    """Return a probe of what a call sends, whatever is made of the answer."""
    run = call(api, use, answer, **settings)
    return lambda: Outcome(sent=run()["sent"])


def error_from(api: str, use: Callable[[Any], Any], answer: Answer, read: Callable[[Any], Any]) -> Thunk:
    """Return a probe of the exception that a call raises."""

    def run() -> Any:
        server.expect(answer)
        with sdk.ApiClient(configuration(retries=False)) as client:
            try:
                use(getattr(sdk, api)(client))
            except Exception as error:  # noqa: BLE001 - it is what the probe is about
                return read(error)
        return "nothing raised"

    return run


# Values that probes start from


def part(**values: Any) -> Any:
    return sdk.ChatContentDTO(**{"type": "text", "content": "Hi", **values})


def message(**values: Any) -> Any:
    return sdk.ChatMessageDTO(**{"role": "user", "contents": [part()], **values})


def context(**values: Any) -> Any:
    return sdk.ChatContextDTO(**{"backend_id": "b1", **values})


def user(**values: Any) -> Any:
    return sdk.UserBasicInfoDTO(**{"username": "ann", **values})


def prompt(**values: Any) -> Any:
    return sdk.PromptCreateDTO(**{"name": "p", **values})


def with_extras(**values: Any) -> Any:
    return sdk.ChatContentDTO.from_dict({"type": "text", "content": "Hi", **(values or {"colour": "red"})})


def assigned(target: Any, **values: Any) -> Any:
    """Assign attributes and return their owner."""
    for name, value in values.items():
        setattr(target, name, value)
    return target


def changed(target: Any, change: Callable[[Any], object]) -> Any:
    """Change a thing and return it."""
    change(target)
    return target


def quietly(function: Thunk) -> Any:
    """Use something that warns, which is no part of what is compared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function()


class Role(str, Enum):
    USER = "user"


class Text(str):
    __slots__ = ()


class Note(sdk.ChatContentDTO):  # type: ignore[misc]  # any package's
    """A model of a user, with a field of its own."""

    note: str = "none"


class Shouting(sdk.ChatContentDTO):  # type: ignore[misc]  # any package's
    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "content": self.content.upper()}


class Box(pydantic.BaseModel):
    """A user's own pydantic model, which holds one of the package."""

    item: sdk.ChatContentDTO
    label: str = "box"


# Models


register(
    "model.build",
    {
        "by_python_name": lambda: sdk.ChatContextDTO(backend_id="b"),
        "by_json_name": lambda: sdk.ChatContextDTO(backendId="b"),
        "by_both_names": lambda: sdk.ChatContextDTO(backend_id="a", backendId="b").backend_id,
        "without_values": lambda: sdk.ChatMessageDTO(),
        "required_missing": lambda: sdk.ChatContextDTO(),
        "required_none": lambda: sdk.ChatContextDTO(backend_id=None),
        "optional_none": lambda: sdk.ChatMessageDTO(role=None).role,
        "positional": lambda: sdk.ChatContentDTO("text", "Hi"),
        "str_for_int": lambda: context(quota="5"),
        "bool_for_int": lambda: context(quota=True),
        "float_for_int": lambda: context(quota=1.0),
        "int_for_str": lambda: context(about=5),
        "bytes_for_str": lambda: context(about=b"x"),
        "int_for_bool": lambda: sdk.CharacterQueryWhere(high_priority=1),
        "str_for_bool": lambda: sdk.CharacterQueryWhere(high_priority="true"),
        "none_in_list": lambda: prompt(tags=[None]),
        "int_in_list_of_str": lambda: prompt(tags=["a", 1]),
        "str_for_list": lambda: prompt(tags="ab"),
        "dict_for_list_of_str": lambda: prompt(tags={"a": 1}),
        "tuple_for_list": lambda: prompt(tags=("a", "b")).tags,
        "set_for_list": lambda: prompt(tags={"a"}).tags,
        "frozenset_for_list": lambda: prompt(tags=frozenset("a")).tags,
        "generator_for_list": lambda: prompt(tags=(letter for letter in "ab")).tags,
        "deque_for_list": lambda: prompt(tags=deque("ab")).tags,
        "dict_keys_for_list": lambda: prompt(tags={"a": 1}.keys()).tags,
        "map_for_list": lambda: prompt(tags=map(str, [1, 2])).tags,
        "str_enum_for_str": lambda: sdk.ChatMessageDTO(role=Role.USER).role == "user",
        "str_subclass_for_str": lambda: sdk.ChatMessageDTO(role=Text("user")).role,
        "nested_dict": lambda: sdk.ChatMessageDTO(contents=[{"type": "text", "content": "Hi"}]).contents,
        "nested_dict_by_json_name": lambda: sdk.ChatSessionDTO(context={"backendId": "b"}).context,
        "nested_dict_by_python_name": lambda: sdk.ChatSessionDTO(context={"backend_id": "b"}).context,
        "nested_tuple": lambda: type(sdk.ChatMessageDTO(contents=(part(),)).contents).__name__,
        "nested_str": lambda: sdk.ChatMessageDTO(contents=["Hi"]),
        "nested_dict_for_list": lambda: sdk.ChatMessageDTO(contents={"content": "Hi"}),
        "nested_required_missing": lambda: sdk.ChatMessageDTO(contents=[{"type": "text"}]),
        "nested_other_model": lambda: sdk.ChatMessageDTO(contents=[user()]),
        "nested_model_is_kept": lambda: (lambda item: message(contents=[item]).contents[0] is item)(part()),
        "nested_list_is_kept": lambda: (lambda items: message(contents=items).contents is items)([part()]),
        "unknown_keyword": lambda: sdk.ChatContentDTO(content="Hi", colour="red"),
        "unknown_keyword_is_an_extra": lambda: (
            sdk.ChatContentDTO(content="Hi", colour="red").additional_properties == {}
        ),
        "additional_properties": lambda: part(additional_properties={"colour": "red"}),
        "additional_properties_wrong": lambda: part(additional_properties=5),
        "from_own_dump": lambda: sdk.ChatMessageDTO(**message().model_dump(exclude_none=True)),
        "from_own_to_dict": lambda: sdk.ChatContextDTO(**context(chat_id="c").to_dict()),
        "any_mapping_value": lambda: sdk.PromptTemplateDTO(variables={"a": {"b": [1, None, "x"]}}).variables,
        "unicode": lambda: part(content="你好 \U0001f600").content,
        "empty_str": lambda: part(content="").content,
        "empty_list": lambda: sdk.ChatMessageDTO(contents=[]).contents,
        "unknown_role": lambda: sdk.ChatMessageDTO(role="nobody").role,
        "unknown_gender": lambda: sdk.CharacterCreateDTO(name="c", gender="robot").gender,
        "negative_page_size": lambda: sdk.CharacterQueryDTO(page_size=-1).page_size,
    },
)

DATES: dict[str, Any] = {
    "iso_z": WHEN,
    "iso_offset": "2024-05-01T12:20:30+02:00",
    "iso_compact_offset": "2024-05-01T10:20:30.123+0000",
    "iso_without_zone": "2024-05-01T10:20:30",
    "iso_with_blank": "2024-05-01 10:20:30",
    "iso_nanoseconds": "2024-05-01T10:20:30.123456789Z",
    "date_only": "2024-05-01",
    "seconds": 1714558830,
    "milliseconds": 1714558830123,
    "float_seconds": 1714558830.5,
    "numeral": "1714558830123",
    "rfc_1123": "Wed, 01 May 2024 10:20:30 GMT",
    "aware": INSTANT,
    "naive": datetime(2024, 5, 1, 10, 20, 30),
    "date": date(2024, 5, 1),
    "garbage": "yesterday",
    "none": None,
    "bool": True,
    "list": [2024, 5, 1],
}


def date_built(given: Any) -> Any:
    return context(gmt_create=given).gmt_create


def date_from_dict(given: Any) -> Any:
    return sdk.ChatContextDTO.from_dict({"backendId": "b", "gmtCreate": given}).gmt_create


def date_from_json(given: Any) -> Any:
    return sdk.ChatContextDTO.from_json(json.dumps({"backendId": "b", "gmtCreate": given})).gmt_create


IN_JSON = {form: given for form, given in DATES.items() if not isinstance(given, date)}
register("model.date.build", {form: partial(date_built, given) for form, given in DATES.items()})
register("model.date.from_dict", {form: partial(date_from_dict, given) for form, given in DATES.items()})
register("model.date.from_json", {form: partial(date_from_json, given) for form, given in IN_JSON.items()})
register(
    "model.date",
    {
        "assign_str": lambda: assigned(context(), gmt_create=WHEN).gmt_create,
        "assign_garbage": lambda: assigned(context(), gmt_create="yesterday"),
        "to_dict": lambda: context(gmt_create=INSTANT).to_dict()["gmtCreate"],
        "to_dict_naive": lambda: context(gmt_create="2024-05-01T10:20:30").to_dict()["gmtCreate"],
        "dump": lambda: context(gmt_create=INSTANT).model_dump()["gmt_create"],
        "dump_json_mode": lambda: context(gmt_create=INSTANT).model_dump(mode="json")["gmt_create"],
        "dump_json": lambda: json.loads(context(gmt_create=INSTANT).model_dump_json())["gmt_create"],
        "dump_json_offset": lambda: json.loads(context(gmt_create="2024-05-01T12:20:30+02:00").model_dump_json())[
            "gmt_create"
        ],
        "compares_with_aware": lambda: context(gmt_create=WHEN).gmt_create < datetime.now(timezone.utc),
        "compares_naive_with_naive": lambda: (
            context(gmt_create="2024-05-01T10:20:30").gmt_create < datetime(2030, 1, 1)
        ),
        "difference": lambda: (context(gmt_create=WHEN).gmt_create - INSTANT) == timedelta(0),
        "isoformat": lambda: context(gmt_create=WHEN).gmt_create.isoformat(),
        "strftime": lambda: context(gmt_create=WHEN).gmt_create.strftime("%Y-%m-%d %H:%M"),
    },
)
register(
    "model.date",
    {
        "to_json": lambda: json.loads(context(gmt_create=INSTANT).to_json())["gmtCreate"],
        "to_json_naive": lambda: json.loads(context(gmt_create="2024-05-01T10:20:30").to_json())["gmtCreate"],
        "to_json_is_read_back": lambda: sdk.ChatContextDTO.from_json(context(gmt_create=INSTANT).to_json()).gmt_create,
    },
)

register(
    "model.assign",
    {
        "same_type": lambda: assigned(message(), role="system").role,
        "wrong_type": lambda: assigned(message(), role=5),
        "wrong_type_leaves_value": lambda: (
            lambda target: [outcome_of(lambda: assigned(target, role=5)).keys() == {"raised"}, target.role]
        )(message()),
        "nested_dict_becomes_model": lambda: assigned(message(), contents=[{"content": "Yes"}]).contents,
        "nested_wrong": lambda: assigned(message(), contents=[5]),
        "nested_required_missing": lambda: assigned(message(), contents=[{}]),
        "nested_model": lambda: assigned(sdk.ChatSessionDTO(), context=context()).context,
        "nested_dict_by_json_name": lambda: assigned(sdk.ChatSessionDTO(), context={"backendId": "b"}).context,
        "none_to_optional": lambda: assigned(message(), contents=None).contents,
        "none_to_required": lambda: assigned(part(), content=None),
        "tuple_for_list": lambda: assigned(prompt(), tags=("a", "b")).tags,
        "generator_for_list": lambda: assigned(prompt(), tags=(letter for letter in "ab")).tags,
        "str_for_int": lambda: assigned(context(), quota="5"),
        "float_for_int": lambda: assigned(context(), quota=2.0),
        "json_name": lambda: assigned(context(), chatId="c"),
        "unknown_attribute": lambda: assigned(part(), colour="red"),
        "private_attribute": lambda: assigned(part(), _mine="red"),
        "method": lambda: assigned(part(), to_json=None),
        "additional_properties": lambda: assigned(part(), additional_properties={"colour": "red"}),
        "additional_properties_wrong": lambda: assigned(part(), additional_properties=5),
        "additional_properties_none": lambda: assigned(part(), additional_properties=None),
        "list_in_place": lambda: changed(message(), lambda m: m.contents.append(part(content="more"))),
        "list_in_place_dict": lambda: changed(message(), lambda m: m.contents.append({"content": "more"})).to_dict(),
        "nested_field": lambda: changed(message(), lambda m: setattr(m.contents[0], "content", "new")),
        "counts_as_set": lambda: sorted(assigned(sdk.ChatMessageDTO(), role="user").model_fields_set),
        "delete_field": lambda: changed(part(), lambda m: delattr(m, "type")).to_dict(),
        "delete_unknown": lambda: changed(part(), lambda m: delattr(m, "colour")),
        "unknown_role": lambda: assigned(message(), role="nobody").role,
        "setattr_loop_over_dict": lambda: assigned(user(), nickname="A", picture="p"),
    },
)

register(
    "model.read",
    {
        "unset_is_none": lambda: message().name,
        "unknown_attribute": lambda: part().colour,
        "unknown_attribute_default": lambda: getattr(part(), "colour", "none"),
        "hasattr_unknown": lambda: hasattr(part(), "colour"),
        "json_name": lambda: context(chat_id="c").chatId,
        "subscript": lambda: part()["content"],
        "contains": lambda: "content" in part(),
        "len": lambda: len(part()),
        "vars": lambda: sorted(vars(part())),
        "extra_as_attribute": lambda: with_extras().colour,
        "extra_in_additional_properties": lambda: with_extras().additional_properties,
        "additional_properties_empty": lambda: part().additional_properties,
        "additional_properties_not_shared": lambda: (
            part().additional_properties.update(a=1) or part().additional_properties
        ),
        "is_pydantic": lambda: isinstance(part(), pydantic.BaseModel),
        "class_name": lambda: type(part()).__name__,
        "class_module": lambda: type(part()).__module__,
        "truth": lambda: bool(sdk.ChatMessageDTO()),
        "unpacked": lambda: dict(**part().to_dict()),
        "json_dumps_of_model": lambda: json.dumps(part()),
        "json_dumps_default": lambda: json.loads(json.dumps(message(), default=lambda held: held.to_dict())),
        "json_dumps_vars": lambda: json.loads(json.dumps(part(), default=vars)),
    },
)

register(
    "model.copy",
    {
        "copy": lambda: copy.copy(message()),
        "copy_is_other": lambda: (lambda m: assigned(copy.copy(m), role="system") and m.role)(message()),
        "copy_shares_nested": lambda: (lambda m: copy.copy(m).contents is m.contents)(message()),
        "deepcopy": lambda: copy.deepcopy(message()),
        "deepcopy_has_own_nested": lambda: (lambda m: copy.deepcopy(m).contents[0] is m.contents[0])(message()),
        "deepcopy_keeps_extras": lambda: copy.deepcopy(with_extras()),
        "copy_keeps_extras": lambda: copy.copy(with_extras()),
        "pickle": lambda: pickle.loads(pickle.dumps(message())),
        "pickle_keeps_extras": lambda: pickle.loads(pickle.dumps(with_extras())),
        "pickle_equals": lambda: pickle.loads(pickle.dumps(message())) == message(),
        "model_copy": lambda: message().model_copy(),
        "model_copy_update": lambda: message().model_copy(update={"role": "system"}),
        "model_copy_update_unchecked": lambda: message().model_copy(update={"role": 5}).role,
        "model_copy_update_json_name": lambda: context().model_copy(update={"chatId": "c"}).chat_id,
        "model_copy_deep": lambda: (lambda m: m.model_copy(deep=True).contents[0] is m.contents[0])(message()),
        "model_copy_update_nested": lambda: message().model_copy(update={"contents": [part(content="x")]}),
        "model_copy_update_extras": lambda: part().model_copy(update={"additional_properties": {"a": 1}}).to_dict(),
        "old_copy": lambda: quietly(lambda: message().copy()),
        "old_copy_update": lambda: quietly(lambda: message().copy(update={"role": "system"})),
    },
)

register(
    "model.compare",
    {
        "equal": lambda: message() == message(),
        "unequal": lambda: message() == message(role="system"),
        "extras_count": lambda: with_extras() == part(),
        "equal_extras": lambda: with_extras() == with_extras(),
        "set_and_unset_none": lambda: message(name=None) == message(),
        "with_dict": lambda: part() == part().to_dict(),
        "with_other_model": lambda: sdk.ChatMessageDTO() == sdk.ChatSessionDTO(),
        "with_none": lambda: part() == None,  # noqa: E711 - the operator is the point
        "by_either_name": lambda: sdk.ChatContextDTO(backend_id="b") == sdk.ChatContextDTO(backendId="b"),
        "from_dict_and_built": lambda: sdk.ChatContentDTO.from_dict({"type": "text", "content": "Hi"}) == part(),
        "hash": lambda: hash(part()) is not None,
        "in_list": lambda: part() in [part()],
        "in_set": lambda: len({part()}),
        "less": lambda: part() < part(),
        "sort_by_key": lambda: [
            m.content for m in sorted([part(content="b"), part(content="a")], key=lambda m: m.content)
        ],
    },
)

register(
    "model.print",
    {
        "repr_type": lambda: repr(message())[:15],
        "repr": lambda: repr(part()),
        "str": lambda: str(part()),
        "str_nested_shows_content": lambda: "Hi" in str(message()),
        "repr_shows_extras": lambda: "red" in repr(with_extras()),
        "format": lambda: f"{part()}" == str(part()),
        "to_str_type": lambda: type(message().to_str()).__name__,
        "to_str_evaluates": lambda: isinstance(eval(message().to_str()), dict),
        "to_str_json_names": lambda: "'backendId'" in context().to_str(),
        "to_str_shows_content": lambda: "Hi" in message().to_str(),
        "to_str_extras": lambda: "red" in with_extras().to_str(),
        "iteration": lambda: [name for name, _ in part()],
        "dict_of": lambda: dict(part()),
        "dict_of_keeps_nested": lambda: type(dict(message())["contents"][0]).__name__,
    },
)

register(
    "model.dump",
    {
        "plain": lambda: part().model_dump(),
        "nested": lambda: message().model_dump()["contents"],
        "python_names": lambda: "backend_id" in context().model_dump(),
        "by_alias": lambda: context().model_dump(by_alias=True)["backendId"],
        "by_alias_has_python_name": lambda: "backend_id" in context().model_dump(by_alias=True),
        "by_alias_false": lambda: context().model_dump(by_alias=False)["backend_id"],
        "nested_by_alias": lambda: sdk.ChatSessionDTO(context=context()).model_dump(by_alias=True, exclude_none=True)[
            "context"
        ],
        "nested_python_names": lambda: sdk.ChatSessionDTO(context=context()).model_dump(exclude_none=True)["context"],
        "exclude_none": lambda: user().model_dump(exclude_none=True),
        "exclude_unset": lambda: user(nickname=None).model_dump(exclude_unset=True),
        "exclude_defaults": lambda: user(nickname=None).model_dump(exclude_defaults=True),
        "json_mode": lambda: message().model_dump(mode="json", exclude_none=True),
        "include": lambda: context(chat_id="c").model_dump(include={"chat_id", "backend_id"}),
        "include_by_alias": lambda: context(chat_id="c").model_dump(include={"chat_id"}, by_alias=True),
        "include_json_name": lambda: context(chat_id="c").model_dump(include={"chatId"}),
        "exclude": lambda: user().model_dump(exclude={"request_id", "nickname"}),
        "exclude_nested": lambda: message().model_dump(include={"contents": {0: {"content"}}}, exclude_none=True)[
            "contents"
        ],
        "round_trip": lambda: user().model_dump(round_trip=True, exclude_none=True),
        "with_extras": lambda: with_extras().model_dump(),
        "with_extras_by_alias": lambda: with_extras().model_dump(by_alias=True),
        "exclude_extras": lambda: with_extras().model_dump(exclude={"additional_properties"}),
        "json": lambda: json.loads(part().model_dump_json()),
        "json_by_alias": lambda: json.loads(context().model_dump_json(by_alias=True))["backendId"],
        "json_python_names": lambda: json.loads(context().model_dump_json())["backend_id"],
        "json_exclude_none": lambda: json.loads(user().model_dump_json(exclude_none=True)),
        "json_exclude_unset": lambda: json.loads(message().model_dump_json(exclude_unset=True)),
        "json_indent": lambda: user().model_dump_json(indent=2, include={"username"}),
        "json_include": lambda: user().model_dump_json(include={"username"}),
        "old_dict": lambda: quietly(lambda: user().dict(exclude_none=True)),
        "old_dict_by_alias": lambda: quietly(lambda: context().dict(by_alias=True)["backendId"]),
        "old_json": lambda: json.loads(quietly(lambda: user().json(exclude_none=True))),
        "in_own_model": lambda: Box(item=part()).model_dump(),
        "in_own_model_from_dict": lambda: Box.model_validate({"item": {"content": "Hi"}}).item,
        "adapter": lambda: pydantic.TypeAdapter(list[sdk.ChatContentDTO]).dump_python([part()], exclude_none=True),
    },
)

register(
    "model.validate",
    {
        "dict_json_names": lambda: sdk.ChatContextDTO.model_validate({"backendId": "b"}),
        "dict_python_names": lambda: sdk.ChatContextDTO.model_validate({"backend_id": "b"}),
        "instance": lambda: (lambda m: sdk.ChatContentDTO.model_validate(m) is m)(part()),
        "required_missing": lambda: sdk.ChatContextDTO.model_validate({}),
        "not_a_dict": lambda: sdk.ChatContextDTO.model_validate([1]),
        "extras": lambda: sdk.ChatContentDTO.model_validate({"content": "Hi", "colour": "red"}).to_dict(),
        "additional_properties": lambda: sdk.ChatContentDTO.model_validate(
            {"content": "Hi", "additional_properties": {"a": 1}}
        ).to_dict(),
        "additional_properties_empty": lambda: sdk.ChatContentDTO.model_validate(
            {"content": "Hi", "additional_properties": {}}
        ).to_dict(),
        "json_additional_properties": lambda: sdk.ChatContentDTO.model_validate_json(
            '{"content": "Hi", "additional_properties": {"a": 1}}'
        ).to_dict(),
        "own_dump": lambda: sdk.ChatMessageDTO.model_validate(message().model_dump()) == message(),
        "from_attributes": lambda: sdk.ChatContentDTO.model_validate(
            SimpleNamespace(type="text", content="Hi"), from_attributes=True
        ),
        "strict": lambda: sdk.ChatContentDTO.model_validate({"content": "Hi"}, strict=True),
        "json": lambda: sdk.ChatContextDTO.model_validate_json('{"backendId": "b"}'),
        "json_python_names": lambda: sdk.ChatContextDTO.model_validate_json('{"backend_id": "b"}'),
        "json_bytes": lambda: sdk.ChatContentDTO.model_validate_json(b'{"content": "Hi"}'),
        "json_broken": lambda: sdk.ChatContentDTO.model_validate_json("{"),
        "json_wrong_type": lambda: sdk.ChatContentDTO.model_validate_json('{"content": 5}'),
        "json_required_missing": lambda: sdk.ChatContentDTO.model_validate_json("{}"),
        "json_nested": lambda: sdk.ChatMessageDTO.model_validate_json('{"contents": [{"content": "Hi"}]}'),
        "json_own_dump": lambda: sdk.ChatMessageDTO.model_validate_json(message().model_dump_json()) == message(),
        "error_count": lambda: error_of(lambda: sdk.ChatMessageDTO(role=5, name=6)).error_count(),
        "error_location": lambda: error_of(lambda: sdk.ChatMessageDTO(role=5)).errors()[0]["loc"],
        "error_location_nested": lambda: error_of(lambda: message(contents=[{"content": 5}])).errors()[0]["loc"],
        "error_location_alias": lambda: error_of(lambda: sdk.ChatContextDTO()).errors()[0]["loc"],
        "error_type": lambda: error_of(lambda: sdk.ChatMessageDTO(role=5)).errors()[0]["type"],
        "error_type_missing": lambda: error_of(lambda: sdk.ChatContentDTO()).errors()[0]["type"],
        "error_message": lambda: error_of(lambda: sdk.ChatMessageDTO(role=5)).errors()[0]["msg"],
        "error_title": lambda: error_of(lambda: sdk.ChatMessageDTO(role=5)).title,
        "error_json": lambda: type(json.loads(error_of(lambda: sdk.ChatMessageDTO(role=5)).json())).__name__,
        "adapter": lambda: pydantic.TypeAdapter(list[sdk.ChatContentDTO]).validate_python([{"content": "Hi"}]),
        "adapter_json": lambda: pydantic.TypeAdapter(list[sdk.ChatContentDTO]).validate_json('[{"content": "Hi"}]'),
        "construct": lambda: sdk.ChatContentDTO.model_construct(type="text", content="Hi"),
        "construct_unchecked": lambda: sdk.ChatContentDTO.model_construct(content=5).content,
        "construct_required_missing": lambda: sdk.ChatContentDTO.model_construct(type="text").type,
        "construct_json_name": lambda: sdk.ChatContextDTO.model_construct(backendId="b").backend_id,
        "old_parse_obj": lambda: quietly(lambda: sdk.ChatContentDTO.parse_obj({"content": "Hi"})),
        "old_parse_raw": lambda: quietly(lambda: sdk.ChatContentDTO.parse_raw('{"content": "Hi"}')),
        "old_construct": lambda: quietly(lambda: sdk.ChatContentDTO.construct(content="Hi").content),
    },
)

register(
    "model.class",
    {
        "fields": lambda: list(sdk.ChatContentDTO.model_fields),
        "fields_of_instance": lambda: "content" in quietly(lambda: part().model_fields),
        "field_alias": lambda: sdk.ChatContextDTO.model_fields["backend_id"].alias,
        "field_required": lambda: sdk.ChatContextDTO.model_fields["backend_id"].is_required(),
        "field_optional": lambda: sdk.ChatContextDTO.model_fields["about"].is_required(),
        "field_default": lambda: sdk.ChatContextDTO.model_fields["about"].default,
        "fields_set": lambda: sorted(part().model_fields_set),
        "fields_set_by_json_name": lambda: sorted(sdk.ChatContextDTO(backendId="b").model_fields_set),
        "extra": lambda: part().model_extra,
        "config_validates_assignment": lambda: sdk.ChatContentDTO.model_config.get("validate_assignment"),
        "config_extra": lambda: sdk.ChatContentDTO.model_config.get("extra"),
        "schema_properties": lambda: sorted(
            set(sdk.ChatContentDTO.model_json_schema()["properties"]) - {"additional_properties"}
        ),
        "schema_required": lambda: sdk.ChatContentDTO.model_json_schema()["required"],
        "schema_by_python_name": lambda: (
            "backend_id" in sdk.ChatContextDTO.model_json_schema(by_alias=False)["properties"]
        ),
        "schema_by_json_name": lambda: "backendId" in sdk.ChatContextDTO.model_json_schema()["properties"],
        "schema_of_date": lambda: (
            "date-time" in json.dumps(sdk.ChatContextDTO.model_json_schema()["properties"]["gmtCreate"])
        ),
        "schema_title": lambda: sdk.ChatContentDTO.model_json_schema()["title"],
        "schema_in_own_model": lambda: "ChatContentDTO" in Box.model_json_schema()["$defs"],
        "signature_takes_keywords": lambda: "content" in inspect.signature(sdk.ChatContentDTO).parameters,
        "annotations": lambda: "content" in sdk.ChatContentDTO.__annotations__,
        "has_docstring": lambda: bool(sdk.ChatContentDTO.__doc__),
        "rebuild": lambda: sdk.ChatContentDTO.model_rebuild(force=True),
    },
)

register(
    "model.subclass",
    {
        "build": lambda: Note(content="Hi", note="x").note,
        "default": lambda: Note(content="Hi").note,
        "to_dict": lambda: Note(content="Hi", note="x").to_dict(),
        "from_dict": lambda: Note.from_dict({"content": "Hi", "note": "x"}).content,
        "from_dict_type": lambda: type(Note.from_dict({"content": "Hi"})).__name__,
        "wrong_type": lambda: Note(content="Hi", note=5),
        "is_kept_in_a_list": lambda: type(message(contents=[Note(content="Hi")]).contents[0]).__name__,
        "in_a_list_to_dict": lambda: message(contents=[Note(content="Hi", note="x")]).to_dict(),
        "own_to_dict": lambda: Shouting(content="Hi").to_dict(),
        "own_to_dict_in_to_json": lambda: json.loads(Shouting(content="Hi").to_json()),
        "own_to_dict_in_a_list": lambda: message(contents=[Shouting(content="Hi")]).to_dict(),
        "is_instance": lambda: isinstance(Note(content="Hi"), sdk.ChatContentDTO),
        "equals_base": lambda: Note(content="Hi", type="text") == part(),
        "create_model": lambda: (
            pydantic.create_model("Made", __base__=sdk.ChatContentDTO, size=(int, 1))(content="Hi").size
        ),
    },
)

register(
    "model.extras",
    {
        "from_dict": lambda: with_extras(colour="red", size=2),
        "from_dict_nested": lambda: sdk.ChatMessageDTO.from_dict(
            {"contents": [{"content": "Hi", "colour": "red"}]}
        ).contents[0],
        "from_json": lambda: sdk.ChatContentDTO.from_json('{"content": "Hi", "colour": "red"}'),
        "none_value": lambda: with_extras(colour=None).additional_properties,
        "none_value_to_dict": lambda: with_extras(colour=None).to_dict(),
        "nested_none_value_to_dict": lambda: with_extras(colour={"a": None}).to_dict(),
        "dict_value": lambda: with_extras(colour={"a": [1, {"b": 2}]}).additional_properties,
        "set_one": lambda: changed(part(), lambda m: m.additional_properties.__setitem__("a", 1)),
        "set_one_to_json": lambda: json.loads(
            changed(part(), lambda m: m.additional_properties.__setitem__("a", 1)).to_json()
        ),
        "update": lambda: changed(part(), lambda m: m.additional_properties.update(a=1, b=2)),
        "delete_one": lambda: changed(with_extras(), lambda m: m.additional_properties.pop("colour")),
        "clear": lambda: changed(with_extras(), lambda m: m.additional_properties.clear()),
        "replace": lambda: assigned(with_extras(), additional_properties={"size": 1}),
        "model_as_value": lambda: assigned(part(), additional_properties={"a": user()}).to_dict()["a"],
        "date_as_value": lambda: assigned(part(), additional_properties={"a": INSTANT}).to_dict()["a"],
        "name_of_a_field": lambda: assigned(part(), additional_properties={"content": "other"}).to_dict(),
        "snake_case_name": lambda: with_extras(my_colour="red").to_dict(),
        "name_of_a_method": lambda: with_extras(to_dict="red").to_dict(),
        "python_name_in_from_dict": lambda: sdk.ChatSessionDTO.from_dict({"sender_status": "online"}).sender_status,
        "additional_properties_in_json": lambda: sdk.ChatContentDTO.from_dict(
            {"content": "Hi", "additional_properties": {"a": 1}}
        ).to_dict(),
    },
)

register(
    "model.to_dict",
    {
        "type": lambda: type(message().to_dict()).__name__,
        "json_names": lambda: context(chat_id="c").to_dict(),
        "without_none": lambda: user(nickname=None).to_dict(),
        "empty_list": lambda: sdk.ChatMessageDTO(contents=[]).to_dict(),
        "empty_str": lambda: part(content="").to_dict(),
        "false_and_zero": lambda: [
            sdk.CharacterQueryWhere(high_priority=False).to_dict(),
            sdk.CharacterQueryDTO(page_num=0).to_dict(),
        ],
        "nested": lambda: message().to_dict(),
        "twice_nested": lambda: sdk.ChatMessageRecordDTO(message=message(), gmt_create=INSTANT).to_dict(),
        "is_a_copy": lambda: (lambda m: m.to_dict().clear() or m.to_dict())(part()),
        "nested_is_plain": lambda: type(message().to_dict()["contents"][0]).__name__,
        "key_order": lambda: list(sdk.ChatContentDTO(content="Hi", type="text").to_dict()),
        "empty": lambda: sdk.ChatMessageDTO().to_dict(),
        "any_values_with_none": lambda: sdk.PromptTemplateDTO(variables={"a": {"b": None}}).to_dict(),
        "read_back": lambda: sdk.ChatMessageDTO.from_dict(message().to_dict()) == message(),
        "takes_no_argument": lambda: part().to_dict(True),
    },
)

register(
    "model.to_json",
    {
        "type": lambda: type(message().to_json()).__name__,
        "content": lambda: json.loads(message().to_json()),
        "without_none": lambda: json.loads(user(nickname=None).to_json()),
        "unicode": lambda: json.loads(part(content="你好").to_json())["content"],
        "text_is_json_dumps": lambda: part().to_json() == json.dumps(part().to_dict()),
        "empty": lambda: sdk.ChatMessageDTO().to_json(),
        "read_back": lambda: sdk.ChatMessageDTO.from_json(message().to_json()) == message(),
        "encodes": lambda: json.loads(part(content="你好").to_json().encode("ascii", "backslashreplace"))["content"],
    },
)

register(
    "model.from_dict",
    {
        "none": lambda: sdk.ChatMessageDTO.from_dict(None),
        "empty": lambda: sdk.ChatMessageDTO.from_dict({}),
        "empty_with_required": lambda: sdk.ChatContextDTO.from_dict({}),
        "list": lambda: sdk.ChatMessageDTO.from_dict([]),
        "str": lambda: sdk.ChatContentDTO.from_dict("Hi"),
        "int": lambda: sdk.ChatMessageDTO.from_dict(5),
        "instance": lambda: sdk.ChatContentDTO.from_dict(part()),
        "json_names": lambda: sdk.ChatContextDTO.from_dict({"backendId": "b", "chatId": "c"}),
        "python_names": lambda: sdk.ChatContextDTO.from_dict({"backend_id": "b"}),
        "nested": lambda: sdk.ChatMessageDTO.from_dict({"contents": [{"content": "Hi"}]}).contents,
        "nested_instances": lambda: sdk.ChatMessageDTO.from_dict({"contents": [part()]}).contents,
        "nested_none": lambda: sdk.ChatMessageDTO.from_dict({"contents": None}).contents,
        "nested_none_in_list": lambda: sdk.ChatMessageDTO.from_dict({"contents": [None]}).contents,
        "nested_wrong": lambda: sdk.ChatMessageDTO.from_dict({"contents": 5}),
        "wrong_type": lambda: sdk.ChatContentDTO.from_dict({"content": 5}),
        "null_for_required": lambda: sdk.ChatContentDTO.from_dict({"content": None}),
        "given_is_unchanged": lambda: (lambda given: sdk.ChatContentDTO.from_dict(given) and list(given))(
            {"content": "Hi", "colour": "red"}
        ),
        "keyword": lambda: sdk.ChatContentDTO.from_dict(obj={"content": "Hi"}),
        "mapping": lambda: sdk.ChatContentDTO.from_dict(MappingProxyType({"content": "Hi"})).content,
    },
)

register(
    "model.from_json",
    {
        "object": lambda: sdk.ChatContentDTO.from_json('{"content": "Hi"}'),
        "bytes": lambda: sdk.ChatContentDTO.from_json(b'{"content": "Hi"}'),
        "bytearray": lambda: sdk.ChatContentDTO.from_json(bytearray(b'{"content": "Hi"}')),
        "null": lambda: sdk.ChatContentDTO.from_json("null"),
        "list": lambda: sdk.ChatContentDTO.from_json("[]"),
        "empty": lambda: sdk.ChatContentDTO.from_json(""),
        "broken": lambda: sdk.ChatContentDTO.from_json("{"),
        "none": lambda: sdk.ChatContentDTO.from_json(None),
        "dict": lambda: sdk.ChatContentDTO.from_json({"content": "Hi"}),
        "wrong_type": lambda: sdk.ChatContentDTO.from_json('{"content": 5}'),
        "required_missing": lambda: sdk.ChatContentDTO.from_json("{}"),
        "nan": lambda: sdk.PromptTemplateDTO.from_json('{"variables": {"a": {"b": NaN}}}').template,
        "keyword": lambda: sdk.ChatContentDTO.from_json(json_str='{"content": "Hi"}'),
    },
)


def error_of(function: Thunk) -> Any:
    try:
        function()
    except Exception as error:  # noqa: BLE001 - it is what the probe is about
        return error
    raise AssertionError("nothing raised")


# Package


def star_names(module: str) -> set[str]:
    names: dict[str, Any] = {}
    exec(f"from {module} import *", names)
    return set(names)


def comes_from(module: str, name: str) -> bool:
    return getattr(importlib.import_module(module), name) is getattr(sdk, name)


API_MODULES = {
    "AccountApi": "account_api",
    "AIServiceApi": "ai_service_api",
    "CharacterApi": "character_api",
    "ChatApi": "chat_api",
    "InteractiveStatisticsApi": "interactive_statistics_api",
    "PromptApi": "prompt_api",
    "RagApi": "rag_api",
}
MODEL_MODULES = {
    "ChatMessageDTO": "chat_message_dto",
    "ChatContentDTO": "chat_content_dto",
    "CharacterQueryWhere": "character_query_where",
    "AiApiKeyInfoDTO": "ai_api_key_info_dto",
    "SseEmitter": "sse_emitter",
}
PACKAGE_NAMES = [
    "ApiAttributeError",
    "ApiClient",
    "ApiException",
    "ApiKeyError",
    "ApiResponse",
    "ApiTypeError",
    "ApiValueError",
    "Configuration",
    "OpenApiException",
    "ChatApi",
    "ChatMessageDTO",
    "CharacterQueryWhere",
    "SseEmitter",
]

register(
    "package",
    {
        "version_is_str": lambda: isinstance(sdk.__version__, str),
        "names": lambda: [name for name in PACKAGE_NAMES if not hasattr(sdk, name)],
        "submodules": lambda: [
            name
            for name in ["api", "api_client", "api_response", "configuration", "exceptions", "models", "rest"]
            if not inspect.ismodule(getattr(sdk, name))
        ],
        "unknown_name": lambda: sdk.NoSuchName,
        "star_import": lambda: set(PACKAGE_NAMES) - star_names("freechat_sdk"),
        "star_import_of_api": lambda: set(API_MODULES) - star_names("freechat_sdk.api"),
        "star_import_of_models": lambda: set(MODEL_MODULES) - star_names("freechat_sdk.models"),
        "star_import_of_exceptions": lambda: (
            {"ApiException", "NotFoundException", "ApiTypeError"} - star_names("freechat_sdk.exceptions")
        ),
        "star_import_of_configuration": lambda: {"Configuration"} - star_names("freechat_sdk.configuration"),
        "star_import_of_rest": lambda: (
            {"ApiException", "ApiValueError", "RESTResponse", "RESTClientObject"} - star_names("freechat_sdk.rest")
        ),
        "dir": lambda: [name for name in PACKAGE_NAMES if name not in dir(sdk)],
        "import_submodule": lambda: importlib.import_module("freechat_sdk.api.chat_api").ChatApi is sdk.ChatApi,
        "api_has_class": lambda: importlib.import_module("freechat_sdk.api").ChatApi is sdk.ChatApi,
        "models_has_class": lambda: importlib.import_module("freechat_sdk.models").ChatMessageDTO is sdk.ChatMessageDTO,
        "exceptions_from_rest": lambda: importlib.import_module("freechat_sdk.rest").ApiException is sdk.ApiException,
        "value_error_from_rest": lambda: (
            importlib.import_module("freechat_sdk.rest").ApiValueError is sdk.ApiValueError
        ),
        "exceptions_from_api_client": lambda: (
            importlib.import_module("freechat_sdk.api_client").ApiException is sdk.ApiException
        ),
        "configuration_from_api_client": lambda: (
            importlib.import_module("freechat_sdk.api_client").Configuration is sdk.Configuration
        ),
        "api_client_from_api_module": lambda: (
            importlib.import_module("freechat_sdk.api.chat_api").ApiClient is sdk.ApiClient
        ),
        "model_from_api_module": lambda: (
            importlib.import_module("freechat_sdk.api.chat_api").ChatMessageDTO is sdk.ChatMessageDTO
        ),
        "py_typed": lambda: (Path(sdk.__file__).parent / "py.typed").is_file(),
        "distribution": lambda: (
            importlib.import_module("importlib.metadata").version("freechat-sdk") == sdk.__version__
        ),
    },
)
register(
    "package.api_module",
    {name: partial(comes_from, f"freechat_sdk.api.{module}", name) for name, module in API_MODULES.items()},
)
register(
    "package.model_module",
    {name: partial(comes_from, f"freechat_sdk.models.{module}", name) for name, module in MODEL_MODULES.items()},
)

# Exceptions

RESPONSE = SimpleNamespace(
    status=404, reason="Not Found", data=b'{"message": "gone"}', headers={"X-Id": "1"}, getheaders=lambda: {"X-Id": "1"}
)
HTTP_ERRORS = [
    "BadRequestException",
    "UnauthorizedException",
    "ForbiddenException",
    "NotFoundException",
    "ServiceException",
]


def attributes(error: Any) -> dict[str, Any]:
    return {name: getattr(error, name) for name in ("status", "reason", "body", "data", "headers")}


def kind_of(name: str) -> str:
    return caught_by(getattr(sdk.exceptions, name)(status=1))


def from_response(status: int, body: str | None = None, data: object = None) -> Any:
    response = SimpleNamespace(**{**vars(RESPONSE), "status": status})
    return sdk.ApiException.from_response(http_resp=response, body=body, data=data)


register(
    "exception",
    {
        "type_error": lambda: str(sdk.ApiTypeError("wrong")),
        "type_error_path": lambda: str(sdk.ApiTypeError("wrong", ["a", 0, "b"])),
        "type_error_attributes": lambda: (
            vars(sdk.ApiTypeError("wrong", ["a"], (int,), True))
            and [
                sdk.ApiTypeError("wrong", ["a"], (int,), True).path_to_item,
                sdk.ApiTypeError("wrong", key_type=True).key_type,
                sdk.ApiTypeError("wrong").valid_classes,
            ]
        ),
        "type_error_without_message": lambda: sdk.ApiTypeError(),
        "value_error": lambda: str(sdk.ApiValueError("wrong")),
        "value_error_path": lambda: str(sdk.ApiValueError("wrong", path_to_item=["a", 1])),
        "value_error_path_item": lambda: sdk.ApiValueError("wrong", ["a", 1]).path_to_item,
        "attribute_error_path": lambda: str(sdk.ApiAttributeError("wrong", ["a"])),
        "key_error": lambda: str(sdk.ApiKeyError("wrong")),
        "key_error_path": lambda: str(sdk.ApiKeyError("wrong", ["a"])),
        "open_api_exception": lambda: str(sdk.OpenApiException("a")),
        "open_api_exception_args": lambda: list(sdk.OpenApiException("a", 1).args),
        "caught_type_error": lambda: caught_by(sdk.ApiTypeError("x")),
        "caught_value_error": lambda: caught_by(sdk.ApiValueError("x")),
        "caught_attribute_error": lambda: caught_by(sdk.ApiAttributeError("x")),
        "caught_key_error": lambda: caught_by(sdk.ApiKeyError("x")),
        "api_exception_empty": lambda: attributes(sdk.ApiException()),
        "api_exception_positional": lambda: attributes(sdk.ApiException(404, "Gone")),
        "api_exception_status_0": lambda: attributes(sdk.ApiException(status=0, reason="no answer")),
        "api_exception_reason_only": lambda: attributes(sdk.ApiException(reason="no answer")),
        "api_exception_keywords": lambda: attributes(sdk.ApiException(status=500, body="b", data={"a": 1})),
        "api_exception_body_json": lambda: sdk.ApiException(status=500, body='{"a": 1}').data,
        "api_exception_response": lambda: attributes(sdk.ApiException(http_resp=RESPONSE)),
        "api_exception_response_and_status": lambda: attributes(sdk.ApiException(400, "Mine", RESPONSE)),
        "api_exception_str_has_status": lambda: "404" in str(sdk.ApiException(404, "Gone")),
        "api_exception_str_has_reason": lambda: "Gone" in str(sdk.ApiException(404, "Gone")),
        "api_exception_str_has_body": lambda: "the body" in str(sdk.ApiException(404, "Gone", body="the body")),
        "api_exception_str": lambda: str(sdk.ApiException(404, "Gone")),
        "api_exception_is_raised": lambda: raise_(sdk.ApiException(404)),
        "api_exception_deepcopy": lambda: attributes(copy.deepcopy(sdk.ApiException(404, "Gone", body="b"))),
        "api_exception_pickle": lambda: attributes(pickle.loads(pickle.dumps(sdk.ApiException(404, "Gone", body="b")))),
        "api_exception_assign": lambda: assigned(sdk.ApiException(404), status=410, mine=1).status,
        "api_exception_args": lambda: list(sdk.ApiException().args),
        "subclass": lambda: caught_by(type("Mine", (sdk.ApiException,), {})(404)),
        "is_not_value_error": lambda: isinstance(sdk.ApiException(), ValueError),
        "same_in_rest": lambda: importlib.import_module("freechat_sdk.rest").ApiException is sdk.ApiException,
        "render_path": lambda: sdk.exceptions.render_path(["a", 0]),
    },
)
register(
    "exception.kind",
    {name: partial(kind_of, name) for name in HTTP_ERRORS},
)
register(
    "exception.from_response",
    {str(status): partial(from_response, status) for status in (400, 401, 403, 404, 409, 418, 422, 429, 500, 503, 599)}
    | {
        "body": lambda: error_of(lambda: from_response(404, "text")).body,
        "data": lambda: error_of(lambda: from_response(404, "text", {"a": 1})).data,
        "headers": lambda: error_of(lambda: from_response(404, "text")).headers["X-Id"],
    },
)
register(
    "exception.kind_of_v2",
    {name: partial(kind_of, name) for name in ("ConflictException", "UnprocessableEntityException")},
    ("v2",),
)


def raise_(error: BaseException) -> None:
    raise error


# Configuration

POSITIONAL = ("http://h:1", {"k": "v"}, {"k": "p"}, "ann", "pw", TOKEN, 0, {"a": "b"}, {1: 0}, {1: {"a": "b"}}, True)
ARGUMENT_NAMES = [
    "host",
    "api_key",
    "api_key_prefix",
    "username",
    "password",
    "access_token",
    "server_index",
    "server_variables",
    "server_operation_index",
    "server_operation_variables",
    "ignore_operation_servers",
]
DEFAULTS = [
    "access_token",
    "api_key",
    "api_key_prefix",
    "assert_hostname",
    "ca_cert_data",
    "cert_file",
    "client_side_validation",
    "date_format",
    "datetime_format",
    "debug",
    "host",
    "ignore_operation_servers",
    "key_file",
    "logger_file",
    "logger_file_handler",
    "logger_format",
    "logger_stream_handler",
    "password",
    "proxy",
    "proxy_headers",
    "refresh_api_key_hook",
    "retries",
    "safe_chars_for_path_param",
    "server_index",
    "server_operation_index",
    "server_operation_variables",
    "server_variables",
    "socket_options",
    "ssl_ca_cert",
    "temp_folder_path",
    "tls_server_name",
    "username",
    "verify_ssl",
]
SETTINGS: dict[str, Any] = {
    "assert_hostname": False,
    "ca_cert_data": "pem",
    "cert_file": "cert.pem",
    "client_side_validation": False,
    "connection_pool_maxsize": 3,
    "date_format": "%d",
    "datetime_format": "%s",
    "key_file": "key.pem",
    "proxy": "http://proxy:1",
    "proxy_headers": {"a": "b"},
    "safe_chars_for_path_param": "/",
    "socket_options": [(6, 1, 1)],
    "tls_server_name": "name",
    "verify_ssl": False,
}
HOSTS = [
    {
        "url": "https://{region}.example.com/{base}",
        "description": "many",
        "variables": {
            "region": {"description": "", "default_value": "eu", "enum_values": ["eu", "us"]},
            "base": {"description": "", "default_value": "v1"},
        },
    },
    {"url": "https://other.example.com", "description": "one"},
]


def same_default() -> Any:
    own = sdk.Configuration(host="http://own:1")
    sdk.Configuration.set_default(own)
    return [
        sdk.Configuration.get_default() is own,
        sdk.Configuration.get_default_copy().host,
        sdk.ApiClient().configuration is own,
    ]


def refreshed() -> Any:
    own = sdk.Configuration(api_key={"k": "old"})
    own.refresh_api_key_hook = lambda held: held.api_key.update(k="new")
    return own.get_api_key_with_prefix("k")


def independent_copy() -> Any:
    own = sdk.Configuration(host="http://own:1", api_key={"a": "b"})
    copied = copy.deepcopy(own)
    copied.api_key["a"] = "c"
    copied.host = "http://other:1"
    return [own.host, own.api_key, copied.host, copied.api_key]


def report_form() -> Any:
    return [re.sub(r":.*", ":", line) for line in sdk.Configuration().to_debug_report().splitlines()[:3]]


def logged_to_file() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        own = sdk.Configuration()
        own.logger_file = str(Path(folder) / "log.txt")
        own.debug = True
        own.logger["package_logger"].warning("seen")
        handler = type(own.logger_file_handler).__name__
        return [handler, "seen" in Path(own.logger_file).read_text(), own.logger_stream_handler]


def formatted() -> Any:
    own = sdk.Configuration()
    own.logger_format = "%(message)s!"
    record = logging.LogRecord("n", logging.INFO, "p", 1, "Hi", (), None)
    return [own.logger_format, own.logger_formatter.format(record)]


def debugged(value: bool) -> Any:
    own = sdk.Configuration(debug=value)
    return [own.debug, own.logger["package_logger"].level, own.logger["package_logger"].isEnabledFor(logging.DEBUG)]


def call_at(host: str) -> Outcome:
    server.expect(said([]))
    with sdk.ApiClient(configuration(host=host)) as own:
        return outcome_of(lambda: sdk.ChatApi(own).list_chats())


def setting_by_default(name: str) -> Any:
    return getattr(sdk.Configuration(), name)


def setting_assigned(name: str, value: Any) -> Any:
    return getattr(assigned(sdk.Configuration(), **{name: value}), name)


def setting_given(name: str, value: Any) -> Any:
    return getattr(sdk.Configuration(**{name: value}), name)


register("configuration.default", {name: partial(setting_by_default, name) for name in DEFAULTS})
register("configuration.set", {name: partial(setting_assigned, name, value) for name, value in SETTINGS.items()})
register(
    "configuration.keyword", {name: partial(setting_given, name, value) for name, value in SETTINGS.items()}, ("v2",)
)
register(
    "configuration.v2",
    {
        "no_proxy": lambda: sdk.Configuration(no_proxy="a,b").no_proxy,
        "no_proxy_default": lambda: sdk.Configuration().no_proxy,
        "no_proxy_assigned": lambda: assigned(sdk.Configuration(), no_proxy="a").no_proxy,
        "proxy_ssl_context": lambda: sdk.Configuration(proxy_ssl_context=None).proxy_ssl_context,
        "proxy_headers_by_position": lambda: sdk.Configuration(*([None] * 22), {"a": "b"}).proxy_headers,
        "parameters_in_order": lambda: list(inspect.signature(sdk.Configuration).parameters)[:30],
    },
    ("v2",),
)
register(
    "configuration",
    {
        "positional": lambda: (lambda own: {name: getattr(own, name) for name in ARGUMENT_NAMES})(
            sdk.Configuration(*POSITIONAL)
        ),
        "by_keyword": lambda: (lambda own: {name: getattr(own, name) for name in ARGUMENT_NAMES})(
            sdk.Configuration(**dict(zip(ARGUMENT_NAMES, POSITIONAL, strict=True)))
        ),
        "unknown_keyword": lambda: sdk.Configuration(colour="red"),
        "debug_is_keyword_only": lambda: sdk.Configuration(debug=True).debug,
        "unknown_attribute_assigned": lambda: assigned(sdk.Configuration(), colour="red").colour,
        "unknown_attribute_read": lambda: sdk.Configuration().colour,
        "subclass": lambda: type("Mine", (sdk.Configuration,), {"extra": 1})(host="http://h:1").host,
        "host_with_slash": lambda: sdk.Configuration(host="http://h:1/").host,
        "host_with_path": lambda: sdk.Configuration(host="http://h:1/base").host,
        "host_without_scheme": lambda: sdk.Configuration(host="h:1").host,
        "host_without_scheme_is_called": lambda: call_at(server.url.removeprefix("http://")),
        "host_with_slash_is_called": lambda: call_at(server.url + "/"),
        "host_empty": lambda: sdk.Configuration(host="").host,
        "host_none": lambda: sdk.Configuration(host=None).host,
        "host_assigned": lambda: assigned(sdk.Configuration(), host="http://h:2").host,
        "host_assigned_server_index": lambda: assigned(sdk.Configuration(), host="http://h:2").server_index,
        "host_given_server_index": lambda: sdk.Configuration(host="http://h:1").server_index,
        "host_and_server_index": lambda: sdk.Configuration(host="http://h:1", server_index=0).host,
        "token_assigned": lambda: assigned(sdk.Configuration(), access_token="t").access_token,
        "token_removed": lambda: assigned(sdk.Configuration(access_token="t"), access_token=None).access_token,
        "token_is_str": lambda: isinstance(sdk.Configuration(access_token="t").access_token, str),
        "token_equals": lambda: sdk.Configuration(access_token="t").access_token == "t",
        "token_formats": lambda: f"Bearer {sdk.Configuration(access_token='t').access_token}",
        "token_empty": lambda: sdk.Configuration(access_token="").access_token,
        "token_with_line_break": lambda: sdk.Configuration(access_token="t\n").access_token,
        "token_to_json": lambda: json.dumps(sdk.Configuration(access_token="t").access_token),
        "get_default_type": lambda: type(sdk.Configuration.get_default()).__name__,
        "get_default_is_kept": lambda: sdk.Configuration.get_default() is sdk.Configuration.get_default(),
        "get_default_copy_is_default": lambda: sdk.Configuration.get_default_copy() is sdk.Configuration.get_default(),
        "set_default": same_default,
        "deepcopy": independent_copy,
        "deepcopy_keeps_logger": lambda: sorted(copy.deepcopy(sdk.Configuration()).logger),
        "deepcopy_of_hook": lambda: (
            copy.deepcopy(assigned(sdk.Configuration(), refresh_api_key_hook=len)).refresh_api_key_hook is len
        ),
        "copy": lambda: copy.copy(sdk.Configuration(host="http://h:1")).host,
        "pickle": lambda: pickle.loads(pickle.dumps(sdk.Configuration(host="http://h:1"))).host,
        "auth_settings": lambda: sdk.Configuration(access_token="t").auth_settings(),
        "auth_settings_empty": lambda: sdk.Configuration().auth_settings(),
        "basic_auth": lambda: sdk.Configuration(username="ann", password="pw").get_basic_auth_token(),
        "basic_auth_empty": lambda: sdk.Configuration().get_basic_auth_token(),
        "basic_auth_unicode": lambda: sdk.Configuration(username="é", password="pw").get_basic_auth_token(),
        "basic_auth_outside_latin_1": lambda: sdk.Configuration(username="你", password="").get_basic_auth_token(),
        "api_key": lambda: sdk.Configuration(api_key={"k": "v"}).get_api_key_with_prefix("k"),
        "api_key_missing": lambda: sdk.Configuration().get_api_key_with_prefix("k"),
        "api_key_empty": lambda: sdk.Configuration(api_key={"k": ""}).get_api_key_with_prefix("k"),
        "api_key_prefix": lambda: sdk.Configuration(
            api_key={"k": "v"}, api_key_prefix={"k": "Bearer"}
        ).get_api_key_with_prefix("k"),
        "api_key_alias": lambda: sdk.Configuration(api_key={"a": "v"}).get_api_key_with_prefix("k", "a"),
        "api_key_alias_keyword": lambda: sdk.Configuration(api_key={"a": "v"}).get_api_key_with_prefix(
            identifier="k", alias="a"
        ),
        "api_key_alias_prefix": lambda: sdk.Configuration(
            api_key={"a": "v"}, api_key_prefix={"a": "Bearer"}
        ).get_api_key_with_prefix("k", "a"),
        "api_key_refreshed": refreshed,
        "host_settings": lambda: [sorted(known) for known in sdk.Configuration().get_host_settings()],
        "host_settings_url": lambda: sdk.Configuration().get_host_settings()[0]["url"],
        "host_from_settings": lambda: sdk.Configuration().get_host_from_settings(0),
        "host_from_settings_none": lambda: sdk.Configuration(host="http://h:1").get_host_from_settings(None),
        "host_from_settings_wrong_index": lambda: sdk.Configuration().get_host_from_settings(5),
        "host_from_settings_negative_index": lambda: sdk.Configuration().get_host_from_settings(-1),
        "host_from_own_settings": lambda: sdk.Configuration().get_host_from_settings(1, servers=HOSTS),
        "host_variables_default": lambda: sdk.Configuration().get_host_from_settings(0, servers=HOSTS),
        "host_variables": lambda: sdk.Configuration().get_host_from_settings(0, {"region": "us", "base": "x"}, HOSTS),
        "host_variables_wrong": lambda: sdk.Configuration().get_host_from_settings(0, {"region": "mars"}, HOSTS),
        "server_index_wrong": lambda: sdk.Configuration(server_index=5).host,
        "debug_on": lambda: debugged(True),
        "debug_off": lambda: debugged(False),
        "debug_switched_off": lambda: assigned(sdk.Configuration(debug=True), debug=False).debug,
        "logger_names": lambda: sorted(sdk.Configuration().logger),
        "logger_objects": lambda: [held.name for held in sdk.Configuration().logger.values()],
        "logger_file": logged_to_file,
        "logger_format": formatted,
        "debug_report_form": report_form,
        "debug_report_type": lambda: type(sdk.Configuration().to_debug_report()).__name__,
        "debug_report_has_version": lambda: (
            f"SDK Package Version: {sdk.__version__}" in sdk.Configuration().to_debug_report()
        ),
        "repr_type": lambda: type(repr(sdk.Configuration())).__name__,
        "pool_maxsize_is_int": lambda: type(sdk.Configuration().connection_pool_maxsize).__name__,
        "pool_maxsize_per_processor": lambda: sdk.Configuration().connection_pool_maxsize % 5 == 0,
        "retries_kept": lambda: sdk.Configuration(retries=5).retries,
        "retries_object_kept": lambda: type(sdk.Configuration(retries=urllib3.Retry(2)).retries).__name__,
        "equality": lambda: sdk.Configuration() == sdk.Configuration(),
        "api_key_dict_is_kept": lambda: (lambda held: sdk.Configuration(api_key=held).api_key is held)({"a": "b"}),
    },
)

# ApiClient


def client(**settings: Any) -> Any:
    return sdk.ApiClient(sdk.Configuration(host="http://h:1", **settings))


def sanitized(make: Thunk) -> Any:
    return client().sanitize_for_serialization(make())


def default_client() -> Any:
    own = client()
    sdk.ApiClient.set_default(own)
    return [sdk.ApiClient.get_default() is own, sdk.ChatApi().api_client is own]


class Plain:
    """An object without to_dict."""

    def __init__(self) -> None:
        self.a = 1


SANITIZED: dict[str, Thunk] = {
    "none": lambda: None,
    "str": lambda: "a",
    "int": lambda: 1,
    "float": lambda: 1.5,
    "bool": lambda: True,
    "bytes": lambda: b"ab",
    "list": lambda: [1, part()],
    "tuple": lambda: (1, INSTANT),
    "set": lambda: {1},
    "dict": lambda: {"a": part(), "b": [INSTANT]},
    "dict_none_value": lambda: {"a": None},
    "datetime": lambda: INSTANT,
    "datetime_naive": lambda: datetime(2024, 5, 1, 10, 20, 30),
    "date": lambda: date(2024, 5, 1),
    "decimal": lambda: Decimal("1.50"),
    "enum": lambda: Role.USER,
    "secret_str": lambda: pydantic.SecretStr("s"),
    "model": lambda: message(),
    "model_with_date": lambda: context(gmt_create=INSTANT),
    "model_with_extras": lambda: with_extras(),
    "list_of_models": lambda: [part(), part()],
    "own_model_with_to_dict": lambda: Shouting(content="Hi"),
    "plain_object": Plain,
    "int_keys": lambda: {1: 2},
    "empty": lambda: [{}, [], ""],
}

register(
    "client.sanitize",
    {name: partial(sanitized, make) for name, make in SANITIZED.items()},
)
register(
    "client.sanitize",
    {"uuid": lambda: client().sanitize_for_serialization(UUID(int=1))},
    ("v2",),
)
register(
    "client",
    {
        "configuration": lambda: client().configuration.host,
        "configuration_default": lambda: sdk.ApiClient().configuration.host,
        "configuration_by_keyword": lambda: sdk.ApiClient(configuration=configuration()).configuration.host,
        "header": lambda: sdk.ApiClient(sdk.Configuration(), "X-A", "b").default_headers["X-A"],
        "header_by_keyword": lambda: sdk.ApiClient(header_name="X-A", header_value="b").default_headers["X-A"],
        "cookie": lambda: sdk.ApiClient(sdk.Configuration(), None, None, "a=b").cookie,
        "cookie_default": lambda: client().cookie,
        "cookie_assigned": lambda: assigned(client(), cookie="a=b").cookie,
        "default_headers": lambda: list(client().default_headers),
        "default_headers_assigned": lambda: changed(
            client(), lambda own: own.default_headers.__setitem__("X-A", "b")
        ).default_headers["X-A"],
        "set_default_header": lambda: changed(client(), lambda own: own.set_default_header("X-A", "b")).default_headers[
            "X-A"
        ],
        "set_default_header_keywords": lambda: changed(
            client(), lambda own: own.set_default_header(header_name="X-A", header_value="b")
        ).default_headers["X-A"],
        "user_agent": lambda: client().user_agent == f"freechat-sdk/{sdk.__version__}/python",
        "user_agent_assigned": lambda: assigned(client(), user_agent="me/1").user_agent,
        "user_agent_in_headers": lambda: assigned(client(), user_agent="me/1").default_headers["User-Agent"],
        "client_side_validation": lambda: client().client_side_validation,
        "rest_client": lambda: type(client().rest_client).__name__,
        "get_default": lambda: type(sdk.ApiClient.get_default()).__name__,
        "get_default_is_kept": lambda: sdk.ApiClient.get_default() is sdk.ApiClient.get_default(),
        "set_default": default_client,
        "api_without_client": lambda: sdk.ChatApi().api_client is sdk.ApiClient.get_default(),
        "api_keeps_client": lambda: (lambda own: sdk.ChatApi(own).api_client is own)(client()),
        "api_by_keyword": lambda: (lambda own: sdk.ChatApi(api_client=own).api_client is own)(client()),
        "context_manager": lambda: (lambda own: own.__enter__() is own)(client()),
        "context_manager_exit": lambda: client().__exit__(None, None, None),
        "context_manager_raises": lambda: raise_inside(),
        "wrong_configuration": lambda: sdk.ApiClient("http://h:1"),
        "unknown_keyword": lambda: sdk.ApiClient(colour="red"),
        "select_header_accept": lambda: client().select_header_accept(["text/plain", "application/json"]),
        "subclass": lambda: type("Mine", (sdk.ApiClient,), {})(sdk.Configuration(host="http://h:1")).configuration.host,
    },
)


def raise_inside() -> None:
    with client():
        raise KeyError("mine")


def read(response: Any) -> Any:
    body = response.read()
    return {
        "status": response.status,
        "reason": response.reason,
        "data": body,
        "same": response.data == body,
        "header": response.getheader("Content-Type"),
    }


def own_call(*arguments: Any, answer: Answer | None = None, **keywords: Any) -> Thunk:
    """Return a probe of `call_api`; a path stands for an address of the server."""

    def use(own: Any) -> Any:
        method, path, *others = copy.deepcopy(arguments)  # official packages change the headers that they are given
        return read(own.call_api(method, server.url + path, *others, **keywords))

    return wire(use, answer or said({"a": 1}), access_token=None)


JSON_TYPE = {"Content-Type": "application/json"}
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART_TYPE = {"Content-Type": "multipart/form-data"}

register(
    "client.call_api",
    {
        "get": own_call("GET", "/x"),
        "get_lower_case": own_call("get", "/x"),
        "get_query": own_call("GET", "/x?a=b&c="),
        "head": own_call("HEAD", "/x"),
        "unknown_method": own_call("BREW", "/x"),
        "header": own_call("GET", "/x", {"X-A": "b"}),
        "header_by_keyword": own_call("GET", "/x", header_params={"X-A": "b"}),
        "own_authorization": own_call("GET", "/x", {"Authorization": "Bearer mine"}),
        "post_json": own_call("POST", "/x", JSON_TYPE, {"a": [1, None]}),
        "post_json_without_type": own_call("POST", "/x", None, {"a": 1}),
        "post_list": own_call("POST", "/x", JSON_TYPE, [1]),
        "post_number": own_call("POST", "/x", JSON_TYPE, 5),
        "post_empty_dict": own_call("POST", "/x", JSON_TYPE, {}),
        "post_nothing": own_call("POST", "/x"),
        "post_str_as_json": own_call("POST", "/x", JSON_TYPE, "text"),
        "post_json_text": own_call("POST", "/x", JSON_TYPE, '{"a": 1}'),
        "post_str_without_type": own_call("POST", "/x", None, "text"),
        "post_text": own_call("POST", "/x", {"Content-Type": "text/plain"}, "text"),
        "post_bytes": own_call("POST", "/x", {"Content-Type": "application/octet-stream"}, b"\x00ab"),
        "post_bytes_as_json": own_call("POST", "/x", JSON_TYPE, b"ab"),
        "post_bool_as_text": own_call("POST", "/x", {"Content-Type": "text/plain"}, True),
        "post_dict_as_text": own_call("POST", "/x", {"Content-Type": "text/plain"}, {"a": 1}),
        "post_form": own_call("POST", "/x", FORM_TYPE, post_params=[("a", "b c"), ("a", "d")]),
        "post_multipart": own_call("POST", "/x", MULTIPART_TYPE, post_params=[("a", "b")]),
        "post_multipart_file": own_call(
            "POST", "/x", MULTIPART_TYPE, post_params=[("file", ("a.png", PNG, "image/png"))]
        ),
        "post_multipart_dict": own_call("POST", "/x", MULTIPART_TYPE, post_params=[("a", {"b": 1})]),
        "post_body_and_params": own_call("POST", "/x", JSON_TYPE, {"a": 1}, [("a", "b")]),
        "put": own_call("PUT", "/x", JSON_TYPE, {"a": 1}),
        "patch": own_call("PATCH", "/x", JSON_TYPE, {"a": 1}),
        "delete_with_body": own_call("DELETE", "/x", JSON_TYPE, {"a": 1}),
        "options": own_call("OPTIONS", "/x"),
        "status_404": own_call("GET", "/x", answer=said({"a": 1}, 404)),
        "status_500": own_call("GET", "/x", answer=said({"a": 1}, 500)),
        "timeout_number": own_call("GET", "/x", _request_timeout=5),
        "timeout_pair": own_call("GET", "/x", _request_timeout=(5, 5.5)),
        "timeout_str": own_call("GET", "/x", _request_timeout="5"),
        "timeout_zero": own_call("GET", "/x", _request_timeout=0),
        "token": wire(lambda own: own.call_api("GET", server.url + "/x").status, said(1)),
        "token_elsewhere": wire(
            lambda own: own.call_api("GET", server.url.replace("127.0.0.1", "localhost") + "/x").status, said(1)
        ),
        "own_authorization_and_token": wire(
            lambda own: own.call_api("GET", server.url + "/x", {"Authorization": "Bearer mine"}).status, said(1)
        ),
        "relative_url": wire(lambda own: own.call_api("GET", "/x").status, said(1)),
        "default_header": wire(
            lambda own: (
                changed(own, lambda c: c.set_default_header("X-A", "b")).call_api("GET", server.url + "/x").status
            ),
            said(1),
            access_token=None,
        ),
        "keywords_only": wire(
            lambda own: (
                own.call_api(method="POST", url=server.url + "/x", header_params=dict(JSON_TYPE), body={"a": 1}).status
            ),
            said(1),
            access_token=None,
        ),
        "headers_of_response": wire(
            lambda own: own.call_api("GET", server.url + "/x").getheaders()["X-A"],
            said(1, 200, ("X-A", "b")),
            access_token=None,
        ),
        "headers_ignore_case": wire(
            lambda own: own.call_api("GET", server.url + "/x").headers["x-a"],
            said(1, 200, ("X-A", "b")),
            access_token=None,
        ),
        "getheader_default": wire(
            lambda own: own.call_api("GET", server.url + "/x").getheader("X-No", "d"), said(1), access_token=None
        ),
        "getheader_missing": wire(
            lambda own: own.call_api("GET", server.url + "/x").getheader("X-No"), said(1), access_token=None
        ),
        "data_before_read": wire(lambda own: own.call_api("GET", server.url + "/x").data, said(1), access_token=None),
        "read_twice": wire(
            lambda own: (lambda r: [r.read(), r.read()])(own.call_api("GET", server.url + "/x")),
            said(1),
            access_token=None,
        ),
        "response_close": wire(lambda own: own.call_api("GET", server.url + "/x").close(), said(1), access_token=None),
        "response_is_io": wire(
            lambda own: isinstance(own.call_api("GET", server.url + "/x"), io.IOBase), said(1), access_token=None
        ),
        "response_class": wire(
            lambda own: type(own.call_api("GET", server.url + "/x")).__name__, said(1), access_token=None
        ),
        "response_inner": wire(
            lambda own: own.call_api("GET", server.url + "/x").response.status, said(1), access_token=None
        ),
        "response_json": wire(
            lambda own: json.loads(own.call_api("GET", server.url + "/x").read()), said({"a": 1}), access_token=None
        ),
        "redirect": counted(own_call("GET", "/x", answer=Answer(status=302, headers=(("Location", "/y"),)))),
    },
)

# The rest module


def rest(name: str) -> Any:
    return getattr(importlib.import_module("freechat_sdk.rest"), name)


class Inner:
    """Stands for urllib3's response."""

    status, reason, data = 200, "OK", b"body"
    headers = urllib3.HTTPHeaderDict({"X-A": "b"})


def through_proxy() -> Outcome:
    server.expect(said([]))
    with sdk.ApiClient(assigned(configuration(host="http://freechat.invalid"), proxy=server.url)) as own:
        outcome = outcome_of(lambda: sdk.ChatApi(own).list_chats())
    return Outcome({**outcome, "sent": server.sent()})


register(
    "rest",
    {
        "is_socks_proxy_url": lambda: rest("is_socks_proxy_url")("socks5://h:1"),
        "is_socks_proxy_url_upper_case": lambda: rest("is_socks_proxy_url")("SOCKS5h://h:1"),
        "is_socks_proxy_url_http": lambda: rest("is_socks_proxy_url")("http://h:1"),
        "is_socks_proxy_url_none": lambda: rest("is_socks_proxy_url")(None),
        "is_socks_proxy_url_without_scheme": lambda: rest("is_socks_proxy_url")("h:1"),
        "supported_socks_proxies": lambda: sorted(rest("SUPPORTED_SOCKS_PROXIES")),
        "response_type": lambda: rest("RESTResponseType") is urllib3.HTTPResponse,
        "response": lambda: rest("RESTResponse")(Inner()).status,
        "response_read": lambda: rest("RESTResponse")(Inner()).read(),
        "response_headers": lambda: rest("RESTResponse")(Inner()).headers["X-A"],
        "response_data": lambda: rest("RESTResponse")(Inner()).data,
        "response_truth": lambda: bool(rest("RESTResponse")(Inner())),
        "response_with": lambda: used_with(rest("RESTResponse")(Inner())),
        "client_object": lambda: type(rest("RESTClientObject")(sdk.Configuration())).__name__,
        "client_object_pool_manager": lambda: type(rest("RESTClientObject")(sdk.Configuration()).pool_manager).__name__,
        "client_object_request": wire(
            lambda own: own.rest_client.request("GET", server.url + "/x", headers={"X-A": "b"}).read(), said(1)
        ),
        "client_object_request_post": wire(
            lambda own: own.rest_client.request("POST", server.url + "/x", body={"a": 1}).status, said(1)
        ),
        "client_object_timeout": wire(
            lambda own: own.rest_client.request("GET", server.url + "/x", _request_timeout=(5, 5)).status, said(1)
        ),
        "proxy_is_used": through_proxy,
        "urllib3_name": lambda: inspect.ismodule(rest("urllib3")),
    },
)


def used_with(response: Any) -> Any:
    with response as held:
        return held is response


# Calls

RECORD = {"message": {"role": "assistant", "contents": [{"type": "text", "content": "Yes"}]}, "ext": "e"}
CHAT = {"context": {"backendId": "b", "chatId": "c", "gmtCreate": WHEN}, "senderStatus": "online", "new": 1}
MEMORY = {"requestId": "r1", "messageUsage": 2}
RESULT = {"text": "Yes", "finishReason": "stop"}
TOKENS = [{"id": 1, "token": "t", "issuedAt": WHEN}]

PLAIN_CALLS: dict[str, tuple[str, Callable[[Any], Any], Answer]] = {
    "model": ("AccountApi", lambda api: api.get_user_details(), said({"username": "ann", "givenName": "A"})),
    "list_of_models": ("ChatApi", lambda api: api.list_chats(), said([CHAT])),
    "empty_list": ("ChatApi", lambda api: api.list_chats(), said([])),
    "list_with_dates": ("AccountApi", lambda api: api.list_tokens(), said(TOKENS)),
    "list_of_lists": (
        "PromptApi",
        lambda api: api.batch_search_prompt_summary([sdk.PromptQueryDTO(page_size=1)]),
        said([[{"name": "p"}], []]),
    ),
    "list_of_str": ("CharacterApi", lambda api: api.list_character_backend_ids("c1"), said(["a", "b"])),
    "list_of_int": ("PromptApi", lambda api: api.clone_prompts([1, 2]), said([3, 4])),
    "bool": ("ChatApi", lambda api: api.delete_chat("c1"), said(True)),
    "bool_false": ("ChatApi", lambda api: api.delete_chat("c1"), said(False)),
    "int": ("PromptApi", lambda api: api.count_prompts(sdk.PromptQueryDTO()), said(7)),
    "str": ("ChatApi", lambda api: api.start_chat(sdk.ChatCreateDTO(character_uid="u")), text("c9")),
    "str_unicode": ("PromptApi", lambda api: api.new_prompt_name("é ü/?"), text("你好")),
    "nothing": ("PluginApi", lambda api: api.refresh_plugin_info(5), NOTHING),
    "result": ("ChatApi", lambda api: api.send_message("c1", message()), said(RESULT)),
    "memory": ("ChatApi", lambda api: api.get_memory_usage("c1"), said(MEMORY)),
    "path_and_limits": ("ChatApi", lambda api: api.list_messages1("c1", 10, 5), said([RECORD])),
    "query": ("InteractiveStatisticsApi", lambda api: api.list_hot_tags("prompt", 5, "a b&c"), said([])),
    "query_unset": ("InteractiveStatisticsApi", lambda api: api.list_hot_tags("prompt", 5), said([])),
    "query_none": ("InteractiveStatisticsApi", lambda api: api.list_hot_tags("prompt", 5, None), said([])),
    "query_empty": ("InteractiveStatisticsApi", lambda api: api.list_hot_tags("prompt", 5, ""), said([])),
    "query_by_keyword": ("OrganizationApi", lambda api: api.get_owners(all="1"), said(["o"])),
    "body_list_of_str": ("OrganizationApi", lambda api: api.update_subordinate_owners("ann", ["a"]), said(True)),
    "body_empty_list": ("OrganizationApi", lambda api: api.update_subordinate_owners("ann", []), said(True)),
    "body_list_of_models": ("PromptApi", lambda api: api.create_prompts([prompt(), prompt(name="q")]), said([1, 2])),
    "body_model": ("PromptApi", lambda api: api.create_prompt(prompt(ai_models=["m"], lang="en")), said(4)),
    "body_empty_model": ("CharacterApi", lambda api: api.search_character_summary(sdk.CharacterQueryDTO()), said([])),
    "body_with_extras": (
        "PromptApi",
        lambda api: api.create_prompt(assigned(prompt(), additional_properties={"new": 1})),
        said(4),
    ),
    "body_with_none_extra": (
        "PromptApi",
        lambda api: api.create_prompt(assigned(prompt(), additional_properties={"new": None})),
        said(4),
    ),
    "body_with_date": (
        "AccountApi",
        lambda api: api.update_user_info(sdk.UserDetailsDTO(birthdate=INSTANT)),
        said(True),
    ),
    "body_with_false": (
        "CharacterApi",
        lambda api: api.count_characters(sdk.CharacterQueryDTO(where=sdk.CharacterQueryWhere(high_priority=False))),
        said(0),
    ),
    "body_nested_variables": (
        "PromptApi",
        lambda api: api.apply_prompt_template(
            sdk.PromptTemplateDTO(template="{{a}}", variables={"a": {"b": "x", "c": None}}, format="mustache")
        ),
        text("done"),
    ),
    "body_subclass": (
        "ChatApi",
        lambda api: api.send_message("c1", message(contents=[Note(content="Hi", note="x")])),
        said(RESULT),
    ),
    "body_dict": ("PromptApi", lambda api: api.create_prompt({"name": "p"}), said(4)),
    "body_dict_json_names": ("PromptApi", lambda api: api.create_prompt({"name": "p", "aiModels": ["m"]}), said(4)),
    "body_list_of_dicts": ("PromptApi", lambda api: api.create_prompts([{"name": "p"}]), said([1])),
    "body_dict_incomplete": ("PromptApi", lambda api: api.create_prompt({"lang": "en"}), said(4)),
    "body_str": ("ChatApi", lambda api: api.send_message("c1", "Hi"), said(RESULT)),
    "body_none": ("PromptApi", lambda api: api.create_prompt(None), said(4)),
    "body_other_model": ("PromptApi", lambda api: api.create_prompt(user()), said(4)),
    "path_special": ("PromptApi", lambda api: api.exists_prompt_name("a b+c,ü"), said(True)),
    "path_slash": ("PromptApi", lambda api: api.exists_prompt_name("a/b"), said(True)),
    "path_percent": ("PromptApi", lambda api: api.exists_prompt_name("a%2Fb"), said(True)),
    "path_question_mark": ("PromptApi", lambda api: api.exists_prompt_name("a?b#c"), said(True)),
    "path_dots": ("PromptApi", lambda api: api.exists_prompt_name(".."), said(True)),
    "path_str_enum": ("PromptApi", lambda api: api.exists_prompt_name(Role.USER), said(True)),
    "path_negative_int": ("PromptApi", lambda api: api.delete_prompt(-1), said(True)),
    "path_zero": ("PromptApi", lambda api: api.delete_prompt(0), said(True)),
    "path_large_int": ("PromptApi", lambda api: api.delete_prompt(2**63 - 1), said(True)),
    "path_empty_str": ("ChatApi", lambda api: api.get_memory_usage(""), said(MEMORY)),
    "page_size_zero": ("InteractiveStatisticsApi", lambda api: api.list_hot_tags("prompt", 0), said([])),
    "keywords": ("ChatApi", lambda api: api.send_message(chat_id="c1", chat_message_dto=message()), said(RESULT)),
    "rag_create": (
        "RagApi",
        lambda api: api.create_rag_task("c1", sdk.RagTaskDTO(source_type="url", source="http://a", max_segment_size=5)),
        said(3),
    ),
    "rag_status": ("RagApi", lambda api: api.get_rag_task_status(3), text("succeeded")),
    "statistic_add": (
        "InteractiveStatisticsApi",
        lambda api: api.add_statistic("prompt", "1", "like_count", 2),
        said(5),
    ),
    "meta": ("AppMetaForAdminApi", lambda api: api.get_app_meta(), said({"name": "freechat"})),
    "keys": ("AIServiceApi", lambda api: api.list_ai_api_keys("open_ai"), said([{"id": 1, "provider": "open_ai"}])),
    "encrypt": ("EncryptionManagerForAdminApi", lambda api: api.encrypt_text("a"), text("x")),
    "admin_users": ("AccountManagerForAdminApi", lambda api: api.list_users(10, 0), said([{"username": "ann"}])),
    "agent_create": (
        "AgentApi",
        lambda api: api.create_agent(sdk.AgentCreateDTO(name="a", format="langflow")),
        said(1),
    ),
    "plugin_delete_many": ("PluginApi", lambda api: api.delete_plugins([1]), said([1])),
    "task_get": ("PromptTaskApi", lambda api: api.delete_prompt_task("t1"), said(True)),
}
register("call.plain", {name: call(*parts) for name, parts in PLAIN_CALLS.items()})

register(
    "call.arguments",
    {
        name: call(api, use, said(answer))
        for name, (api, use, answer) in {
            "missing": ("ChatApi", lambda api: api.delete_chat(), True),
            "too_many": ("ChatApi", lambda api: api.delete_chat("c", "d"), True),
            "none": ("ChatApi", lambda api: api.delete_chat(None), True),
            "int_for_str": ("ChatApi", lambda api: api.delete_chat(5), True),
            "str_for_int": ("PromptApi", lambda api: api.delete_prompt("5"), True),
            "float_for_int": ("PromptApi", lambda api: api.delete_prompt(5.0), True),
            "bool_for_int": ("PromptApi", lambda api: api.delete_prompt(True), True),
            "uuid_for_str": ("ChatApi", lambda api: api.delete_chat(UUID(int=1)), True),
            "bytes_for_str": ("ChatApi", lambda api: api.delete_chat(b"c"), True),
            "unknown_keyword": ("ChatApi", lambda api: api.delete_chat("c", colour="red"), True),
            "json_name_keyword": ("ChatApi", lambda api: api.delete_chat(chatId="c"), True),
            "twice": ("ChatApi", lambda api: api.delete_chat("c", chat_id="d"), True),
            "str_for_list": ("PromptApi", lambda api: api.delete_prompts("12"), [1]),
            "int_for_list": ("PromptApi", lambda api: api.delete_prompts(1), [1]),
            "tuple_for_list": ("PromptApi", lambda api: api.delete_prompts((1, 2)), [1]),
            "set_for_list": ("PromptApi", lambda api: api.delete_prompts({1}), [1]),
            "frozenset_for_list": ("PromptApi", lambda api: api.delete_prompts(frozenset([1])), [1]),
            "range_for_list": ("PromptApi", lambda api: api.delete_prompts(range(1, 3)), [1]),
            "generator_for_list": ("PromptApi", lambda api: api.delete_prompts(n for n in (1, 2)), [1]),
            "deque_for_list": ("PromptApi", lambda api: api.delete_prompts(deque([1])), [1]),
            "dict_values_for_list": ("PromptApi", lambda api: api.delete_prompts({"a": 1}.values()), [1]),
            "array_for_list": ("PromptApi", lambda api: api.delete_prompts(array.array("i", [1, 2])), [1]),
            "islice_for_list": ("PromptApi", lambda api: api.delete_prompts(itertools.islice([1, 2, 3], 2)), [1]),
            "dict_for_list": ("PromptApi", lambda api: api.delete_prompts({1: 2}), [1]),
            "str_in_list_of_int": ("PromptApi", lambda api: api.delete_prompts(["1"]), [1]),
            "bool_in_list_of_int": ("PromptApi", lambda api: api.delete_prompts([True]), [1]),
            "none_in_list_of_int": ("PromptApi", lambda api: api.delete_prompts([None]), [1]),
            "generator_of_models": ("PromptApi", lambda api: api.create_prompts(prompt(name=n) for n in "ab"), [1]),
            "tuple_of_models": ("PromptApi", lambda api: api.create_prompts((prompt(),)), [1]),
            "model_for_list": ("PromptApi", lambda api: api.create_prompts(prompt()), [1]),
        }.items()
    },
)

register(
    "call.option",
    {
        name: call(api, use, said(5 if api == "PromptApi" else True))
        for name, (api, use) in {
            "timeout_int": ("ChatApi", lambda api: api.delete_chat("c", _request_timeout=5)),
            "timeout_float": ("ChatApi", lambda api: api.delete_chat("c", _request_timeout=5.5)),
            "timeout_pair": ("ChatApi", lambda api: api.delete_chat("c", _request_timeout=(5, 5.5))),
            "timeout_list": ("ChatApi", lambda api: api.delete_chat("c", _request_timeout=[5, 5])),
            "timeout_triple": ("ChatApi", lambda api: api.delete_chat("c", _request_timeout=(5, 5, 5))),
            "timeout_none": ("ChatApi", lambda api: api.delete_chat("c", _request_timeout=None)),
            "timeout_zero": ("ChatApi", lambda api: api.delete_chat("c", _request_timeout=0)),
            "timeout_negative": ("ChatApi", lambda api: api.delete_chat("c", _request_timeout=-1)),
            "timeout_str": ("ChatApi", lambda api: api.delete_chat("c", _request_timeout="5")),
            "timeout_bool": ("ChatApi", lambda api: api.delete_chat("c", _request_timeout=True)),
            "timeout_infinite": ("ChatApi", lambda api: api.delete_chat("c", _request_timeout=float("inf"))),
            "timeout_object": ("ChatApi", lambda api: api.delete_chat("c", _request_timeout=urllib3.Timeout(5))),
            "headers": ("ChatApi", lambda api: api.delete_chat("c", _headers={"X-A": "b"})),
            "headers_none": ("ChatApi", lambda api: api.delete_chat("c", _headers=None)),
            "headers_int_value": ("ChatApi", lambda api: api.delete_chat("c", _headers={"X-A": 5})),
            "headers_bool_value": ("ChatApi", lambda api: api.delete_chat("c", _headers={"X-A": True})),
            "headers_none_value": ("ChatApi", lambda api: api.delete_chat("c", _headers={"X-A": None})),
            "headers_wrong": ("ChatApi", lambda api: api.delete_chat("c", _headers="X-A: b")),
            "headers_line_break": ("ChatApi", lambda api: api.delete_chat("c", _headers={"X-A": "b\nX-B: c"})),
            "headers_authorization": (
                "ChatApi",
                lambda api: api.delete_chat("c", _headers={"Authorization": "Bearer o"}),
            ),
            "headers_content_type": (
                "PromptApi",
                lambda api: api.create_prompt(prompt(), _headers={"Content-Type": "application/json;charset=utf-8"}),
            ),
            "headers_are_not_changed": (
                "ChatApi",
                lambda api: (lambda given: [api.delete_chat("c", _headers=given), given])({"X-A": "b"}),
            ),
            "auth": (
                "ChatApi",
                lambda api: api.delete_chat(
                    "c",
                    _request_auth={"type": "bearer", "in": "header", "key": "Authorization", "value": "Bearer other"},
                ),
            ),
            "auth_api_key": (
                "ChatApi",
                lambda api: api.delete_chat(
                    "c", _request_auth={"type": "api_key", "in": "header", "key": "X-Key", "value": "k"}
                ),
            ),
            "auth_query": (
                "ChatApi",
                lambda api: api.delete_chat(
                    "c", _request_auth={"type": "api_key", "in": "query", "key": "key", "value": "k"}
                ),
            ),
            "auth_cookie": (
                "ChatApi",
                lambda api: api.delete_chat(
                    "c", _request_auth={"type": "api_key", "in": "cookie", "key": "s", "value": "k"}
                ),
            ),
            "auth_elsewhere": (
                "ChatApi",
                lambda api: api.delete_chat(
                    "c", _request_auth={"type": "api_key", "in": "body", "key": "s", "value": "k"}
                ),
            ),
            "auth_incomplete": ("ChatApi", lambda api: api.delete_chat("c", _request_auth={"type": "bearer"})),
            "auth_empty": ("ChatApi", lambda api: api.delete_chat("c", _request_auth={})),
            "auth_settings_of_other": (
                "ChatApi",
                lambda api: api.delete_chat(
                    "c", _request_auth=sdk.Configuration(access_token="o").auth_settings()["bearerAuth"]
                ),
            ),
            "content_type": (
                "PromptApi",
                lambda api: api.create_prompt(prompt(), _content_type="application/json;charset=utf-8"),
            ),
            "content_type_without_body": ("ChatApi", lambda api: api.delete_chat("c", _content_type="text/plain")),
            "content_type_wrong": ("PromptApi", lambda api: api.create_prompt(prompt(), _content_type=5)),
            "host_index_zero": ("ChatApi", lambda api: api.delete_chat("c", _host_index=0)),
            "host_index_one": ("ChatApi", lambda api: api.delete_chat("c", _host_index=1)),
            "host_index_str": ("ChatApi", lambda api: api.delete_chat("c", _host_index="0")),
            "by_position": ("ChatApi", lambda api: api.delete_chat("c", 5)),
            "unknown": ("ChatApi", lambda api: api.delete_chat("c", _colour=5)),
            "preload_content": ("ChatApi", lambda api: api.delete_chat("c", _preload_content=False)),
            "async_req": ("ChatApi", lambda api: api.delete_chat("c", async_req=True)),
        }.items()
    },
)


def seen_headers(*names: str, use: Callable[[Any], Any], answer: Answer, **settings: Any) -> Thunk:
    """Return a probe of the headers of a request that the other probes leave out."""

    def run() -> Any:
        server.expect(answer)
        with sdk.ApiClient(configuration(**settings)) as own:
            outcome_of(lambda: use(own))
        found = {name.lower(): value for name, value in server.received()[0]["headers"]}
        return {name: (found.get(name) or "").replace(sdk.__version__, "VERSION") for name in names}

    return run


register(
    "call.header",
    {
        "user_agent": seen_headers("user-agent", use=lambda c: sdk.ChatApi(c).list_chats(), answer=said([])),
        "user_agent_own": seen_headers(
            "user-agent", use=lambda c: sdk.ChatApi(assigned(c, user_agent="me/1")).list_chats(), answer=said([])
        ),
        "accept_json": seen_headers("accept", use=lambda c: sdk.ChatApi(c).list_chats(), answer=said([])),
        "accept_text": seen_headers("accept", use=lambda c: sdk.PromptApi(c).new_prompt_name("a"), answer=text("a")),
        "accept_own": seen_headers(
            "accept", use=lambda c: sdk.ChatApi(c).list_chats(_headers={"Accept": "text/x"}), answer=said([])
        ),
        "content_length": seen_headers(
            "content-length", use=lambda c: sdk.PromptApi(c).delete_prompts([1]), answer=said([])
        ),
        "no_body_no_length": seen_headers("content-length", use=lambda c: sdk.ChatApi(c).list_chats(), answer=said([])),
        "content_type_without_body": call("ChatApi", lambda api: api.list_chats(), said([])),
        "cookie": wire(lambda c: sdk.ChatApi(assigned(c, cookie="a=b")).list_chats(), said([])),
        "default_header": wire(
            lambda c: sdk.ChatApi(changed(c, lambda own: own.set_default_header("X-A", "b"))).list_chats(), said([])
        ),
        "default_header_in_dict": wire(
            lambda c: sdk.ChatApi(changed(c, lambda own: own.default_headers.update({"X-A": "b"}))).list_chats(),
            said([]),
        ),
        "default_header_and_own": wire(
            lambda c: sdk.ChatApi(changed(c, lambda own: own.set_default_header("X-A", "b"))).list_chats(
                _headers={"X-A": "c"}
            ),
            said([]),
        ),
        "default_authorization": wire(
            lambda c: sdk.ChatApi(
                changed(c, lambda own: own.set_default_header("Authorization", "Bearer default"))
            ).list_chats(),
            said([]),
            access_token=None,
        ),
        "default_authorization_and_token": wire(
            lambda c: sdk.ChatApi(
                changed(c, lambda own: own.set_default_header("Authorization", "Bearer default"))
            ).list_chats(),
            said([]),
        ),
        "token_empty": call("ChatApi", lambda api: api.list_chats(), said([]), access_token=""),
        "no_token": call("ChatApi", lambda api: api.list_chats(), said([]), access_token=None),
        "token_changed_later": wire(
            lambda c: (
                changed(c, lambda own: setattr(own.configuration, "access_token", "later"))
                and sdk.ChatApi(c).list_chats()
            ),
            said([]),
        ),
        "basic_auth_is_not_sent": call(
            "ChatApi", lambda api: api.list_chats(), said([]), access_token=None, username="a", password="b"
        ),
        "api_key_is_not_sent": call(
            "ChatApi", lambda api: api.list_chats(), said([]), access_token=None, api_key={"bearerAuth": "k"}
        ),
    },
)


def fields_of(response: Any) -> dict[str, Any]:
    return {
        "status_code": response.status_code,
        "data": response.data,
        "raw_data": response.raw_data,
        "header": response.headers["Content-Type"],
        "header ignores case": response.headers.get("content-type"),
    }


def unread(response: Any) -> dict[str, Any]:
    return {
        "status": response.status,
        "reason": response.reason,
        "header": response.headers.get("Content-Type"),
        "data": response.data,
    }


HTTP_INFO: dict[str, tuple[str, Callable[[Any], Any], Answer]] = {
    "model": ("AccountApi", lambda api: fields_of(api.get_user_details_with_http_info()), said({"username": "ann"})),
    "list": ("ChatApi", lambda api: fields_of(api.list_chats_with_http_info()), said([CHAT])),
    "bool": ("ChatApi", lambda api: fields_of(api.delete_chat_with_http_info("c1")), said(True)),
    "int": ("PromptApi", lambda api: fields_of(api.create_prompt_with_http_info(prompt())), said(5)),
    "text": ("PromptApi", lambda api: fields_of(api.new_prompt_name_with_http_info("a")), text("b")),
    "nothing": ("PluginApi", lambda api: api.refresh_plugin_info_with_http_info(5).data, NOTHING),
    "nothing_raw": ("PluginApi", lambda api: api.refresh_plugin_info_with_http_info(5).raw_data, NOTHING),
    "keywords": (
        "ChatApi",
        lambda api: api.send_message_with_http_info(chat_id="c", chat_message_dto=message(), _request_timeout=5).data,
        said(RESULT),
    ),
    "error": ("ChatApi", lambda api: api.delete_chat_with_http_info("c"), said({"message": "no"}, 403)),
    "class_name": ("ChatApi", lambda api: type(api.list_chats_with_http_info()).__name__, said([])),
    "is_api_response": ("ChatApi", lambda api: isinstance(api.list_chats_with_http_info(), sdk.ApiResponse), said([])),
    "unknown_attribute": ("ChatApi", lambda api: api.list_chats_with_http_info().status, said([])),
    "unpacked": ("ChatApi", lambda api: len(tuple(api.list_chats_with_http_info())), said([])),
    "model_dump": ("ChatApi", lambda api: sorted(api.list_chats_with_http_info().model_dump()), said([])),
    "assigned": ("ChatApi", lambda api: assigned(api.list_chats_with_http_info(), data=[1]).data, said([])),
    "text_of_repr": ("ChatApi", lambda api: "status_code=200" in repr(api.list_chats_with_http_info()), said([])),
}
register("call.http_info", {name: call(*parts) for name, parts in HTTP_INFO.items()})
register(
    "api_response",
    {
        "build": lambda: sdk.ApiResponse(status_code=200, headers={}, data=1, raw_data=b"1").data,
        "build_without_headers": lambda: sdk.ApiResponse(status_code=200, data=1, raw_data=b"1").headers,
        "build_without_status": lambda: sdk.ApiResponse(data=1),
        "wrong_status": lambda: sdk.ApiResponse(status_code="200", headers={}, data=1, raw_data=b"1").status_code,
        "positional": lambda: sdk.ApiResponse(200, {}, 1, b"1"),
        "generic": lambda: sdk.ApiResponse[int](status_code=200, headers={}, data=1, raw_data=b"1").data,
    },
)

UNREAD: dict[str, tuple[str, Callable[[Any], Any], Answer]] = {
    "json": ("ChatApi", lambda api: unread(api.list_chats_without_preload_content()), said([CHAT])),
    "text": ("PromptApi", lambda api: unread(api.new_prompt_name_without_preload_content("a")), text("b")),
    "read": ("ChatApi", lambda api: api.list_chats_without_preload_content().read(), said([])),
    "read_part": ("ChatApi", lambda api: api.list_chats_without_preload_content().read(1), said([1])),
    "stream": ("ChatApi", lambda api: b"".join(api.list_chats_without_preload_content().stream(4)), said([1, 2])),
    "lines": (
        "ChatApi",
        lambda api: list(api.stream_send_message_without_preload_content("c", message())),
        Answer(b"data:1\n\ndata:2\n\n", content_type="text/event-stream"),
    ),
    "json_method": ("ChatApi", lambda api: api.list_chats_without_preload_content().json(), said([1])),
    "getheader": (
        "ChatApi",
        lambda api: quietly(lambda: api.list_chats_without_preload_content().getheader("Content-Type")),
        said([]),
    ),
    "release_conn": ("ChatApi", lambda api: api.list_chats_without_preload_content().release_conn(), said([])),
    "close": ("ChatApi", lambda api: api.list_chats_without_preload_content().close(), said([])),
    "error_500": (
        "ChatApi",
        lambda api: unread(api.delete_chat_without_preload_content("c")),
        said({"message": "no"}, 500),
    ),
    "post": ("ChatApi", lambda api: api.send_message_without_preload_content("c", message()).status, said(RESULT)),
    "is_http_response": (
        "ChatApi",
        lambda api: isinstance(api.list_chats_without_preload_content(), urllib3.HTTPResponse),
        said([]),
    ),
    "wrong_argument": ("ChatApi", lambda api: api.delete_chat_without_preload_content(5), said(True)),
    "stream_body": (
        "ChatApi",
        lambda api: api.stream_send_message_without_preload_content("c", message()).data,
        Answer(b"data:1\n\n", content_type="text/event-stream"),
    ),
    "stream_closed": (
        "ChatApi",
        lambda api: (lambda r: [r.read(), r.isclosed()])(api.list_chats_without_preload_content()),
        said([]),
    ),
    "text_wrapper": (
        "ChatApi",
        lambda api: io.TextIOWrapper(api.list_chats_without_preload_content()).read(),
        said([]),
    ),
    "download": (
        "CharacterApi",
        lambda api: api.export_character_without_preload_content(character_id=1).data,
        Answer(b"PK\x03\x04", content_type="application/octet-stream"),
    ),
}
register("call.unread", {name: call(*parts) for name, parts in UNREAD.items()})
register(
    "call.unread",
    {
        "error_404": counted(
            call(
                "ChatApi",
                lambda api: unread(api.delete_chat_without_preload_content("c")),
                said({"message": "no"}, 404),
            )
        ),
    },
)

# Responses

ODD: dict[str, tuple[str, Callable[[Any], Any], Answer]] = {
    "model_null": ("ChatApi", lambda api: api.get_memory_usage("c"), said(None)),
    "model_empty_body": ("ChatApi", lambda api: api.get_memory_usage("c"), Answer(b"")),
    "model_list": ("ChatApi", lambda api: api.get_memory_usage("c"), said([])),
    "model_text": ("ChatApi", lambda api: api.get_memory_usage("c"), text("Hi")),
    "model_html": ("ChatApi", lambda api: api.get_memory_usage("c"), text("<html></html>", 200, "text/html")),
    "model_broken_json": ("ChatApi", lambda api: api.get_memory_usage("c"), Answer(b'{"a": ')),
    "model_without_type": (
        "ChatApi",
        lambda api: api.get_memory_usage("c"),
        Answer(b'{"messageUsage": 1}', content_type=None),
    ),
    "model_json_with_charset": (
        "AccountApi",
        lambda api: api.get_user_details(),
        Answer(b'{"username": "a"}', content_type="application/json;charset=UTF-8"),
    ),
    "model_problem_json": (
        "AccountApi",
        lambda api: api.get_user_details(),
        Answer(b'{"username": "a"}', content_type="application/hal+json"),
    ),
    "model_octets": (
        "AccountApi",
        lambda api: api.get_user_details(),
        Answer(b'{"username": "a"}', content_type="application/octet-stream"),
    ),
    "model_latin_1": (
        "AccountApi",
        lambda api: api.get_user_details(),
        Answer('{"username": "é"}'.encode("latin-1"), content_type="application/json;charset=ISO-8859-1"),
    ),
    "model_bad_utf_8": ("AccountApi", lambda api: api.get_user_details(), Answer(b'{"username": "\xff"}')),
    "model_extras": (
        "AccountApi",
        lambda api: api.get_user_details().additional_properties,
        said({"username": "a", "new": {"a": 1}}),
    ),
    "model_without_a_field_of_its_own": ("AccountApi", lambda api: api.get_user_details(), said({"new": {"a": 1}})),
    "model_nulls": ("AccountApi", lambda api: api.get_user_details(), said({"username": None, "enabled": None})),
    "model_wrong_type": ("AccountApi", lambda api: api.get_user_details(), said({"username": 5})),
    "model_lacks_required": ("ChatApi", lambda api: api.list_chats(), said([{"context": {}}])),
    "model_date_forms": (
        "AccountApi",
        lambda api: [t.issued_at for t in api.list_tokens()],
        said([{"issuedAt": WHEN}, {"issuedAt": 1714558830123}]),
    ),
    "model_bad_date": ("AccountApi", lambda api: api.list_tokens(), said([{"issuedAt": "soon"}])),
    "model_status_201": ("AccountApi", lambda api: api.get_user_details(), said({"username": "a"}, 201)),
    "list_null": ("ChatApi", lambda api: api.list_chats(), said(None)),
    "list_object": ("ChatApi", lambda api: api.list_chats(), said({})),
    "list_empty_body": ("ChatApi", lambda api: api.list_chats(), Answer(b"")),
    "list_null_item": ("ChatApi", lambda api: api.list_chats(), said([None])),
    "bool_text": ("ChatApi", lambda api: api.delete_chat("c"), text("true")),
    "bool_text_false": ("ChatApi", lambda api: api.delete_chat("c"), text("false")),
    "bool_null": ("ChatApi", lambda api: api.delete_chat("c"), said(None)),
    "bool_without_type": ("ChatApi", lambda api: api.delete_chat("c"), Answer(b"true", content_type=None)),
    "bool_empty_body": ("ChatApi", lambda api: api.delete_chat("c"), Answer(b"")),
    "bool_status_204": ("ChatApi", lambda api: api.delete_chat("c"), Answer(b"", 204, None)),
    "int_text": ("PromptApi", lambda api: api.create_prompt(prompt()), text("5")),
    "int_str": ("PromptApi", lambda api: api.create_prompt(prompt()), said("5")),
    "int_float": ("PromptApi", lambda api: api.create_prompt(prompt()), said(5.0)),
    "int_garbage": ("PromptApi", lambda api: api.create_prompt(prompt()), text("five")),
    "str_json": ("PromptApi", lambda api: api.new_prompt_name("a"), said("b")),
    "str_json_number": ("PromptApi", lambda api: api.new_prompt_name("a"), said(5)),
    "str_empty": ("PromptApi", lambda api: api.new_prompt_name("a"), text("")),
    "str_empty_without_type": ("PromptApi", lambda api: api.new_prompt_name("a"), NOTHING),
    "str_html": ("PromptApi", lambda api: api.new_prompt_name("a"), text("<html></html>", 200, "text/html")),
    "str_latin_1": (
        "PromptApi",
        lambda api: api.new_prompt_name("a"),
        Answer("é".encode("latin-1"), content_type="text/plain;charset=ISO-8859-1"),
    ),
    "str_quotes_kept": ("PromptApi", lambda api: api.new_prompt_name("a"), text('"b"')),
    "str_numeral": ("PromptApi", lambda api: api.new_prompt_name("a"), text("5")),
    "nothing_with_body": ("PluginApi", lambda api: api.refresh_plugin_info(5), said({"a": 1})),
    "nothing_with_text": ("PluginApi", lambda api: api.refresh_plugin_info(5), text("done")),
    "status_304": ("ChatApi", lambda api: api.list_chats(), Answer(b"", 304, None)),
}
register("response", {name: call(*parts, retries=False) for name, parts in ODD.items()})
LOGIN = Answer(status=302, content_type=None, headers=(("Location", "http://freechat.invalid/w/login"),))
register(
    "response", {"redirect_to_login": counted(call("ChatApi", lambda api: api.list_chats(), LOGIN, retries=False))}
)
register(
    "download",
    {
        "export": sends(
            "CharacterApi",
            lambda api: api.export_character(character_id=1),
            Answer(b"PK", content_type="application/octet-stream"),
        ),
        "export_unread": call(
            "CharacterApi",
            lambda api: unread(api.export_character_without_preload_content(1)),
            Answer(b"PK", content_type="application/octet-stream"),
        ),
        "export_missing": call("CharacterApi", lambda api: api.export_character(1), said({"message": "no"}, 403)),
        "export_wrong_argument": call("CharacterApi", lambda api: api.export_character("1"), NOTHING),
        "export_raw": call(
            "CharacterApi",
            lambda api: api.export_character_with_http_info(1).raw_data,
            Answer(b"PK", content_type="application/octet-stream"),
        ),
        "export_status": call(
            "CharacterApi",
            lambda api: api.export_character_with_http_info(1).status_code,
            Answer(b"PK", content_type="application/octet-stream"),
        ),
    },
)

# Errors

STATUSES = (400, 401, 403, 404, 409, 418, 422, 429, 500, 501, 503)
PROBLEM = {"timestamp": "t", "status": 1, "error": "e", "message": "what is wrong"}


def deletes(api: Any) -> Any:
    return api.delete_chat("c1")


def sends_message(api: Any) -> Any:
    return api.send_message("c1", message())


def sends_message_within_a_second(api: Any) -> Any:
    return api.send_message("c1", message(), _request_timeout=1)


BODIES: dict[str, Callable[[int], Answer]] = {
    "json": lambda status: said(PROBLEM, status),
    "text": lambda status: text("what is wrong", status),
    "html": lambda status: text("<html>wrong</html>", status, "text/html"),
    "empty": lambda status: Answer(b"", status, None),
}
for status in STATUSES:
    for kind, make in BODIES.items():
        register(
            f"error.{status}",
            {kind: error_from("ChatApi", sends_message, make(status), lambda error: Outcome(raised=caught_by(error)))},
        )
    register(
        f"error.{status}",
        {
            "attributes": error_from(
                "ChatApi",
                sends_message,
                BODIES["json"](status),
                lambda error: {name: getattr(error, name) for name in ("status", "reason", "body")},
            ),
        },
    )
register(
    "error",
    {
        "data_of_json": error_from("ChatApi", sends_message, BODIES["json"](500), lambda error: error.data),
        "body_of_text": error_from("ChatApi", sends_message, BODIES["text"](500), lambda error: error.body),
        "data_of_text": error_from("ChatApi", sends_message, BODIES["text"](500), lambda error: error.data),
        "body_of_html": error_from("ChatApi", sends_message, BODIES["html"](500), lambda error: error.body),
        "body_empty": error_from("ChatApi", sends_message, BODIES["empty"](500), lambda error: error.body),
        "body_type": error_from("ChatApi", sends_message, BODIES["json"](500), lambda error: type(error.body).__name__),
        "body_reads_as_json": error_from(
            "ChatApi", sends_message, BODIES["json"](500), lambda error: json.loads(error.body)["message"]
        ),
        "body_not_utf_8": error_from(
            "ChatApi", sends_message, Answer(b"\xff", 500, "text/plain"), lambda error: error.body
        ),
        "header": error_from("ChatApi", sends_message, said({}, 500, ("X-A", "b")), lambda error: error.headers["X-A"]),
        "header_ignores_case": error_from(
            "ChatApi", sends_message, said({}, 500, ("X-A", "b")), lambda error: error.headers.get("x-a")
        ),
        "header_missing": error_from("ChatApi", sends_message, said({}, 500), lambda error: error.headers.get("X-A")),
        "header_names": error_from(
            "ChatApi", sends_message, said({}, 500), lambda error: sorted(name.lower() for name in error.headers)
        ),
        "headers_dict": error_from(
            "ChatApi", sends_message, said({}, 500, ("X-A", "b")), lambda error: dict(error.headers)["X-A"]
        ),
        "reason_empty": error_from(
            "ChatApi", sends_message, Answer(b"", 500, None, reason=""), lambda error: error.reason
        ),
        "str_has_status": error_from("ChatApi", sends_message, BODIES["json"](500), lambda error: "500" in str(error)),
        "str_has_status_in_parentheses": error_from(
            "ChatApi", sends_message, BODIES["json"](500), lambda error: str(error).startswith("(500)")
        ),
        "str_has_reason": error_from("ChatApi", sends_message, BODIES["json"](500), lambda error: "Said" in str(error)),
        "str_has_message": error_from(
            "ChatApi", sends_message, BODIES["json"](500), lambda error: "what is wrong" in str(error)
        ),
        "str_has_text": error_from(
            "ChatApi", sends_message, BODIES["text"](500), lambda error: "what is wrong" in str(error)
        ),
        "pickle": error_from(
            "ChatApi", sends_message, BODIES["json"](500), lambda error: pickle.loads(pickle.dumps(error)).status
        ),
        "percent_format": error_from(
            "ChatApi",
            sends_message,
            BODIES["json"](500),
            lambda error: "500" in ("%s" % error),  # noqa: UP031
        ),
        "traceback_in_logging": error_from(
            "ChatApi", sends_message, BODIES["json"](500), lambda error: isinstance(error.args, tuple)
        ),
        "get_404": counted(call("ChatApi", lambda api: api.list_chats(), said(PROBLEM, 404))),
        "get_503": counted(call("ChatApi", lambda api: api.list_chats(), said(PROBLEM, 503))),
        "get_500": counted(call("ChatApi", lambda api: api.list_chats(), said(PROBLEM, 500))),
        "post_503": repeated(call("ChatApi", sends_message_within_a_second, said(PROBLEM, 503))),
        "post_503_retry_after": repeated(
            call("ChatApi", sends_message_within_a_second, said(PROBLEM, 503, ("Retry-After", "0")))
        ),
        "get_503_retry_after": counted(
            call("ChatApi", lambda api: api.list_chats(), said(PROBLEM, 503, ("Retry-After", "0")))
        ),
        "get_503_without_retries": counted(
            call("ChatApi", lambda api: api.list_chats(), said(PROBLEM, 503), retries=False)
        ),
        "in_stream": call("ChatApi", lambda api: api.stream_send_message("c", message()), said(PROBLEM, 400)),
        "in_upload": call("CharacterApi", lambda api: api.import_character(b"x"), said(PROBLEM, 400)),
        "in_download": counted(call("CharacterApi", lambda api: api.export_character(1), said(PROBLEM, 404))),
        "client_works_afterwards": wire(
            lambda own: [
                outcome_of(lambda: sdk.ChatApi(own).delete_chat("c")),
                outcome_of(lambda: sdk.ChatApi(own).delete_chat("d")),
            ],
            said(PROBLEM, 403),
        ),
    },
)

# Time limits and connections


def refused() -> str:
    """Return a host that refuses connections."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def raised_by(
    use: Callable[[Any], Any], answer: Answer = NOTHING, host: Callable[[], str] = lambda: server.url, **settings: Any
) -> Thunk:
    """Return a probe of what catches the failure of a call that the server does not finish."""

    def run() -> Outcome:
        server.expect(answer)
        with sdk.ApiClient(configuration(**{"host": host(), "retries": False, **settings})) as own:
            return outcome_of(lambda: use(own))

    return run


register(
    "failure",
    {
        "stalled": raised_by(lambda own: sdk.ChatApi(own).delete_chat("c", _request_timeout=0.3), STALLS),
        "stalled_get": raised_by(lambda own: sdk.ChatApi(own).list_chats(_request_timeout=0.3), STALLS),
        "stalled_pair": raised_by(lambda own: sdk.ChatApi(own).list_chats(_request_timeout=(5, 0.3)), STALLS),
        "stalled_http_info": raised_by(
            lambda own: sdk.ChatApi(own).list_chats_with_http_info(_request_timeout=0.3), STALLS
        ),
        "stalled_unread": raised_by(
            lambda own: sdk.ChatApi(own).list_chats_without_preload_content(_request_timeout=0.3), STALLS
        ),
        "stalled_stream": raised_by(
            lambda own: sdk.ChatApi(own).stream_send_message("c", message(), _request_timeout=0.3), STALLS
        ),
        "stalled_call_api": raised_by(lambda own: own.call_api("GET", server.url + "/x", _request_timeout=0.3), STALLS),
        "refused": raised_by(lambda own: sdk.ChatApi(own).list_chats(), host=refused),
        "refused_post": raised_by(lambda own: sdk.ChatApi(own).send_message("c", message()), host=refused),
        "refused_unread": raised_by(lambda own: sdk.ChatApi(own).list_chats_without_preload_content(), host=refused),
        "refused_call_api": raised_by(lambda own: own.call_api("GET", own.configuration.host + "/x"), host=refused),
        "refused_with_retries": raised_by(lambda own: sdk.ChatApi(own).list_chats(), host=refused, retries=None),
        "plain_server_over_tls": raised_by(
            lambda own: sdk.ChatApi(own).list_chats(), host=lambda: server.url.replace("http", "https")
        ),
        "no_such_ca_file": raised_by(
            lambda own: sdk.ChatApi(own).list_chats(),
            host=lambda: server.url.replace("http", "https"),
            ssl_ca_cert="/no/such/file.pem",
        ),
    },
)

# Uploads


def with_file(use: Callable[[Any, str], Any], name: str = "me.png", content: bytes = PNG) -> Callable[[Any], Any]:
    """Return a use of an API class that needs a file."""

    def run(api: Any) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            return use(api, str(path))

    return run


UPLOADS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "path": ("CharacterApi", with_file(lambda api, path: api.upload_character_picture("c1", path))),
    "path_without_suffix": (
        "CharacterApi",
        with_file(lambda api, path: api.upload_character_picture("c1", path), "me"),
    ),
    "path_with_blank": (
        "CharacterApi",
        with_file(lambda api, path: api.upload_character_picture("c1", path), "my me.png"),
    ),
    "path_text": (
        "CharacterApi",
        with_file(lambda api, path: api.upload_character_document("c1", path), "a.txt", b"a\r\nb\n"),
    ),
    "path_unicode": ("CharacterApi", with_file(lambda api, path: api.upload_character_picture("c1", path), "é.png")),
    "path_object": ("CharacterApi", with_file(lambda api, path: api.upload_character_picture("c1", Path(path)))),
    "path_missing": ("CharacterApi", lambda api: api.upload_character_picture("c1", "/no/such/file.png")),
    "path_folder": ("CharacterApi", lambda api: api.upload_character_picture("c1", "/")),
    "bytes": ("CharacterApi", lambda api: api.upload_character_picture("c1", PNG)),
    "bytes_empty": ("CharacterApi", lambda api: api.upload_character_picture("c1", b"")),
    "bytearray": ("CharacterApi", lambda api: api.upload_character_picture("c1", bytearray(PNG))),
    "memoryview": ("CharacterApi", lambda api: api.upload_character_picture("c1", memoryview(PNG))),
    "tuple": ("CharacterApi", lambda api: api.upload_character_picture("c1", ("a.png", PNG))),
    "tuple_unknown_suffix": ("CharacterApi", lambda api: api.upload_character_picture("c1", ("a.xyzzy", PNG))),
    "tuple_without_suffix": ("CharacterApi", lambda api: api.upload_character_picture("c1", ("a", PNG))),
    "tuple_with_quotes": ("CharacterApi", lambda api: api.upload_character_picture("c1", ('a"b.png', PNG))),
    "tuple_pdf": ("CharacterApi", lambda api: api.upload_character_document("c1", ("a.pdf", b"%PDF"))),
    "tuple_path_as_name": ("CharacterApi", lambda api: api.upload_character_picture("c1", ("x/a.png", PNG))),
    "tuple_str_content": ("CharacterApi", lambda api: api.upload_character_picture("c1", ("a.png", "text"))),
    "tuple_of_three": ("CharacterApi", lambda api: api.upload_character_picture("c1", ("a.png", PNG, "image/png"))),
    "list": ("CharacterApi", lambda api: api.upload_character_picture("c1", ["a.png", PNG])),
    "list_of_bytes": ("CharacterApi", lambda api: api.upload_character_picture("c1", [PNG])),
    "open_file": ("CharacterApi", lambda api: api.upload_character_picture("c1", io.BytesIO(PNG))),
    "none": ("CharacterApi", lambda api: api.upload_character_picture("c1", None)),
    "int": ("CharacterApi", lambda api: api.upload_character_picture("c1", 5)),
    "by_keyword": ("CharacterApi", lambda api: api.upload_character_picture(character_uid="c1", file=PNG)),
    "user_picture": ("AccountApi", lambda api: api.upload_user_picture(("a.jpg", PNG))),
    "avatar": ("CharacterApi", lambda api: api.upload_character_avatar("c1", ("a.gif", PNG))),
    "with_header": ("CharacterApi", lambda api: api.upload_character_picture("c1", PNG, _headers={"X-A": "b"})),
    "with_content_type": (
        "CharacterApi",
        lambda api: api.upload_character_picture("c1", PNG, _content_type="multipart/form-data"),
    ),
    "http_info": ("CharacterApi", lambda api: api.upload_character_picture_with_http_info("c1", PNG).data),
    "unread": ("CharacterApi", lambda api: api.upload_character_picture_without_preload_content("c1", PNG).data),
}


def after_another_call(use: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a use of an API class whose client has met the server before."""

    def run(api: Any) -> Any:
        with contextlib.suppress(Exception):  # what it receives is for the upload
            sdk.ChatApi(api.api_client).list_chats()
        return use(api)

    return run


register(
    "upload",
    {name: call(api, after_another_call(use), text("http://server/key")) for name, (api, use) in UPLOADS.items()},
)
register(
    "upload",
    {
        "first_call": call(*UPLOADS["bytes"], text("http://server/key")),
        "import_character": call(
            "CharacterApi", after_another_call(lambda api: api.import_character(("c.tar.gz", b"x"))), said(5)
        ),
        "refused": call("CharacterApi", lambda api: api.upload_character_picture("c1", PNG), text("too large", 413)),
    },
)


# Running


@contextlib.contextmanager
def left_as_found() -> Iterator[None]:
    """Take back what a probe changes for all."""
    try:
        yield
    finally:
        sdk.Configuration.set_default(None)
        sdk.ApiClient.set_default(None)
        http.client.HTTPConnection.debuglevel = 0
        for name in ("freechat_sdk", "urllib3"):
            logger = logging.getLogger(name)
            logger.setLevel(logging.NOTSET)
            for handler in [*logger.handlers]:
                logger.removeHandler(handler)
                handler.close()


def generation() -> str:
    """Return the generation of the official package that is installed; of ours, both."""
    return {"2.0.0": "v1", "2.10.0": "v2"}.get(sdk.__version__, "both")


def run_all() -> Iterator[dict[str, Any]]:
    here = generation()
    for name, probe in PROBES.items():
        if here != "both" and here not in probe.generations:
            yield {"name": name, "outcome": NOT_HERE}
            continue
        with left_as_found(), contextlib.redirect_stdout(io.StringIO()):  # official debugging prints
            outcome = outcome_of(probe.function)
        yield {"name": name, "outcome": outcome}


def main() -> None:
    server.url = sys.argv[1]
    warnings.simplefilter("ignore")
    for line in run_all():
        print(json.dumps(line))


if __name__ == "__main__":
    main()
