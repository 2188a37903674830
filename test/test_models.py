"""Models: what callers must give, what responses may lack, dates, unknown fields, secrets, conveniences."""

import copy
import inspect
import json
import pickle
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

import freechat_sdk
from freechat_sdk import (
    CharacterCreateDTO,
    ChatContentDTO,
    ChatContextDTO,
    ChatCreateDTO,
    ChatMessageDTO,
    ChatMessageRecordDTO,
    ChatPromptContentDTO,
    ChatSessionDTO,
    ChatUpdateDTO,
    LlmResultDTO,
    OpenAiParamDTO,
    PromptAiParamDTO,
    PromptRefDTO,
    TokenUsageDTO,
    UnknownFieldWarning,
)
from freechat_sdk._names import MODEL_MODULES
from test.recordings import SERVERS, exchanges

INSTANT = datetime(2024, 10, 18, 9, 42, 44, tzinfo=timezone.utc)
KEY = "sk-very-secret"

FORMS = [
    '"2024-10-18T09:42:44.000+00:00"',
    '"2024-10-18T09:42:44"',
    '"2024-10-18T09:42:44Z"',
    '"2024-10-18T17:42:44+08:00"',
    "1729244564000",
    '"Fri, 18 Oct 2024 09:42:44 GMT"',
]


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_date_is_one_instant_with_a_zone(form: str) -> None:
    read = ChatUpdateDTO.from_json(f'{{"gmtRead":{form}}}').gmt_read
    assert read == INSTANT
    assert read is not None
    assert read.tzinfo is not None


@pytest.mark.parametrize(("value", "year"), [(0, 1970), (1000, 1970), (19_000_000_000, 1970), (-1000, 1969)])
def test_numbers_are_milliseconds_however_small(value: int, year: int) -> None:
    read = ChatUpdateDTO.from_json(f'{{"gmtRead":{value}}}').gmt_read
    assert read == datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=value)
    assert read.year == year


INCOMPLETE = ["Monday", "October 2024", "2024-10", "2024/10", "18 Oct", "09:42", "Fri 09:42:44 GMT", "Oct 18 09:42"]
UNKNOWN_ZONES = ["Fri, 18 Oct 2024 09:42:44 CST", "Fri Oct 18 09:42:44 CET 2024", "18 Oct 2024 09:42 +9999"]
NOT_IN_UTC = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-05:00", "31 Dec 9999 23:59 -0500"]


@pytest.mark.parametrize("text", [*INCOMPLETE, *UNKNOWN_ZONES, *NOT_IN_UTC])
def test_a_date_that_is_incomplete_ambiguous_or_cannot_be_written_is_refused_without_a_warning(text: str) -> None:
    with pytest.raises(ValidationError) as given:  # warnings are errors
        ChatUpdateDTO.from_dict({"gmtRead": text})
    with pytest.raises(ValidationError) as received:
        ChatUpdateDTO.from_json(json.dumps({"gmtRead": text}))
    assert text not in f"{given.value}{received.value}"


@pytest.mark.parametrize(
    "text",
    [
        "Fri Oct 18 09:42:44 UTC 2024",
        "18 Oct 2024 17:42:44 +0800",
        "Oct 18, 2024 9:42:44 AM",
        "2024/10/18 09:42:44",
        "18 October 2024 09:42:44 Z",
    ],
)
def test_other_forms_of_a_whole_date_are_read(text: str) -> None:
    assert ChatUpdateDTO(gmt_read=text).gmt_read == INSTANT  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T14:00:00+14:00"])
def test_the_first_and_the_last_instant_are_read_and_written(text: str) -> None:
    written = ChatUpdateDTO(gmt_read=text).to_json()  # type: ignore[arg-type]
    assert ChatUpdateDTO.from_json(written).to_json() == written


@pytest.mark.parametrize("form", ["true", '""', '"soon"', "{}", "1e400"])
def test_what_is_not_a_date_is_refused(form: str) -> None:
    with pytest.raises(ValidationError):
        ChatUpdateDTO.from_json(f'{{"gmtRead":{form}}}')


