"""A name that is not a field: kept, sent, and warned of where a caller gives it, never in what a server sends."""

import linecache
import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from pydantic import Field, TypeAdapter

import freechat_sdk
from freechat_sdk import (
    CharacterApi,
    CharacterQueryDTO,
    ChatContentDTO,
    ChatMessageDTO,
    ChatSessionDTO,
    LlmResultDTO,
    PromptApi,
    PromptRefDTO,
    UnknownFieldWarning,
)
from freechat_sdk._decoders import as_json
from freechat_sdk._model import Model
from freechat_sdk._names import MODEL_MODULES
from test.clients import api_of, chat_api
from test.server import json_response

MODELS: list[type[Model]] = [getattr(freechat_sdk, name) for name in sorted(MODEL_MODULES.keys() - {"SseEmitter"})]


def warned(build: Callable[[], object]) -> list[str]:
    """Return the starts of the warnings that a call gives, each at a line of this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build()
    assert {warning.filename for warning in caught} <= {__file__}
    assert {warning.category for warning in caught} <= {UnknownFieldWarning}
    return [str(warning.message).partition("?")[0].partition(". ")[0] for warning in caught]


def built(model: type[Model], **values: Any) -> Model:
    return model(**values)


def test_a_keyword_that_is_not_a_field_is_sent_and_warns_with_the_nearest_name() -> None:
    with pytest.warns(UnknownFieldWarning) as caught:
        query = built(CharacterQueryDTO, page_nmu=1)
    (warning,) = caught
    assert str(warning.message) == (
        "CharacterQueryDTO has no field page_nmu; did you mean page_num? It is kept and sent as it was given."
    )
    assert query.to_json() == '{"page_nmu":1}'


@pytest.mark.parametrize(
    ("model", "values", "said"),
    [
        (CharacterQueryDTO, {"pageNmu": 1}, ["CharacterQueryDTO has no field pageNmu; did you mean page_num"]),
        (CharacterQueryDTO, {"colour": 1}, ["CharacterQueryDTO has no field colour"]),
        (CharacterQueryDTO, {"page num\n": 1}, ["CharacterQueryDTO has no field 'page num\\n'; did you mean page_num"]),
        (CharacterQueryDTO, {"page_num": 1, "pageSize": 2, "where": None, "additional_properties": {"x": 1}}, []),
        (
            CharacterQueryDTO,
            {"where": {"nmae": "x", "tags": ["a"]}},
            ["CharacterQueryWhere has no field nmae; did you mean name"],
        ),
        (
            ChatMessageDTO,
            {"contents": [{"content": "a", "typ": "text"}, ChatContentDTO(content="b")]},
            ["ChatContentDTO has no field typ; did you mean type"],
        ),
        (ChatMessageDTO, {"contents": ({"content": "a", "typ": "text"},)}, ["ChatContentDTO has no field typ"]),
        (PromptRefDTO, {"prompt_id": 1, "variables": {"wrod": {"prompt_di": 1}}}, []),
        (LlmResultDTO, {"message": "Hi"}, []),
        (LlmResultDTO, {"message": {"roel": "user"}}, ["ChatMessageDTO has no field roel; did you mean role"]),
    ],
)
def test_dicts_in_the_values_are_looked_at_and_nothing_else(
    model: type[Model], values: dict[str, Any], said: list[str]
) -> None:
    found = warned(lambda: built(model, **values))
    assert [line[: len(start)] for line, start in zip(found, said, strict=True)] == said


def test_the_warning_of_a_model_names_the_line_of_the_caller() -> None:
    with pytest.warns(UnknownFieldWarning) as caught:
        CharacterQueryDTO(colour=1)  # type: ignore[call-arg]
    (warning,) = caught
    assert linecache.getline(warning.filename, warning.lineno).strip().startswith("CharacterQueryDTO(colour=1)")
    advice = "It is kept and sent; pass it in additional_properties if that is intended."
    assert str(warning.message) == f"CharacterQueryDTO has no field colour. {advice}"


def test_the_warning_of_a_call_names_the_line_of_the_caller() -> None:
    body: Any = {"contnts": []}
    with chat_api(json_response({})) as (chats, _), pytest.warns(UnknownFieldWarning) as caught:
        chats.send_message("c", body)
    (warning,) = caught
    assert linecache.getline(warning.filename, warning.lineno).strip() == 'chats.send_message("c", body)'


def test_a_field_of_the_users_own_has_the_json_name_that_its_class_gives_it() -> None:
    class Mine(CharacterQueryDTO):
        order_of_tags: str = Field("name", alias="tagOrder")

    assert warned(lambda: built(Mine, tagOrder="a", order_of_tags="b")) == []
    (said,) = warned(lambda: built(Mine, orderOfTags="a"))
    assert said == "Mine has no field orderOfTags; did you mean order_of_tags"


def test_a_model_that_was_read_is_passed_on_without_a_warning() -> None:
    message = ChatMessageDTO.from_json('{"role":"user","mood":"good","contents":[{"content":"a","new":1}]}')
    assert warned(lambda: built(LlmResultDTO, message=message)) == []


@pytest.mark.parametrize("model", MODELS)
def test_no_name_of_a_field_warns(model: type[Model]) -> None:
    names = [*model.model_fields, *model.model_json_schema()["properties"]]
    assert [name for name in names if not known(model, name)] == []


def known(model: type[Model], name: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnknownFieldWarning)
        try:
            built(model, **{name: None})
        except UnknownFieldWarning:
            return False
        except ValueError:  # a required field that is missing
            return True
    return True


def test_a_dict_that_is_the_body_of_a_call_warns_at_the_line_of_the_call_and_is_sent() -> None:
    body: Any = {"role": "user", "contnts": []}
    with chat_api(json_response({})) as (chats, server):
        found = warned(lambda: chats.send_message("c", body))
        found += warned(lambda: chats.send_message("c", chat_message_dto=body, _headers={"x-roel": "a"}))
    assert found == ["ChatMessageDTO has no field contnts; did you mean contents"] * 2
    assert server.requests[0].json == body


def test_dicts_in_a_list_that_is_the_body_of_a_call_warn() -> None:
    queries: Any = [{"pageNum": 1}, {"page_nmu": 1}]
    with api_of(CharacterApi, json_response([[]])) as (characters, _):
        found = warned(lambda: characters.batch_search_character_summary(queries))
    assert found == ["CharacterQueryDTO has no field page_nmu; did you mean page_num"]


def test_the_warning_comes_before_the_error_that_it_explains() -> None:
    body: Any = {"promtp_id": 1}
    with (
        api_of(PromptApi, json_response({})) as (prompts, server),
        pytest.warns(UnknownFieldWarning, match="did you mean prompt_id"),
        pytest.raises(ValueError, match="required"),
    ):
        prompts.apply_prompt_ref(body)
    assert server.requests == []


def calls_of_python(run: Callable[[], object]) -> list[str]:
    """Return the functions of Python that run, one after the other."""
    seen: list[str] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            seen.append(getattr(frame.f_code, "co_qualname", frame.f_code.co_name))  # co_qualname: Python 3.11

    run()  # what is built on first use
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return seen


SESSION = """{
    "context": {"chatId": "c", "backendId": "b", "nwe": 1},
    "character": {"nmae": "x"},
    "latestMessageRecord": {"message": {"roel": "user"}}
}"""


def test_reading_a_response_warns_of_nothing_and_runs_no_function_of_python() -> None:
    decode = as_json(ChatSessionDTO).decode
    assert decode(SESSION.encode()).additional_properties == {}
    assert calls_of_python(lambda: decode(SESSION.encode())) == calls_of_python(lambda: None)


def test_from_dict_and_from_json_warn_of_nothing_and_run_only_themselves() -> None:
    plain: Any = TypeAdapter(dict[str, Any]).validate_json(SESSION)
    for run, validate in (
        (lambda: ChatSessionDTO.from_dict(plain), lambda: ChatSessionDTO.model_validate(plain)),
        (lambda: ChatSessionDTO.from_json(SESSION), lambda: ChatSessionDTO.model_validate_json(SESSION)),
    ):
        extra = len(calls_of_python(run)) - len(calls_of_python(validate))
        assert extra == 2  # the method and its seal
