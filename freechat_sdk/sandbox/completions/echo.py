"""The model of a sandbox that is not told otherwise: it says back what it was told."""

from freechat_sdk.sandbox.completions import Prompt

_OPENINGS = ("You said", "I hear you", "So", "Let me say it back")
_QUESTION = "Good question! I am only an echo, but here it is again"


def echo(prompt: Prompt) -> str:
    """Say back what was said, with a little life; the same prompt gets the same answer."""
    text = prompt.text.strip()
    if not text:
        return "You said nothing. I will wait."
    opening = _QUESTION if text.endswith("?") else _OPENINGS[prompt.turn % len(_OPENINGS)]
    return f"{opening}: {text}"
