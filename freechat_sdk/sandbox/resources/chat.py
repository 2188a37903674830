"""ChatApi: chats of users with characters."""

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from math import inf
from operator import itemgetter
from sqlite3 import ProgrammingError

from freechat_sdk.sandbox._chat_prompts import ChatPrompts, default_backend, told
from freechat_sdk.sandbox._events import CutError, delta, result, whole_answer
from freechat_sdk.sandbox._messages import Messages, cost_of, record, text_of
from freechat_sdk.sandbox._resource import Call, Refused, new_uid, own
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox._templates import message_text
from freechat_sdk.sandbox._versioned import PUBLIC, shown
from freechat_sdk.sandbox.completions import Completion, ModelError, Prompt, Usage

MAX_MESSAGES = 1000
"""How many messages a list has at most."""
LATE = "freechat-sandbox-late"
"""The name of the threads in which models finish after the time limit of their stream."""
_ENDED, _FAILED, _LATE = "ended", "failed", "late"


class Chat:
    """Chats; each is one user's with one backend of a character."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._chats = store.table("chats", "chatId", "username")
        self._messages = Messages(store)
        self._prompts = ChatPrompts(store)
        self._turns_lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        """Who sends to a chat right now; it does not last."""

    def start_chat(self, call: Call) -> str:
        """Start a chat with a backend of a character, or return the one that there is."""
        character = self._prompts.character(call.body.get("characterUid"))
        if not call.is_admin and (character is None or not _may_talk(call, character)):
            raise Refused(403)
        backend = self._backend(call, character)
        chat = self._chats.first(username=call.user, backendId=backend["backendId"])
        if chat is None:
            if self._prompts.template(backend)[0] is None:
                raise Refused(406, "Failed to start a chat.")
            chat = new_chat(character or {}, backend, call.body, username=call.user)
            chat["id"] = self._chats.add(**chat, **call.dates)
            self._load(call, chat)
        return str(chat["chatId"])

    def _backend(self, call: Call, character: Row | None) -> Row:
        if "backendId" in call.body:
            backend = self._prompts.backends.first(backendId=call.body["backendId"])
            if backend is None:
                raise Refused(500)
        else:
            backend = default_backend(self._prompts.backends, character)
        if character is None or backend is None:
            raise Refused(400, "No backend found.")
        return backend

    def get_default_chat_id(
        self, call: Call, character_id: int | None = None, character_uid: str | None = None
    ) -> str | None:
        version = self._prompts.characters.get(character_id) if character_id is not None else None
        character = self._prompts.character(version["uid"] if version else character_uid)
        backend = default_backend(self._prompts.backends, character)
        chat = self._chats.first(username=call.user, backendId=backend["backendId"]) if backend else None
        return chat["chatId"] if chat else None

    def update_chat(self, call: Call, chat_id: str) -> bool:
        """Change what is given; the server drops the chat's session."""
        chat = self._own(call, chat_id)
        if chat is None:
            return False
        changes = {name: value for name, value in call.body.items() if name not in ("characterUid", "backendId")}
        self._messages.drop_session(chat)
        return self._chats.update(chat["id"], **changes, gmtModified=call.now)

    def delete_chat(self, call: Call, chat_id: str) -> bool:
        chat = self._own(call, chat_id)
        return chat is not None and self._chats.delete(chat["id"])

    def list_chats(self, call: Call) -> list[Row]:
        """Return the caller's chats with characters that there are: the one read last first, then the newest."""
        chats = sorted(self._chats.find(username=call.user), key=itemgetter("chatId"))
        chats.sort(key=lambda chat: (chat.get("gmtRead") or 0, chat["gmtCreate"]), reverse=True)
        described = [self._described(call, chat) for chat in chats]
        return [chat for chat in described if chat is not None]

    def _described(self, call: Call, chat: Row) -> Row | None:
        character = self._prompts.character(chat["characterUid"])
        if character is None:
            return None
        backend = self._prompts.backends.first(backendId=chat["backendId"])
        if backend is None and call.release.needs_backends:
            raise Refused(500)
        backend = backend or {}
        is_owner = character["username"] == call.user
        latest = self._messages.visible(chat)[-1:]
        model_id = self._prompts.task(backend).get("modelId") or ""
        return {
            "context": {**chat, "requestId": None},
            "character": {**shown("character", character), "requestId": call.request_id},
            "provider": model_id.partition("]")[0].removeprefix("[") or None,
            "latestMessageRecord": record(latest[0], with_ext=is_owner) if latest else None,
            "proactiveChatWaitingTime": backend.get("proactiveChatWaitingTime") or 0,
            "senderStatus": "online" if character["visibility"] == PUBLIC else "invisible",
            "isDebugEnabled": is_owner,
            "isCustomizedApiKeyEnabled": True,
            "isTtsEnabled": bool(backend.get("enableTts")),
        }

    def list_messages(self, call: Call, chat_id: str, **window: int) -> list[Row]:
        return [record(message) for message in self._window(call, chat_id, **window)]

    def list_debug_messages(self, call: Call, chat_id: str, **window: int) -> list[Row]:
        """Return messages; the owner of the character also sees what the model was told."""
        messages = self._window(call, chat_id, **window)
        character = self._prompts.character((self._chats.first(chatId=chat_id) or {}).get("characterUid"))
        is_owner = character is not None and character["username"] == call.user
        return [record(message, with_ext=is_owner) for message in messages]

    def _window(self, call: Call, chat_id: str, limit: int = MAX_MESSAGES, offset: int = 0) -> list[Row]:
        """Return messages counted from the newest, the oldest first."""
        chat, gone = self._own(call, chat_id), self._chats.deleted(chatId=chat_id)
        if limit < 0 or (gone is not None and not call.release.shows_deleted_chats):
            raise Refused(500)
        if chat is None:
            messages = self._messages.without_greeting(gone) if gone else []
        else:
            messages = self._shown(call, chat, max(offset, 0) + limit)
        newest_first = messages[::-1][max(offset, 0) :][:limit]
        return newest_first[::-1]

    def _shown(self, call: Call, chat: Row, reach: int) -> list[Row]:
        """Return a chat's messages. A window that reaches the first one needs the chat's session.

        If that makes the model answer the last message, the list of next time shows it.
        """
        if self._prompts.character(chat["characterUid"]) is None:
            return self._messages.without_greeting(chat)
        messages = self._messages.visible(chat)
        if reach >= len(messages) and not self._messages.is_broken(call, chat):
            try:
                self._load(call, chat)
            except Refused:
                if call.release.loading_shows_failures:
                    raise
        return messages or self._messages.visible(chat)

    def rollback_messages(self, call: Call, chat_id: str, count: int) -> list[int]:
        chat = self._own(call, chat_id)
        if count <= 0:
            raise Refused(500)
        if chat is None:
            return []
        rows = self._messages.rows(chat)
        hidden = self._messages.hide(rows[::-1][:count])
        if len(hidden) == len(rows):
            self._lose_greeting(call, chat, is_fatal=call.release.rollback_breaks)
        return hidden

    def clear_memory(self, call: Call, chat_id: str) -> list[Row]:
        """Forget all messages and return what the chat begins with then."""
        with self._store.transaction():
            chat = self._own(call, chat_id)
            if chat is None:
                return []
            self._messages.hide(self._messages.rows(chat))
            self._lose_greeting(call, chat, is_fatal=call.release.clearing_fails)
        if call.release.clearing_fails:
            raise Refused(500)
        self._load(call, chat)
        return [record(message) for message in self._messages.visible(chat)]

    def _lose_greeting(self, call: Call, chat: Row, *, is_fatal: bool) -> None:
        if is_fatal:
            self._messages.break_session(call, chat)
        else:
            self._messages.drop_session(chat)

    def get_memory_usage(self, call: Call, chat_id: str) -> Row:
        """Return how many answers the chat has had, also those that are hidden now, and what they cost."""
        chat = self._own(call, chat_id)
        if chat is None or not chat["answers"]:
            return {}
        cost = result("", Completion((), Usage(*chat["tokens"])))
        return {"messageUsage": chat["answers"], "tokenUsage": cost["tokenUsage"]}

    def send_message(self, call: Call, chat_id: str) -> Row:
        chat = self._for_sending(call, chat_id)
        with self._turn(call, chat_id):
            text, completion = whole_answer(call, self._take(call, chat, is_streamed=False))
            return {"text": text, **self._answered(call, chat, text, completion)}

    def stream_send_message(self, call: Call, chat_id: str) -> Iterator[Row]:
        chat = self._for_sending(call, chat_id)
        _check_quota(chat)
        if call.release.refuses_when_busy and self._turn_of(chat_id).locked():
            raise _busy(chat_id)
        return self._stream(call, chat)

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
            yield final

    def _finish(self, call: Call, chat: Row, tokens: Iterator[str], said: list[str]) -> None:
        """Store the answer of a model that was still at it when its stream had ended."""
        with suppress(ModelError, ProgrammingError):  # it fails, or the sandbox has been stopped
            self._messages.add(call, chat, "assistant", text="".join([*said, *tokens]), ext=None)

    def send_assistant(self, call: Call, chat_id: str, assistant_uid: str) -> Row:
        """Ask another character of the caller's for the user's next line; nothing is stored."""
        prompt = self._assistant_prompt(call, chat_id, assistant_uid, is_streamed=False)
        text, completion = whole_answer(call, prompt)
        return {"text": text, **result(text, completion)}

    def stream_send_assistant(self, call: Call, chat_id: str, assistant_uid: str) -> Iterator[Row]:
        return self._stream_assistant(call, self._assistant_prompt(call, chat_id, assistant_uid, is_streamed=True))

    def _stream_assistant(self, call: Call, prompt: Prompt) -> Iterator[Row]:
        completion = _asked(call, prompt)
        said: list[str] = []
        ending = yield from _deltas(call, iter(completion.tokens), said, is_bare=True)
        if ending != _ENDED or completion.finish_reason is None:
            _break_off(call, ending, said)
            return
        yield result("".join(said), completion)

    def _assistant_prompt(self, call: Call, chat_id: str, uid: str, *, is_streamed: bool) -> Prompt:
        chat = self._for_sending(call, chat_id)
        assistant = self._prompts.character(uid)
        if not call.is_admin and (assistant is None or assistant["username"] != call.user):
            raise Refused(403)
        backend = default_backend(self._prompts.backends, assistant)
        if backend is None:
            raise Refused(400, "No backend found.")
        self._load(call, chat)
        messages = self._messages.visible(chat)
        text = text_of(messages[-1]) if messages else ""
        return self._prompts.to_ask(call, chat, backend, (), text=text, is_streamed=is_streamed)

    def _own(self, call: Call, chat_id: str) -> Row | None:
        return own(call, self._chats, chatId=chat_id)

    def _for_sending(self, call: Call, chat_id: str) -> Row:
        chat = self._own(call, chat_id)
        if chat is None or self._messages.is_broken(call, chat):
            raise Refused(500)
        if self._prompts.character(chat["characterUid"]) is None:
            raise _busy(chat_id)
        if self._prompts.backends.first(backendId=chat["backendId"]) is None:
            raise Refused(500)
        return chat

    def _turn_of(self, chat_id: str) -> threading.Lock:
        with self._turns_lock:
            return self._turns.setdefault(chat_id, threading.Lock())

    @contextmanager
    def _turn(self, call: Call, chat_id: str) -> Iterator[None]:
        """Let one send at a time into a chat. Others wait, or are refused by releases that are busy then."""
        turn = self._turn_of(chat_id)
        if not turn.acquire(blocking=not call.release.refuses_when_busy):
            raise _busy(chat_id)
        try:
            yield
        finally:
            turn.release()

    def _take(self, call: Call, chat: Row, *, is_streamed: bool) -> Prompt:
        """Store a message of the user, if the quota allows it, and return what to ask the model."""
        chat = self._chats.get(chat["id"]) or chat  # as it is now: others may have been before
        _check_quota(chat)
        if not call.body.get("contents"):
            raise Refused(500)
        self._load(call, chat)
        with self._store.transaction():
            if call.body.get("role") == "assistant":  # it is not shown, and the last message is asked again
                sent = self._messages.last_said(chat) or call.body
                return self._to_ask(call, chat, sent, is_streamed=is_streamed)
            prompt = self._to_ask(call, chat, call.body, is_streamed=is_streamed)
            self._messages.add(call, chat, "user", contents=call.body["contents"], ext=told(prompt))
        return prompt

    def _to_ask(self, call: Call, chat: Row, sent: Row, *, is_streamed: bool) -> Prompt:
        """Return what to ask for an answer to a message, which may be the newest stored one."""
        backend = self._prompts.backends.first(backendId=chat["backendId"]) or {}
        history = [message for message in self._messages.visible(chat) if message.get("id") != sent.get("id")]
        window = history[-(backend.get("messageWindowSize") or MAX_MESSAGES) :]
        text, context = message_text(sent), sent.get("context")
        return self._prompts.to_ask(call, chat, backend, window, text=text, context=context, is_streamed=is_streamed)

    def _answered(self, call: Call, chat: Row, text: str, completion: Completion) -> Row:
        final = result(text, completion)
        message_id = self._store_answer(call, chat, text, completion.usage)
        return {**final, "message": {**final["message"], "messageId": message_id}}

    def _store_answer(self, call: Call, chat: Row, text: str, usage: Usage | None) -> int:
        with self._store.transaction():
            now = self._chats.get(chat["id"]) or chat
            spent = (usage.input, usage.output) if usage else (0, 0)
            tokens = [total + cost for total, cost in zip(now["tokens"], spent, strict=True)]
            self._chats.update(chat["id"], answers=now["answers"] + 1, tokens=tokens)
            ext = None if usage is None and call.release.omits_unknown_usage else cost_of(usage)
            return self._messages.add(call, chat, "assistant", text=text, ext=ext)

    def _load(self, call: Call, chat: Row) -> None:
        """Load a chat into a session if it has none: greet if there is no message, answer the last one if it waits."""
        with self._store.transaction():
            if not self._messages.begin_session(call, chat):
                return
            messages = self._messages.visible(chat)
            greeting = (self._prompts.character(chat["characterUid"]) or {}).get("greeting")
            if not messages and greeting:
                self._messages.add(call, chat, "assistant", text=greeting, isGreeting=True, ext=None)
            if not messages or messages[-1]["role"] != "user":
                return
            prompt = self._to_ask(call, chat, messages[-1], is_streamed=False)
        text, completion = whole_answer(call, prompt)
        self._store_answer(call, chat, text, completion.usage)


