"""Masks credentials in everything that people and tools read: reprs, messages, logs, reports."""

MASK = "***"
"""What is shown instead of a credential."""
_CREDENTIAL_PATTERNS = (
    (r"\bfc-[0-9A-Za-z*]{8,}", MASK),
    (r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+", rf"\1 {MASK}"),
    (r'(?i)("[\w-]*(?:token|api_?key|api_?key_?value|password|secret)"\s*:\s*)"(?:[^"\\]|\\.)*"?', rf'\1"{MASK}"'),
)
_SECRET_PARTS = ("auth", "cookie", "key", "secret", "token")
"""A header holds a credential if its name contains one of these."""


class Credential(str):
    """A str whose repr is masked, and so are the reprs of the dicts, lists and tuples that hold it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)


def mask(text: str) -> str:
    """Mask everything in a text that looks like a credential."""
    import re

    for pattern, masked in _CREDENTIAL_PATTERNS:
        text = re.sub(pattern, masked, text)
    return text


def is_secret_header(name: str) -> bool:
    """Return whether a header holds a credential, judging by its name."""
    return any(part in name.lower() for part in _SECRET_PARTS)
