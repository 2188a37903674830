"""Separates the thinking that a model writes inline, `<think>...</think>`, from its answer. No I/O."""

import re
from typing import Final

_OPENING: Final = re.compile(r"(?i)<think(?:\s[^<>]{0,200})?>")
_CLOSING: Final = re.compile(r"(?i)</think\s{0,200}>")
_PARTIAL_OPENING: Final = re.compile(r"(?i)<(?:t|th|thi|thin|think(?:\s[^<>]{0,200})?)?\Z")
_PARTIAL_CLOSING: Final = re.compile(r"(?i)<(?:/|/t|/th|/thi|/thin|/think\s{0,200})?\Z")
"""The end of a text that the next delta may complete to a tag."""


class ThinkingSplitter:
    """Splits a text that arrives in parts. Tags may be cut anywhere; their case does not matter.

    Thinking that is never closed lasts to the end. The blanks between thinking and the beginning of the answer are left
    out.
    """

    def __init__(self) -> None:
        self.thinking: list[str] = []
        """The parts of the thinking so far."""
        self._pending = ""
        self._is_thinking = False
        self._has_answer = False

    def feed(self, text: str) -> str:
        """Return the part of the answer that is certain once `text` has arrived."""
        if "<" not in text and not self._pending and not self._is_thinking and (self._has_answer or not self.thinking):
            self._has_answer = self._has_answer or bool(text)
            return text
        return self._split(self._pending + text)

    def finish(self) -> str:
        """Return what was kept back as the possible beginning of a tag, once the text has ended."""
        rest, self._pending = self._pending, ""
        return self._add(rest)

    def _split(self, text: str) -> str:
        answer = []
        while tag := (_CLOSING if self._is_thinking else _OPENING).search(text):
            answer.append(self._add(text[: tag.start()]))
            text = text[tag.end() :]
            self._is_thinking = not self._is_thinking
        partial = (_PARTIAL_CLOSING if self._is_thinking else _PARTIAL_OPENING).search(text)
        cut = len(text) if partial is None else partial.start()
        self._pending = text[cut:]
        answer.append(self._add(text[:cut]))
        return "".join(answer)

    def _add(self, text: str) -> str:
        """Add a text to the thinking, or return it as a part of the answer."""
        if self._is_thinking:
            self.thinking.append(text)
            return ""
        if self.thinking and not self._has_answer:
            text = text.lstrip()
        self._has_answer = self._has_answer or bool(text)
        return text


def split_thinking(text: str) -> tuple[str, str]:
    """Return the answer and the thinking in the whole text of a model."""
    splitter = ThinkingSplitter()
    answer = splitter.feed(text) + splitter.finish()
    return answer, "".join(splitter.thinking)
