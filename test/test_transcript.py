"""to_records and to_markdown: messages of a sandbox, and such as only other servers or models make."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from freechat_sdk import (
    ApiClient,
    ChatContentDTO,
    ChatMessageDTO,
    ChatMessageRecordDTO,
    Conversation,
    to_markdown,
    to_records,
)
from freechat_sdk.sandbox import Sandbox
from test.clients import configured

KEYS = ["id", "time", "role", "name", "text", "thinking"]


@pytest.fixture(params=["2.0.0", "2.6.0", "2.9.0"])
def conversation(request: pytest.FixtureRequest) -> Iterator[Conversation]:
    def thinks(prompt: object) -> str:
        return "<think>What now?</think>Hello to you"

    with (
        Sandbox(release=request.param, faithful=True, model=thinks) as sandbox,
        ApiClient(configured(sandbox.host, access_token=sandbox.token, api_version="auto")) as client,
    ):
        yield Conversation.open(client, sandbox.character.uid)


def record(role: str | None, *parts: ChatContentDTO, thinking: str | None = None) -> ChatMessageRecordDTO:
    return ChatMessageRecordDTO(message=ChatMessageDTO(role=role, contents=list(parts), thinking=thinking))


def text(content: str) -> ChatContentDTO:
    return ChatContentDTO(type="text", content=content)


def test_stored_messages_become_flat_records(conversation: Conversation) -> None:
    conversation.say("Hi")
    answer, question, greeting = to_records(conversation.history())
    assert [list(one) for one in (answer, question, greeting)] == [KEYS] * 3
    assert (question["role"], question["text"], question["thinking"]) == ("user", "Hi", None)
    assert (answer["role"], answer["text"], answer["thinking"]) == ("assistant", "Hello to you", "What now?")
    assert question["id"] < answer["id"]
    assert abs(answer["time"] - datetime.now(timezone.utc)) < timedelta(hours=1)


def test_records_are_rows_of_a_csv_file(conversation: Conversation) -> None:
    conversation.say('Say "a, b"\nand c')
    records = to_records(conversation.history())
    file = io.StringIO()
    writer = csv.DictWriter(file, KEYS)
    writer.writeheader()
    writer.writerows(records)
    file.seek(0)
    assert [row["text"] for row in csv.DictReader(file)] == [one["text"] for one in records]


def test_a_conversation_becomes_markdown_without_thinking(conversation: Conversation) -> None:
    conversation.say("Hi")
    messages = list(conversation.history(2))[::-1]
    assert to_markdown(messages, user="Ann", character="Pip") == "**Ann:** Hi\n\n**Pip:** Hello to you\n"
    assert to_markdown(messages) == "**User:** Hi\n\n**Character:** Hello to you\n"


def test_thinking_that_the_server_marks_is_kept_apart() -> None:
    (one,) = to_records([record("assistant", text("Yes"), thinking="Is it?")])
    assert (one["text"], one["thinking"]) == ("Yes", "Is it?")


def test_only_text_is_text() -> None:
    parts = text("Look: "), ChatContentDTO(type="image", content="https://example.com/a.png"), text("a cat")
    assert to_records([record("user", *parts)])[0]["text"] == "Look: a cat"


def test_a_message_without_text_has_a_record_but_no_paragraph() -> None:
    messages = [record("assistant"), ChatMessageRecordDTO(), record("system", text("Be kind.\n"))]
    assert [one["text"] for one in to_records(messages)] == ["", "", "Be kind.\n"]
    assert to_markdown(messages) == "**system:** Be kind.\n"


def test_nothing_becomes_nothing() -> None:
    assert to_records([]) == []
    assert to_markdown([]) == ""
