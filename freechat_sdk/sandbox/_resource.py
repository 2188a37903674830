"""What resources are written with: Call, Refused, the rules about owners, File."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

from freechat_sdk.sandbox._release import Headers, Release
from freechat_sdk.sandbox._store import Row, Table
from freechat_sdk.sandbox.completions import Ask

T = TypeVar("T")

ROLE_ADMIN = "ROLE_ADMIN"
DEFAULT_PAGE_SIZE = 10
MAX_PAGE_SIZE = 100


class Refused(Exception):  # noqa: N818 - a refusal is what a server does, not what goes wrong in it
    """A request that gets an error status.

    What the request has changed is undone, unless `keeps_changes`: a server that fails half-way.
    """

    def __init__(self, status: int, message: str = "", *, headers: Headers = (), keeps_changes: bool = False) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.headers = headers
        self.keeps_changes = keeps_changes


@dataclass(frozen=True)
class Upload:
    """A file that was sent."""

    name: str
    media_type: str
    data: bytes

    def refuse_above(self, mib: int) -> None:
        if len(self.data) > mib * 2**20:
            raise Refused(400, f"File size should be less than {mib * 2**20}")


@dataclass(frozen=True)
class File:
    """A response that is a file."""

    data: bytes
    media_type: str
    headers: Headers = ()


@dataclass(frozen=True)
class Caller:
    """Who asks, as the server knows it: the user as it was when the token was used first."""

    username: str
    user_id: int = 0
    authorities: tuple[str, ...] = ()
    nickname: str | None = None
    picture: str | None = None


NOBODY = Caller("")
"""Who asks without a token."""


@dataclass(frozen=True)
class Call:
    """A request to an operation, with what it needs of the server."""

    operation: str
    caller: Caller
    release: Release
    ask: Ask
    now: int
    """When the request came, in epoch seconds."""
    clock: Callable[[], float]
    """What time it is, for what takes its time."""
    host: str
    """Where the server is, for addresses of files: `http://127.0.0.1:8080`."""
    request_id: str
    body: Any = None
    """The JSON that was sent, read by its schema: dates are epoch seconds, nulls and unknown fields are gone."""
    file: Upload | None = None
    token: str | None = None

    @property
    def user(self) -> str:
        return self.caller.username

    @property
    def is_admin(self) -> bool:
        return ROLE_ADMIN in self.caller.authorities

    @property
    def dates(self) -> dict[str, int]:
        """The dates of a row that is new."""
        return {"gmtCreate": self.now, "gmtModified": self.now}

    @property
    def upload(self) -> Upload:
        assert self.file is not None, "the operation takes no file"  # noqa: S101 - a bug in a resource
        return self.file


def own_or_refuse(call: Call, row: Row | None) -> Row | None:
    """Return a row that the caller may see and change; None only to an administrator, if there is no such row.

    To plain users, what is not there and what is somebody else's look alike.
    """
    if call.is_admin:
        return row
    if row is None or row["username"] != call.user:
        raise Refused(403)
    return row


def own(call: Call, table: Table, **values: Any) -> Row | None:
    """Return a row of the caller's, which `own_or_refuse` takes for its own even after it was deleted: then None."""
    row = table.first(**values)
    own_or_refuse(call, row or table.deleted(**values))
    return row


def new_uid() -> str:
    return uuid4().hex


def masked(secret: str) -> str:
    """Return a token or key as lists show it: `fc-a****48b7`."""
    return f"{secret[:4]}****{secret[-4:]}" if len(secret) > 8 else "****"


def page(rows: Sequence[T], size: int = DEFAULT_PAGE_SIZE, number: int = 0) -> list[T]:
    """Return the entries of a page; a negative number is the first page, which is 0."""
    size = min(max(size, 0), MAX_PAGE_SIZE)
    start = max(number, 0) * size
    return list(rows[start : start + size])


def check_ranges(fields: Mapping[str, Any], ranges: Mapping[str, tuple[str, int, int]]) -> None:
    """Refuse a field that is not between two numbers; `ranges` also has the names by which messages call them."""
    for name, (label, low, high) in ranges.items():
        if not low <= fields.get(name, low) <= high:
            raise Refused(400, f"{label} should be between {low} and {high}")
