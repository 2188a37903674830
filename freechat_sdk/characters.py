"""Characters: find one by its name, and create one that can talk."""

import json
import re
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final

from freechat_sdk.api import CharacterApi, PromptApi, PromptTaskApi
from freechat_sdk.api_client import ApiClient
from freechat_sdk.exceptions import ApiException, ApiValueError, KeyInExportWarning
from freechat_sdk.models import (
    CharacterBackendDTO,
    CharacterCreateDTO,
    CharacterQueryDTO,
    CharacterQueryWhere,
    CharacterSummaryDTO,
    ChatMessageDTO,
    ChatPromptContentDTO,
    PromptCreateDTO,
    PromptRefDTO,
    PromptTaskDTO,
)
from freechat_sdk.pagination import paginate

_UID: Final = re.compile(r"[0-9a-f]{32}")

CHAT_PROMPT: Final = """\
You are {{{CHARACTER_NICKNAME}}}. Stay in this role, and never speak for the person you talk with.
{{#CHARACTER_GENDER}}Your gender: {{{CHARACTER_GENDER}}}.
{{/CHARACTER_GENDER}}{{#CHARACTER_DESCRIPTION}}Who you are: {{{CHARACTER_DESCRIPTION}}}
{{/CHARACTER_DESCRIPTION}}{{#CHARACTER_PROFILE}}Your life so far: {{{CHARACTER_PROFILE}}}
{{/CHARACTER_PROFILE}}{{#CHARACTER_CHAT_STYLE}}How you talk: {{{CHARACTER_CHAT_STYLE}}}
{{/CHARACTER_CHAT_STYLE}}{{#CHARACTER_CHAT_EXAMPLE}}An example of how you talk:
{{{CHARACTER_CHAT_EXAMPLE}}}
{{/CHARACTER_CHAT_EXAMPLE}}{{#USER_NICKNAME}}You talk with {{{USER_NICKNAME}}}.
{{/USER_NICKNAME}}{{#USER_PROFILE}}What you know about this person: {{{USER_PROFILE}}}
{{/USER_PROFILE}}{{#CHAT_CONTEXT}}The scene: {{{CHAT_CONTEXT}}}
{{/CHAT_CONTEXT}}{{#RELEVANT_INFORMATION}}What may help you with the next message:
{{{RELEVANT_INFORMATION}}}
{{/RELEVANT_INFORMATION}}{{#MESSAGE_CONTEXT}}About the next message: {{{MESSAGE_CONTEXT}}}
{{/MESSAGE_CONTEXT}}It is {{{CURRENT_TIME}}}.
{{#CHARACTER_LANG}}Speak the language {{{CHARACTER_LANG}}}, unless the person uses another one.{{/CHARACTER_LANG}}"""
"""The default system prompt of a new character: a mustache template whose variables the server fills in."""

_VARIABLES: Final = tuple(sorted({"input", *re.findall(r"{{{(\w+)}}}", CHAT_PROMPT)}))


@dataclass(frozen=True)
class CreatedCharacter:
    """The ids of a character that can talk, and of what it consists of."""

    character_id: int
    character_uid: str
    prompt_id: int
    prompt_task_id: str
    backend_id: str


