"""Conversation: a chat with a character, each step in one call."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from itertools import count
from threading import Lock
from typing import Any, Final

from typing_extensions import Self

from freechat_sdk.api import AccountApi, ChatApi, TTSServiceApi
from freechat_sdk.api_client import ApiClient
from freechat_sdk.characters import find_character, is_uid
from freechat_sdk.download import Download
from freechat_sdk.exceptions import ApiValueError, ConversationBusyError, ServiceException
from freechat_sdk.models import (
    CharacterSummaryDTO,
    ChatCreateDTO,
    ChatMessageDTO,
    ChatMessageRecordDTO,
    ChatUpdateDTO,
    LlmResultDTO,
    MemoryUsageDTO,
)
from freechat_sdk.streaming import SseEmitter

_WINDOW: Final = 20
"""How many messages `history` requests at once."""
_RECOVERY_PAUSE: Final = 1.0  # seconds between two looks for an answer


class Conversation:
    """A chat with a character.

        with ApiClient() as client:
            conversation = Conversation.open(client, "pip")
            print(conversation.say("Hello!").answer)

    It keeps only the id of its chat: the messages are on the server. Servers answer the messages of a chat one by one.
    While an answer is under way, sending raises `ConversationBusyError`; a stream is under way until it has ended, is
    closed or dropped. Conversations do not wait for each other.
    """

    def __init__(self, client: ApiClient, chat_id: str) -> None:
        """Use a chat that has been started before."""
        self.client = client
        self.chat_id = chat_id
        self._chats = ChatApi(client)
        self._lock = Lock()

    @classmethod
    def open(cls, client: ApiClient, character: str, **settings: Any) -> Self:
        """Start a chat with a character, or resume the caller's chat with it.

        A new chat is set up as the web interface does it: it gets the nickname of the user and of the character (their
        names if they have none), the user's profile and the character's default scene. Without the nickname of the
        character, prompts call it by its name. A chat that is resumed keeps its settings.

        Args:
            client: the client to use.
            character: the uid of a character, or its name if `find_character` finds it.
            settings: fields of `ChatCreateDTO` that replace these defaults, such as `user_nickname` and `about`.

        Raises:
            ApiValueError: if no character has this name, or more than one.
        """
        summary = None if is_uid(character) else find_character(client, character)
        uid = character if summary is None else summary.character_uid
        user = AccountApi(client).get_user_details()
        fields = {"user_nickname": user.nickname or user.username, "user_profile": user.profile, **_cast_of(summary)}
        chat_id = ChatApi(client).start_chat(ChatCreateDTO(**{"character_uid": uid, **fields, **settings}))
        conversation = cls(client, chat_id)
        if summary is None:
            conversation._set_cast(settings)
        return conversation

    def _set_cast(self, settings: Mapping[str, Any]) -> None:
        """Give a chat the character's nickname and scene if it has no nickname: they are only known once it exists."""
        try:
            sessions = self._chats.list_chats()
        except ServiceException:  # v2, if one of the caller's chats has lost its backend
            return
        for context, character in ((session.context, session.character) for session in sessions):
            if context and context.chat_id == self.chat_id and context.character_nickname is None:
                cast = {name: value for name, value in _cast_of(character).items() if name not in settings}
                update = {name: value for name, value in cast.items() if getattr(context, name) is None}
                self._chats.update_chat(self.chat_id, ChatUpdateDTO.model_validate(update))

    def say(self, message: str | ChatMessageDTO) -> LlmResultDTO:
        """Send a message and return the answer."""
        with self._turn():
            return self._chats.send_message(self.chat_id, message)

    def stream(self, message: str | ChatMessageDTO) -> SseEmitter:
        """Send a message and return the stream of the answer."""
        return self._stream(lambda: message)

    def regenerate(self) -> LlmResultDTO:
        """Take the last exchange back, send its message again and return the new answer.

        Raises:
            ApiValueError: if the user has not said anything.
        """
        with self._turn():
            return self._chats.send_message(self.chat_id, self._take_back_message())

    def stream_regenerated(self) -> SseEmitter:
        """Take the last exchange back, send its message again and return the stream of the new answer.

        Raises:
            ApiValueError: if the user has not said anything.
        """
        return self._stream(self._take_back_message)

    def suggest(self, assistant: str) -> LlmResultDTO:
        """Ask another character, by its uid, what the user could say next. It costs tokens; nothing is stored."""
        with self._turn():
            return self._chats.send_assistant(self.chat_id, assistant)

    def undo(self, exchanges: int = 1) -> list[ChatMessageRecordDTO]:
        """Take back the user's last messages with their answers, and return these messages, oldest first.

        The greeting stays. If there are fewer exchanges, all of them are taken back.
        """
        if exchanges < 1:
            raise ApiValueError(f"exchanges must be at least 1, not {exchanges}")
        with self._turn():
            return self._take_back(exchanges)

    def forget(self) -> None:
        """Make the character forget what was said in the chat. The greeting comes back; the usage stays."""
        with self._turn():
            try:
                self._chats.clear_memory(self.chat_id)
            except ServiceException:  # v1 and v2 up to 2.6 report a failure once all is gone, and need an update then
                if self._chats.list_messages(self.chat_id, 1):
                    raise
                self.mark_read()

    def history(self, limit: int | None = _WINDOW) -> Iterator[ChatMessageRecordDTO]:
        """Yield the newest messages, newest first. They are requested 20 at a time, when they are needed.

        `limit` is the largest number of messages; None means all. If the last message has no answer yet, reaching the
        first one may make the server ask the model again, which costs tokens.
        """
        for offset in count(0, _WINDOW):
            size = _WINDOW if limit is None else min(_WINDOW, limit - offset)
            window = self._chats.list_messages(self.chat_id, size, offset) if size > 0 else []
            yield from reversed(window)
            if len(window) < _WINDOW:
                return

    def recover(self, timeout: float = 0.0) -> ChatMessageRecordDTO | None:
        """Return the stored answer to the last message, whole or in part, or None if there is none.

        Use it after a stream was interrupted. Servers of v2 store what they had sent. After the server's time limit for
        a stream, the whole answer is stored some seconds later: `timeout` is how long to wait for it, in seconds.
        """
        policy = self.client.rest_client.policy
        end = policy.clock() + timeout
        while True:
            newest = self._chats.list_messages(self.chat_id, 2)
            if [record.role for record in newest] == ["user", "assistant"]:
                return newest[-1]
            if policy.clock() >= end:
                return None
            policy.sleep(_RECOVERY_PAUSE)

    def usage(self) -> MemoryUsageDTO:
        """Return how many answers the chat has had, and how many tokens they cost. What was taken back counts."""
        return self._chats.get_memory_usage(self.chat_id)

    def mark_read(self) -> None:
        """Note on the server that the user has read the chat up to now."""
        self._chats.update_chat(self.chat_id, ChatUpdateDTO(gmt_read=datetime.now(timezone.utc)))

    def speak(self, message: ChatMessageRecordDTO) -> Download:
        """Return a stored message as speech. Only v2 has it, for characters whose backend has a voice.

        Raises:
            ApiValueError: if the message has no id.
        """
        if message.id is None:
            raise ApiValueError("only a stored message can be spoken: it has an id")
        return TTSServiceApi(self.client).speak_message(message.id)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self._begin_turn()
        try:
            yield
        finally:
            self._lock.release()

    def _begin_turn(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise ConversationBusyError("the last answer is still under way. Read its stream to the end or close it.")

    def _stream(self, message: Callable[[], str | ChatMessageDTO]) -> SseEmitter:
        """Send a message and return the stream of the answer. The turn lasts as long as the stream."""
        self._begin_turn()
        try:
            stream = self._chats.stream_send_message(self.chat_id, message())
        except BaseException:
            self._lock.release()
            raise
        stream.on_close(self._lock.release)
        return stream

    def _take_back_message(self) -> ChatMessageDTO:
        """Take the last exchange back and return its message, ready to be sent again."""
        taken = self._take_back(1)
        message = taken[0].message if taken else None
        if message is None:
            raise ApiValueError("there is nothing to regenerate: the user has not said anything in this chat")
        return ChatMessageDTO(role="user", name=message.name, contents=message.contents, context=message.context)

    def _take_back(self, exchanges: int) -> list[ChatMessageRecordDTO]:
        taken = self._last(exchanges)
        if taken:
            self._chats.rollback_messages(self.chat_id, len(taken))
        return taken

    def _last(self, exchanges: int) -> list[ChatMessageRecordDTO]:
        """Return the messages of the last exchanges. The window grows only as needed: reaching the start may cost."""
        limit = 2 * exchanges
        while True:
            window = self._chats.list_messages(self.chat_id, limit)
            starts = [place for place, record in enumerate(window) if record.role == "user"][-exchanges:]
            if len(starts) == exchanges or len(window) < limit:
                return window[starts[0] :] if starts else []
            limit *= 2

    def __reduce__(self) -> tuple[type[Self], tuple[ApiClient, str]]:
        return type(self), (self.client, self.chat_id)

    def __repr__(self) -> str:
        return f"Conversation(chat_id={self.chat_id!r})"


def _cast_of(character: CharacterSummaryDTO | None) -> dict[str, Any]:
    """Return the fields of a chat that describe the character's part in it."""
    if character is None:
        return {}
    return {"character_nickname": character.nickname or character.name, "about": character.default_scene}
