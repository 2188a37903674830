"""What no recording shows of the sandbox's chats: time that passes, and what the model is told."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from freechat_sdk import (
    AiApiKeyCreateDTO,
    AIServiceApi,
    ApiClient,
    ChatApi,
    ChatCreateDTO,
    ChatMessageDTO,
    ServiceException,
    StreamInterruptedError,
    create_character_with_prompt,
)
from freechat_sdk.sandbox import Completion, ModelError, Prompt, Sandbox
from freechat_sdk.sandbox.resources.chat import LATE
from test.clients import Clock, configured
from test.server import MAX_WAIT


class Model:
    """Says what it is told to, and keeps what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Prompt] = []

    def __call__(self, prompt: Prompt) -> Completion | str:
        self.asked.append(prompt)
        answer = self.answers.pop(0) if self.answers else "Yes."
        if isinstance(answer, Exception):
            raise answer
        return answer


def client_of(sandbox: Sandbox) -> ApiClient:
    return ApiClient(configured(sandbox.host, access_token=sandbox.token, api_version="auto"))


@pytest.mark.parametrize(("minutes", "asked"), [(29, 1), (31, 2)])
def test_a_chat_that_was_idle_is_loaded_again_which_asks_for_a_missing_answer(minutes: int, asked: int) -> None:
    clock, model = Clock(), Model(ModelError())
    with Sandbox(model=model, clock=clock, faithful=True) as sandbox, client_of(sandbox) as client:
        api = ChatApi(client)
        chat = api.start_chat(ChatCreateDTO(character_uid=sandbox.character.uid))
        with pytest.raises(ServiceException):
            api.send_message(chat, "Are you there?")
        clock.now += 60 * minutes
        assert len(api.list_messages(chat)) == 2
        assert len(model.asked) == asked
        assert len(api.list_messages(chat)) == 1 + asked


def test_a_stream_of_v1_ends_after_30_s_and_the_answer_is_stored_once_it_is_whole() -> None:
    clock = Clock()

    def slow() -> Iterator[str]:
        for word in ("one ", "two ", "three"):
            yield word
            clock.now += 20

    model = Model(Completion(slow(), None))
    with Sandbox(release="2.0.0", model=model, clock=clock, faithful=True) as sandbox, client_of(sandbox) as client:
        api = ChatApi(client)
        chat = api.start_chat(ChatCreateDTO(character_uid=sandbox.character.uid))
        with pytest.raises(StreamInterruptedError) as caught:
            api.stream_send_message(chat, "Count").until_done()
        assert caught.value.text == "one two "
        for thread in threading.enumerate():
            if thread.name == LATE:
                thread.join(MAX_WAIT)
        (newest,) = api.list_messages(chat, 1)
        assert newest.text == "one two three"


def test_the_model_is_told_who_speaks_with_whom() -> None:
    model = Model("A.", "B.")
    with Sandbox(model=model) as sandbox, client_of(sandbox) as client:
        prompt = (
            "You are {{{CHARACTER_NICKNAME}}} with {{{USER_NICKNAME}}}.{{#MESSAGE_CONTEXT}} {{{.}}}{{/MESSAGE_CONTEXT}}"
        )
        created = create_character_with_prompt(client, "ann", prompt, greeting="Hi!")
        api = ChatApi(client)
        settings = {"character_nickname": "Annie", "user_nickname": "Bob"}
        chat = api.start_chat(ChatCreateDTO(character_uid=created.character_uid, **settings))
        api.send_message(chat, "First")
        message = ChatMessageDTO.user("Second")
        message.context = "It rains."
        api.send_message(chat, message)
    assert [(told.role, told.text) for told in model.asked[1].messages] == [
        ("system", "You are Annie with Bob. It rains."),
        ("assistant", "Hi!"),
        ("user", "First"),
        ("assistant", "A."),
        ("user", "Second"),
    ]
    assert (model.asked[1].text, model.asked[1].turn, model.asked[1].model_id) == ("Second", 1, "[open_ai]gpt-4o-mini")


def test_the_key_of_a_chat_comes_before_that_of_its_task() -> None:
    model = Model()
    with Sandbox(model=model) as sandbox, client_of(sandbox) as client:
        key = AiApiKeyCreateDTO(name="mine", provider="open_ai", token="sk-of-the-task", enabled=True)
        AIServiceApi(client).add_ai_api_key(key)
        uid = create_character_with_prompt(client, "ann", api_key_name="mine").character_uid
        api = ChatApi(client)
        chat = api.start_chat(ChatCreateDTO(character_uid=uid))
        api.send_message(chat, "Hi")
        api.delete_chat(chat)
        api.send_message(api.start_chat(ChatCreateDTO(character_uid=uid, api_key_value="sk-of-the-chat")), "Hi")
    assert [prompt.api_key for prompt in model.asked] == ["sk-of-the-task", "sk-of-the-chat"]
