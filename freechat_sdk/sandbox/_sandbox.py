"""Sandbox: a running server with its users, characters and settings."""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from typing_extensions import Self

from freechat_sdk.sandbox._app import App
from freechat_sdk.sandbox._contract import OPERATIONS
from freechat_sdk.sandbox._faults import Fault, matches, obedient
from freechat_sdk.sandbox._journal import JournalEntry
from freechat_sdk.sandbox._release import RELEASES
from freechat_sdk.sandbox._resource import new_uid
from freechat_sdk.sandbox._server import Server
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox._users import Users
from freechat_sdk.sandbox._verdict import verdict
from freechat_sdk.sandbox._versioned import PRIVATE, PUBLIC
from freechat_sdk.sandbox.completions import Model, paced
from freechat_sdk.sandbox.completions.echo import echo
from freechat_sdk.sandbox.resources.character import NEW_BACKEND, NEW_CHARACTER
from freechat_sdk.sandbox.resources.chat import new_chat

_CHARACTER_FIELDS = frozenset(
    ["nickname", "description", "profile", "greeting", "gender", "lang", "default_scene", "visibility", "priority"]
)
"""What `add_character` takes."""
CHARACTER_UID = f"{1:032x}"
"""The built-in character's."""
_ADMIN = "admin"
_OWNER = "sandbox"
_USER = "you"
_GREETING = "Hello! I am Pip, and I live in this sandbox. Whatever you say, I say back."
_PROMPT = {
    "system": "You are {{{CHARACTER_NICKNAME}}}.",
    "messageToSend": {"role": "user", "contents": [{"type": "text", "content": "{{{input}}}"}]},
}


@dataclass(frozen=True)
class Character:
    """A character of a sandbox."""

    id: int
    uid: str
    name: str
    nickname: str | None
    greeting: str | None


@dataclass(frozen=True)
class Snapshot:
    """What a sandbox held at some time, for `Sandbox.restore`."""

    copy: sqlite3.Connection


