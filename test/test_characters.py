"""Characters found by name, created with all that they need, and talked to: against the sandbox as each release."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from freechat_sdk import (
    AiApiKeyCreateDTO,
    AIServiceApi,
    ApiClient,
    ApiValueError,
    CharacterApi,
    CharacterCreateDTO,
    CharacterQueryDTO,
    CharacterQueryWhere,
    ChatApi,
    ChatContextDTO,
    ChatCreateDTO,
    ChatUpdateDTO,
    Conversation,
    KeyInExportWarning,
    PromptApi,
    PromptQueryDTO,
    ServiceException,
    UnknownFieldWarning,
    create_character_with_prompt,
    find_character,
)
from freechat_sdk.sandbox import Prompt, Sandbox, Status
from test.clients import configured, each_release

STEPS = [
    "PromptApi.create_prompt",
    "PromptTaskApi.create_prompt_task",
    "CharacterApi.create_character",
    "CharacterApi.get_character_summary",
    "CharacterApi.add_character_backend",
]


PROMPTS: list[Prompt] = []


def agrees(prompt: Prompt) -> str:
    PROMPTS.append(prompt)
    return "Yes."


pytestmark = pytest.mark.freechat(faithful=True, model=agrees)


@pytest.fixture
def prompts() -> list[Prompt]:
    """What the model was asked."""
    PROMPTS.clear()
    return PROMPTS


@pytest.fixture(params=each_release())
def sandbox(freechat_sandbox: Sandbox, prompts: list[Prompt]) -> Sandbox:
    return freechat_sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[ApiClient]:
    with ApiClient(configured(sandbox.host, access_token=sandbox.token, api_version="auto")) as client:
        yield client


def context_of(conversation: Conversation) -> ChatContextDTO:
    sessions = ChatApi(conversation.client).list_chats()
    (context,) = [session.context for session in sessions if session.chat_id == conversation.chat_id]
    assert context is not None
    return context


def uids(client: ApiClient) -> list[str | None]:
    """The characters that the caller has chats with."""
    return [session.character.character_uid for session in ChatApi(client).list_chats()]


# find_character


def test_a_published_character_of_somebody_else_is_found(sandbox: Sandbox, client: ApiClient) -> None:
    assert find_character(client, "pip").character_uid == sandbox.character.uid


def test_a_private_character_of_the_caller_is_found(client: ApiClient) -> None:
    character_id = CharacterApi(client).create_character(CharacterCreateDTO(name="ann", visibility="private"))
    assert find_character(client, "ann").character_id == character_id


def test_a_public_character_of_the_caller_is_found_before_it_is_published(client: ApiClient) -> None:
    character_id = CharacterApi(client).create_character(CharacterCreateDTO(name="ann", visibility="public"))
    assert find_character(client, "ann").character_id == character_id


def test_the_name_must_be_the_whole_name(sandbox: Sandbox, client: ApiClient) -> None:
    sandbox.add_character("pippa")
    assert find_character(client, "pip").character_uid == sandbox.character.uid
    with pytest.raises(ApiValueError, match="no character is named 'pi'"):
        find_character(client, "pi")


def test_a_private_character_of_somebody_else_is_not_found(sandbox: Sandbox, client: ApiClient) -> None:
    sandbox.add_user("other")
    sandbox.add_character("secret", owner="other", visibility="private")
    with pytest.raises(ApiValueError, match=r"no character is named 'secret'\. Search .* or pass the uid\."):
        find_character(client, "secret")


def test_two_characters_of_a_name_are_told_by_their_uids(sandbox: Sandbox, client: ApiClient) -> None:
    own = sandbox.add_character("pip")
    with pytest.raises(ApiValueError, match="2 characters are named 'pip'") as caught:
        find_character(client, "pip")
    assert own.uid in str(caught.value)
    assert sandbox.character.uid in str(caught.value)


def test_the_versions_of_a_character_are_one_character(client: ApiClient) -> None:
    characters = CharacterApi(client)
    character_id = characters.create_character(CharacterCreateDTO(name="ann", visibility="private"))
    characters.publish_character1(character_id, "public")
    uid = characters.get_character_summary(character_id).character_uid
    assert find_character(client, "ann").character_uid == uid


# Conversation.open


@pytest.fixture
def ally(sandbox: Sandbox) -> str:
    return sandbox.add_character("ally", nickname="Al", default_scene="In a garden.", greeting="Hello").uid


@pytest.mark.parametrize("by_name", [True, False])
def test_a_new_chat_gets_the_nicknames_and_the_scene(client: ApiClient, ally: str, by_name: bool) -> None:
    context = context_of(Conversation.open(client, "ally" if by_name else ally))
    assert uids(client) == [ally]
    assert (context.user_nickname, context.character_nickname, context.about) == ("you", "Al", "In a garden.")


@pytest.mark.parametrize("by_name", [True, False])
def test_the_prompt_calls_the_character_by_its_nickname(
    client: ApiClient, ally: str, prompts: list[Prompt], by_name: bool
) -> None:
    Conversation.open(client, "ally" if by_name else ally).say("Who are you?")
    assert prompts[-1].messages[0].text == "You are Al."


def test_a_character_without_a_nickname_goes_by_its_name(
    sandbox: Sandbox, client: ApiClient, prompts: list[Prompt]
) -> None:
    uid = sandbox.add_character("Bo").uid
    conversation = Conversation.open(client, uid)
    conversation.say("Who are you?")
    assert prompts[-1].messages[0].text == "You are Bo."
    assert (context_of(conversation).character_nickname, context_of(conversation).about) == ("Bo", None)


@pytest.mark.parametrize("by_name", [True, False])
def test_settings_of_the_caller_come_first(client: ApiClient, ally: str, by_name: bool) -> None:
    character = "ally" if by_name else ally
    conversation = Conversation.open(client, character, user_nickname="Ann", character_nickname="Ali", about="At sea.")
    context = context_of(conversation)
    assert (context.user_nickname, context.character_nickname, context.about) == ("Ann", "Ali", "At sea.")


@pytest.mark.parametrize("by_name", [True, False])
def test_a_scene_can_be_chosen_alone_or_left_out(client: ApiClient, ally: str, by_name: bool) -> None:
    character = "ally" if by_name else ally
    conversation = Conversation.open(client, character, about="At sea.")
    assert (context_of(conversation).character_nickname, context_of(conversation).about) == ("Al", "At sea.")
    ChatApi(client).delete_chat(conversation.chat_id)
    without = Conversation.open(client, character, about="")
    assert (context_of(without).character_nickname, context_of(without).about) == ("Al", "")


@pytest.mark.parametrize("by_name", [True, False])
def test_a_chat_that_is_resumed_keeps_its_settings(client: ApiClient, ally: str, by_name: bool) -> None:
    first = Conversation.open(client, ally, user_nickname="Ann")
    ChatApi(client).update_chat(first.chat_id, ChatUpdateDTO(about="At sea.", character_nickname="Ali"))
    first.say("Hi")
    resumed = Conversation.open(client, "ally" if by_name else ally)
    assert resumed.chat_id == first.chat_id
    assert len(list(resumed.history())) == 3
    context = context_of(resumed)
    assert (context.user_nickname, context.character_nickname, context.about) == ("Ann", "Ali", "At sea.")


def test_a_chat_that_another_program_started_keeps_its_scene(client: ApiClient, ally: str) -> None:
    ChatApi(client).start_chat(ChatCreateDTO(character_uid=ally, about="At sea."))
    context = context_of(Conversation.open(client, ally))
    assert (context.character_nickname, context.about) == ("Al", "At sea.")


def test_a_setting_that_chats_do_not_have_warns(client: ApiClient, ally: str) -> None:
    with pytest.warns(UnknownFieldWarning, match="no field user_nick; did you mean user_nickname") as caught:
        Conversation.open(client, ally, user_nick="Ann")
    assert Path(caught[0].filename).name == "test_characters.py"


# create_character_with_prompt


def test_a_created_character_talks_as_its_fields_say(
    sandbox: Sandbox, client: ApiClient, prompts: list[Prompt]
) -> None:
    created = create_character_with_prompt(
        client, "ann", model="[open_ai]gpt-4o", params={"temperature": 0.5}, profile="A gardener.", greeting="Hello!"
    )
    conversation = Conversation.open(client, "ann")
    assert uids(client) == [created.character_uid]
    assert conversation.say("What do you grow?").answer == "Yes."
    (prompt,) = prompts
    system = prompt.messages[0].text
    assert system.startswith("You are ann. Stay in this role")
    assert "Your life so far: A gardener.\n" in system
    assert "You talk with you.\n" in system
    assert "{{" not in system
    assert [message.text for message in prompt.messages[1:]] == ["Hello!", "What do you grow?"]
    assert (prompt.model_id, prompt.parameters["temperature"]) == ("[open_ai]gpt-4o", 0.5)
    assert CharacterApi(client).list_character_backend_ids(created.character_uid) == [created.backend_id]


def test_a_system_prompt_of_the_caller_is_used(client: ApiClient, prompts: list[Prompt]) -> None:
    create_character_with_prompt(client, "ann", "You are {{{CHARACTER_NICKNAME}}}, a baker.", nickname="Annie")
    Conversation.open(client, "ann").say("Bread, please")
    assert prompts[-1].messages[0].text == "You are Annie, a baker."


def test_a_field_that_characters_do_not_have_warns(client: ApiClient) -> None:
    with pytest.warns(UnknownFieldWarning, match="no field greting; did you mean greeting") as caught:
        create_character_with_prompt(client, "ann", greting="Hello!")
    assert Path(caught[0].filename).name == "test_characters.py"


def test_a_second_character_of_the_name_gets_a_prompt_of_its_own(client: ApiClient) -> None:
    first, second = (create_character_with_prompt(client, name) for name in ("ann", "bo"))
    assert first.prompt_id != second.prompt_id
    assert first.prompt_task_id != second.prompt_task_id


def left_over(client: ApiClient) -> list[object]:
    characters = CharacterQueryDTO(where=CharacterQueryWhere(visibility="private"))
    prompts = PromptQueryDTO.model_validate({"where": {"visibility": "private"}})
    return [
        *CharacterApi(client).search_character_summary(characters),
        *PromptApi(client).search_prompt_summary(prompts),
    ]


@pytest.mark.parametrize("step", STEPS)
def test_what_was_created_is_deleted_if_a_step_fails(sandbox: Sandbox, client: ApiClient, step: str) -> None:
    sandbox.fail(step, Status(500, "out of paper"), 1)
    with pytest.raises(ServiceException):
        create_character_with_prompt(client, "ann")
    assert left_over(client) == []
    made = [entry.operation for entry in sandbox.requests if entry.status == 200]
    assert made.count("PromptTaskApi.create_prompt_task") == made.count("PromptTaskApi.delete_prompt_task")
    create_character_with_prompt(client, "ann")
    assert len(left_over(client)) == 2


def test_the_error_of_the_step_is_raised_even_if_it_cannot_be_undone(sandbox: Sandbox, client: ApiClient) -> None:
    sandbox.fail("CharacterApi.create_character", Status(422, "out of paper"))
    sandbox.fail("PromptApi.delete_prompt", Status(403))
    with pytest.raises(Exception, match="422"):
        create_character_with_prompt(client, "ann")
    assert [entry.operation for entry in sandbox.requests if "delete" in entry.operation] == [
        "PromptTaskApi.delete_prompt_task",
        "PromptApi.delete_prompt",
    ]


def test_an_api_key_reaches_the_model_and_warns_at_the_line_of_the_caller(
    client: ApiClient, prompts: list[Prompt]
) -> None:
    with pytest.warns(KeyInExportWarning, match="'ann' will contain its api key") as caught:
        create_character_with_prompt(client, "ann", api_key="sk-1234")
    assert Path(caught[0].filename).name == "test_characters.py"
    assert "sk-1234" not in str(caught[0].message)
    Conversation.open(client, "ann").say("Hi")
    assert prompts[-1].api_key == "sk-1234"


def test_a_stored_key_reaches_the_model_without_a_warning(client: ApiClient, prompts: list[Prompt]) -> None:
    key = AiApiKeyCreateDTO(name="work", provider="open_ai", token="sk-5678", enabled=True)
    AIServiceApi(client).add_ai_api_key(key)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        create_character_with_prompt(client, "ann", api_key_name="work")
    Conversation.open(client, "ann").say("Hi")
    assert prompts[-1].api_key == "sk-5678"


def test_two_keys_are_refused_before_anything_is_sent(sandbox: Sandbox, client: ApiClient) -> None:
    with pytest.raises(ApiValueError, match="either api_key or api_key_name, not both"):
        create_character_with_prompt(client, "ann", api_key="sk-1234", api_key_name="work")
    assert sandbox.requests == []
