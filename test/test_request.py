"""Requests as values: targets, headers, bodies."""

from enum import Enum
from math import inf, nan
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from freechat_sdk import (
    ApiClient,
    ApiTypeError,
    ApiValueError,
    ChatMessageDTO,
    ChatUpdateDTO,
    Configuration,
    OpenAiParamDTO,
    PromptRefDTO,
)
from freechat_sdk._decoders import as_text
from freechat_sdk._headers import build_headers, check_header, checked_headers, merge_headers
from freechat_sdk._operation import READ, Operation, exactly_one
from freechat_sdk._pool import is_same_origin
from freechat_sdk._request import (
    Request,
    build_request,
    build_target,
    content_headers,
    encode_path_value,
    json_bytes,
)

REFUSED = ["", ".", "..", "a/b", "a\\b", "50%", "a;b", "a\nb", "a\0", "\x7f", "\x85", "a\u2028", "\u2029"]
REFUSED += ["\x1f", "\x7f", "\x9f", "\ud800", "\udfff"]


@pytest.mark.parametrize("value", REFUSED)
def test_a_value_that_cannot_stand_in_a_path_is_refused_by_name(value: str) -> None:
    with pytest.raises(ApiValueError, match="assistant_uid"):
        encode_path_value("assistantUid", value)


def test_the_refusal_names_the_character() -> None:
    with pytest.raises(ApiValueError, match=r"';' \(U\+003B\)"):
        encode_path_value("chatId", "a;b")


@given(st.text(min_size=1))
def test_a_path_value_stays_in_its_place_and_comes_back_whole(value: str) -> None:
    try:
        encoded = encode_path_value("name", value)
    except ApiValueError:
        return
    assert unquote(encoded) == value
    assert not set(encoded) & set('/\\?#;[]| "<>')
    assert encoded not in (".", "..")


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("[open_ai]gpt-4o", "%5Bopen_ai%5Dgpt-4o"),
        (-1, "-1"),
        ("a b", "a%20b"),
        ("~x", "~x"),
        ("\xa0", "%C2%A0"),
        ("\ud7ff", "%ED%9F%BF"),
        ("\ue000", "%EE%80%80"),
    ],
)
def test_a_path_value_is_percent_encoded(value: object, encoded: str) -> None:
    assert encode_path_value("name", value) == encoded


def test_a_query_leaves_out_what_is_not_given() -> None:
    query = {"asc": "1", "all": None, "text": "a b&c", "flag": True}
    assert build_target("/a", {}, query) == ("/a", "/a?asc=1&text=a%20b%26c&flag=true")
    assert build_target("/a", {}, {"asc": None}) == ("/a", "/a")
    assert build_target("/a", {}, {"flag": False}) == ("/a", "/a?flag=false")


@pytest.mark.parametrize("text", ["é", "\ud7ff", "\ue000", "\U0001f600"])
def test_a_query_holds_any_character(text: str) -> None:
    assert unquote(build_target("/a", {}, {"a": text})[1]) == f"/a?a={text}"


def test_a_model_in_a_query_becomes_a_parameter_for_each_field() -> None:
    query = {"filter": ChatUpdateDTO(user_nickname="Chief", about=None)}
    assert build_target("/a", {}, query) == ("/a", "/a?userNickname=Chief")


def test_the_template_ends_before_a_value_that_is_not_given() -> None:
    values = {"a": "1", "b": None, "c": None}
    assert build_target("/x/{a}/{b}/{c}", values, {}) == ("/x/{a}", "/x/1")


def test_a_request_shows_its_path_without_values() -> None:
    request = build_request(Operation("GET", "/chat/{id}", as_text, {}, retry=READ, path={"id": "secret"}), "/v1", {})
    assert (repr(request), request.target) == ("Request(GET /chat/{id})", "/v1/chat/secret")
    assert Request("GET", "/a", "/a", {}, None, READ).retry_busy is False


def test_a_body_holds_json_names_and_no_none() -> None:
    operation = Operation(
        "PUT", "/chat", as_text, {}, retry=READ, body=ChatUpdateDTO(user_nickname="Chief", about=None)
    )
    assert build_request(operation, "/api/v1", {}).body == b'{"userNickname":"Chief"}'


def test_merging_headers_changes_neither_of_them() -> None:
    first, second = {"Accept": "a", "X": "1"}, {"accept": "b"}
    assert merge_headers(first, second) == {"accept": "b", "X": "1"}
    assert (first, second) == ({"Accept": "a", "X": "1"}, {"accept": "b"})


def test_the_content_type_can_be_set_only_for_a_body() -> None:
    options = {"_content_type": "application/vnd.api+json"}
    assert content_headers({}, options) == {"Content-Type": "application/vnd.api+json"}
    assert content_headers({}, {}) == {"Content-Type": "application/json"}
    assert content_headers(None, options) == {}
    with pytest.raises(ApiValueError, match="Content-Type"):
        content_headers({}, {"_content_type": "a\r\nX: 1"})


def test_a_cookie_can_stand_in_for_the_token() -> None:
    auth = {"in": "cookie", "key": "session", "value": "session=1"}
    assert build_headers("a", {}, None, {}, {"_request_auth": auth})["Cookie"] == "session=1"


@pytest.mark.parametrize("name", ["", "A B", "A:", "Ä", "A\n"])
def test_a_header_name_is_a_token(name: str) -> None:
    with pytest.raises(ApiValueError, match="invalid header name"):
        check_header(name, "x")


