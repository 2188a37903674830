"""Conversation, against the sandbox as each release with its faults."""

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from freechat_sdk import (
    ApiClient,
    ApiValueError,
    ChatApi,
    ChatCreateDTO,
    ChatMessageRecordDTO,
    Conversation,
    ConversationBusyError,
    StreamInterruptedError,
)
from freechat_sdk.sandbox import Completion, ModelError, Sandbox
from test.clients import configured, each_release


def breaks(prompt: Any) -> Any:
    """Echo, but fail in the middle of an answer to "break"."""

    def tokens() -> Iterator[str]:
        yield "Half "
        raise ModelError

    if prompt.text == "break":
        return Completion(tokens(), usage=None)
    return f"You said: {prompt.text}"


pytestmark = pytest.mark.freechat(faithful=True, model=breaks)


@pytest.fixture(params=each_release())
def sandbox(freechat_sandbox: Sandbox) -> Sandbox:
    return freechat_sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[ApiClient]:
    with ApiClient(configured(sandbox.host, access_token=sandbox.token, api_version="auto")) as client:
        yield client


@pytest.fixture
def conversation(sandbox: Sandbox, client: ApiClient) -> Conversation:
    return Conversation(client, ChatApi(client).start_chat(ChatCreateDTO(character_uid=sandbox.character.uid)))


def said(records: list[ChatMessageRecordDTO]) -> list[str]:
    return [
        record.message.contents[0].content or "" for record in records if record.message and record.message.contents
    ]


def test_a_message_gets_an_answer(conversation: Conversation) -> None:
    assert conversation.say("Hello").answer == "You said: Hello"


def test_an_answer_is_streamed(conversation: Conversation) -> None:
    assert "".join(conversation.stream("Hello").text_deltas()) == "You said: Hello"


def test_nothing_is_sent_while_a_stream_is_open(conversation: Conversation) -> None:
    with conversation.stream("one two three") as stream:
        next(stream)
        for send in (conversation.regenerate, conversation.undo, conversation.forget, lambda: conversation.say("x")):
            with pytest.raises(ConversationBusyError, match="still under way"):
                send()
    assert conversation.say("again").answer == "You said: again"


def test_a_stream_that_is_dropped_ends_its_turn(conversation: Conversation) -> None:
    next(conversation.stream("one two three"))
    assert conversation.say("again").answer == "You said: again"


def test_a_send_that_fails_ends_its_turn(client: ApiClient) -> None:
    conversation = Conversation(client, "0" * 32)
    for _ in range(2):
        with pytest.raises(Exception, match="chat"):
            conversation.stream("x")


def test_the_last_exchange_is_regenerated(conversation: Conversation) -> None:
    conversation.say("first")
    conversation.say("second")
    assert conversation.regenerate().answer == "You said: second"
    assert "".join(conversation.stream_regenerated().text_deltas()) == "You said: second"
    assert said(list(conversation.history()))[:-1] == ["You said: second", "second", "You said: first", "first"]


def test_there_must_be_something_to_regenerate(conversation: Conversation) -> None:
    with pytest.raises(ApiValueError, match="nothing to regenerate"):
        conversation.regenerate()


@pytest.mark.parametrize(("exchanges", "left"), [(1, 2), (2, 1), (3, 0), (4, 0)])
def test_exchanges_are_taken_back_but_not_the_greeting(conversation: Conversation, exchanges: int, left: int) -> None:
    for number in range(3):
        conversation.say(str(number))
    taken = conversation.undo(exchanges)
    assert len(taken) == 2 * (3 - left)
    assert said(taken)[0] == str(left)
    assert len(list(conversation.history())) == 2 * left + 1
    assert conversation.say("on").answer == "You said: on"


def test_nothing_is_taken_back_from_a_fresh_chat(conversation: Conversation) -> None:
    assert conversation.undo() == []
    with pytest.raises(ApiValueError, match="at least 1"):
        conversation.undo(0)


def test_history_goes_back_in_windows(conversation: Conversation) -> None:
    for number in range(25):
        conversation.say(str(number))
    assert len(list(conversation.history(None))) == 51
    assert said(list(conversation.history(3))) == ["You said: 24", "24", "You said: 23"]
    assert len(list(conversation.history())) == 20
    assert list(conversation.history(0)) == []


def test_what_was_stored_of_a_broken_answer_is_recovered(sandbox: Sandbox, conversation: Conversation) -> None:
    with pytest.raises(StreamInterruptedError):
        conversation.stream("break").until_done()
    recovered = conversation.recover()
    assert said([recovered] if recovered else []) == ([] if sandbox.release == "2.0.0" else ["Half "])


def test_recovery_waits_for_an_answer_that_is_stored_late(conversation: Conversation) -> None:
    assert conversation.recover() is None
    conversation.say("Hello")
    recovered = conversation.recover()
    assert recovered is not None
    assert said([recovered]) == ["You said: Hello"]


def test_a_chat_can_be_forgotten_and_go_on(conversation: Conversation) -> None:
    conversation.say("Hello")
    conversation.forget()
    assert conversation.say("again").answer == "You said: again"
    assert len(list(conversation.history())) == 3


def test_usage_counts_answers(conversation: Conversation) -> None:
    conversation.say("Hello")
    conversation.undo()
    assert conversation.usage().message_usage == 1


def test_a_conversation_pickles_and_copies(conversation: Conversation) -> None:
    for copied in (copy.deepcopy(conversation), pickle.loads(pickle.dumps(conversation))):
        assert copied.chat_id == conversation.chat_id
        assert copied.say("Hello").answer == "You said: Hello"
        copied.client.close()
    assert repr(conversation) == f"Conversation(chat_id={conversation.chat_id!r})"
