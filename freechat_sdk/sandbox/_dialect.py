"""How each release of the server writes: headers, dates, nulls, errors, messages, events.

What is written here was seen in recorded exchanges with servers of these releases.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from freechat_sdk.sandbox._chat_store import Message
from freechat_sdk.sandbox._chats import SETTINGS, Result, Session
from freechat_sdk.sandbox.completions import Usage

Json = Any
Headers = tuple[tuple[str, str], ...]

_BUFFER_BYTES = 8192
"""An answer of v2 2.9 that fits in the servlet container's buffer has a Content-Length."""
_SECURITY_HEADERS: Headers = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-XSS-Protection", "0"),
    ("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate"),
    ("Pragma", "no-cache"),
    ("Expires", "0"),
    ("X-Frame-Options", "DENY"),
)
_VARY_HEADERS: Headers = (
    ("Vary", "Origin"),
    ("Vary", "Access-Control-Request-Method"),
    ("Vary", "Access-Control-Request-Headers"),
)


class Dialect:
    """v2 2.9.0: nulls are written, dates have no zone, the message holds its id, sends to one chat queue up."""

    release = "2.9.0"
    generation = "v2"
    headers: Headers = _SECURITY_HEADERS
    stream_headers: Headers = (("X-Accel-Buffering", "no"),)
    takes_strict_dates = True
    """Whether a date in a request may have no zone but `Z`."""
    answers_busy = False
    """Whether a send to a chat that is busy is refused instead of queued."""
    keeps_partial_answers = True
    """Whether the part of an answer that came before the model failed is stored."""
    cuts_early_ends = False
    """Whether a stream whose model just ends is cut; else it ends well, without its final event."""
    clearing_fails = False
    """A fault: clearing a memory answers 500 and makes sends fail until the chat is updated."""
    needs_usage = False
    """A fault: a stream whose model reports no usage ends without its final event."""
    needs_backend = True
    """A fault: a chat whose backend is gone makes the list of chats fail."""
    loading_shows_failures = False
    """Whether a list fails when the model does that is asked for the answer to the newest message."""
    empties_errors = False
    """Whether an error has no body where the client does not accept JSON."""

    def write(self, value: Json) -> bytes:
        """Return JSON as bytes."""
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    def has_length(self, status: int, size: int) -> bool:
        """Tell whether an answer in JSON has a Content-Length; else it comes in chunks."""
        return status < 400 and size <= _BUFFER_BYTES

    def moment(self, seconds: int | None) -> Json:
        """Return a date."""
        return None if seconds is None else _utc(seconds).strftime("%Y-%m-%dT%H:%M:%S")

    def error(self, status: int, path: str, message: str) -> Json:
        """Return the body of an error."""
        return {"code": status, "path": path, "message": message, "error": HTTPStatus(status).phrase}

    def record(self, message: Message, *, with_ext: bool) -> Json:
        """Return a stored message."""
        return {
            "message": self._message(message.role, message.contents, message.id),
            "gmtCreate": self.moment(message.created),
            "ext": message.ext if with_ext else None,
        }

    def _message(self, role: str, contents: Json, number: int | None) -> Json:
        return {
            "role": role,
            "name": None,
            "contents": contents,
            "toolCalls": None,
            "thinking": None,
            "context": None,
            "messageId": number,
        }

    def result(self, result: Result) -> Json:
        """Return the answer to a send."""
        return {**self._result(result), "text": result.text, "requestId": uuid4().hex}

    def _result(self, result: Result) -> Json:
        return {
            "text": None,
            "message": self._message("assistant", _contents(result.text), result.message_id),
            "finishReason": result.finish_reason,
            "tokenUsage": self._counts(result.usage),
            "requestId": None,
        }

    def _counts(self, usage: Usage | None) -> Json:
        counts = (None, None, None) if usage is None else (usage.input, usage.output, usage.input + usage.output)
        return dict(zip(("inputTokenCount", "outputTokenCount", "totalTokenCount"), counts, strict=True))

    def first_events(self) -> Iterator[Json]:
        """Yield what a stream begins with."""
        yield from ()

    def delta(self, text: str, *, is_assistant: bool) -> Json:
        """Return the event for a part of an answer."""
        message = None if is_assistant else self._message("assistant", _contents(text) if text.strip() else None, None)
        return {"text": text, "message": message, "finishReason": None, "tokenUsage": None, "requestId": None}

    def final(self, result: Result) -> Json:
        """Return a stream's last event."""
        return self._result(result)

    def frames(self, event: Json) -> Iterator[bytes]:
        """Yield the chunks that an event is sent in."""
        yield b"data:%b\n\n" % self.write(event)

    def usage(self, count: int | None, usage: Usage | None) -> Json:
        """Return what a chat has used."""
        counts = None if count is None else self._counts(usage)
        return {"messageUsage": count, "tokenUsage": counts, "requestId": uuid4().hex}

    def session(self, session: Session) -> Json:
        """Return an entry of the list of chats."""
        latest = None if session.latest is None else self.record(session.latest, with_ext=True)
        return {
            "context": self._context(session),
            "character": self._character(session),
            "provider": None if session.backend.is_removed else "open_ai",
            "latestMessageRecord": latest,
            "proactiveChatWaitingTime": 0,
            "senderStatus": "invisible",
            "isDebugEnabled": session.is_owner,
            "isCustomizedApiKeyEnabled": True,
            "isTtsEnabled": False,
        }

    def _context(self, session: Session) -> Json:
        chat, backend = session.chat, session.backend
        return {
            **dict.fromkeys(SETTINGS),
            **chat.settings,
            "chatId": chat.id,
            "backendId": chat.backend_id,
            "gmtCreate": self.moment(chat.created),
            "gmtModified": self.moment(chat.modified),
            "gmtRead": self.moment(chat.read),
            "quota": backend.quota,
            "quotaType": backend.quota_type,
            "requestId": None,
        }

    def _character(self, session: Session) -> Json:
        character = session.character
        return {
            "avatar": None,
            "characterId": character.id,
            "characterUid": character.uid,
            "defaultScene": character.default_scene,
            "description": character.description,
            "gender": character.gender,
            "gmtCreate": self.moment(character.created),
            "gmtModified": self.moment(character.created),
            "greeting": character.greeting,
            "lang": character.lang,
            "name": character.name,
            "nickname": character.nickname,
            "parentUid": None,
            "picture": None,
            "priority": character.priority,
            "requestId": uuid4().hex,
            "tags": character.tags,
            "telegramUrl": None,
            "username": character.owner,
            "version": 0,
            "video": None,
            "visibility": character.visibility,
        }


