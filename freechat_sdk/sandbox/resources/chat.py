"""ChatApi: chats of users with characters."""

import json
import re
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from math import inf
from sqlite3 import ProgrammingError

from freechat_sdk.sandbox._events import CutError
from freechat_sdk.sandbox._resource import Call, Refused, new_uid, own_or_refuse
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox._templates import fill_chat, message_text, messages_of
from freechat_sdk.sandbox._versioned import HIDDEN, PUBLIC, Versioned
from freechat_sdk.sandbox.completions import Completion, Message, ModelError, Prompt, Usage

MAX_MESSAGES = 1000
"""How many messages a list has at most."""
SESSION_SECONDS = 30 * 60
"""How long the server keeps the session of a chat that nobody uses."""
_VARIABLES = ("nickname", "gender", "description", "lang", "profile", "chatStyle", "chatExample", "greeting")
"""The fields of a character that prompts know, as `CHARACTER_NICKNAME` and so on."""


class Chat:
    """Chats, their messages, and their sessions: what the server holds of a chat in memory while it is used."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._chats = store.table("chats", "chatId", "username")
        self._messages = store.table("messages", "chatId")
        self._sessions = store.table("chat_sessions", "chatId")
        self._characters = Versioned(store, "character")
        self._backends = store.table("backends", "backendId", "characterUid")
        self._tasks = store.table("prompt_tasks", "promptTaskId")
        self._prompts = store.table("prompts")
        self._keys = store.table("api_keys", "username")
        self._turns_lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        """Who sends to a chat right now; it does not last."""

    def start_chat(self, call: Call) -> str:
        """Start a chat with a backend of a character, or return the one that there is."""
        character = self._character(call.body.get("characterUid"))
        if not call.is_admin and not (character and _may_talk(call, character)):
            raise Refused(403)
        if "backendId" in call.body:
            backend = self._backends.first(backendId=call.body["backendId"])
            if backend is None:
                raise Refused(500)
        else:
            backend = self._default_backend(call, character)
        if character is None or backend is None:
            raise Refused(400, "No backend found.")
        chat = self._chats.first(username=call.user, backendId=backend["backendId"])
        if chat is None:
            if self._prompt(backend)[1].get("chatTemplate") is None:
                raise Refused(406, "Failed to start a chat.")
            chat = self._add(call, character, backend)
            self._load(call, chat)
        return str(chat["chatId"])

    def _add(self, call: Call, character: Row, backend: Row) -> Row:
        given = {name: value for name, value in call.body.items() if name not in ("characterUid", "backendId")}
        fields = {
            "about": character.get("defaultScene"),
            **given,
            "chatId": new_uid(),
            "username": call.user,
            "characterUid": character["uid"],
            "backendId": backend["backendId"],
            "quota": backend.get("initQuota") or 0,
            "quotaType": backend.get("quotaType") or "none",
            "answers": 0,
            "tokens": [0, 0],
        }
        row_id = self._chats.add(**fields, gmtCreate=call.now, gmtModified=call.now)
        return self._chats.get(row_id) or {}

    def get_default_chat_id(
        self, call: Call, character_id: int | None = None, character_uid: str | None = None
    ) -> str | None:
        """Return the caller's chat with the default backend of a character."""
        version = self._characters.rows.get(character_id) if character_id is not None else None
        uid = version["uid"] if version else character_uid
        backend = self._default_backend(call, self._character(uid))
        chat = self._chats.first(username=call.user, backendId=backend["backendId"]) if backend else None
        return chat["chatId"] if chat else None

    def update_chat(self, call: Call, chat_id: str) -> bool:
        """Change what is given; the server drops the chat's session."""
        chat = self._own(call, chat_id)
        if chat is None:
            return False
        changes = {name: value for name, value in call.body.items() if name not in ("characterUid", "backendId")}
        self._sessions.delete_where(chatId=chat_id)
        return self._chats.update(chat["id"], **changes, gmtModified=call.now)

    def delete_chat(self, call: Call, chat_id: str) -> bool:
        """Delete a chat."""
        chat = self._own(call, chat_id)
        return chat is not None and self._chats.delete(chat["id"])

    def list_chats(self, call: Call) -> list[Row]:
        """Return the caller's chats with characters that there are: the one read last first, then the newest."""
        chats = self._chats.find(username=call.user)
        chats.sort(key=lambda chat: (chat.get("gmtRead") or 0, chat["id"]), reverse=True)
        described = [self._described(call, chat) for chat in chats]
        return [chat for chat in described if chat is not None]

    def _described(self, call: Call, chat: Row) -> Row | None:
        character = self._character(chat["characterUid"])
        backend = self._backends.first(backendId=chat["backendId"])
        if character is None:
            return None
        if backend is None and call.release.needs_backends:
            raise Refused(500)
        is_owner = character["username"] == call.user
        latest = self._visible(chat)[-1:]
        model_id = self._prompt(backend)[0].get("modelId") or "" if backend else ""
        return {
            "context": {**chat, "requestId": None},
            "character": {**self._characters.shown(character), "requestId": call.request_id},
            "provider": model_id.partition("]")[0].removeprefix("[") or None,
            "latestMessageRecord": _record(latest[0], with_ext=is_owner) if latest else None,
            "proactiveChatWaitingTime": (backend or {}).get("proactiveChatWaitingTime") or 0,
            "senderStatus": "online" if character["visibility"] == PUBLIC else "invisible",
            "isDebugEnabled": is_owner,
            "isCustomizedApiKeyEnabled": True,
            "isTtsEnabled": bool((backend or {}).get("enableTts")),
        }

    def list_messages(self, call: Call, chat_id: str, limit: int = MAX_MESSAGES, offset: int = 0) -> list[Row]:
        """Return a window of messages, counted from the newest, the oldest first."""
        return [_record(message) for message in self._window(call, chat_id, limit, offset)]

    def list_debug_messages(self, call: Call, chat_id: str, limit: int = MAX_MESSAGES, offset: int = 0) -> list[Row]:
        """Return a window of messages; the owner of the character also sees what the model was told."""
        messages = self._window(call, chat_id, limit, offset)
        chat = self._chats.first(chatId=chat_id) or {}
        character = self._character(chat.get("characterUid"))
        is_owner = character is not None and character["username"] == call.user
        return [_record(message, with_ext=is_owner) for message in messages]

    def _window(self, call: Call, chat_id: str, limit: int, offset: int) -> list[Row]:
        with self._store.transaction():
            chat = self._own(call, chat_id)
            gone = self._chats.deleted(chatId=chat_id)
        if limit < 0 or (gone is not None and not call.release.shows_deleted_chats):
            raise Refused(500)
        if chat is None:
            messages = [message for message in self._visible(gone) if not message.get("isGreeting")] if gone else []
        else:
            messages = self._shown(call, chat, max(offset, 0) + limit)
        newest_first = messages[::-1][max(offset, 0) :][:limit]
        return newest_first[::-1]

    def _shown(self, call: Call, chat: Row, reach: int) -> list[Row]:
        """Return a chat's messages. A window that reaches the first one loads the chat, and shows the greeting."""
        if self._character(chat["characterUid"]) is None:
            return [message for message in self._visible(chat) if not message.get("isGreeting")]
        if reach >= len(self._visible(chat)) and not self._is_broken(call, chat):
            try:
                self._load(call, chat)
            except Refused:
                if call.release.loading_shows_failures:
                    raise
        return self._visible(chat)

    def rollback_messages(self, call: Call, chat_id: str, count: int) -> list[int]:
        """Hide the newest messages and return their ids, the newest first."""
        chat = self._own(call, chat_id)
        if count <= 0:
            raise Refused(500)
        if chat is None:
            return []
        messages = self._visible(chat)
        hidden = [message["id"] for message in messages[::-1][:count]]
        for message_id in hidden:
            self._messages.update(message_id, isHidden=True)
        if len(hidden) == len(messages):
            self._lose_greeting(call, chat)
        return hidden

    def clear_memory(self, call: Call, chat_id: str) -> list[Row]:
        """Forget all messages and return what the chat begins with then."""
        with self._store.transaction():
            chat = self._own(call, chat_id)
            if chat is None:
                return []
            for message in self._visible(chat):
                self._messages.update(message["id"], isHidden=True)
            self._lose_greeting(call, chat)
        if call.release.clearing_fails:
            raise Refused(500)
        self._load(call, chat)
        return [_record(message) for message in self._visible(chat)]

    def _lose_greeting(self, call: Call, chat: Row) -> None:
        """Go on without a first message. Servers fail at that until the session is dropped."""
        session = self._session(call, chat)
        if call.release.clearing_fails or (call.operation == "rollback_messages" and call.release.rollback_breaks):
            fields = {"chatId": chat["chatId"], "usedAt": call.now, "isBroken": True}
            self._sessions.update(session["id"], **fields) if session else self._sessions.add(**fields)
        elif session:
            self._sessions.delete(session["id"])

    def get_memory_usage(self, call: Call, chat_id: str) -> Row:
        """Return how many answers the chat has had, also those that are hidden now, and what they cost."""
        chat = self._own(call, chat_id)
        if chat is None or not chat["answers"]:
            return {}
        return {"messageUsage": chat["answers"], "tokenUsage": _counts(Usage(*chat["tokens"]))}

    def send_message(self, call: Call, chat_id: str) -> Row:
        """Store a message, ask the model and store its answer."""
        chat = self._for_sending(call, chat_id)
        with self._turn(call, chat_id):
            completion = _asked(call, self._take(call, chat, is_streamed=False))
            return self._answered(call, chat, _whole(completion), completion)

    def stream_send_message(self, call: Call, chat_id: str) -> Iterator[Row]:
        """Store a message, ask the model, yield its answer as it comes, and store it."""
        return self._stream(call, self._for_sending(call, chat_id))

    def _stream(self, call: Call, chat: Row) -> Iterator[Row]:
        with self._turn(call, chat["chatId"]):
            completion = _asked(call, self._take(call, chat, is_streamed=True))
            said: list[str] = []
            tokens = iter(completion.tokens)
            ending = yield from _deltas(call, tokens, said)
            if ending == _LATE:
                threading.Thread(target=self._finish, args=(call, chat, tokens, said), name=LATE, daemon=True).start()
                return
            if ending == _FAILED or completion.finish_reason is None:
                if call.release.keeps_partial_answers:
                    self._store_answer(call, chat, "".join(said), None)
                _break_off(call, ending, said)
                return
            final = self._answered(call, chat, "".join(said), completion)
            if completion.usage is None and call.release.needs_usage:
                raise CutError
            yield {**final, "text": None}

    def _finish(self, call: Call, chat: Row, tokens: Iterator[str], said: list[str]) -> None:
        """Store the answer of a model that was still at it when its stream had ended."""
        with suppress(ModelError, ProgrammingError):  # it fails, or the sandbox has been stopped
            text = "".join([*said, *tokens])
            self._messages.add(chatId=chat["chatId"], role="assistant", text=text, gmtCreate=int(call.clock()))

    def send_assistant(self, call: Call, chat_id: str, assistant_uid: str) -> Row:
        """Ask another character of the caller's for the user's next line; nothing is stored."""
        completion = _asked(call, self._assistant_prompt(call, chat_id, assistant_uid, is_streamed=False))
        text = _whole(completion)
        return {"text": text, **_final(text, None, completion)}

    def stream_send_assistant(self, call: Call, chat_id: str, assistant_uid: str) -> Iterator[Row]:
        """Do as `send_assistant` does, and yield the line as it comes."""
        return self._stream_assistant(call, self._assistant_prompt(call, chat_id, assistant_uid, is_streamed=True))

    def _stream_assistant(self, call: Call, prompt: Prompt) -> Iterator[Row]:
        completion = _asked(call, prompt)
        said: list[str] = []
        ending = yield from _deltas(call, iter(completion.tokens), said, has_messages=False)
        if ending != _ENDED or completion.finish_reason is None:
            _break_off(call, ending, said)
            return
        yield _final("".join(said), None, completion)

    def _assistant_prompt(self, call: Call, chat_id: str, uid: str, *, is_streamed: bool) -> Prompt:
        chat = self._for_sending(call, chat_id)
        assistant = self._character(uid)
        if not call.is_admin and (assistant is None or assistant["username"] != call.user):
            raise Refused(403)
        backend = self._default_backend(call, assistant)
        if backend is None or assistant is None:
            raise Refused(400, "No backend found.")
        self._load(call, chat)
        messages = self._visible(chat)
        text = _text(messages[-1]) if messages else ""
        return self._asks(call, chat, assistant, backend, text, {}, is_streamed=is_streamed)[0]

    def _own(self, call: Call, chat_id: str) -> Row | None:
        """Return a chat of the caller's; None if it was deleted."""
        chat = self._chats.first(chatId=chat_id)
        own_or_refuse(call, chat or self._chats.deleted(chatId=chat_id))
        return chat

    def _for_sending(self, call: Call, chat_id: str) -> Row:
        chat = self._own(call, chat_id)
        if chat is None or self._is_broken(call, chat):
            raise Refused(500)
        if self._character(chat["characterUid"]) is None:
            raise _busy(chat_id)
        if self._backends.first(backendId=chat["backendId"]) is None:
            raise Refused(500)
        return chat

    @contextmanager
    def _turn(self, call: Call, chat_id: str) -> Iterator[None]:
        """Let one send at a time into a chat. Others wait, or are refused by servers that are busy then."""
        with self._turns_lock:
            turn = self._turns.setdefault(chat_id, threading.Lock())
        if not turn.acquire(blocking=not call.release.refuses_when_busy):
            raise _busy(chat_id)
        try:
            yield
        finally:
            turn.release()

    def _take(self, call: Call, chat: Row, *, is_streamed: bool) -> Prompt:
        """Store a message of the user, if the quota allows it, and return what to ask the model."""
        chat = self._chats.get(chat["id"]) or chat  # as it is now: others may have been before
        used = {"messages": chat["answers"], "tokens": sum(chat["tokens"])}.get(chat["quotaType"], -1)
        if used >= chat["quota"]:
            raise Refused(429, f"Usage {used} exceeds limit {chat['quota']}")
        if not call.body.get("contents"):
            raise Refused(500)
        self._load(call, chat)
        with self._store.transaction():
            unanswered = [message for message in self._visible(chat)[-1:] if message["role"] == "user"]
            sent = call.body
            if sent.get("role") == "assistant":  # it is not shown, and the last message is asked again
                sent = unanswered[0] if unanswered else self._last_said(chat) or sent
            else:
                for message in unanswered:
                    self._messages.update(message["id"], isHidden=True)
            backend = self._backends.first(backendId=chat["backendId"]) or {}
            character = self._character(chat["characterUid"]) or {}
            prompt, ext = self._asks(call, chat, character, backend, message_text(sent), sent, is_streamed=is_streamed)
            if call.body.get("role") != "assistant":
                row = {"chatId": chat["chatId"], "role": "user", "contents": sent["contents"], "ext": ext}
                self._messages.add(**row, gmtCreate=call.now)
        return prompt

    def _last_said(self, chat: Row) -> Row | None:
        said = [message for message in self._visible(chat) if message["role"] == "user"]
        return said[-1] if said else None

    def _asks(
        self, call: Call, chat: Row, character: Row, backend: Row, text: str, sent: Row, *, is_streamed: bool
    ) -> tuple[Prompt, str]:
        """Return what to ask the model for an answer to a text, and what is kept of it with the message."""
        task, prompt = self._prompt(backend)
        template = prompt.get("chatTemplate") or {}
        if "messageToSend" not in template:
            raise Refused(500)
        variables = {
            **{f"CHARACTER_{_upper(name)}": character.get(name) for name in _VARIABLES},
            "CHARACTER_NICKNAME": chat.get("characterNickname") or character.get("name"),
            "USER_NICKNAME": chat.get("userNickname"),
            "USER_PROFILE": chat.get("userProfile"),
            "CHAT_CONTEXT": chat.get("about"),
            "RELEVANT_INFORMATION": None,
            "MESSAGE_CONTEXT": sent.get("context"),
            "CURRENT_TIME": f"{datetime.fromtimestamp(call.now, timezone.utc):%Y-%m-%d %H:%M:%S}",
            "input": text,
            **(task.get("promptRef", {}).get("variables") or {}),
        }
        filled = fill_chat(template, variables, prompt.get("format") or "mustache")
        asked = message_text(filled.pop("messageToSend"))
        window = self._visible(chat)[-(backend.get("messageWindowSize") or MAX_MESSAGES) :]
        history = [Message(message["role"], _text(message)) for message in window]
        prompt_ = Prompt(
            text=asked,
            character=character.get("nickname") or character.get("name") or "",
            turn=chat["answers"],
            is_streamed=is_streamed,
            messages=(*messages_of(filled), *history, Message("user", asked)),
            model_id=task.get("modelId") or "",
            parameters=task.get("params") or {},
            api_key=self._key(chat) or self._key(task),
        )
        return prompt_, json.dumps({"text": filled.get("system", ""), "type": "SYSTEM"}, ensure_ascii=False)

    def _key(self, row: Row) -> str | None:
        """Return the key that a chat or a task names or holds."""
        named = self._keys.first(username=row["username"], name=row["apiKeyName"]) if row.get("apiKeyName") else None
        key: str | None = row.get("apiKeyValue") or (named or {}).get("token")
        return key

    def _answered(self, call: Call, chat: Row, text: str, completion: Completion) -> Row:
        """Store an answer and return it."""
        message_id = self._store_answer(call, chat, text, completion.usage)
        return {"text": text, **_final(text, message_id, completion)}

    def _store_answer(self, call: Call, chat: Row, text: str, usage: Usage | None) -> int:
        with self._store.transaction():
            counts = list(_counts(usage).values())
            ext = (
                None
                if usage is None and call.release.omits_unknown_usage
                else json.dumps(counts, separators=(",", ":"))
            )
            row = {"chatId": chat["chatId"], "role": "assistant", "text": text, "ext": ext}
            now = self._chats.get(chat["id"]) or chat
            tokens = [
                now["tokens"][0] + (usage.input if usage else 0),
                now["tokens"][1] + (usage.output if usage else 0),
            ]
            self._chats.update(chat["id"], answers=now["answers"] + 1, tokens=tokens)
            return self._messages.add(**row, gmtCreate=int(call.clock()))

    def _session(self, call: Call, chat: Row) -> Row | None:
        session = self._sessions.first(chatId=chat["chatId"])
        return session if session and call.now - session["usedAt"] < SESSION_SECONDS else None

    def _is_broken(self, call: Call, chat: Row) -> bool:
        session = self._session(call, chat)
        return session is not None and bool(session.get("isBroken"))

    def _load(self, call: Call, chat: Row) -> None:
        """Load a chat into a session if it has none: greet if there is no message, answer the last one if it waits."""
        with self._store.transaction():
            session = self._session(call, chat)
            if session is not None:
                self._sessions.update(session["id"], usedAt=call.now)
                return
            self._sessions.delete_where(chatId=chat["chatId"])
            self._sessions.add(chatId=chat["chatId"], usedAt=call.now)
            messages = self._visible(chat)
            character = self._character(chat["characterUid"]) or {}
            if not messages and character.get("greeting"):
                row = {"chatId": chat["chatId"], "role": "assistant", "text": character["greeting"], "isGreeting": True}
                self._messages.add(**row, gmtCreate=call.now)
        if messages and messages[-1]["role"] == "user":
            backend = self._backends.first(backendId=chat["backendId"]) or {}
            prompt, _ = self._asks(call, chat, character, backend, _text(messages[-1]), {}, is_streamed=False)
            completion = _asked(call, prompt)
            self._store_answer(call, chat, _whole(completion), completion.usage)

    def _visible(self, chat: Row) -> list[Row]:
        """Return the messages of a chat that are not hidden, the oldest first."""
        return [message for message in self._messages.find(chatId=chat["chatId"]) if not message.get("isHidden")]

    def _character(self, uid: str | None) -> Row | None:
        """Return the version of a character that is not hidden."""
        versions = self._characters.rows.find(uid=uid) if uid else []
        shown = [version for version in versions if version["visibility"] != HIDDEN]
        return max(shown, key=lambda version: int(version["version"]), default=None)

    def _default_backend(self, call: Call, character: Row | None) -> Row | None:
        """Return the default backend of a character. Servers that keep two defaults by mistake fail here."""
        backends = self._backends.find(characterUid=character["uid"], isDefault=True) if character else []
        if len(backends) > 1:
            raise Refused(500)
        return backends[0] if backends else None

    def _prompt(self, backend: Row) -> tuple[Row, Row]:
        """Return the task behind a backend and the prompt of the task; what is missing is empty."""
        task = self._tasks.first(promptTaskId=backend.get("chatPromptTaskId")) or {}
        return task, self._prompts.get(task.get("promptRef", {}).get("promptId", 0)) or {}


