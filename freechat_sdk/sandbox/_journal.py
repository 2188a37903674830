"""What a sandbox was asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class JournalEntry:
    """A request that reached an operation, and the status of the response."""

    operation: str
    """Such as `ChatApi.send_message`."""
    user: str
    """The caller's username; empty without a token."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The values of the path and the query, by the names that the client's methods have for them."""
    body: Any = None
    """The JSON that was sent, without nulls and unknown fields; dates are epoch seconds."""
    status: int = 200