@pytest.mark.parametrize(
    "value",
    [
        INSTANT,
        INSTANT.replace(tzinfo=None),
        INSTANT.astimezone(timezone(timedelta(hours=8))),
        "2024-10-18T09:42:44",
        1729244564000,
    ],
)
def test_a_date_is_sent_in_utc_with_a_z(value: Any) -> None:
    assert ChatUpdateDTO(gmt_read=value).to_json() == '{"gmtRead":"2024-10-18T09:42:44Z"}'


def test_a_text_that_is_too_long_for_a_date_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="Input should be a date"):
        ChatUpdateDTO.from_json(f'{{"gmtRead":"{"1" * 3_000_000}"}}')


@pytest.mark.parametrize(
    "build", [ChatUpdateDTO.model_validate, lambda given: ChatUpdateDTO.from_json(json.dumps(given))]
)
def test_a_wrong_date_is_one_error_at_its_field(build: Callable[[object], object]) -> None:
    with pytest.raises(ValidationError) as caught:
        build({"gmtRead": "soon"})
    (line,) = caught.value.errors()
    assert line["loc"] == ("gmtRead",)
    assert line["msg"].startswith("Input should be a date such as 2026-08-20T05:03:02Z")


def test_a_date_set_later_is_sent_in_utc_too() -> None:
    update = ChatUpdateDTO()
    update.gmt_read = INSTANT.replace(tzinfo=None, microsecond=5000)
    assert update.to_json() == '{"gmtRead":"2024-10-18T09:42:44.005000Z"}'


def test_a_mandatory_field_is_required_of_callers_and_optional_in_responses() -> None:
    for wrong in ({}, {"content": None}, {"type": "text"}):
        with pytest.raises(ValidationError, match="Field required"):
            ChatContentDTO(**wrong)
        with pytest.raises(ValidationError, match="Field required"):
            ChatMessageDTO.from_dict({"contents": [wrong]})
    message = ChatMessageDTO.from_json('{"contents":[{"type":"text","content":null},{}]}')
    assert [part.content for part in message.contents or []] == [None, None]


def test_both_names_of_a_field_are_taken() -> None:
    assert ChatCreateDTO(character_uid="a") == ChatCreateDTO.from_dict({"characterUid": "a"})
    assert ChatCreateDTO.model_validate({"character_uid": "a"}).to_dict() == {"characterUid": "a"}


