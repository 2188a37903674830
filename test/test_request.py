"""Requests as values: targets, headers, bodies."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freechat_sdk import ApiTypeError, ApiValueError, ChatUpdateDTO
from freechat_sdk._decoders import as_text
from freechat_sdk._headers import build_headers, check_header, merge_headers
from freechat_sdk._operation import READ, Operation, exactly_one
from freechat_sdk._pool import is_same_origin
from freechat_sdk._request import build_request, build_target, content_headers, encode_path_value

REFUSED = ["", ".", "..", "a/b", "a\\b", "50%", "a;b", "a\nb", "a\0", "\x7f", "\x85", "a\u2028", "\u2029", "\ud800"]


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
    ("value", "encoded"), [("[open_ai]gpt-4o", "%5Bopen_ai%5Dgpt-4o"), (-1, "-1"), ("a b", "a%20b")]
)
def test_a_path_value_is_percent_encoded(value: object, encoded: str) -> None:
    assert encode_path_value("name", value) == encoded


def test_a_query_leaves_out_what_is_not_given() -> None:
    query = {"asc": "1", "all": None, "text": "a b&c", "flag": True}
    assert build_target("/a", {}, query) == ("/a", "/a?asc=1&text=a%20b%26c&flag=true")
    assert build_target("/a", {}, {"asc": None}) == ("/a", "/a")


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
