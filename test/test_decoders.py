"""Decoders: the bytes of a response become the value of its operation, or an error that says what came instead."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freechat_sdk import ApiDecodeError, ApiException, ChatMessageRecordDTO, ChatSessionDTO, LlmResultDTO
from freechat_sdk._decoders import Decoder, as_json, as_text, decode, is_html, nothing, optional, undecodable

E = TypeVar("E", bound=ApiException)
JSON = {"Content-Type": "application/json"}


@dataclass
class Response:
    """A response as a server sends it."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)

    def error(self, kind: type[E], **about: Any) -> E:
        return kind(200, method="GET", path="/thing/{thingId}", headers=self.headers, **about)


def read(decoder: Decoder[Any], body: bytes, headers: Mapping[str, str] = JSON) -> Any:
    return decode(decoder, Response(body, headers))


@pytest.mark.parametrize(
    ("decoder", "body", "value"),
    [
        (as_json(bool), b"true", True),
        (as_json(bool), b" false\n", False),
        (as_json(int), b"9007199254740993", 9007199254740993),
        (as_json(list[int]), b"[3,2]", [3, 2]),
        (as_json(list[ChatSessionDTO]), b"[]", []),
        (as_text, "[open_ai]gpt-4o 朋友".encode(), "[open_ai]gpt-4o 朋友"),
        (as_text, b"true", "true"),
        (nothing, b"anything", None),
        (optional(as_text), b"", None),
        (as_json(list[int]), b"", None),
    ],
)
def test_a_body_is_read_by_operation(decoder: Decoder[Any], body: bytes, value: object) -> None:
    assert read(decoder, body) == value


def test_a_model_is_read_with_every_field_that_came() -> None:
    result = read(as_json(LlmResultDTO), b'{"text":"Hi","finishReason":null,"newField":[1]}')
    assert (result.text, result.finish_reason, result.additional_properties) == ("Hi", None, {"newField": [1]})


@pytest.mark.parametrize(
    ("decoder", "body"),
    [
        (as_json(bool), b"1"),
        (as_json(bool), b'"true"'),
        (as_json(int), b"1.5"),
        (as_json(int), b"true"),
        (as_json(int), b'"1"'),
        (as_json(list[int]), b"{}"),
        (as_json(LlmResultDTO), b"[]"),
        (as_json(LlmResultDTO), b'{"text":'),
        (as_json(LlmResultDTO), b'{"text":3}'),
        (as_json(list[int]), b"[" * 100_000),
        (as_text, b"\xff\xfe"),
    ],
)
def test_another_shape_is_a_decode_error_with_the_body(decoder: Decoder[Any], body: bytes) -> None:
    with pytest.raises(ApiDecodeError, match=r"GET /thing/{thingId} returned 200 OK: the body is not ") as caught:
        read(decoder, body)
    assert (caught.value.body is not None, caught.value.headers) == (True, JSON)


def test_an_error_names_the_first_media_type_that_was_asked_for() -> None:
    with pytest.raises(ApiDecodeError, match=r"expected text/plain, got a/b2"):
        raise undecodable(Response(b"Hi", {"Content-Type": "a/b2;c=d"}), "text/plain, application/json")


@pytest.mark.parametrize(
    ("label", "body", "is_page"),
    [
        ("text/html", b"Welcome", True),
        ("TEXT/HTML;charset=UTF-8", b"Welcome", True),
        ("text/plain", b"<!DOCTYPE html>", True),
        ("text/plain", b"text/html", False),
        (None, b"Welcome", False),
    ],
)
def test_a_page_is_told_by_its_label_or_its_start(label: str | None, body: bytes, is_page: bool) -> None:
    assert is_html({} if label is None else {"Content-Type": label}, body) is is_page


@pytest.mark.parametrize("decoder", [as_text, as_json(bool)])
def test_a_web_page_is_not_a_value_and_the_error_asks_about_the_host(decoder: Decoder[Any]) -> None:
    with pytest.raises(ApiDecodeError, match="does not look like a FreeChat server"):
        read(decoder, b"<!DOCTYPE html>", {"Content-Type": "text/html;charset=UTF-8"})