@pytest.mark.parametrize("wrong", ["5", True, 1.5])
def test_an_int_takes_neither_str_nor_bool(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        TokenUsageDTO(input_token_count=wrong)
    with pytest.raises(ValidationError):
        ChatContentDTO(content=5)  # type: ignore[arg-type]


def test_null_and_absent_are_one() -> None:
    assert LlmResultDTO.from_json('{"text":null}').to_dict() == LlmResultDTO.from_json("{}").to_dict() == {}


def test_unknown_fields_are_kept_and_sent_back() -> None:
    text = '{"about":"a","newField":{"deep":[1]}}'
    update = ChatUpdateDTO.from_json(text)
    assert update.additional_properties == {"newField": {"deep": [1]}}
    assert (update.to_json(), update.to_dict()["newField"]) == (text, {"deep": [1]})
    update.additional_properties["more"] = 1
    assert ChatUpdateDTO.from_dict(update.to_dict()) == update


def test_a_model_of_nothing_is_nothing() -> None:
    assert ChatUpdateDTO.from_dict(None) is None


def test_to_dict_holds_json_names_and_dates() -> None:
    record = ChatMessageRecordDTO.from_json('{"message":{"role":"user"},"gmtCreate":1729244564000,"ext":null}')
    assert record.to_dict() == {"message": {"role": "user"}, "gmtCreate": INSTANT}


def test_secrets_are_masked_in_print_and_kept_in_data() -> None:
    create = ChatCreateDTO(character_uid="a", api_key_value=KEY)
    session = ChatSessionDTO.from_dict({"context": {"backendId": "b", "apiKeyValue": KEY}})
    for shown in (repr(create), str(create), create.to_str(), repr(session), session.to_str()):
        assert KEY not in shown
        assert "***" in shown
    assert create.to_dict()["apiKeyValue"] == create.api_key_value == KEY
    assert KEY in create.to_json()
    assert "***" not in repr(ChatContextDTO(backend_id="b"))


def test_a_refused_value_is_not_shown() -> None:
    with pytest.raises(ValidationError) as caught:
        ChatCreateDTO(character_uid="a", api_key_value=[KEY])  # type: ignore[arg-type]
    assert KEY not in f"{caught.value}{caught.value!r}"


def test_a_text_stands_for_a_message_from_the_user() -> None:
    message = ChatMessageDTO.user("Hi")
    assert message.to_dict() == {"role": "user", "contents": [{"type": "text", "content": "Hi"}]}
    assert ChatMessageRecordDTO.model_validate({"message": "Hi"}).message == message
    assert ChatPromptContentDTO.model_validate({"messages": ["Hi", {"role": "user"}]}).messages == [
        message,
        ChatMessageDTO(role="user"),
    ]
    with pytest.raises(ValidationError):
        ChatMessageRecordDTO.from_json('{"message":"Hi"}')


def test_assigning_to_a_field_validates_and_converts() -> None:
    message = ChatMessageDTO()
    message.contents = [{"type": "text", "content": "Hi"}]  # type: ignore[list-item]
    assert message.contents == [ChatContentDTO(type="text", content="Hi")]
    record = ChatMessageRecordDTO()
    record.message = "Hi"  # type: ignore[assignment]
    assert record.message == ChatMessageDTO.user("Hi")
    record.gmt_create = "2024-10-18T09:42:44"  # type: ignore[assignment]
    assert record.gmt_create == INSTANT


def test_a_wrong_value_is_refused_on_assignment_and_not_shown() -> None:
    message = ChatMessageDTO(role="user")
    with pytest.raises(ValidationError, match="role") as caught:
        message.role = [KEY]  # type: ignore[assignment]
    assert KEY not in f"{caught.value}{caught.value.errors()}"
    assert message.role == "user"
    create = ChatCreateDTO(character_uid="a")
    with pytest.raises(ValidationError, match="required"):
        create.character_uid = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("contets", "nearest name is 'contents'"),
        ("messageId", "nearest name is 'message_id'"),
        ("xyz", "additional_prop"),
    ],
)
def test_an_unknown_name_is_refused_on_assignment_with_the_way_out(name: str, way_out: str) -> None:
    message = ChatMessageDTO()
    with pytest.raises(ValueError, match=way_out):
        setattr(message, name, 5)
    assert message.additional_properties == {}


def test_additional_properties_are_given_replaced_and_changed() -> None:
    with pytest.warns(UnknownFieldWarning, match="no field later"):
        message = ChatMessageDTO(role="user", additional_properties={"mood": "good"}, later=1)  # type: ignore[call-arg]
    assert message.to_dict() == {"role": "user", "mood": "good", "later": 1}
    message.additional_properties = {"mood": "bad"}
    message.additional_properties["deep"] = {"a": 1}
    assert json.loads(message.to_json()) == {"role": "user", "mood": "bad", "deep": {"a": 1}}
    message.mood = "fine"  # one that is there
    assert message.additional_properties == {"mood": "fine", "deep": {"a": 1}}


def test_a_json_schema_states_the_required_fields() -> None:
    assert ChatCreateDTO.model_json_schema()["required"] == ["characterUid"]


def test_a_dump_has_python_names_unless_json_names_are_asked_for() -> None:
    record = ChatMessageRecordDTO(message_id=1)
    assert record.model_dump(exclude_none=True) == {"message_id": 1}
    assert record.model_dump(exclude_none=True, by_alias=True) == record.to_dict() == {"messageId": 1}
    assert json.loads(record.model_dump_json(exclude_none=True)) == {"message_id": 1}


