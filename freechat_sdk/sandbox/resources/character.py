"""CharacterApi: characters with their versions, backends and files."""

from collections.abc import Mapping
from dataclasses import replace
from operator import itemgetter
from typing import Any

from freechat_sdk.sandbox._resource import Call, Refused, new_uid, own_or_refuse
from freechat_sdk.sandbox._stats import Stats
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox._versioned import HIDDEN, PUBLIC, Versioned, check_public

_NEW = {"gender": "other", "lang": "en", "priority": 1, "tags": []}
_NEW_BACKEND = {
    "isDefault": False,
    "messageWindowSize": 50,
    "longTermMemoryWindowSize": 5,
    "proactiveChatWaitingTime": 0,
    "initQuota": 0,
    "quotaType": "none",
    "enableAlbumTool": False,
    "enableTts": False,
    "ttsSpeakerType": "idx",
}
_RANGES = {
    "messageWindowSize": ("Message window size", 10, 500),
    "longTermMemoryWindowSize": ("Long term memory window size", 0, 30),
}


class Character:
    """Versions of characters, and what belongs to all versions of one: backends and files."""

    def __init__(self, store: Store) -> None:
        self._characters = Versioned(store, "character")
        self._backends = store.table("backends", "backendId", "characterUid")
        self._tasks = store.table("prompt_tasks", "promptTaskId", "username")
        self._stats = Stats(store)

    def create_character(self, call: Call) -> int:
        """Add a character."""
        return self._characters.add(call, {**_NEW, **call.body})

    def get_character_summary(self, call: Call, character_id: int) -> Row:
        """Return a character."""
        return self._characters.shown(self._characters.found(call, character_id))

    def get_character_details(self, call: Call, character_id: int) -> Row:
        """Return a character with its backends."""
        return self._details(self._characters.found(call, character_id))

    def update_character(self, call: Call, character_id: int) -> bool:
        """Change what is given."""
        return self._characters.update(call, character_id, call.body)

    def publish_character(self, call: Call, character_id: int, visibility: str = PUBLIC) -> int | None:
        """Publish a version."""
        return self._characters.publish(call, character_id, visibility)

    def clone_character(self, call: Call, character_id: int) -> int | None:
        """Copy a character, without its backends and files."""
        return self._characters.clone(call, character_id)

    def delete_character(self, call: Call, character_id: int) -> bool:
        """Delete a version."""
        return self._characters.delete(call, character_id)

    def delete_character_by_name(self, call: Call, name: str) -> list[int]:
        """Delete all versions of a name."""
        return self._characters.delete_where(call, name=name)

    def delete_character_by_uid(self, call: Call, character_uid: str) -> list[int]:
        """Delete all versions of a character."""
        return self._characters.delete_where(call, uid=character_uid)

    def exists_character_name(self, call: Call, name: str) -> bool:
        """Return whether the caller has a character of a name."""
        return self._characters.exists(call, name)

    def new_character_name(self, call: Call, desired: str) -> str:
        """Return a name that the caller has no character of."""
        return self._characters.new_name(call, desired)

    def list_character_versions_by_name(self, call: Call, name: str) -> list[Row]:
        """Return the versions of a name."""
        stats = self._stats.of_version
        rows = self._characters.of_name(call, name)
        return [{**self._characters.shown(row), "stats": stats(call, "character", row["uid"])} for row in rows]

    def get_character_latest_id_by_name(self, call: Call, name: str) -> int | None:
        """Return the id of the latest version of a name."""
        rows = [row for row in self._characters.of_name(call, name) if row["visibility"] != HIDDEN]
        return rows[0]["id"] if rows else None

    def search_character_summary(self, call: Call) -> list[Row]:
        """Return a page of characters."""
        return self._characters.page(call, _with_where(call.body))

    def search_character_details(self, call: Call) -> list[Row]:
        """Return a page of characters with their backends."""
        return [self._details(row) for row in self._characters.search(call, _with_where(call.body))]

    def batch_search_character_summary(self, call: Call) -> list[list[Row]]:
        """Return a page of characters for each of some searches."""
        return [self.search_character_summary(replace(call, body=query)) for query in call.body]

    def batch_search_character_details(self, call: Call) -> list[list[Row]]:
        """Return a page of characters with their backends for each of some searches."""
        return [self.search_character_details(replace(call, body=query)) for query in call.body]

    def search_public_character_summary(self, call: Call) -> list[Row]:
        """Return a page of published characters."""
        return self._characters.page(call, check_public(call.body))

    def count_characters(self, call: Call) -> int:
        """Return how many characters a search finds."""
        return self._characters.count(call, _with_where(call.body))

    def count_public_characters(self, call: Call) -> int:
        """Return how many published characters a search finds."""
        return self._characters.count(call, check_public(call.body))

    def add_character_backend(self, call: Call, character_uid: str) -> str | None:
        """Add a backend and return its id; None if it was not said whether it is the default, for some releases."""
        self._own(call, character_uid)
        self._check_backend(call)
        uid = new_uid()
        dates = {"gmtCreate": call.now, "gmtModified": call.now}
        self._backends.add(**{**_NEW_BACKEND, **call.body, **dates, "backendId": uid, "characterUid": character_uid})
        if call.release.needs_is_default and "isDefault" not in call.body:
            return None
        self._settle_default(call, character_uid, uid)
        return uid

    def update_character_backend(self, call: Call, character_backend_id: str) -> bool:
        """Change what is given."""
        backend = self._own_backend(call, character_backend_id)
        if backend is None:
            raise Refused(404, f"Failed to find character backend: {character_backend_id}")
        self._check_backend(call)
        return self._update_backend(call, backend, call.body)

    def set_default_character_backend(self, call: Call, character_backend_id: str) -> bool:
        """Make a backend the one that chats have if they do not name one."""
        return self._update_backend(call, self._known_backend(call, character_backend_id), {"isDefault": True})

    def remove_character_backend(self, call: Call, character_backend_id: str) -> bool:
        """Remove a backend; its chats stay, and can no longer be used."""
        backend = self._known_backend(call, character_backend_id)
        self._backends.delete(backend["id"])
        self._settle_default(call, backend["characterUid"], backend["backendId"])
        return True

    def get_default_character_backend(self, call: Call, character_uid: str) -> Row | None:
        """Return the default backend; it fails if there are two."""
        self._own(call, character_uid)
        backends = self._backends.find(characterUid=character_uid, isDefault=True)
        if len(backends) > 1:
            raise Refused(500)
        return backends[0] if backends else None

    def list_character_backends(self, call: Call, character_uid: str) -> list[Row]:
        """Return the backends of a character."""
        self._own(call, character_uid)
        return self._backends_of(character_uid)

    def list_character_backend_ids(self, call: Call, character_uid: str) -> list[str]:
        """Return the ids of the backends of a character."""
        return [backend["backendId"] for backend in self.list_character_backends(call, character_uid)]

    def _details(self, character: Row) -> Row:
        return {**self._characters.shown(character), "backends": self._backends_of(character["uid"])}

    def _backends_of(self, uid: str) -> list[Row]:
        return sorted(self._backends.find(characterUid=uid), key=itemgetter("backendId"))

    def _own(self, call: Call, uid: str) -> Row | None:
        """Return a version of a character of the caller's; see `own_or_refuse`."""
        return own_or_refuse(call, self._characters.rows.first(uid=uid))

    def _own_backend(self, call: Call, uid: str) -> Row | None:
        """Return a backend of the caller's; None only to an administrator, if there is no such backend."""
        backend = self._backends.first(backendId=uid)
        self._own(call, backend["characterUid"] if backend else "")
        return backend

    def _known_backend(self, call: Call, uid: str) -> Row:
        backend = self._own_backend(call, uid)
        if backend is None:
            raise Refused(400, "Invalid character backend")
        return backend

    def _check_backend(self, call: Call) -> None:
        """Refuse a task that is not the caller's, and sizes out of range."""
        if task := call.body.get("chatPromptTaskId"):
            own_or_refuse(call, self._tasks.first(promptTaskId=task))
        for name, (label, low, high) in _RANGES.items():
            if not low <= call.body.get(name, low) <= high:
                raise Refused(400, f"{label} should be between {low} and {high}")

    def _update_backend(self, call: Call, backend: Row, fields: Mapping[str, Any]) -> bool:
        is_updated = self._backends.update(backend["id"], **fields, gmtModified=call.now)
        if not call.release.leaves_two_defaults:
            self._settle_default(call, backend["characterUid"], backend["backendId"])
        return is_updated

    def _settle_default(self, call: Call, character_uid: str, changed_uid: str) -> None:
        """Leave a character one default: the changed backend if it became it, else the one there is, else any."""
        backends = self._backends_of(character_uid)
        defaults = [backend for backend in backends if backend["isDefault"]]
        chosen = [backend for backend in defaults if backend["backendId"] == changed_uid] or defaults or backends
        for backend in backends:
            if backend["isDefault"] != (is_default := backend in chosen[:1]):
                self._backends.update(backend["id"], isDefault=is_default, gmtModified=call.now)


def _with_where(query: Mapping[str, Any]) -> Row:
    """Return a search, which is for public ones if it has no conditions."""
    return {"where": {"visibility": PUBLIC}, **query}