@pytest.mark.parametrize(
    "start", ["<!DOCTYPE html>", "<!doctype  HTML>", "\r\n <html>", "\ufeff<HTML lang='de'>", "\ufeff\n<html\n>"]
)
@pytest.mark.parametrize("label", ["text/plain", "application/json", ""])
def test_a_web_page_under_another_label_is_recognised_by_its_start(start: str, label: str) -> None:
    for decoder in (as_text, as_json(bool)):
        with pytest.raises(ApiDecodeError, match="does not look like a FreeChat server"):
            read(decoder, f"{start}<body>Log in</body>".encode(), {"Content-Type": label})


@pytest.mark.parametrize("text", ["<htmlx>", "I like <html>", "<b>", "<!doctypehtml", "html", "<!-- x -->"])
def test_a_text_about_html_is_a_text(text: str) -> None:
    assert read(as_text, text.encode(), {"Content-Type": "text/plain"}) == text


def test_each_type_has_one_decoder_whose_validator_is_built_on_first_use() -> None:
    class Unused:
        """A type that nothing else decodes."""

    decoder = as_json(Unused)
    assert as_json(Unused) is decoder
    assert "decode" not in vars(decoder)
    numbers = as_json(list[int])
    assert numbers.decode(b"[1]") == [1]
    assert "decode" in vars(numbers)


@pytest.mark.parametrize("decoder", [as_text, as_json(bool), nothing, optional(as_json(int))])
def test_every_decoder_accepts_json_which_errors_come_in(decoder: Decoder[Any]) -> None:
    assert "application/json" in decoder.accept


def test_an_object_without_a_field_of_its_model_is_not_an_answer_of_freechat() -> None:
    with pytest.raises(ApiDecodeError, match="not the JSON that the operation returns"):
        read(as_json(LlmResultDTO), b'{"status":"UP"}')
    assert read(as_json(LlmResultDTO), b"{}") == LlmResultDTO()
    assert read(as_json(LlmResultDTO), b'{"status":"UP","text":null}').additional_properties == {"status": "UP"}


NAMES = st.sampled_from(["text", "message", "messageId", "contents", "gmtCreate", "tokenUsage", "role", "x", ""])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4))
DECODERS: dict[Any, Decoder[Any]] = {
    bool: as_json(bool),
    int: as_json(int),
    list[int]: as_json(list[int]),
    list[ChatMessageRecordDTO]: as_json(list[ChatMessageRecordDTO]),
    LlmResultDTO: as_json(LlmResultDTO),
    str: as_text,
}


@settings(deadline=None, max_examples=500)
@given(st.sampled_from(list(DECODERS)), VALUES.map(lambda value: json.dumps(value).encode()) | st.binary())
def test_any_body_is_a_value_of_the_right_type_or_a_decode_error(type_: Any, body: bytes) -> None:
    try:
        value = read(DECODERS[type_], body)
    except ApiDecodeError as error:
        assert error.status == 200  # noqa: PT017 - both outcomes are right
        return
    kind = get_origin(type_) or type_
    assert type(value) is kind or (value is None and body == b"")
    if value is not None and kind in (bool, int):
        assert json.loads(body) == value


@pytest.mark.parametrize(
    ("decoder", "accept"),
    [
        (as_json(int), "application/json"),
        (as_text, "text/plain, application/json"),
        (nothing, "application/json"),
        (optional(as_text), "text/plain, application/json"),
    ],
)
def test_a_decoder_asks_for_its_media_type_and_reads_the_whole_body(decoder: Decoder[Any], accept: str) -> None:
    assert (decoder.accept, decoder.is_stream) == (accept, False)


@pytest.mark.parametrize(
    ("decoder", "headers", "said"),
    [
        (as_json(int), {"Content-Type": "text/css"}, "expected application/json, got text/css"),
        (as_json(int), {}, "expected application/json, got no Content-Type"),
        (as_json(int), {"Content-Type": "application/json;charset=UTF-8"}, "the body is not JSON"),
        (as_text, {"Content-Type": "text/css"}, "the body is not text in UTF-8"),
    ],
)
def test_the_error_says_what_was_expected_and_what_came(
    decoder: Decoder[Any], headers: Mapping[str, str], said: str
) -> None:
    with pytest.raises(ApiDecodeError) as caught:
        read(decoder, b"\xff", headers)
    assert caught.value.message == said