@pytest.mark.parametrize("items", [("a", "b"), {"a": 1, "b": 2}.keys(), iter(["a", "b"]), (item for item in "ab")])
def test_a_list_field_takes_any_iterable(items: Any) -> None:
    assert CharacterCreateDTO(name="n", tags=items).tags == ["a", "b"]


@pytest.mark.parametrize("items", ["ab", b"ab", {"a": 1}, (1, 2)])
def test_a_list_field_takes_neither_text_nor_items_of_another_type(items: Any) -> None:
    with pytest.raises(ValidationError):
        CharacterCreateDTO(name="n", tags=items)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"messageId":3}', 3),
        ('{"message":{"messageId":4}}', 4),
        ('{"message":{"messageId":4},"messageId":3}', 3),
        ('{"message":{}}', None),
        ("{}", None),
    ],
)
def test_a_record_finds_its_id_wherever_it_is(text: str, expected: int | None) -> None:
    record = ChatMessageRecordDTO.from_json(text)
    assert record.id == expected
    assert "id" not in record.to_dict()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"text":"a"}', "a"),
        (
            '{"message":{"contents":[{"content":"a"},{"type":"text","content":"b"},{"type":"image","content":"x"}]}}',
            "ab",
        ),
        ('{"message":{}}', ""),
        ("{}", None),
    ],
)
def test_the_answer_is_found_in_text_or_message(text: str, expected: str | None) -> None:
    assert LlmResultDTO.from_json(text).answer == expected


@pytest.mark.parametrize("name", [name for name in MODEL_MODULES if name != "SseEmitter"])
def test_every_model_pickles_and_copies(name: str) -> None:
    model = getattr(freechat_sdk, name).from_json('{"unknown":{"a":1}}')
    assert pickle.loads(pickle.dumps(model)) == copy.deepcopy(model) == model


def test_free_fields_take_plain_numbers_and_nested_values() -> None:
    variables = {"word": "hi", "count": 3, "share": 0.5, "is": True, "deep": {"list": [1, {"a": None}]}}
    ref = PromptRefDTO(prompt_id=1, variables=variables)
    assert json.loads(ref.to_json())["variables"] == variables
    params = PromptAiParamDTO(prompt_ref=ref, params={"modelId": "[open_ai]gpt-4o", "temperature": 0, "stop": ["x"]})
    assert PromptAiParamDTO.from_json(params.to_json()) == params


SECRET_WORDS = ("token", "secret", "password", "apikeyvalue", "apikey")
NO_SECRETS = {"tokenUsage", "inputTokenCount", "outputTokenCount", "totalTokenCount"}


@pytest.mark.parametrize("name", sorted(MODEL_MODULES.keys() - {"SseEmitter"}))
def test_no_model_prints_what_looks_like_a_credential(name: str) -> None:
    model = getattr(freechat_sdk, name)
    fields = {
        to_camel(field): "planted-credential"
        for field in model.model_fields
        if to_camel(field).lower().endswith(SECRET_WORDS) and to_camel(field) not in NO_SECRETS
    }
    value = model.from_json(json.dumps(fields))
    assert "planted-credential" not in f"{value!r} {value!s} {value.to_str()}"
    assert list(value.to_dict().values()) == ["planted-credential"] * len(fields)


@pytest.mark.parametrize("build_first", [False, True])
def test_a_signature_shows_python_names_plain_types_and_what_must_be_given(build_first: bool) -> None:
    if build_first:
        OpenAiParamDTO.model_rebuild()
    shown = inspect.signature(OpenAiParamDTO)
    assert str(shown).startswith(
        "(*, api_key: str | None = None, api_key_name: str | None = None, model_id: str, base_url"
    )
    assert str(shown).endswith("stop: list[str] | None = None, **additional_properties: Any)")
    record = inspect.signature(ChatMessageRecordDTO).parameters
    assert record["gmt_create"].annotation == datetime | None
    assert record["message"].annotation == ChatMessageDTO | None
    assert inspect.signature(PromptAiParamDTO).parameters["params"].annotation == dict[str, Any]


