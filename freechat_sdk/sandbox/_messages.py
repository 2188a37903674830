"""Messages: what is stored of chats, and their sessions, which the server holds while they are used."""

import json
from itertools import pairwise
from typing import Any

from freechat_sdk.sandbox._events import spoken
from freechat_sdk.sandbox._resource import Call
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox._templates import message_text
from freechat_sdk.sandbox.completions import Usage

SESSION_SECONDS = 30 * 60
"""How long the server keeps the session of a chat that nobody uses."""


class Messages:
    """The messages and the session of each chat. An answer is stored as its text, what a user sent as its contents."""

    def __init__(self, store: Store) -> None:
        self._messages = store.table("messages", "chatId")
        self._sessions = store.table("chat_sessions", "chatId")

    def rows(self, chat: Row) -> list[Row]:
        """Return the messages that are not hidden, the oldest first."""
        return [message for message in self._messages.find(chatId=chat["chatId"]) if not message.get("isHidden")]

    def visible(self, chat: Row) -> list[Row]:
        """Return the messages that are shown, and that a model is told: none that got no answer before the next one."""
        rows = self.rows(chat)
        roles = [row["role"] for row in rows]
        return [row for row, pair in zip(rows, pairwise([*roles, ""]), strict=True) if pair != ("user", "user")]

    def without_greeting(self, chat: Row) -> list[Row]:
        """Return the messages that are shown if there is no session: a greeting is shown by the session."""
        return [message for message in self.visible(chat) if not message.get("isGreeting")]

    def add(self, call: Call, chat: Row, role: str, **fields: Any) -> int:
        return self._messages.add(chatId=chat["chatId"], role=role, gmtCreate=int(call.clock()), **fields)

    def hide(self, messages: list[Row]) -> list[int]:
        for message in messages:
            self._messages.update(message["id"], isHidden=True)
        return [message["id"] for message in messages]

    def last_said(self, chat: Row) -> Row | None:
        said = [message for message in self.visible(chat) if message["role"] == "user"]
        return said[-1] if said else None

    def begin_session(self, call: Call, chat: Row) -> bool:
        """Begin a session, or use the one that there is; return whether it is new."""
        session = self._session(call, chat)
        if session is not None:
            self._sessions.update(session["id"], usedAt=call.now)
            return False
        self.drop_session(chat)
        self._sessions.add(chatId=chat["chatId"], usedAt=call.now)
        return True

    def drop_session(self, chat: Row) -> None:
        self._sessions.delete_where(chatId=chat["chatId"])

    def break_session(self, call: Call, chat: Row) -> None:
        """Keep a session that cannot be used until it is dropped."""
        self.drop_session(chat)
        self._sessions.add(chatId=chat["chatId"], usedAt=call.now, isBroken=True)

    def is_broken(self, call: Call, chat: Row) -> bool:
        session = self._session(call, chat)
        return session is not None and bool(session.get("isBroken"))

    def _session(self, call: Call, chat: Row) -> Row | None:
        session = self._sessions.first(chatId=chat["chatId"])
        return session if session and call.now - session["usedAt"] < SESSION_SECONDS else None


def text_of(message: Row) -> str:
    return str(message["text"]) if "text" in message else message_text(message)


def cost_of(usage: Usage | None) -> str:
    counts = (None, None, None) if usage is None else (usage.input, usage.output, usage.input + usage.output)
    return json.dumps(counts, separators=(",", ":"))


def record(message: Row, *, with_ext: bool = False) -> Row:
    """Return a stored message as responses have it. Releases write its id at one of two places."""
    said = spoken(message["text"]) if "text" in message else {"role": "user", "contents": message["contents"]}
    ids = {"messageId": message["id"]}
    return {
        **ids,
        "message": {**said, **ids},
        "gmtCreate": message["gmtCreate"],
        "ext": message["ext"] if with_ext else None,
    }
