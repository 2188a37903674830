"""Headers that cannot break out of their line, and those that nobody may set."""

from typing import Any

import pytest

from freechat_sdk import ApiTypeError, ApiValueError
from freechat_sdk._headers import build_headers, check_header, checked_headers

TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~aZ09"


def test_the_headers_of_a_request_begin_with_what_it_accepts() -> None:
    assert build_headers("text/plain", {"Content-Type": "a/b"}, None, {}, {}) == {
        "Accept": "text/plain",
        "Content-Type": "a/b",
    }


@pytest.mark.parametrize("name", ["Content-Length", "content-length", "Transfer-Encoding"])
def test_what_follows_from_the_body_cannot_be_set(name: str) -> None:
    with pytest.raises(ApiValueError, match=f"the header {name} follows from the body"):
        check_header(name, "1")


@pytest.mark.parametrize("letter", TOKEN_CHARACTERS)
def test_a_name_may_have_any_character_of_a_token(letter: str) -> None:
    assert check_header(letter, "") == (letter, "")


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\n", "ä", "a\x7f", 'a"'])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ApiValueError, match="invalid header name"):
        check_header(name, "")


@pytest.mark.parametrize("letter", [" ", "~", "\xa0", "\xff", "\t"])
def test_a_value_may_have_blanks_tabs_and_visible_latin_1(letter: str) -> None:
    assert check_header("X", letter) == ("X", letter)


@pytest.mark.parametrize("letter", ["\x1f", "\x7f", "\x80", "\x9f", "\u0100", "\r", "\n", "\0"])
def test_other_values_are_refused(letter: str) -> None:
    with pytest.raises(ApiValueError, match="invalid value of header X"):
        check_header("X", f"a{letter}b")


def test_numbers_are_taken_for_their_text_and_truth_values_are_not() -> None:
    assert checked_headers("_headers", {"X": 1, "Y": 2.5}) == {"X": "1", "Y": "2.5"}
    with pytest.raises(ApiTypeError, match="must be str"):
        checked_headers("_headers", {"X": True})


@pytest.mark.parametrize("headers", [{5: "x"}, {b"X": "x"}, {None: "x"}, {"X": b"x"}, {"X": None}, {5: 5}])
def test_names_and_values_of_another_type_are_refused(headers: Any) -> None:
    for source in ("_headers", "_request_auth"):
        with pytest.raises(ApiTypeError, match="must be str"):
            checked_headers(source, headers)


def test_the_error_names_the_argument() -> None:
    with pytest.raises(ApiTypeError, match=r"^_headers must be a dict"):
        build_headers("text/plain", {}, None, {}, {"_headers": ["X"]})


@pytest.mark.parametrize("auth", [None, {}])
def test_no_auth_is_no_header(auth: object) -> None:
    assert build_headers("text/plain", {}, None, {}, {"_request_auth": auth}) == {"Accept": "text/plain"}