@pytest.mark.parametrize("value", ["a\nb", "a\r", "\0", "€", "\x7f"])
def test_a_header_value_stays_in_its_line(value: str) -> None:
    with pytest.raises(ApiValueError, match="X-Trace"):
        check_header("X-Trace", value)


class Word(str, Enum):
    """A str whose `str()` is not its value."""

    VALUE = "X-Word"


def test_a_subclass_of_str_goes_out_as_its_value_wherever_a_header_is_given() -> None:
    options = {"_headers": {Word.VALUE: Word.VALUE}}
    assert build_headers("a", {}, None, {}, options)["X-Word"] == "X-Word"
    for auth, expected in (
        ({"in": "header", "key": Word.VALUE, "value": Word.VALUE}, {"X-Word": "X-Word"}),
        ({"in": "cookie", "key": Word.VALUE, "value": Word.VALUE}, {"Cookie": "X-Word=X-Word"}),
    ):
        assert build_headers("a", {}, None, {}, {"_request_auth": auth}) == {"Accept": "a", **expected}
    assert {type(value) for value in checked_headers("_headers", {Word.VALUE: Word.VALUE}).values()} == {str}


class Disguised(str):
    """A header name that calls itself by another one."""

    def lower(self) -> str:
        return "x-harmless"


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", Disguised("Content-Length")])
def test_headers_that_tell_where_the_body_ends_cannot_be_set(name: str) -> None:
    for options in ({"_headers": {name: "5"}}, {"_request_auth": {"in": "header", "key": name, "value": "5"}}):
        with pytest.raises(ApiValueError, match="follows from the body"):
            build_headers("a", {}, None, {}, options)
    with pytest.raises(ApiValueError, match="follows from the body"):
        ApiClient(Configuration(), name, "5")


NO_JSON: list[Any] = [nan, [inf], {"a": -inf}, "\ud800", {"\ud800": 1}, {"a": {"b": ["\udfff"]}}, object()]
MODELS: list[Any] = [
    OpenAiParamDTO(model_id="m", temperature=nan),
    ChatMessageDTO.user("\ud800"),
    ChatUpdateDTO.from_dict({"unknown": {"deep": [inf]}}),
    PromptRefDTO(prompt_id=1, variables={"share": nan}),
]


@pytest.mark.parametrize("body", [*NO_JSON, *MODELS], ids=ascii)
def test_a_body_that_json_cannot_hold_is_refused(body: object) -> None:
    with pytest.raises(ApiValueError, match="JSON cannot hold"):
        build_request(Operation("POST", "/a", as_text, {}, retry=READ, body=body), "", {})


def test_a_text_may_speak_of_nan_and_infinity() -> None:
    body = {"a": "NaN, Infinity, \U0001f600", "b": None}
    assert from_json(json_bytes(body)) == body
    assert json_bytes(ChatUpdateDTO(user_nickname="NaN")) == b'{"userNickname":"NaN"}'


@pytest.mark.parametrize("value", [nan, inf, "\ud800", chr(0xDFFF)])
def test_a_query_that_cannot_be_sent_is_refused(value: object) -> None:
    with pytest.raises(ApiValueError):
        build_target("/a", {}, {"a": value})


def test_exactly_one_of_two_names_is_given() -> None:
    assert exactly_one(a=1, b=None) == 1
    assert exactly_one(a=0, b=None) == 0
    with pytest.raises(ApiTypeError, match="a and b, not 0"):
        exactly_one(a=None, b=None)
    with pytest.raises(ApiTypeError, match="a and b, not 2"):
        exactly_one(a=1, b=2)


def test_an_origin_is_scheme_host_and_port() -> None:
    assert is_same_origin("http://a/b", "http://A:80/c")
    assert not is_same_origin("http://a/b", "https://a/b")
    assert not is_same_origin("http://a.evil/b", "http://a/b")
    assert not is_same_origin("http://a:81", "http://a")


@pytest.mark.parametrize(
    "same", ["HTTP://A", "http://a:80", "http://a:0080", "http://a?b", "http://a#b", "http://u:p@a/", "http://a:/"]
)
def test_an_origin_may_be_written_in_many_ways(same: str) -> None:
    assert is_same_origin(same, "http://a")


@pytest.mark.parametrize(
    "other",
    [
        "http://a.",  # a name of its own for urllib3, and for certificates
        "http://a@b",
        "http://b#@a",
        "http://b?@a",
        "http://b/@a",
        "http://[::1]",
        "http://xn--a",
    ],
)
def test_what_only_looks_like_the_origin_is_another(other: str) -> None:
    assert not is_same_origin(other, "http://a")


UNCLEAR = [
    "http://b\\@a",
    "http://b/\\@a",
    "http://b\t@a",
    "\thttp://a",
    " http://a",
    "http://a/ b",
    "http://a/\r\nX: 1",
    "http://a/\u2028",
    "http://a/\xad",
    "http://a/\ud800",
    "http:///",
    "http://",
    "http:a",
    "//a",
    "a",
    "",
    "ftp://a",
    "http://b%40a",
    "http://a:x",
    "http://a:99999",
    "http://a:1:2",
    "http://[::1",
    "http://\uff11\uff12\uff17.0.0.1",
    "http://a\uff0f@b",
]


@pytest.mark.parametrize("address", UNCLEAR, ids=ascii)
def test_an_address_that_parsers_read_differently_is_refused_or_another_origin(address: str) -> None:
    try:
        assert not is_same_origin(address, "http://a")
    except ApiValueError as error:
        assert "address" in str(error)  # noqa: PT017 - both are safe