class Dialect26(Dialect):
    """v2 2.6.0: nulls are left out, dates are epoch milliseconds, a busy chat refuses sends."""

    release = "2.6.0"
    headers = (*_VARY_HEADERS, *_SECURITY_HEADERS)
    takes_strict_dates = False
    answers_busy = True
    clearing_fails = True
    needs_usage = True

    def write(self, value: Json) -> bytes:
        text = json.dumps(_without_nulls(value), ensure_ascii=False, separators=(",", ":"))
        return re.sub(r"[\U00010000-\U0010ffff]", _surrogates, text).encode()

    def has_length(self, status: int, size: int) -> bool:
        return False

    def moment(self, seconds: int | None) -> Json:
        return None if seconds is None else seconds * 1000

    def error(self, status: int, path: str, message: str) -> Json:
        now = int(time.time() * 1000)
        return {"timestamp": now, "status": status, "error": HTTPStatus(status).phrase, "path": path}

    def delta(self, text: str, *, is_assistant: bool) -> Json:
        return {"text": text}


class Dialect20(Dialect26):
    """v1 2.0.0: like 2.6.0, but for its dates, its first event, its chunks, and where a message's id stands."""

    release = "2.0.0"
    generation = "v1"
    stream_headers: Headers = ()
    keeps_partial_answers = False
    cuts_early_ends = True
    needs_usage = False
    needs_backend = False
    loading_shows_failures = True
    empties_errors = True

    def moment(self, seconds: int | None) -> Json:
        return None if seconds is None else _utc(seconds).isoformat(timespec="milliseconds")

    def error(self, status: int, path: str, message: str) -> Json:
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        return {**super().error(status, path, message), "timestamp": now}

    def record(self, message: Message, *, with_ext: bool) -> Json:
        return {**super().record(message, with_ext=with_ext), "messageId": message.id}

    def _message(self, role: str, contents: Json, number: int | None) -> Json:
        return {"role": role, "contents": contents}

    def first_events(self) -> Iterator[Json]:
        yield {"text": ""}

    def frames(self, event: Json) -> Iterator[bytes]:
        yield b"data:"
        yield self.write(event)
        yield b"\n\n"

    def session(self, session: Session) -> Json:
        return {**super().session(session), "isTtsEnabled": None}


DIALECTS: Mapping[str, type[Dialect]] = {kind.release: kind for kind in (Dialect20, Dialect26, Dialect)}


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _contents(text: str) -> Json:
    return [{"type": "text", "content": text}]


def _surrogates(match: re.Match[str]) -> str:
    return json.dumps(match[0]).strip('"').upper().replace("\\U", "\\u")


def _without_nulls(value: Json) -> Json:
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: held if name == "tokenUsage" else _without_nulls(held) for name, held in value.items() if held is not None
    }