def create_character_with_prompt(
    client: ApiClient,
    name: str,
    system_prompt: str | None = None,
    model: str = "[open_ai]gpt-4o-mini",
    api_key: str | None = None,
    *,
    api_key_name: str | None = None,
    params: Mapping[str, Any] | None = None,
    **character: Any,
) -> CreatedCharacter:
    """Create a private character that can talk: the character, its prompt, the task that runs it, and its backend.

    If a step fails, what was created before it is deleted again.

    Args:
        client: the client to use.
        name: the name of the character.
        system_prompt: what the model is told before each conversation, a mustache template. Default `CHAT_PROMPT`,
            which uses the fields of the character.
        model: the id of the model, such as `[open_ai]gpt-4o-mini`. `AIServiceApi.list_ai_model_info` lists them.
        api_key: the key for the model's provider. It is stored with the task, and `export_character` writes it in clear
            into the archive. This is why it warns; `api_key_name` avoids it.
        api_key_name: the name of a key that the caller has stored with `AIServiceApi.add_ai_api_key`.
        params: parameters of the model, such as `{"temperature": 0.7}` or `{"baseUrl": "http://127.0.0.1:11434/v1"}`.
        character: further fields of `CharacterCreateDTO`, such as `greeting`, `nickname`, `lang` or `profile`.

    Raises:
        ApiValueError: if both `api_key` and `api_key_name` are given.
    """
    if api_key is not None and api_key_name is not None:
        raise ApiValueError("give either api_key or api_key_name, not both")
    if api_key is not None:
        warnings.warn(f"exports of the character {name!r} will contain its api key", KeyInExportWarning, stacklevel=2)
    fields = CharacterCreateDTO(**{"visibility": "private", **character, "name": name})
    prompts, tasks, characters = PromptApi(client), PromptTaskApi(client), CharacterApi(client)
    with ExitStack() as undo:
        prompt_id = prompts.create_prompt(_prompt(prompts, fields, system_prompt or CHAT_PROMPT))
        undo.callback(_quietly, prompts.delete_prompt, prompt_id)
        task = PromptTaskDTO(
            prompt_ref=PromptRefDTO(prompt_id=prompt_id),
            model_id=model,
            api_key_name=api_key_name,
            api_key_value=api_key,
            params=dict(params or {}),
        )
        task_id = tasks.create_prompt_task(task)
        undo.callback(_quietly, tasks.delete_prompt_task, task_id)
        character_id = characters.create_character(fields)
        undo.callback(_quietly, characters.delete_character, character_id)
        uid = characters.get_character_summary(character_id).character_uid or ""
        backend = CharacterBackendDTO(chat_prompt_task_id=task_id, is_default=True)
        backend_id = characters.add_character_backend(uid, backend) or ""
        undo.pop_all()
    return CreatedCharacter(character_id, uid, prompt_id, task_id, backend_id)


def _prompt(prompts: PromptApi, character: CharacterCreateDTO, system_prompt: str) -> PromptCreateDTO:
    return PromptCreateDTO(
        name=prompts.new_prompt_name(character.name or "untitled"),
        visibility="private",
        format="mustache",
        lang=character.lang,
        tags=["Character", character.name],
        chat_template=ChatPromptContentDTO(system=system_prompt, message_to_send=ChatMessageDTO.user("{{{input}}}")),
        inputs=json.dumps(dict.fromkeys(_VARIABLES, "")),
    )


def _quietly(delete: Callable[[Any], object], id_: object) -> None:
    """Undo a step. The error that made it necessary matters more than one of undoing."""
    with suppress(ApiException):
        delete(id_)


def uid_of(client: ApiClient, character: str) -> str:
    """Return the uid of a character, which may be given by its uid or its name."""
    return character if is_uid(character) else find_character(client, character).character_uid or ""


def is_uid(character: str) -> bool:
    """Return whether a text is a uid of a character rather than a name."""
    return _UID.fullmatch(character) is not None


def find_character(client: ApiClient, name: str) -> CharacterSummaryDTO:
    """Return the character of a name, among the caller's own ones and those that are published.

    Raises:
        ApiValueError: if no character has this name, or more than one.
    """
    api = CharacterApi(client)
    found: dict[str | None, CharacterSummaryDTO] = {}
    for visibility in ("private", "public"):
        query = CharacterQueryDTO(
            where=CharacterQueryWhere(name=name, visibility=visibility)
        )  # names that begin with it
        matches = (summary for summary in paginate(api.search_character_summary, query) if summary.name == name)
        found.update((summary.character_uid, summary) for summary in matches)
    if not found and (latest := api.get_character_latest_id_by_name(name)) is not None:
        return api.get_character_summary(latest)  # public, but not published: no search finds it
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        raise ApiValueError(f"no character is named {name!r}. Search characters for its name, or pass the uid.")
    raise ApiValueError(
        f"{len(found)} characters are named {name!r}. Pass the uid of one: {', '.join(map(str, found))}"
    )
