"""Archives of characters: `.tar.gz` files with a manifest, the configuration as JSON, and folders of files."""

import gzip
import io
import json
import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from freechat_sdk.sandbox import _wire
from freechat_sdk.sandbox._character_files import KINDS
from freechat_sdk.sandbox._contract import SCHEMAS
from freechat_sdk.sandbox._files import Files, data_of
from freechat_sdk.sandbox._resource import Call, Refused
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox._versioned import HIDDEN, PRIVATE
from freechat_sdk.sandbox.resources.prompt import Prompt
from freechat_sdk.sandbox.resources.prompt_task import PromptTask

FAILURE = "Failed to import character configuration"
_UNREADABLE = (tarfile.TarError, OSError, EOFError, zlib.error, AttributeError, KeyError, TypeError, ValueError)
"""What goes wrong with a file that is not an archive of a character."""
_ROLES = ("chat", "greeting")
"""What the prompts of a backend are for."""
_MANIFEST, _CONFIGURATION = "manifest.yml", "character.json"
_MODE = 0o100644


class Contents(NamedTuple):
    """What an archive holds: fields of a character, its backends with their prompts and tasks, and files by paths."""

    character: Row
    backends: list[dict[str, Row]]
    files: dict[str, bytes]


class Archives:
    """Archives of the characters of a store."""

    def __init__(self, store: Store) -> None:
        self._prompts = Prompt(store)
        self._tasks = store.table("prompt_tasks", "promptTaskId", "username")
        self._files = Files(store)
        self._prompt_task = PromptTask(store)

    def export(self, call: Call, character: Row, backends: list[Row]) -> bytes:
        """Return the archive of a character: api keys in clear, but of prompts and files only the caller's own."""
        configuration = {
            "character": _given(call, "CharacterCreateDTO", character),
            "backends": [self._configuration(call, backend) for backend in backends],
        }
        files = self._exported_files(call, character, backends) if character["username"] == call.user else {}
        return _pack(call.release.generation, call.release.name, configuration, files, call.now)

    def _configuration(self, call: Call, backend: Row) -> dict[str, Row]:
        configuration = {"backend": _given(call, "CharacterBackendDTO", backend)}
        for role in _ROLES:
            task = self._tasks.first(promptTaskId=backend.get(f"{role}PromptTaskId"))
            if task is not None:
                if prompt := self._latest_prompt(call, task["promptRef"].get("promptId", 0)):
                    configuration[f"{role}Prompt"] = _given(call, "PromptCreateDTO", {"aiModels": [], **prompt})
                configuration[f"{role}PromptTask"] = _given(call, "PromptTaskDTO", {**task, "promptRef": None})
        return configuration

    def _latest_prompt(self, call: Call, prompt_id: int) -> Row | None:
        prompt = self._prompts.rows.get(prompt_id)
        versions = self._prompts.rows.find(uid=prompt["uid"], username=call.user) if prompt else []
        return next((version for version in reversed(versions) if version["visibility"] != HIDDEN), None)

    def _exported_files(self, call: Call, character: Row, backends: list[Row]) -> dict[str, bytes]:
        rows = {}
        for folder in ("documents", "pictures", "avatar", "videos", "voices"):
            uids = [backend["backendId"] for backend in backends] if folder == "voices" else [character["uid"]]
            for row in (row for uid in uids for row in self._files.find(KINDS[folder].folder(call, uid))):
                if folder != "avatar" or str(character.get("avatar")).endswith(row["key"]):
                    rows[f"{folder}/{row['name']}"] = data_of(row)
        return rows

    def read(self, call: Call) -> Contents:
        """Return the contents of the archive that was sent."""
        try:
            generation, configuration, files = _unpack(call.upload.data)
            if generation != call.release.generation:
                raise Refused(400, "Incompatible character configuration")
            character = _wire.read("CharacterCreateDTO", configuration["character"], call.release)
            backends = [_read_backend(call, backend) for backend in configuration["backends"]]
        except _UNREADABLE:
            raise Refused(500, FAILURE) from None
        return Contents({**character, "parentUid": None, "visibility": PRIVATE, "version": 1}, backends, files)

    def add_tasks(self, call: Call, configuration: Mapping[str, Row]) -> Row:
        """Add the prompts and tasks of a backend in an archive, and return its fields with their ids."""
        fields = {**configuration["backend"]}
        for role in _ROLES:
            fields.pop(f"{role}PromptTaskId", None)
            prompt, task = configuration.get(f"{role}Prompt"), configuration.get(f"{role}PromptTask")
            if prompt is not None and task is not None:
                name = self._prompts.new_thing_name(call, prompt.get("name", ""))
                prompt = {**prompt, "parentUid": None, "name": name, "visibility": PRIVATE, "version": 1}
                prompt_id = self._prompts.add(call, prompt)
                task_call = replace(call, body={**task, "promptRef": {"promptId": prompt_id}})
                fields[f"{role}PromptTaskId"] = self._prompt_task.create_prompt_task(task_call)
        return fields


def _given(call: Call, schema: str, row: Row) -> Row:
    """Return the fields of a row that a schema has and that are not null."""
    names = [field.name for field in SCHEMAS[schema] if call.release.generation in field.generations]
    return {name: row[name] for name in names if row.get(name) is not None}


def _read_backend(call: Call, value: Mapping[str, Any]) -> dict[str, Row]:
    schemas = {"backend": "CharacterBackendDTO"}
    for role in _ROLES:
        schemas |= {f"{role}Prompt": "PromptCreateDTO", f"{role}PromptTask": "PromptTaskDTO"}
    held = [(name, schema) for name, schema in schemas.items() if value.get(name) is not None]
    return {"backend": {}, **{name: _wire.read(schema, value[name], call.release) for name, schema in held}}


def _pack(generation: str, version: str, configuration: Any, files: Mapping[str, bytes], now: int) -> bytes:
    """Return an archive; `files` have paths like `pictures/p.png`."""
    url = "https://github.com/freechat-fun/freechat"
    manifest = f"apiVersion: {generation}\nappUrl: {url}\nappVersion: {version}\n"
    text = json.dumps(configuration, ensure_ascii=False, separators=(",", ":"))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, data in {_MANIFEST: manifest.encode(), _CONFIGURATION: text.encode(), **files}.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(data), _MODE, now
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _unpack(data: bytes) -> tuple[str, Any, dict[str, bytes]]:
    """Return the generation, the configuration and the files of an archive; empty folders are left out."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        opened = {entry.name.removeprefix("./"): archive.extractfile(entry) for entry in archive}
        files = {path: file.read() for path, file in opened.items() if file}
    manifest, text = files.pop(_MANIFEST).decode(), files.pop(_CONFIGURATION)
    generation = re.search(r"^apiVersion:\s*['\"]?(\w+)", manifest, re.MULTILINE)
    return generation[1] if generation else "", json.loads(text), files
