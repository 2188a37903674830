"""Keeps credentials out of everything that people and tools read: reprs, messages, logs, reports."""

MASK = "***"
"""What is shown instead of a credential."""
_CREDENTIAL_PATTERNS = (
    (r"\bfc-[0-9A-Za-z*]{8,}", MASK),
    (r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+", rf"\1 {MASK}"),
    (r'(?i)("[\w-]*(?:token|api_?key|api_?key_?value|password|secret)"\s*:\s*)"(?:[^"\\]|\\.)*"?', rf'\1"{MASK}"'),
)
_SECRET_PARTS = ("auth", "cookie", "key", "secret", "token")
"""A header whose name has one of these in it holds a credential."""


class Credential(str):
    """A text that no repr shows: of itself, or of a dict or tuple that holds it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)


def mask(text: str) -> str:
    """Return a text with everything masked in it that looks like a credential."""
    import re

    for pattern, masked in _CREDENTIAL_PATTERNS:
        text = re.sub(pattern, masked, text)
    return text


def is_secret_header(name: str) -> bool:
    """Return whether a header holds a credential, judging by its name."""
    return any(part in name.lower() for part in _SECRET_PARTS)
