"""Sandbox: a running server with its users, characters and settings."""

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from uuid import uuid4

from typing_extensions import Self

from freechat_sdk.sandbox import _chat_app, _chat_store
from freechat_sdk.sandbox._app import App
from freechat_sdk.sandbox._chat_store import Backend, Character
from freechat_sdk.sandbox._chats import Chats
from freechat_sdk.sandbox._contract import OPERATIONS, Operation
from freechat_sdk.sandbox._dialect import DIALECTS
from freechat_sdk.sandbox._faults import Fault, matches, obedient
from freechat_sdk.sandbox._http import Request, Response
from freechat_sdk.sandbox._journal import JournalEntry
from freechat_sdk.sandbox._release import RELEASES
from freechat_sdk.sandbox._server import Server
from freechat_sdk.sandbox._store import Store
from freechat_sdk.sandbox._users import Users
from freechat_sdk.sandbox._verdict import verdict
from freechat_sdk.sandbox.completions import Model, paced
from freechat_sdk.sandbox.completions.echo import echo

_CHARACTER_FIELDS = frozenset(
    {"nickname", "description", "greeting", "gender", "lang", "default_scene", "visibility", "priority"}
)
_OWNER = "sandbox"
_USER = "you"
_GREETING = "Hello! I am Pip, and I live in this sandbox. Whatever you say, I say back."


class _Both:
    """Chats by the chat part that is not a resource yet, all else by the resources."""

    def __init__(self, app: App, chats: _chat_app.App, generation: str) -> None:
        self._app = app
        self._chats = chats
        self._prefix = f"/api/{generation}/chat"

    def operation_of(self, request: Request) -> tuple[Operation, Mapping[str, str]] | None:
        return self._app.operation_of(request)

    def respond(self, request: Request) -> Response:
        """Return the response to a request."""
        is_chat = f"{request.path}/".startswith(f"{self._prefix}/") and request.body is not None and not request.refusal
        return self._chats.respond(request) if is_chat else self._app.respond(request)


@dataclass(frozen=True)
class Snapshot:
    """What a sandbox held at some time, for `Sandbox.restore`."""

    copies: tuple[sqlite3.Connection, ...]


class Sandbox:
    """A FreeChat server on this machine; a context manager that starts and stops it.

    Args:
        release: which server to be: "2.9.0" (v2), "2.6.0" (v2) or "2.0.0" (v1).
        port: where to listen on 127.0.0.1; 0 takes a free port.
        db: file to keep everything in; None keeps it in memory.
        model: what stands for the model: a function from a `Prompt` to a `Completion`, or to a str that is said word
            by word. Default `echo`.
        delay: seconds before each token. Default 0.
        faithful: whether to do wrong what the recorded servers do wrong. Default False.

    Raises:
        ValueError: for an unknown release or a negative delay.
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
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if release not in DIALECTS:
            raise ValueError(f"release is one of {', '.join(DIALECTS)}, not {release!r}")
        if delay < 0:
            raise ValueError(f"delay is a number of seconds from 0 on, not {delay}")
        facts = RELEASES[release] if faithful else RELEASES[release].without_faults()
        self._hurry = threading.Event()
        sleep = sleep or self._hurry.wait
        ask = obedient(paced(model, delay, sleep), sleep)
        self._clock = clock
        self._store = Store(db)
        self._users = Users(self._store)
        self._chat_store = _chat_store.Store(f"{db}.chats" if db else None)
        dialect = DIALECTS[release]()
        chats = _chat_app.App(self._chat_store, Chats(self._chat_store, dialect, ask, faithful=faithful), dialect)
        app = App(self._store, facts, ask, clock=clock)
        self.requests: list[JournalEntry] = app.journal
        """The requests that reached an operation, in order."""
        try:
            self._server = Server(_Both(app, chats, facts.generation), port, sleep=sleep, clock=clock)
        except BaseException:
            self._close_stores()
            raise
        self._thread: threading.Thread | None = None
        self.release = release
        self.port = self._server.port
        self.host = f"http://127.0.0.1:{self.port}"
        """Where it listens: `Configuration(host=...)`."""
        self.token = self._chat_store.token_of(_USER) or self.add_user(_USER)
        """The token of a first user."""
        self.character = self._built_in()
        """The built-in character: `uid`, `id`, `greeting` and so on."""

    def _built_in(self) -> Character:
        """Return the built-in character, made where the database has none."""
        known = self._chat_store.characters_of(_OWNER)
        if known:
            return known[0]
        self.add_user(_OWNER)
        return self.add_character("pip", owner=_OWNER, nickname="Pip", greeting=_GREETING, description="An echo.")

    def add_user(self, name: str, token: str | None = None, *, admin: bool = False) -> str:
        """Add a user, or another token of one, and return the token."""
        now = int(self._clock())
        with self._store.transaction():
            if self._users.find(name) is None:
                self._users.add(name, now, is_admin=admin, nickname=name)
            value = self._users.add_token(name, now, token=token)
        self._chat_store.add_user(name, value)
        return value

    def snapshot(self) -> Snapshot:
        """Return a copy of everything that the sandbox holds; takes a few milliseconds."""
        return Snapshot((self._store.snapshot(), self._chat_store.snapshot()))

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
        self._store.restore(snapshot.copies[0])
        self._chat_store.restore(snapshot.copies[1])

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
        """Add a character with a backend and return it.

        `fields` are `nickname`, `description`, `greeting`, `gender`, `lang`, `default_scene`, `visibility`, `priority`.

        Raises:
            TypeError: for another field.
        """
        if unknown := sorted(fields.keys() - _CHARACTER_FIELDS):
            raise TypeError(f"a character has no {unknown[0]!r}")
        given = {"name": name, "owner": owner, "uid": uid or uuid4().hex, "tags": list(tags), **fields}
        character = self._chat_store.add_character(given)
        self.add_backend(character.uid, backend)
        return character

    def add_backend(
        self, character: str, backend: str | None = None, *, quota_type: str = "none", quota: int = 0
    ) -> str:
        """Add a backend to a character and return its id; the first one is the default.

        A chat with it may have `quota` answers or tokens, as `quota_type` says: "messages", "tokens" or "none".
        """
        number = backend or uuid4().hex
        self._chat_store.add_backend(Backend(number, character, quota_type, quota, is_removed=False))
        return number

    def add_chat(self, character: str, chat: str | None = None, *, user: str = _USER) -> str:
        """Start a chat of a user with a character's default backend, under an id of the caller's, and return the id."""
        backend = self._chat_store.default_backend(character)
        if backend is None:
            raise ValueError(f"there is no character {character!r} with a backend")
        return self._chat_store.add_chat(user, backend.id, {}, chat)

    def remove_backend(self, backend: str) -> None:
        """Remove a backend; its chats stay and can no longer be used."""
        self._chat_store.remove_backend(backend)

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
        self._close_stores()

    def _close_stores(self) -> None:
        self._store.close()
        self._chat_store.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"Sandbox(host={self.host!r})"