LATE = "freechat-sandbox-late"
"""The name of the threads in which models finish after the time limit of their stream."""
_ENDED, _FAILED, _LATE = "ended", "failed", "late"


def _deltas(
    call: Call, tokens: Iterator[str], said: list[str], *, has_messages: bool = True
) -> Generator[Row, None, str]:
    """Yield an event for each token until the model ends, fails or takes too long; return which."""
    if call.release.begins_streams_empty:
        yield {"text": ""}
    deadline = inf
    try:
        for token in tokens:
            deadline = min(deadline, call.clock() + call.release.stream_seconds)
            said.append(token)
            if call.clock() > deadline:
                return _LATE
            message = _message("assistant", token if token.strip() else None)
            yield {"text": token, "message": message if has_messages and call.release.deltas_hold_messages else None}
    except ModelError:
        return _FAILED
    return _ENDED


def _break_off(call: Call, ending: str, said: list[str]) -> None:
    """End a stream whose model failed or just ended: by an error, a cut, or without a final event."""
    if ending == _FAILED and not said and not call.release.begins_streams_empty:
        raise Refused(500)
    if ending == _FAILED or call.release.cuts_early_ends:
        raise CutError


def _asked(call: Call, prompt: Prompt) -> Completion:
    try:
        return call.ask(prompt)
    except ModelError:
        raise Refused(500, keeps_changes=True) from None


