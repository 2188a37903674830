"""Thinking and answer are told apart, whole and in parts cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freechat_sdk._thinking import ThinkingSplitter, split_thinking


@pytest.mark.parametrize(
    ("text", "answer", "thinking"),
    [
        ("Hello", "Hello", ""),
        ("", "", ""),
        ("<think>hm</think>Hello", "Hello", "hm"),
        ("<think>\nhm\n</think>\n\nHello", "Hello", "\nhm\n"),
        ('<THINK budget="5">hm</Think >Hello', "Hello", "hm"),
        ("One <think>a</think>two <think>b</think>three", "One two three", "ab"),
        ("<think>never closed", "", "never closed"),
        ("<think></think>Hello", "Hello", ""),
        ("<think>1 < 2 </b> <think></think>x", "x", "1 < 2 </b> <think>"),
        ("a < b and <b>bold</b> <thinker> </think>", "a < b and <b>bold</b> <thinker> </think>", ""),
        ("ends with <thi", "ends with <thi", ""),
        ("<think>ends with </thin", "", "ends with </thin"),
        ("  keeps its blanks", "  keeps its blanks", ""),
    ],
)
def test_a_whole_text_is_split(text: str, answer: str, thinking: str) -> None:
    assert split_thinking(text) == (answer, thinking)


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<Think a='1'>", "<", ">", "/", "think", " ", "\n", "x"])),
    st.data(),
)
def test_the_cuts_between_parts_do_not_matter(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)))))
    splitter = ThinkingSplitter()
    parts = [splitter.feed(text[start:end]) for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    answer = "".join([*parts, splitter.finish()])
    assert (answer, "".join(splitter.thinking)) == split_thinking(text)


def test_text_is_passed_on_as_soon_as_it_cannot_be_a_tag() -> None:
    splitter = ThinkingSplitter()
    assert [splitter.feed(part) for part in ["a ", "<", "t", "he>", "<thi", "nk>no", "</think>", "b"]] == [
        "a ",
        "",
        "",
        "<the>",
        "",
        "",
        "",
        "b",
    ]
