"""Cast: characters that can be talked to, made without requests: the built-in one and those of `Sandbox`."""

from collections.abc import Callable, Mapping
from typing import Any

from freechat_sdk.sandbox._resource import Call
from freechat_sdk.sandbox._store import Store
from freechat_sdk.sandbox.resources.character import Character
from freechat_sdk.sandbox.resources.prompt import Prompt
from freechat_sdk.sandbox.resources.prompt_task import PromptTask

_TEMPLATE = {
    "system": "You are {{{CHARACTER_NICKNAME}}}. {{{CHARACTER_PROFILE}}} You talk to {{{USER_NICKNAME}}}.",
    "messageToSend": {"role": "user", "contents": [{"type": "text", "content": "{{{input}}}"}]},
}
_MODEL = {"modelId": "[open_ai]gpt-4o", "apiKeyValue": "sandbox"}


class Cast:
    """Does what an owner of characters does by requests; `call` returns the call of a user with a body."""

    def __init__(self, store: Store, call: Callable[[str, Any], Call]) -> None:
        self._call = call
        self._store = store
        self._rows = store.table("characters", "uid", "username", "name")
        self._backends = store.table("backends", "backendId", "characterUid")
        self._characters, self._prompts, self._tasks = Character(store), Prompt(store), PromptTask(store)

    def add_character(self, owner: str, uid: str, fields: Mapping[str, Any]) -> None:
        """Add a published character under a uid of the caller's."""
        with self._store.transaction():
            row_id = self._characters.create_character(self._call(owner, dict(fields)))
            self._rows.update(row_id, uid=uid, version=1, isPublished=True)

    def add_backend(self, character_uid: str, uid: str, quota_type: str, quota: int) -> None:
        """Add a backend with a prompt and a task of its own under an id of the caller's; the first is the default."""
        with self._store.transaction():
            character = self._rows.find(uid=character_uid)[0]
            owner, name = character["username"], character["name"]
            prompt = {"name": name, "visibility": "private", "tags": ["Character", name], "chatTemplate": _TEMPLATE}
            prompt_id = self._prompts.create_prompt(self._call(owner, prompt))
            task = self._call(owner, {**_MODEL, "promptRef": {"promptId": prompt_id}})
            backend = {"chatPromptTaskId": self._tasks.create_prompt_task(task), "isDefault": False}
            backend |= {"quotaType": quota_type, "initQuota": quota}
            added = self._characters.add_character_backend(self._call(owner, backend), character_uid)
            for row in self._backends.find(backendId=added):
                self._backends.update(row["id"], backendId=uid)

    def remove_backend(self, uid: str) -> None:
        """Remove a backend."""
        self._backends.delete_where(backendId=uid)
