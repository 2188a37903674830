"""AccountApi: the caller's own details and tokens."""

from freechat_sdk.sandbox._files import Files, address
from freechat_sdk.sandbox._resource import Call, Refused, masked, own_or_refuse
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox._users import MAX_TOKENS, Users

MAX_PICTURE_MIB = 2


class Account:
    """The caller as a user."""

    def __init__(self, store: Store) -> None:
        self._users = Users(store)
        self._files = Files(store)

    def get_user_basic(self, call: Call, username: str | None = None) -> Row | None:
        """Return a user's name and picture; the caller's are those of when its token was first used."""
        if username is not None:
            return self._users.find(username)
        return {"username": call.user, "nickname": call.caller.nickname, "picture": call.caller.picture}

    get_user_basic1 = get_user_basic

    def get_user_details(self, call: Call) -> Row | None:
        return self._users.find(call.user)

    def update_user_info(self, call: Call) -> bool:
        name = call.body.get("username", call.user)
        if name != call.user and self._users.find(name):
            raise Refused(500)
        return self._users.users.update(call.caller.user_id, **call.body)

    def upload_user_picture(self, call: Call) -> str:
        call.upload.refuse_above(MAX_PICTURE_MIB)
        return address(call, "image", self._files.add(f"{call.caller.user_id}/picture", call.upload))

    def create_token(self, call: Call, duration: int | None = None) -> str:
        if len(self._users.valid_tokens(call.user, call.now)) >= MAX_TOKENS:
            raise Refused(429, "Too many tokens.")
        return self._users.add_token(call.user, call.now, seconds=duration)

    create_token1 = create_token

    def list_tokens(self, call: Call) -> list[Row]:
        return [shown(token) for token in self._users.valid_tokens(call.user, call.now)]

    def get_token_by_id(self, call: Call, id: int) -> str | None:
        token = own_or_refuse(call, self._users.tokens.get(id))
        return token["token"] if token else None

    def delete_token_by_id(self, call: Call, id: int) -> bool:
        """Delete a token; it works on if it has been used."""
        own_or_refuse(call, self._users.tokens.get(id))
        return self._users.tokens.delete(id)

    disable_token_by_id = delete_token_by_id  # as servers do

    def disable_token(self, call: Call, token: str) -> str:
        """Disable a token at once."""
        self._users.tokens.update(self._own_token(call, token), enabled=False)
        return token

    def delete_token(self, call: Call, token: str) -> str:
        """Delete a token at once."""
        self._users.tokens.delete(self._own_token(call, token))
        return token

    def _own_token(self, call: Call, token: str) -> int:
        """Return the id of a token and forget it; the server may know whose it is after its row is gone."""
        if not call.is_admin and self._users.owner(token) != call.user:
            raise Refused(403)
        row = self._users.tokens.first(token=token)
        if row is None:
            raise Refused(400)
        self._users.forget(token)
        return int(row["id"])


def shown(token: Row) -> Row:
    """Return the row of a token without most of its letters."""
    return {**token, "token": masked(token["token"])}
