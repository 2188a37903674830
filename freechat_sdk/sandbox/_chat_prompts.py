"""ChatPrompts: who speaks in a chat, and what a model is asked for an answer there."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from freechat_sdk.sandbox._messages import text_of
from freechat_sdk.sandbox._resource import Call, Refused
from freechat_sdk.sandbox._store import Row, Store, Table
from freechat_sdk.sandbox._templates import MUSTACHE, fill_chat, message_text, messages_of
from freechat_sdk.sandbox._versioned import HIDDEN
from freechat_sdk.sandbox.completions import Message, Prompt

_CHARACTER_FIELDS = {
    "GENDER": "gender",
    "DESCRIPTION": "description",
    "LANG": "lang",
    "PROFILE": "profile",
    "CHAT_STYLE": "chatStyle",
    "CHAT_EXAMPLE": "chatExample",
    "GREETING": "greeting",
}
"""The fields of a character, by what prompts call them after `CHARACTER_`."""


class ChatPrompts:
    """Characters with their backends, and the tasks and prompts behind these."""

    def __init__(self, store: Store) -> None:
        self.characters = store.table("characters", "uid")
        self.backends = store.table("backends", "backendId", "characterUid")
        self._tasks = store.table("prompt_tasks", "promptTaskId")
        self._prompts = store.table("prompts")
        self._keys = store.table("api_keys", "username")

    def character(self, uid: str | None) -> Row | None:
        """Return the version of a character that is not hidden."""
        versions = self.characters.find(uid=uid) if uid else []
        shown = [version for version in versions if version["visibility"] != HIDDEN]
        return max(shown, key=lambda version: int(version["version"]), default=None)

    def task(self, backend: Row) -> Row:
        return self._tasks.first(promptTaskId=backend.get("chatPromptTaskId")) or {}

    def template(self, backend: Row) -> tuple[Row | None, str]:
        """Return the chat template behind a backend, and its format; None if its prompt is not a chat."""
        prompt = self._prompts.get(self.task(backend).get("promptRef", {}).get("promptId", 0)) or {}
        return prompt.get("chatTemplate"), prompt.get("format") or MUSTACHE

    def to_ask(
        self,
        call: Call,
        chat: Row,
        backend: Row,
        history: Sequence[Row],
        *,
        text: str,
        context: str | None = None,
        is_streamed: bool = False,
    ) -> Prompt:
        """Return what to ask the model of a backend for an answer to a text; its template needs a place for it."""
        template, form = self.template(backend)
        if not template or "messageToSend" not in template:
            raise Refused(500)
        character, task = self.character(backend["characterUid"]) or {}, self.task(backend)
        given = task.get("promptRef", {}).get("variables") or {}
        filled = fill_chat(template, {**_variables(call, chat, character, text, context), **given}, form)
        asked = message_text(filled.pop("messageToSend"))
        said = [Message(message["role"], text_of(message)) for message in history]
        return Prompt(
            text=asked,
            character=character.get("nickname") or character.get("name") or "",
            turn=chat["answers"],
            is_streamed=is_streamed,
            messages=(*messages_of(filled), *said, Message("user", asked)),
            model_id=task.get("modelId") or "",
            parameters=task.get("params") or {},
            api_key=self._key(chat) or self._key(task),
        )

    def _key(self, row: Row) -> str | None:
        """Return the key that a chat or a task holds or names."""
        name = row.get("apiKeyName")
        named = self._keys.first(username=row.get("username"), name=name, enabled=True) if name else None
        return row.get("apiKeyValue") or (named or {}).get("token")


def default_backend(backends: Table, character: Row | None) -> Row | None:
    """Return the default backend of a character; it fails if there are two: some releases keep the old one."""
    found = backends.find(characterUid=character["uid"], isDefault=True) if character else []
    if len(found) > 1:
        raise Refused(500)
    return found[0] if found else None


def told(prompt: Prompt) -> str:
    """Return what is kept of what the model was told, with the message that it answers."""
    system = next((message.text for message in prompt.messages if message.role == "system"), "")
    return json.dumps({"text": system, "type": "SYSTEM"}, ensure_ascii=False)


def _variables(call: Call, chat: Row, character: Row, text: str, context: str | None) -> Mapping[str, Any]:
    """Return the variables that prompts of chats know; nothing is ever found by a search of documents."""
    return {
        **{f"CHARACTER_{name}": character.get(field) for name, field in _CHARACTER_FIELDS.items()},
        "CHARACTER_NICKNAME": chat.get("characterNickname") or character.get("name"),
        "USER_NICKNAME": chat.get("userNickname"),
        "USER_PROFILE": chat.get("userProfile"),
        "CHAT_CONTEXT": chat.get("about"),
        "RELEVANT_INFORMATION": None,
        "MESSAGE_CONTEXT": context,
        "CURRENT_TIME": f"{datetime.fromtimestamp(call.now, timezone.utc):%Y-%m-%d %H:%M:%S}",
        "input": text,
    }
