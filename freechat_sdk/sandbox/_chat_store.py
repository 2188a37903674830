"""What the sandbox knows: users, tokens, characters, backends, chats and messages, in an SQLite database."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

T = TypeVar("T")

_TABLES = """
CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users);
CREATE TABLE IF NOT EXISTS characters (
    id INTEGER PRIMARY KEY, uid TEXT UNIQUE NOT NULL, owner TEXT NOT NULL REFERENCES users, name TEXT NOT NULL,
    nickname TEXT, description TEXT, greeting TEXT, gender TEXT, lang TEXT, default_scene TEXT,
    visibility TEXT NOT NULL, priority INTEGER NOT NULL, tags TEXT NOT NULL, created INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS backends (
    id TEXT PRIMARY KEY, character TEXT NOT NULL REFERENCES characters (uid), quota_type TEXT NOT NULL,
    quota INTEGER NOT NULL, is_removed INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS chats (
    id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES users, backend_id TEXT NOT NULL REFERENCES backends,
    settings TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL, read INTEGER,
    answers INTEGER NOT NULL DEFAULT 0, input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0, is_deleted INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, chat_id TEXT NOT NULL REFERENCES chats, role TEXT NOT NULL, contents TEXT,
    ext TEXT, created INTEGER NOT NULL, is_hidden INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS messages_of_chat ON messages (chat_id, id);
"""


@dataclass(frozen=True)
class Character:
    """Somebody to chat with."""

    id: int
    uid: str
    owner: str
    name: str
    nickname: str | None
    description: str | None
    greeting: str | None
    gender: str | None
    lang: str | None
    default_scene: str | None
    visibility: str
    priority: int
    tags: list[str]
    created: int


@dataclass(frozen=True)
class Backend:
    """A model that speaks for a character, and how much a chat with it may use."""

    id: str
    character: str
    quota_type: str
    """`messages`, `tokens` or `none`."""
    quota: int
    is_removed: bool


@dataclass(frozen=True)
class Chat:
    """A conversation of a user; times are epoch seconds."""

    id: str
    user: str
    backend_id: str
    settings: dict[str, Any]
    created: int
    modified: int
    read: int | None
    answers: int
    """How many answers there have ever been."""
    input_tokens: int
    output_tokens: int
    is_deleted: bool


@dataclass(frozen=True)
class Message:
    """A stored message."""

    id: int
    chat_id: str
    role: str
    contents: list[Any] | None
    ext: str | None
    created: int
    is_hidden: bool

    @property
    def text(self) -> str:
        """The text of the message."""
        return text_of(self.contents)


def text_of(contents: Sequence[Any] | None) -> str:
    """Return the text in a message's contents, all parts of it joined."""
    return "".join(part.get("content") or "" for part in contents or () if part.get("type", "text") == "text")


class Store:
    """The database; its methods may be called by any thread."""

    def __init__(self, path: str | None = None, clock: Callable[[], float] = time.time) -> None:
        """Open the database in a file, or an empty one in memory."""
        self._clock = clock
        self._lock = threading.Lock()
        self._copies: list[sqlite3.Connection] = []
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(_TABLES)

    def snapshot(self) -> sqlite3.Connection:
        """Return a copy of the database."""
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        with self._lock:
            self._copies.append(copy)
            self._db.backup(copy)
        return copy

    def restore(self, copy: sqlite3.Connection) -> None:
        """Make the database what it was when the copy was made."""
        with self._lock:
            copy.backup(self._db)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            for database in (self._db, *self._copies):
                database.close()

    def _run(self, statement: str, *values: object) -> list[sqlite3.Row]:
        with self._lock, closing(self._db.execute(statement, values)) as cursor:
            return cursor.fetchall()

    def _now(self) -> int:
        return int(self._clock())

    def add_user(self, name: str, token: str) -> None:
        """Add a user, or another token of one."""
        self._run("INSERT OR IGNORE INTO users VALUES (?)", name)
        self._run("INSERT INTO tokens VALUES (?, ?)", token, name)

    def token_of(self, user: str) -> str | None:
        """Return the first token of a user."""
        rows = self._run("SELECT token FROM tokens WHERE user = ? ORDER BY rowid LIMIT 1", user)
        return rows[0]["token"] if rows else None

    def user_of(self, token: str) -> str | None:
        """Return whose token it is."""
        rows = self._run("SELECT user FROM tokens WHERE token = ?", token)
        return rows[0]["user"] if rows else None

    def add_character(self, fields: Mapping[str, Any]) -> Character:
        """Add a character; what is not given has a default."""
        given = {"uid": uuid4().hex, "visibility": "public", "priority": 1, "created": self._now(), **fields}
        given["tags"] = json.dumps(given.get("tags") or [])
        names, places = ", ".join(given), ", ".join("?" * len(given))
        self._run(f"INSERT INTO characters ({names}) VALUES ({places})", *given.values())  # noqa: S608 - own names
        return self.character_of(given["uid"])

    def character(self, uid: str) -> Character | None:
        """Return a character by its uid."""
        return _first(_characters(self._run("SELECT * FROM characters WHERE uid = ?", uid)))

    def character_of(self, uid: str) -> Character:
        """Return a character that is there."""
        return _characters(self._run("SELECT * FROM characters WHERE uid = ?", uid))[0]

    def character_by_id(self, number: int) -> Character | None:
        """Return a character by its id."""
        return _first(_characters(self._run("SELECT * FROM characters WHERE id = ?", number)))

    def characters_of(self, owner: str) -> list[Character]:
        """Return a user's characters, the oldest first."""
        return _characters(self._run("SELECT * FROM characters WHERE owner = ? ORDER BY id", owner))

    def add_backend(self, backend: Backend) -> None:
        """Add a backend; a character's first one is its default."""
        self._run(
            "INSERT INTO backends (id, character, quota_type, quota) VALUES (?, ?, ?, ?)",
            *(backend.id, backend.character, backend.quota_type, backend.quota),
        )

    def remove_backend(self, backend_id: str) -> None:
        """Remove a backend; its chats stay."""
        self._run("UPDATE backends SET is_removed = 1 WHERE id = ?", backend_id)

    def backend(self, backend_id: str) -> Backend | None:
        """Return a backend, also one that was removed."""
        return _first(_backends(self._run("SELECT * FROM backends WHERE id = ?", backend_id)))

    def backend_of(self, chat: Chat) -> Backend:
        """Return the backend of a chat."""
        return _backends(self._run("SELECT * FROM backends WHERE id = ?", chat.backend_id))[0]

    def default_backend(self, character: str) -> Backend | None:
        """Return the backend that speaks for a character where none is named."""
        statement = "SELECT * FROM backends WHERE character = ? AND NOT is_removed ORDER BY rowid LIMIT 1"
        return _first(_backends(self._run(statement, character)))

    def find_chat(self, user: str, backend_id: str) -> Chat | None:
        """Return the chat of a user with a backend."""
        statement = "SELECT * FROM chats WHERE user = ? AND backend_id = ? AND NOT is_deleted"
        return _first(_chats(self._run(statement, user, backend_id)))

    def add_chat(self, user: str, backend_id: str, settings: Mapping[str, Any], chat_id: str | None = None) -> str:
        """Start a chat and return its id."""
        chat_id, now = chat_id or uuid4().hex, self._now()
        statement = "INSERT INTO chats (id, user, backend_id, settings, created, modified) VALUES (?, ?, ?, ?, ?, ?)"
        self._run(statement, chat_id, user, backend_id, json.dumps(settings), now, now)
        return chat_id

    def chat(self, chat_id: str) -> Chat | None:
        """Return a chat that is not deleted."""
        return _first(_chats(self._run("SELECT * FROM chats WHERE id = ? AND NOT is_deleted", chat_id)))

    def chats_of(self, user: str) -> list[Chat]:
        """Return the chats of a user, the latest modified first."""
        statement = "SELECT * FROM chats WHERE user = ? AND NOT is_deleted ORDER BY modified DESC, rowid"
        return _chats(self._run(statement, user))

    def update_chat(self, chat_id: str, settings: Mapping[str, Any], read: int | None) -> None:
        """Change the settings of a chat."""
        statement = "UPDATE chats SET settings = ?, read = COALESCE(?, read), modified = ? WHERE id = ?"
        self._run(statement, json.dumps(settings), read, self._now(), chat_id)

    def delete_chat(self, chat_id: str) -> None:
        """Delete a chat with its messages; what it cost stays counted."""
        self._run("UPDATE chats SET is_deleted = 1 WHERE id = ?", chat_id)
        self.forget(chat_id)

    def count_answer(self, chat_id: str, input_tokens: int, output_tokens: int) -> None:
        """Count an answer and what it cost."""
        statement = (
            "UPDATE chats SET answers = answers + 1, input_tokens = input_tokens + ?, "
            "output_tokens = output_tokens + ?, modified = ? WHERE id = ?"
        )
        self._run(statement, input_tokens, output_tokens, self._now(), chat_id)

    def add_message(self, chat_id: str, role: str, contents: list[Any] | None, ext: str | None) -> int:
        """Store a message and return its id."""
        statement = "INSERT INTO messages (chat_id, role, contents, ext, created) VALUES (?, ?, ?, ?, ?) RETURNING id"
        text = None if contents is None else json.dumps(contents)
        number: int = self._run(statement, chat_id, role, text, ext, self._now())[0]["id"]
        return number

    def messages(self, chat_id: str) -> list[Message]:
        """Return the messages of a chat that are not hidden, the oldest first."""
        rows = self._run("SELECT * FROM messages WHERE chat_id = ? AND NOT is_hidden ORDER BY id", chat_id)
        return [Message(**{**row, "contents": _loaded(row["contents"])}) for row in map(dict, rows)]

    def hide(self, numbers: Sequence[int]) -> None:
        """Hide messages."""
        for number in numbers:
            self._run("UPDATE messages SET is_hidden = 1 WHERE id = ?", number)

    def forget(self, chat_id: str) -> None:
        """Delete the messages of a chat."""
        self._run("DELETE FROM messages WHERE chat_id = ?", chat_id)


def _loaded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _first(values: Sequence[T]) -> T | None:
    return values[0] if values else None


def _characters(rows: list[sqlite3.Row]) -> list[Character]:
    return [Character(**{**row, "tags": json.loads(row["tags"])}) for row in map(dict, rows)]


def _backends(rows: list[sqlite3.Row]) -> list[Backend]:
    return [Backend(**row) for row in map(dict, rows)]


def _chats(rows: list[sqlite3.Row]) -> list[Chat]:
    return [Chat(**{**row, "settings": json.loads(row["settings"])}) for row in map(dict, rows)]