def _whole(completion: Completion) -> str:
    try:
        return "".join(completion.tokens)
    except ModelError:
        raise Refused(500, keeps_changes=True) from None


def _final(text: str, message_id: int | None, completion: Completion) -> Row:
    """Return the fields of a whole answer."""
    message = {**_message("assistant", text), "messageId": message_id}
    return {"message": message, "finishReason": completion.finish_reason, "tokenUsage": _counts(completion.usage)}


def _message(role: str, text: str | None) -> Row:
    return {"role": role, "contents": [{"type": "text", "content": text}] if text else None}


def _counts(usage: Usage | None) -> dict[str, int | None]:
    counts = (None, None, None) if usage is None else (usage.input, usage.output, usage.input + usage.output)
    return dict(zip(("inputTokenCount", "outputTokenCount", "totalTokenCount"), counts, strict=True))


def _record(message: Row, *, with_ext: bool = False) -> Row:
    """Return a stored message as responses have it; an answer is stored as its text."""
    body = (
        _message(message["role"], message["text"])
        if "text" in message
        else {
            "role": message["role"],
            "contents": message["contents"],
        }
    )
    return {
        "message": {**body, "messageId": message["id"]},
        "messageId": message["id"],
        "gmtCreate": message["gmtCreate"],
        "ext": message.get("ext") if with_ext else None,
    }


def _text(message: Row) -> str:
    return str(message["text"]) if "text" in message else message_text(message)


def _may_talk(call: Call, character: Row) -> bool:
    return bool(character["username"] == call.user or character["visibility"] == PUBLIC)


def _busy(chat_id: str) -> Refused:
    return Refused(503, f"Failed to chat by {chat_id}")


def _upper(name: str) -> str:
    """Return a field's name as prompts know it: `chatStyle` is `CHAT_STYLE`."""
    return re.sub("([A-Z])", r"_\1", name).upper()
