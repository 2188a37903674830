"""What a FreeChat server does with chats, told apart from how it is asked and how it answers.

With `faithful=True` it also does what the recorded servers do wrong.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timezone
from typing import TYPE_CHECKING, Any

from dateutil.parser import isoparse

from freechat_sdk.sandbox._chat_store import Backend, Character, Chat, Message, Store, text_of
from freechat_sdk.sandbox._events import CutError
from freechat_sdk.sandbox.completions import Ask, Completion, ModelError, Prompt, Usage

if TYPE_CHECKING:
    from freechat_sdk.sandbox._dialect import Dialect

Body = Mapping[str, Any]

MOST_MESSAGES = 1000
"""How many messages a list has at most."""
SETTINGS = ("about", "apiKeyName", "apiKeyValue", "characterNickname", "ext", "userNickname", "userProfile")


class RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


class ModelFailedError(RefusedError):
    """The model failed before it said anything."""

    def __init__(self) -> None:
        super().__init__(500)


class MissingFinalError(Exception):
    """The server failed after the last part of a stream: the connection is cut before the final event."""


@dataclass(frozen=True)
class Result:
    """A whole answer."""

    text: str
    message_id: int | None
    usage: Usage | None
    finish_reason: str | None


@dataclass(frozen=True)
class Session:
    """A chat as the list of chats shows it."""

    chat: Chat
    character: Character
    backend: Backend
    latest: Message | None
    is_owner: bool


class Chats:
    """The chats of all users."""

    def __init__(
        self,
        store: Store,
        dialect: "Dialect",
        ask: Ask,
        *,
        faithful: bool,
    ) -> None:
        self._store = store
        self._dialect = dialect
        self._ask_model = ask
        self._faithful = faithful
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self._loaded: set[str] = set()
        """The chats whose messages the server holds in a session."""
        self._broken: set[str] = set()
        """The chats that fail until they are updated: a fault of the recorded servers."""

    def start(self, user: str, body: Body) -> str:
        """Return the chat of a user with a character; it is started where there is none."""
        uid, backend_id = body.get("characterUid"), body.get("backendId")
        backend = self._store.backend(backend_id) if backend_id else self._store.default_backend(str(uid))
        if backend is None or backend.is_removed:
            raise RefusedError(400, "No backend found.")
        settings = {**_settings(body), "about": body.get("about") or self._character(backend).default_scene}
        with self._lock:
            chat = self._store.find_chat(user, backend.id)
            return chat.id if chat else self._store.add_chat(user, backend.id, settings)

    def default(self, user: str, character: Character | None) -> str | None:
        """Return the chat of a user with a character's default backend."""
        backend = self._store.default_backend(character.uid) if character else None
        chat = self._store.find_chat(user, backend.id) if backend else None
        return chat.id if chat else None

    def update(self, user: str, chat_id: str, body: Body) -> bool:
        """Change settings of a chat; the server drops its session."""
        chat = self._own(user, chat_id)
        if chat is None:
            return False
        read = _epoch_seconds(body.get("gmtRead"), is_strict=self._dialect.takes_strict_dates)
        changes = {name: value for name, value in _settings(body).items() if value is not None}
        self._store.update_chat(chat_id, {**chat.settings, **changes}, read)
        self._loaded.discard(chat_id)
        self._broken.discard(chat_id)
        return True

    def delete(self, user: str, chat_id: str) -> bool:
        """Delete a chat."""
        if self._own(user, chat_id) is None:
            return False
        self._store.delete_chat(chat_id)
        return True

    def sessions(self, user: str) -> list[Session]:
        """Return the chats of a user."""
        return [self._session(chat) for chat in self._store.chats_of(user)]

    def _session(self, chat: Chat) -> Session:
        backend = self._store.backend_of(chat)
        if backend.is_removed and self._faithful and self._dialect.needs_backend:
            raise RefusedError(500)
        character = self._character(backend)
        messages = self._store.messages(chat.id)
        return Session(chat, character, backend, messages[-1] if messages else None, character.owner == chat.user)

    def messages(self, user: str, chat_id: str, limit: int, offset: int) -> list[Message]:
        """Return a window of the messages of a chat, counted from the newest, the oldest first."""
        chat = self._own(user, chat_id)
        if limit < 0:
            raise RefusedError(500)
        if chat is None:
            return []
        offset = max(offset, 0)
        if limit + offset >= len(self._store.messages(chat_id)):
            self._load_to_show(chat)
        newest_first = self._store.messages(chat_id)[::-1]
        return newest_first[offset : offset + limit][::-1]

    def debug_messages(self, user: str, chat_id: str, limit: int, offset: int) -> list[Message]:
        """Return a window of messages, to the owner of the chat's character."""
        chat = self._own(user, chat_id)
        if chat is not None and not self._session(chat).is_owner:
            raise RefusedError(403, "Forbidden")
        return self.messages(user, chat_id, limit, offset)

    def rollback(self, user: str, chat_id: str, count: int) -> list[int]:
        """Hide the newest messages of a chat and return their ids, the newest first."""
        chat = self._own(user, chat_id)
        if count <= 0:
            raise RefusedError(500)
        if chat is None:
            return []
        messages = self._store.messages(chat_id)
        numbers = [message.id for message in messages[::-1][:count]]
        self._store.hide(numbers)
        if len(numbers) == len(messages):
            self._drop_greeting(chat)
        return numbers

    def clear(self, user: str, chat_id: str) -> list[Message]:
        """Forget everything said in a chat and return what stands there now."""
        chat = self._own(user, chat_id)
        if chat is None:
            return []
        self._store.forget(chat_id)
        if self._faithful and self._dialect.clearing_fails:
            self._drop_greeting(chat)
            raise RefusedError(500)
        self._loaded.discard(chat_id)
        self._load(chat)
        return self._store.messages(chat_id)

    def _drop_greeting(self, chat: Chat) -> None:
        """Go on without a first message: recorded servers fail at that until the chat is updated."""
        if self._faithful:
            self._broken.add(chat.id)
        else:
            self._loaded.discard(chat.id)

    def usage(self, user: str, chat_id: str) -> tuple[int | None, Usage | None]:
        """Return how many answers a chat has had, and what they cost."""
        chat = self._own(user, chat_id)
        if chat is None or not chat.answers:
            return None, None
        return chat.answers, Usage(chat.input_tokens, chat.output_tokens)

    def send(self, user: str, chat_id: str, body: Body) -> Result:
        """Store a message of the user, ask the model and store its answer."""
        chat, backend = self._for_sending(user, chat_id)
        with self._turn(chat_id):
            prompt = self._take(chat, backend, body, is_streamed=False)
            return self._answer(chat, self._ask(prompt))

    def stream(self, user: str, chat_id: str, body: Body) -> Iterator[str | Result]:
        """Do as `send` does, and yield the parts of the answer as they come, then the whole."""
        chat, backend = self._for_sending(user, chat_id)
        with self._turn(chat_id):
            completion = self._ask(self._take(chat, backend, body, is_streamed=True))
            said: list[str] = []
            try:
                for token in completion.tokens:
                    said.append(token)
                    yield token
            except ModelError:
                self._keep_partial(chat, said)
                raise CutError from None
            if completion.finish_reason is None:
                self._keep_partial(chat, said)
                self._end_early()
                return
            result = self._store_answer(chat, "".join(said), completion)
            if completion.usage is None and self._faithful and self._dialect.needs_usage:
                raise MissingFinalError
            yield result

    def assist(self, user: str, chat_id: str, assistant: str) -> Result:
        """Ask another character for the user's next line; nothing is stored."""
        completion = self._ask(self._assistant_prompt(user, chat_id, assistant, is_streamed=False))
        text = "".join(self._whole(completion))
        return Result(text, None, completion.usage, completion.finish_reason)

    def stream_assist(self, user: str, chat_id: str, assistant: str) -> Iterator[str | Result]:
        """Do as `assist` does, and yield the parts of the line as they come, then the whole."""
        completion = self._ask(self._assistant_prompt(user, chat_id, assistant, is_streamed=True))
        said: list[str] = []
        try:
            for token in completion.tokens:
                said.append(token)
                yield token
        except ModelError:
            raise CutError from None
        if completion.finish_reason is None:
            self._end_early()
            return
        yield Result("".join(said), None, completion.usage, completion.finish_reason)

    def _own(self, user: str, chat_id: str) -> Chat | None:
        """Return a chat, which must be the user's; None where there is none."""
        chat = self._store.chat(chat_id)
        if chat is not None and chat.user != user:
            raise RefusedError(403, "Forbidden")
        return chat

    def _character(self, backend: Backend) -> Character:
        return self._store.character_of(backend.character)

    def _for_sending(self, user: str, chat_id: str) -> tuple[Chat, Backend]:
        chat = self._own(user, chat_id)
        if chat is None or chat_id in self._broken or (backend := self._store.backend_of(chat)).is_removed:
            raise RefusedError(500)
        return chat, backend

    @contextmanager
    def _turn(self, chat_id: str) -> Iterator[None]:
        """Let one send at a time into a chat; others wait, or are refused where the server does that."""
        with self._lock:
            turn = self._turns.setdefault(chat_id, threading.Lock())
        if not turn.acquire(blocking=not self._dialect.answers_busy):
            raise RefusedError(503)
        try:
            yield
        finally:
            turn.release()

    def _take(self, chat: Chat, backend: Backend, body: Body, *, is_streamed: bool) -> Prompt:
        """Store a message of the user, where the quota allows it, and return what to ask the model."""
        chat = self._own(chat.user, chat.id) or chat  # as it is now: others may have been before
        used = {"messages": chat.answers, "tokens": chat.input_tokens + chat.output_tokens}.get(backend.quota_type, -1)
        if used >= backend.quota:
            raise RefusedError(429, f"Usage {used} exceeds limit {backend.quota}")
        if not body.get("contents"):
            raise RefusedError(500)
        self._load(chat)
        newest = self._store.messages(chat.id)[-1:]
        text = text_of(body["contents"])
        if body.get("role") == "assistant":  # not shown: the last message is asked again
            text = next((message.text for message in newest if message.role == "user"), text)
        else:
            self._store.hide([message.id for message in newest if message.role == "user"])  # never answered
            self._store.add_message(chat.id, "user", body["contents"], self._system_prompt(backend))
        return Prompt(text, self._name(backend), chat.answers, is_streamed)

    def _name(self, backend: Backend) -> str:
        character = self._character(backend)
        return character.nickname or character.name

    def _system_prompt(self, backend: Backend) -> str:
        text = f"You are {self._character(backend).name}. Be kind."
        return json.dumps({"text": text, "type": "SYSTEM"}, ensure_ascii=False)

    def _assistant_prompt(self, user: str, chat_id: str, assistant: str, *, is_streamed: bool) -> Prompt:
        chat, _ = self._for_sending(user, chat_id)
        backend = self._store.default_backend(assistant)
        if backend is None:
            raise RefusedError(400, "No backend found.")
        self._load(chat)
        messages = self._store.messages(chat_id)
        return Prompt(messages[-1].text if messages else "", self._name(backend), chat.answers, is_streamed)

    def _load(self, chat: Chat) -> None:
        """Load a chat's messages into a session: greet where there are none, and answer the newest if nobody did.

        Raises:
            RefusedError: when the model fails at that.
        """
        if chat.id in self._loaded:
            return
        self._loaded.add(chat.id)
        messages = self._store.messages(chat.id)
        backend = self._store.backend_of(chat)
        if not messages:
            greeting = self._character(backend).greeting
            if greeting:
                self._store.add_message(chat.id, "assistant", [{"type": "text", "content": greeting}], None)
        elif messages[-1].role == "user":
            self._answer(chat, self._ask(Prompt(messages[-1].text, self._name(backend), chat.answers, False)))

    def _load_to_show(self, chat: Chat) -> None:
        if chat.id in self._broken:
            return
        try:
            self._load(chat)
        except RefusedError:
            if self._dialect.loading_shows_failures:
                raise

    def _ask(self, prompt: Prompt) -> Completion:
        try:
            return self._ask_model(prompt)
        except ModelError:
            raise ModelFailedError from None

    def _answer(self, chat: Chat, completion: Completion) -> Result:
        return self._store_answer(chat, "".join(self._whole(completion)), completion)

    def _whole(self, completion: Completion) -> list[str]:
        try:
            return list(completion.tokens)
        except ModelError:
            raise ModelFailedError from None

    def _store_answer(self, chat: Chat, text: str, completion: Completion) -> Result:
        usage = completion.usage
        counts = [None, None, None] if usage is None else [usage.input, usage.output, usage.input + usage.output]
        ext = None if usage is None and self._dialect.needs_usage else json.dumps(counts, separators=(",", ":"))
        contents = [{"type": "text", "content": text}] if text else None
        number = self._store.add_message(chat.id, "assistant", contents, ext)
        self._store.count_answer(chat.id, *((0, 0) if usage is None else (usage.input, usage.output)))
        return Result(text, number, usage, completion.finish_reason)

    def _end_early(self) -> None:
        """End a stream whose model ended without saying that it has: without a final event, or by a cut."""
        if self._dialect.cuts_early_ends:
            raise CutError

    def _keep_partial(self, chat: Chat, said: list[str]) -> None:
        """Store what came before the model failed, where the server does that."""
        if self._dialect.keeps_partial_answers:
            self._store_answer(chat, "".join(said), Completion((), None, None))


def _settings(body: Body) -> dict[str, Any]:
    return {name: body.get(name) for name in SETTINGS}


def _epoch_seconds(date: Any, *, is_strict: bool) -> int | None:
    """Return the epoch seconds of a date in a request.

    Raises:
        RefusedError: when it is none; strict servers take no zone but `Z`.
    """
    if date is None:
        return None
    if isinstance(date, int) and not is_strict:
        return date // 1000
    if not isinstance(date, str) or (is_strict and re.search(r"[+-]\d\d:?\d\d$", date)):
        raise RefusedError(400)
    try:
        moment = isoparse(date)
    except ValueError:
        raise RefusedError(400) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp())