def test_a_class_of_the_users_own_has_a_signature_with_its_fields() -> None:
    class Mine(ChatCreateDTO):
        mood: str = "good"

    assert str(inspect.signature(Mine).parameters["mood"]) == "mood: str = 'good'"
    assert inspect.signature(Mine).parameters["character_uid"].default is inspect.Parameter.empty


@pytest.mark.parametrize("name", sorted(MODEL_MODULES.keys() - {"SseEmitter"}))
def test_help_describes_each_field(name: str) -> None:
    model = getattr(freechat_sdk, name)
    described = (inspect.getdoc(model) or "").partition("\nAttributes:\n")[2]
    assert re.findall(r"(?m)^    (\w+): \S", described) == list(model.model_fields)
    assert list(inspect.signature(model).parameters) == [*model.model_fields, "additional_properties"]


def test_a_repr_shows_what_is_there() -> None:
    assert repr(ChatMessageDTO(role="user", contents=[])) == "ChatMessageDTO(role='user', contents=[])"
    assert repr(ChatMessageDTO.from_json('{"mood":null,"role":null,"later":0}')) == "ChatMessageDTO(later=0)"


def test_a_record_and_a_session_have_shortcuts_that_are_never_none() -> None:
    record = ChatMessageRecordDTO.from_json(
        '{"message":{"role":"user","contents":[{"content":"a"},{"type":"image","content":"x"},{"type":"text"}]}}'
    )
    assert (record.text, record.role) == ("a", "user")
    for empty in ("{}", '{"message":{}}', '{"message":{"contents":[{"type":"image","content":"x"}]}}'):
        assert (ChatMessageRecordDTO.from_json(empty).text, ChatMessageRecordDTO.from_json(empty).role) == ("", "")
    assert ChatSessionDTO.from_json('{"context":{"chatId":"c"}}').chat_id == "c"
    assert [ChatSessionDTO.from_json(empty).chat_id for empty in ("{}", '{"context":{}}')] == ["", ""]
    assert ChatSessionDTO.from_json("{}").character is None
    assert record.to_dict().keys() == {"message"}


def recorded(name: str) -> Iterator[dict[str, Any]]:
    """Yield each object under a name in a list of chats or of messages, of all servers."""
    for server in SERVERS:
        for exchange in exchanges(server, "ChatApi"):
            if exchange.status == 200 and exchange.method_name.rstrip("0123456789") == name:
                yield from json.loads(exchange.body)


def test_the_recorded_servers_always_send_what_is_typed_without_none() -> None:
    sessions, records = list(recorded("list_chats")), list(recorded("list_messages"))
    assert len(sessions) > 20
    assert len(records) > 100
    assert [session for session in sessions if not (session["character"] and session["context"]["chatId"])] == []
    assert [record for record in records if not record["message"]["role"]] == []


def test_a_notebook_shows_answers_and_records_as_markdown() -> None:
    result = LlmResultDTO.from_json('{"text":"<think>Hm.</think>**Hi**"}')
    assert result._repr_markdown_() == "**Hi**"
    assert LlmResultDTO()._repr_markdown_() is None
    record = ChatMessageRecordDTO(message=ChatMessageDTO.user("- a\n- b"))
    assert record._repr_markdown_() == "**user**\n\n- a\n- b"


def test_importing_and_building_a_model_makes_no_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr("freechat_sdk._model.Signature", made.append)

    class Mine(ChatUpdateDTO):
        mood: str = "good"

    assert Mine.from_json("{}").to_dict() == Mine().to_dict() == {"mood": "good"}
    assert made == []
    _ = Mine.__signature__
    assert len(made) == 1