class Sandbox:
    """A FreeChat server on this machine; a context manager that starts and stops it.

    Args:
        release: which server to be: "2.9.0" (v2), "2.6.0" (v2) or "2.0.0" (v1).
        port: where to listen on 127.0.0.1; 0 takes a free port.
        db: file to keep everything in; None keeps it in memory.
        model: what stands for the model: a function from a `Prompt` to a `Completion`, or to a str that is said word
            by word. Default `echo`; `forward` asks the server of a task's `baseUrl`.
        delay: seconds before each token. Default 0.
        faithful: whether to do wrong what the recorded servers do wrong. Default False.
        token: the first user's token; None makes one, or takes one from the file.
        admin_token: an administrator's token; None adds no administrator.

    Raises:
        ValueError: for an unknown release, a negative delay or a token that is somebody else's.
        OSError: when the port is taken.
    """

    def __init__(
        self,
        *,
        release: str = "2.9.0",
        port: int = 0,
        db: str | None = None,
        model: Model = echo,
        delay: float = 0.0,
        faithful: bool = False,
        token: str | None = None,
        admin_token: str | None = None,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if release not in RELEASES:
            raise ValueError(f"release is one of {', '.join(RELEASES)}, not {release!r}")
        if delay < 0:
            raise ValueError(f"delay is a number of seconds from 0 on, not {delay}")
        facts = RELEASES[release] if faithful else RELEASES[release].without_faults()
        self._hurry = threading.Event()
        sleep = sleep or self._hurry.wait
        ask = obedient(paced(model, delay, sleep), sleep)
        self._clock = clock
        self._store = Store(db)
        self._users = Users(self._store)
        app = App(self._store, facts, ask, clock=clock)
        self.requests: list[JournalEntry] = app.journal
        """The requests that reached an operation, in order."""
        try:
            self.token = self._token_of(_USER, token)
            """The token of a first user."""
            if admin_token is not None:
                self._token_of(_ADMIN, admin_token, is_admin=True)
            self._server = Server(app, port, sleep=sleep, clock=clock)
        except BaseException:
            self._store.close()
            raise
        self._thread: threading.Thread | None = None
        self.release = release
        self.port = self._server.port
        self.host = f"http://127.0.0.1:{self.port}"
        """Where it listens: `Configuration(host=...)`."""
        self.character = self._built_in()
        """The built-in character: `uid`, `id`, `greeting` and so on."""

    def _token_of(self, name: str, token: str | None, *, is_admin: bool = False) -> str:
        """Return a valid token of a user, made if there is none: a given one, or any."""
        known = [row["token"] for row in self._users.valid_tokens(name, int(self._clock()))]
        if token is None and known:
            return str(known[0])
        if token in known:
            return str(token)
        if self._users.tokens.count(token=token):
            raise ValueError(f"the token for {name!r} has ended or is somebody else's")
        return self.add_user(name, token, admin=is_admin)

    def _built_in(self) -> Character:
        """Return the built-in character, made if the database has none."""
        known = self._store.table("characters").first(username=_OWNER)
        if known is not None:
            return _described(known)
        self.add_user(_OWNER)
        described = {"nickname": "Pip", "greeting": _GREETING, "description": "An echo."}
        return self.add_character("pip", owner=_OWNER, uid=CHARACTER_UID, **described)

    def add_user(self, name: str, token: str | None = None, *, admin: bool = False) -> str:
        """Add a user, or another token of one, and return the token."""
        now = int(self._clock())
        with self._store.transaction():
            if self._users.find(name) is None:
                self._users.add(name, now, is_admin=admin, nickname=name)
            return self._users.add_token(name, now, token=token)

    def snapshot(self) -> Snapshot:
        """Return a copy of everything that the sandbox holds; takes a few milliseconds."""
        return Snapshot(self._store.snapshot())

    def restore(self, snapshot: Snapshot) -> None:
        """Make the sandbox hold what it held when the snapshot was made.

        It closes its connections and waits until what is under way has ended. Faults and `requests` are forgotten.
        """
        self._hurry.set()
        self._server.settle()
        self._hurry.clear()
        self._server.faults.clear()
        self._server.journal.clear()
        self.requests.clear()
        self._store.restore(snapshot.copy)

    def add_character(
        self,
        name: str,
        *,
        owner: str = _USER,
        uid: str | None = None,
        backend: str | None = None,
        tags: Sequence[str] = (),
        **fields: Any,
    ) -> Character:
        """Add a published character with a backend and return it.

        `fields` are `nickname`, `description`, `profile`, `greeting`, `gender`, `lang`, `default_scene`, `visibility`,
        `priority`.

        Raises:
            TypeError: for another field.
        """
        if unknown := sorted(fields.keys() - _CHARACTER_FIELDS):
            raise TypeError(f"a character has no {unknown[0]!r}")
        given = {name: value for name, value in fields.items() if value is not None}
        row: Row = {**NEW_CHARACTER, "visibility": PUBLIC, "isPublished": True, "version": 1}
        row |= {"name": name, "username": owner, "uid": uid or new_uid(), "tags": list(tags), **given}
        row["defaultScene"] = row.pop("default_scene", None)
        with self._store.transaction():
            row_id = self._store.table("characters").add(**row, **self._dates())
            self.add_backend(row["uid"], backend)
        return _described({**row, "id": row_id})

    def add_backend(
        self, character: str, backend: str | None = None, *, quota_type: str = "none", quota: int = 0
    ) -> str:
        """Add a backend to a character and return its id; the first one is the default.

        A chat with it may have `quota` answers or tokens, as `quota_type` says: "messages", "tokens" or "none".
        """
        table, backend_id = self._store.table("backends"), backend or new_uid()
        character_row = self._store.table("characters").first(uid=character)
        owner = {"username": character_row["username"] if character_row else _OWNER, **self._dates()}
        with self._store.transaction():
            template = {"name": "chat", "type": "chat", "format": "mustache", "chatTemplate": _PROMPT}
            prompt = {"visibility": PRIVATE, "version": 1, "uid": new_uid(), "lang": "en", "tags": [], **template}
            ref = {"promptId": self._store.table("prompts").add(**prompt, **owner)}
            task = {"promptTaskId": new_uid(), "promptRef": ref, "modelId": "[open_ai]echo", "status": "pending"}
            self._store.table("prompt_tasks").add(**task, **owner)
            ids = {"backendId": backend_id, "characterUid": character, "chatPromptTaskId": task["promptTaskId"]}
            quotas = {"quotaType": quota_type, "initQuota": quota}
            is_default = table.first(characterUid=character) is None
            table.add(**{**NEW_BACKEND, **ids, **quotas, "isDefault": is_default, **owner})
        return backend_id

    def _dates(self) -> dict[str, int]:
        return dict.fromkeys(("gmtCreate", "gmtModified"), int(self._clock()))

    def add_chat(self, character: str, chat: str | None = None, *, user: str = _USER) -> str:
        """Start a chat of a user with a character's default backend, under an id of the caller's, and return the id."""
        backend = self._store.table("backends").first(characterUid=character, isDefault=True)
        if backend is None:
            raise ValueError(f"there is no character {character!r} with a backend")
        row = new_chat({"uid": character}, backend, {}, username=user, chat_id=chat)
        self._store.table("chats").add(**row, **self._dates())
        return str(row["chatId"])

    def remove_backend(self, backend: str) -> None:
        """Remove a backend; its chats stay and can no longer be used."""
        self._store.table("backends").delete_where(backendId=backend)

    def fail(
        self, operation: str, fault: Fault, times: int | None = None, *, probability: float = 1.0, seed: int = 0
    ) -> None:
        """Make requests to an operation fail, such as `ChatApi.send_message`; `ChatApi.*` or `*` means several.

        Args:
            operation: the operation, or a pattern with `*`.
            fault: what goes wrong.
            times: how often; None means each time.
            probability: how likely it is each time, from 0 to 1.
            seed: what the chances depend on; the same seed gives the same ones.

        Raises:
            ValueError: if the release has no such operation.
        """
        if not any(matches(operation, known) for known in OPERATIONS):
            raise ValueError(f"there is no operation {operation!r}; write it like ChatApi.send_message or ChatApi.*")
        self._server.faults.add(operation, fault, times, probability, seed)

    def assert_well_behaved(self) -> None:
        """Fail if the program misused the server since the sandbox started or was restored; the error says how.

        Raises:
            AssertionError: if it sent a message again although it may have arrived, sent two at once to a chat, made a
                new connection for each call, polled more than once a second, left a stream open, or put a token into
                a query.
        """
        if found := list(verdict(self._server.journal.exchanges)):
            raise AssertionError("\n".join(["The program misused the server:", *(f"- {text}" for text in found)]))

    def start(self) -> None:
        """Start answering."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="freechat-sandbox")
            self._thread.start()

    def stop(self) -> None:
        """Stop: close all connections, wait for their threads and close the database."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._hurry.set()
        self._server.server_close()
        self._store.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Sandbox(host={self.host!r})"


def _described(row: Row) -> Character:
    return Character(row["id"], row["uid"], row["name"], row.get("nickname"), row.get("greeting"))
