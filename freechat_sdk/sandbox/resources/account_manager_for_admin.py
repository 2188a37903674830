"""AccountManagerForAdminApi: an administrator's view of all users, their tokens and authorities."""

from freechat_sdk.sandbox._resource import Call, Refused, page
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox._users import MAX_TOKENS, Users
from freechat_sdk.sandbox.resources.account import shown


class AccountManagerForAdmin:
    """All users."""

    def __init__(self, store: Store) -> None:
        self._users = Users(store)

    def create_user(self, call: Call) -> bool:
        name = call.body.get("username")
        if not name or self._users.find(name):
            raise Refused(500)
        return bool(self._users.add(now=call.now, **call.body))

    def update_user(self, call: Call) -> bool:
        user = self._users.find(call.body.get("username", ""))
        return user is not None and self._users.users.update(user["id"], **call.body)

    def delete_user(self, call: Call, username: str) -> bool:
        """Delete a user; tokens of it that have been used work on."""
        self._users.tokens.delete_where(username=username)
        return bool(self._users.users.delete_where(username=username))

    def get_details_of_user(self, call: Call, username: str) -> Row | None:
        return self._users.find(username)

    def get_user_by_token(self, call: Call, token: str) -> Row | None:
        owner = self._users.owner(token)
        return self._users.find(owner) if owner else None

    def list_users(self, call: Call, page_size: int = 10, page_num: int = 0) -> list[Row]:
        return page(self._users.users.find(), page_size, page_num)

    def create_token_for_user(self, call: Call, username: str, duration: int) -> str | None:
        """Make a token of a user; None if there is no such user or it has all the tokens that it may have."""
        has_room = len(self._users.valid_tokens(username, call.now)) < MAX_TOKENS
        if not has_room or self._users.find(username) is None:
            return None
        return self._users.add_token(username, call.now, seconds=duration)

    def list_tokens_of_user(self, call: Call, username: str) -> list[Row]:
        return [shown(token) for token in self._users.valid_tokens(username, call.now)]

    def disable_token_for_user(self, call: Call, token: str) -> bool:
        """Disable a token at once."""
        self._users.forget(token)
        row = self._users.tokens.first(token=token)
        return row is not None and self._users.tokens.update(row["id"], enabled=False)

    def delete_token_for_user(self, call: Call, token: str) -> bool:
        self._users.forget(token)
        return bool(self._users.tokens.delete_where(token=token))

    def list_authorities_of_user(self, call: Call, username: str) -> list[str]:
        user = self._users.find(username)
        return user["authorities"] if user else []

    def update_authorities_of_user(self, call: Call, username: str) -> bool:
        user = self._users.find(username)
        return user is not None and self._users.users.update(user["id"], authorities=call.body)
