"""What stands where a real server asks a model: a function from a prompt to a reply."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_OPENINGS = ("You said", "I hear you", "So", "Let me say it back")
_QUESTION = "Good question! I am only an echo, but here it is again"


class ModelError(Exception):
    """Raised by a reply function, or by the tokens of its reply: the model fails at this point."""


@dataclass(frozen=True)
class Usage:
    """What an answer cost in tokens."""

    input: int
    output: int


@dataclass(frozen=True)
class Prompt:
    """What the model is asked."""

    text: str
    """The last message."""
    character: str
    """The character's name."""
    turn: int
    """How many answers the chat has had before."""
    is_streamed: bool


@dataclass(frozen=True)
class Reply:
    """What the model answers."""

    tokens: Iterable[str]
    """The parts of the answer, in the order in which they are streamed."""
    usage: Usage | None
    """What it cost; None where the model does not say."""
    finish_reason: str | None = "stop"
    """Why it ended; None where the model just ends, which a stream shows by having no final event."""

    @classmethod
    def of(cls, text: str, prompt: Prompt) -> "Reply":
        """Return a reply that says `text` word by word; each word is a token."""
        tokens = re.findall(r"\s*\S+(?:\s+$)?", text)
        return cls(tokens, Usage(len(prompt.text.split()), len(tokens)))


Answerer = Callable[[Prompt], Reply | str]
"""A reply function; a str is said word by word."""


def echo(prompt: Prompt) -> str:
    """Say back what was said, with a little life; the same prompt gets the same answer."""
    text = prompt.text.strip()
    if not text:
        return "You said nothing. I will wait."
    opening = _QUESTION if text.endswith("?") else _OPENINGS[prompt.turn % len(_OPENINGS)]
    return f"{opening}: {text}"