def new_chat(character: Row, backend: Row, given: Row, *, username: str, chat_id: str | None = None) -> Row:
    """Return a new chat, less its dates. The backend's quota is copied into it."""
    return {
        "about": character.get("defaultScene"),
        **{name: value for name, value in given.items() if name not in ("characterUid", "backendId")},
        "chatId": chat_id or new_uid(),
        "username": username,
        "characterUid": character["uid"],
        "backendId": backend["backendId"],
        "quota": backend.get("initQuota") or 0,
        "quotaType": backend.get("quotaType") or "none",
        "answers": 0,
        "tokens": [0, 0],
    }


def _deltas(call: Call, tokens: Iterator[str], said: list[str], *, is_bare: bool = False) -> Generator[Row, None, str]:
    """Yield an event for each token until the model ends, fails or takes too long; return which."""
    if call.release.opens_streams:
        yield {"text": ""}
    deadline = inf
    try:
        for token in tokens:
            deadline = min(deadline, call.clock() + call.release.chat_stream_seconds)
            said.append(token)
            if call.clock() > deadline:
                return _LATE
            yield {"text": token} if is_bare else delta(token, call)
    except ModelError:
        return _FAILED
    return _ENDED


def _break_off(call: Call, ending: str, said: list[str]) -> None:
    """End a stream whose model failed or just ended: by an error, a cut, or without a final event."""
    if ending == _FAILED and not said and not call.release.opens_streams:
        raise Refused(500)
    if ending == _FAILED or call.release.cuts_early_ends:
        raise CutError


def _asked(call: Call, prompt: Prompt) -> Completion:
    try:
        return call.ask(prompt)
    except ModelError:
        raise Refused(500) from None


def _check_quota(chat: Row) -> None:
    used = {"messages": chat["answers"], "tokens": sum(chat["tokens"])}.get(chat["quotaType"], -1)
    if used >= chat["quota"]:
        raise Refused(429, f"Usage {used} exceeds limit {chat['quota']}")


def _may_talk(call: Call, character: Row) -> bool:
    return bool(character["username"] == call.user or character["visibility"] == PUBLIC)


def _busy(chat_id: str) -> Refused:
    return Refused(503, f"Failed to chat by {chat_id}")
