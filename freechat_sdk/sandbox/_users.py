"""Users, their tokens, and who a token stands for."""

import secrets
from typing import Any

from freechat_sdk.sandbox._resource import ROLE_ADMIN, Caller
from freechat_sdk.sandbox._store import Row, Store

MAX_TOKENS = 5
CACHE_SECONDS = 3600
"""How long a server remembers a token that has been used, whatever becomes of the token and its user."""
_ROLE_USER = "ROLE_USER"


class Users:
    """The users and tokens of a store; instants are epoch seconds."""

    def __init__(self, store: Store) -> None:
        self.users = store.table("users", "username")
        self.tokens = store.table("tokens", "token", "username")
        self._cache = store.table("token_cache", "token")

    def add(self, username: str, now: int, *, is_admin: bool = False, **fields: Any) -> int:
        authorities = [ROLE_ADMIN, _ROLE_USER] if is_admin else [_ROLE_USER]
        row = {"enabled": True, "locked": False, "platform": "system", "authorities": authorities, **fields}
        return self.users.add(**{**row, "username": username, "gmtCreate": now})

    def find(self, username: str) -> Row | None:
        return self.users.first(username=username)

    def add_token(self, username: str, now: int, *, seconds: int | None = None, token: str | None = None) -> str:
        """Add a token of a user and return it; it ends after `seconds`, None is never."""
        value = token or f"fc-{secrets.token_hex(16)}"
        expires_at = None if seconds is None else now + seconds
        dates = {"gmtCreate": now, "gmtModified": now, "issuedAt": now, "expiresAt": expires_at}
        self.tokens.add(token=value, username=username, type="access", enabled=True, **dates)
        return value

    def valid_tokens(self, username: str, now: int) -> list[Row]:
        """Return the tokens of a user that are neither disabled nor expired."""
        return [row for row in self.tokens.find(username=username) if row["enabled"] and not _is_over(row, now)]

    def caller(self, token: str, now: int) -> Caller | None:
        """Return who a token stands for; None for a token that is not valid.

        The server remembers what it found out, so a token that has been used outlives its deletion by id, its user's
        name and its user.
        """
        cached = self._cache.first(token=token)
        if cached is not None and now < cached["cachedAt"] + CACHE_SECONDS:
            return None if _is_over(cached, now) else _caller(cached["user"])
        row = self.tokens.first(token=token)
        user = self.find(row["username"]) if row else None
        if row is None or user is None or not row["enabled"] or _is_over(row, now) or not _may_log_in(user):
            return None
        self.forget(token)
        self._cache.add(token=token, user=user, expiresAt=row["expiresAt"], cachedAt=now)
        return _caller(user)

    def owner(self, token: str) -> str | None:
        """Return the name of the user whose token it is, or was while the server remembers it."""
        row = self.tokens.first(token=token)
        cached = self._cache.first(token=token)
        return row["username"] if row else cached["user"]["username"] if cached else None

    def forget(self, token: str) -> None:
        """Make the server look a token up again."""
        self._cache.delete_where(token=token)


def _is_over(row: Row, now: int) -> bool:
    return row["expiresAt"] is not None and now >= row["expiresAt"]


def _may_log_in(user: Row) -> bool:
    return bool(user["enabled"] and not user["locked"])


def _caller(user: Row) -> Caller:
    authorities = tuple(user["authorities"])
    return Caller(user["username"], user["id"], authorities, user.get("nickname"), user.get("picture"))
