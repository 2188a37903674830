"""The model that stood behind the recorded servers: it repeats what it is told, and obeys words in it."""

import re
from collections.abc import Callable, Iterator

from freechat_sdk.sandbox import Completion, ModelError, Prompt, Usage

UNICODE = (
    "Grüße ",
    "一切",
    "都会",
    "好的 ",
    "😀👩\u200d👩\u200d👧 ",
    "line\u2028sep ",
    'quote" ',
    "back\\slash ",
    "tab\t",
    "nl\n",
    "end",
)
INPUT_TOKENS = 11
FAILURE = '{"error": {"message": "stub failure", "type": "server_error"}}'


class Model:
    """The model; `sleep` is what it does for the milliseconds of `#slow`."""

    def __init__(self, sleep: Callable[[float], object]) -> None:
        self._sleep = sleep

    def __call__(self, prompt: Prompt) -> Completion:
        text = prompt.text
        if "#error" in text:
            raise ModelError(FAILURE)
        tokens = _tokens(text)
        if not prompt.is_streamed:
            tokens[-1] = tokens[-1].rstrip()
        usage = None if "#nousage" in text else Usage(INPUT_TOKENS, len(tokens))
        for word, failure in (("#reset", "Connection reset"), ("#garbage", "Unexpected end-of-input")):
            if count := _number(word, text):
                return Completion(_failing(tokens[: int(count)], failure if int(count) else "closed"), None)
        if count := _number("#break", text):
            return Completion(tokens[: int(count)], None, None)
        return Completion(self._paced(tokens, text), usage, "length" if "#length" in text else "stop")

    def _paced(self, tokens: list[str], text: str) -> Iterator[str]:
        pause = int(_number("#slow", text) or 0) / 1000
        for token in tokens:
            if pause:
                self._sleep(pause)
            yield token


def _tokens(text: str) -> list[str]:
    if "#unicode" in text:
        return list(UNICODE)
    if count := _number("#long", text):
        return [f"tok{number} " for number in range(int(count))]
    return [f"{word} " for word in f"You said: {text}".split(" ")]


def _number(word: str, text: str) -> str | None:
    """Return the number after a word."""
    found = re.search(rf"{word} (\d+)", text)
    return found[1] if found else None


def _failing(tokens: list[str], failure: str) -> Iterator[str]:
    yield from tokens
    raise ModelError(failure)
