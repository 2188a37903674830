"""CharacterApi: characters with their versions, backends, files and archives."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partialmethod
from operator import itemgetter
from typing import Any, ClassVar
from urllib.parse import quote_plus

from freechat_sdk.sandbox._character_archive import FAILURE, Archives
from freechat_sdk.sandbox._character_files import AVATAR, DOCUMENT, KINDS, PICTURE, VIDEO, VOICE, Kind
from freechat_sdk.sandbox._chat_prompts import default_backend
from freechat_sdk.sandbox._files import Files, address, key_of, path_of
from freechat_sdk.sandbox._resource import Call, File, Refused, Upload, check_ranges, new_uid, own_or_refuse
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox._users import CACHE_SECONDS
from freechat_sdk.sandbox._versioned import HIDDEN, PUBLIC, Versioned
from freechat_sdk.sandbox.resources.rag import new_task

NEW_CHARACTER = {"gender": "other", "lang": "en", "priority": 1, "tags": []}
NEW_BACKEND = {
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
_DRAFTED = ("chatExample", "chatStyle", "greeting", "profile")
_RANGES = {
    "messageWindowSize": ("Message window size", 10, 500),
    "longTermMemoryWindowSize": ("Long term memory window size", 0, 30),
}


class Character(Versioned, kind="character"):
    """Versions of characters, and what belongs to all versions of one: backends and files."""

    _default_where: ClassVar[Row] = {"visibility": PUBLIC}

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._backends = store.table("backends", "backendId", "characterUid")
        self._tasks = store.table("prompt_tasks", "promptTaskId", "username")
        self._remembered = store.table("remembered_characters", "characterId")
        self._files = Files(store)
        self._archives = Archives(store)
        self._rag_tasks = store.table("rag_tasks", "characterUid")

    def _new(self, call: Call, fields: Row) -> Row:
        return {**NEW_CHARACTER, **fields}

    def _details(self, row: Row) -> Row:
        return {**self._shown(row), "backends": self._backends_of(row["uid"])}

    def get_character_details(self, call: Call, character_id: int) -> Row:
        return self._details(self._seen(call, character_id) or self.found(call, character_id))

    def update_character(self, call: Call, character_id: int) -> bool:
        self._remembered.delete_where(characterId=character_id)
        return self.update_thing(call, character_id)

    def publish_character(self, call: Call, character_id: int, visibility: str = PUBLIC) -> int | None:
        """Publish a version; what stands in its draft becomes a part of it."""
        row_id = self.publish_thing(call, character_id, visibility)
        self._remembered.delete_where(characterId=character_id)
        if row_id is not None and (draft := (self.rows.get(row_id) or {}).get("draft")):
            self.rows.update(row_id, **_drafted(draft), draft=None)
        return row_id

    def get_character_latest_id_by_name(self, call: Call, name: str) -> int | None:
        rows = [row for row in self.of_name(call, name) if row["visibility"] != HIDDEN]
        return rows[0]["id"] if rows else None

    def add_character_backend(self, call: Call, character_uid: str) -> str | None:
        """Add a backend and return its id; None if it was not said whether it is the default, for some releases."""
        self._own(call, character_uid)
        self._check_backend(call)
        uid = new_uid()
        self._backends.add(
            **{**NEW_BACKEND, **call.body, **call.dates, "backendId": uid, "characterUid": character_uid}
        )
        if call.release.needs_is_default and "isDefault" not in call.body:
            return None
        self._settle_default(call, character_uid, uid)
        return uid

    def update_character_backend(self, call: Call, character_backend_id: str) -> bool:
        backend = self._own_backend(call, character_backend_id)
        if backend is None:
            raise Refused(404, f"Failed to find character backend: {character_backend_id}")
        self._check_backend(call)
        return self._update_backend(call, backend, call.body)

    def set_default_character_backend(self, call: Call, character_backend_id: str) -> bool:
        return self._update_backend(call, self._known_backend(call, character_backend_id), {"isDefault": True})

    def remove_character_backend(self, call: Call, character_backend_id: str) -> bool:
        """Remove a backend; its chats stay, and can no longer be used."""
        backend = self._known_backend(call, character_backend_id)
        self._backends.delete(backend["id"])
        self._settle_default(call, backend["characterUid"], backend["backendId"])
        return True

    def get_default_character_backend(self, call: Call, character_uid: str) -> Row | None:
        self._own(call, character_uid)
        return default_backend(self._backends, {"uid": character_uid})

    def list_character_backends(self, call: Call, character_uid: str) -> list[Row]:
        self._own(call, character_uid)
        return self._backends_of(character_uid)

    def list_character_backend_ids(self, call: Call, character_uid: str) -> list[str]:
        return [backend["backendId"] for backend in self.list_character_backends(call, character_uid)]

    def _upload(self, kind: Kind, call: Call, character_uid: str) -> str:
        """Store a file and return its address; the character has an avatar only once it is updated."""
        if kind is AVATAR and call.release.refuses_avatars and not call.is_admin:
            raise Refused(403)
        self._own(call, character_uid)
        return address(call, kind.address, kind.add(self._files, call, character_uid))

    upload_character_avatar = partialmethod(_upload, AVATAR)
    upload_character_picture = partialmethod(_upload, PICTURE)
    upload_character_document = partialmethod(_upload, DOCUMENT)
    upload_character_video = partialmethod(_upload, VIDEO)

    def _addresses(self, kind: Kind, call: Call, character_uid: str) -> list[str]:
        """Return the addresses of files; that of a document ends with what a RAG task calls its source."""
        self._own(call, character_uid)
        return [address(call, kind.address, row["key"]) for row in self._files.find(kind.folder(call, character_uid))]

    list_character_pictures = partialmethod(_addresses, PICTURE)
    list_character_documents = partialmethod(_addresses, DOCUMENT)
    list_character_videos = partialmethod(_addresses, VIDEO)

    def _delete_file(self, kind: Kind, call: Call, key: str) -> bool:
        """Delete a file of a character of the caller's; not even administrators may delete others'."""
        character = self.rows.first(uid=path_of(key).rpartition("/")[0].rpartition("/")[2])
        if character is None or character["username"] != call.user:
            raise Refused(403, f"{kind.label} doesn't belong to you")
        return self._files.delete(key)

    delete_character_picture = partialmethod(_delete_file, PICTURE)
    delete_character_document = partialmethod(_delete_file, DOCUMENT)
    delete_character_video = partialmethod(_delete_file, VIDEO)

    def upload_character_voice(self, call: Call, character_backend_id: str) -> str:
        """Store a voice and return the name of the speaker that it makes."""
        self._own_backend(call, character_backend_id)
        VOICE.add(self._files, call, character_backend_id)
        return "voice-1.wav"

    def list_character_voices(self, call: Call, character_backend_id: str) -> list[str]:
        self._own_backend(call, character_backend_id)
        return [row["name"] for row in self._files.find(VOICE.folder(call, character_backend_id))]

    def delete_character_voice(self, call: Call, character_backend_id: str, key: str) -> bool:
        self._own_backend(call, character_backend_id)
        return self._files.delete(key_of(f"{VOICE.folder(call, character_backend_id)}/{key}"))

    def export_character(self, call: Call, character_id: int, include_connectors: bool = False) -> File:
        """Return the archive of a character; no recorded server has connectors."""
        character = self._seen(call, character_id)
        if character is None:
            raise Refused(500)
        data = self._archives.export(call, character, self._backends_of(character["uid"]))
        name = quote_plus(f"{character['name']}.tar.gz", safe="*").replace("~", "%7E")
        disposition = f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
        return File(data, "application/gzip", (("Content-Disposition", disposition),))

    def import_character(self, call: Call) -> int:
        """Make a character of an archive and return its id."""
        contents = self._archives.read(call)
        name = self.new_thing_name(call, contents.character.get("name", ""))
        row_id = self.add(call, {**contents.character, "name": name})
        uid = self.rows.find(id=row_id)[0]["uid"]
        for configuration in contents.backends:
            self.add_character_backend(replace(call, body=self._archives.add_tasks(call, configuration)), uid)
        for folder in call.release.archive_folders:
            names = [path for path in contents.files if path.startswith(f"{folder}/")]
            if not names and call.release.needs_archive_folders:
                raise Refused(500, FAILURE, keeps_changes=True)
            for path in names:
                self._import_file(call, row_id, folder, Upload(path.rpartition("/")[2], "", contents.files[path]))
        return row_id

    def _seen(self, call: Call, character_id: int) -> Row | None:
        """Return a character that the caller may see, or that the server remembers as it should not."""
        remembered = self._remembered.first(characterId=character_id)
        is_leaked = remembered is not None and call.now < remembered["rememberedAt"] + CACHE_SECONDS
        if is_leaked and call.release.leaks_details:
            return self.rows.get(character_id)
        character = self.visible(call, character_id)
        if character is not None:
            self._remembered.delete_where(characterId=character_id)
            self._remembered.add(characterId=character_id, rememberedAt=call.now)
        return character

    def _import_file(self, call: Call, character_id: int, folder: str, upload: Upload) -> None:
        """Store a file of an archive; a document gets a RAG task that can be started."""
        uid = self.rows.find(id=character_id)[0]["uid"]
        owner = self._backends_of(uid)[0]["backendId"] if folder == "voices" else uid
        key = self._files.put(KINDS[folder].folder(call, owner), upload)
        if folder == "avatar":
            self.rows.update(character_id, avatar=address(call, AVATAR.address, key))
        if folder == "documents":
            self._rag_tasks.add(**new_task(call, uid, {"sourceType": "file", "source": key}))

    def _backends_of(self, uid: str) -> list[Row]:
        return sorted(self._backends.find(characterUid=uid), key=itemgetter("backendId"))

    def _own(self, call: Call, uid: str) -> Row | None:
        """Return a version of a character of the caller's; see `own_or_refuse`."""
        return own_or_refuse(call, self.rows.first(uid=uid))

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
        check_ranges(call.body, _RANGES)

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


def _drafted(draft: str) -> Row:
    try:
        fields = json.loads(draft)
        return {name: fields[name] for name in _DRAFTED if fields.get(name) is not None}
    except (AttributeError, ValueError):
        return {}
