"""What stands where a real server asks a model: a function from a prompt to a completion."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias


class ModelError(Exception):
    """Raised by a model, or by the tokens of its completion: the model fails at this point.

    Its text is what the model, or the connection to it, said.
    """


@dataclass(frozen=True)
class Usage:
    """What an answer cost in tokens."""

    input: int
    output: int


@dataclass(frozen=True)
class Message:
    """A message that the model is sent: the role is `system`, `user` or `assistant`."""

    role: str
    text: str


@dataclass(frozen=True)
class Prompt:
    """What the model is asked."""

    text: str
    """The last message."""
    character: str = ""
    """The character's name; empty if no character speaks."""
    turn: int = 0
    """How many answers the chat has had before."""
    is_streamed: bool = False
    messages: Sequence[Message] = ()
    """All that the model is sent, the last message included."""
    model_id: str = ""
    """Such as `[open_ai]gpt-4o`."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The task's parameters: `baseUrl`, `temperature` and so on."""
    api_key: str | None = field(default=None, repr=False)


@dataclass
class Completion:
    """What the model answers; its end may be filled in while the tokens are taken."""

    tokens: Iterable[str]
    """The parts of the answer, in the order in which they are streamed."""
    usage: Usage | None
    """What it cost; None if the model does not say."""
    finish_reason: str | None = "stop"
    """Why it ended; None if the model just ends, which a stream shows by having no final event."""

    @classmethod
    def of(cls, text: str, prompt: Prompt) -> "Completion":
        """Return a completion that says `text` word by word; each word is a token."""
        tokens = re.findall(r"\s*\S+(?:\s+$)?", text)
        return cls(tokens, Usage(len(prompt.text.split()), len(tokens)))


Model: TypeAlias = Callable[[Prompt], Completion | str]
"""A model; a str is said word by word."""

Ask: TypeAlias = Callable[[Prompt], Completion]
"""A model as resources ask it."""


def paced(model: Model, delay: float, sleep: Callable[[float], object]) -> Ask:
    """Return a model whose answers have tokens, each after a number of seconds."""

    def ask(prompt: Prompt) -> Completion:
        answer = model(prompt)
        completion = Completion.of(answer, prompt) if isinstance(answer, str) else answer
        return slowed(completion) if delay else completion

    def slowed(completion: Completion) -> Completion:
        slow = replace(completion, tokens=())
        slow.tokens = tokens(completion, slow)
        return slow

    def tokens(completion: Completion, slow: Completion) -> Iterator[str]:
        for token in completion.tokens:
            sleep(delay)
            yield token
        slow.usage, slow.finish_reason = completion.usage, completion.finish_reason

    return ask
