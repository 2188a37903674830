"""Messages out of a chat: as flat records for pandas and CSV, and as Markdown."""

from collections.abc import Iterable
from typing import Any

from freechat_sdk._thinking import split_thinking
from freechat_sdk.models import ChatMessageRecordDTO


def to_records(messages: Iterable[ChatMessageRecordDTO]) -> list[dict[str, Any]]:
    """Return stored messages as flat dicts, for `pandas.DataFrame(...)` or `csv.DictWriter`.

    The keys are `id` (int), `time` (aware datetime), `role`, `name`, `text` and `thinking` (str or None).
    """
    return [_record(message) for message in messages]


def to_markdown(messages: Iterable[ChatMessageRecordDTO], *, user: str = "User", character: str = "Character") -> str:
    """Return a conversation as Markdown: a paragraph for each message, with the name of who wrote it in bold.

    `user` and `character` are the names to show. Thinking is left out, and so are messages without text.
    """
    names = {"user": user, "assistant": character}
    shown = ((record["role"] or "", record["text"]) for record in to_records(messages))
    return "\n".join(f"**{names.get(role, role)}:** {text.strip()}\n" for role, text in shown if text.strip())


def _record(record: ChatMessageRecordDTO) -> dict[str, Any]:
    answer, inline = split_thinking(record.text)
    return {
        "id": record.id,
        "time": record.gmt_create,
        "role": record.role or None,
        "name": record.message and record.message.name,
        "text": answer,
        "thinking": (record.message and record.message.thinking) or inline or None,
    }
