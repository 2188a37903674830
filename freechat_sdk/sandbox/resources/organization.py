"""OrganizationApi: who is whose subordinate."""

from functools import partialmethod

from freechat_sdk.sandbox._resource import Call, Refused
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox._users import Users

_DOWN, _UP = ("owner", "subordinate"), ("subordinate", "owner")
"""In which direction a step goes: from and to."""


class Organization:
    """Pairs of owner and subordinate. Lists of either hold the user as well; `all` is the whole tree."""

    def __init__(self, store: Store) -> None:
        self._pairs = store.table("organisation", "owner", "subordinate")
        self._users = Users(store)

    def _own(self, direction: tuple[str, str], call: Call, all: str = "") -> list[str]:
        return self._reached(call.user, direction, all)

    get_owners = partialmethod(_own, _UP)
    get_subordinates = partialmethod(_own, _DOWN)

    def _dot(self, direction: tuple[str, str], call: Call, all: str = "") -> str:
        """Return a graph, which has no edges."""
        reached = self._reached(call.user, direction, all)
        return "digraph{\n" + "".join(f"{name};\n" for name in reversed(reached)) + "}\n"

    get_owners_dot = partialmethod(_dot, _UP)
    get_subordinates_dot = partialmethod(_dot, _DOWN)

    def _subordinates(self, direction: tuple[str, str], call: Call, username: str, all: str = "") -> list[str]:
        self._check_manages(call, username)
        return self._reached(username, direction, all)[::-1]

    get_subordinate_owners = partialmethod(_subordinates, _UP)
    get_subordinate_subordinates = partialmethod(_subordinates, _DOWN)

    def remove_subordinate_subordinates_tree(self, call: Call, username: str) -> bool:
        self._check_manages(call, username)
        removed = [self._pairs.delete_where(owner=owner) for owner in self._reached(username, _DOWN, "1")]
        return any(removed)

    def list_subordinate_authorities(self, call: Call, username: str) -> list[str]:
        return list((self._managed(call, username) or {}).get("authorities", ()))

    def update_subordinate_authorities(self, call: Call, username: str) -> bool:
        user = self._managed(call, username)
        return user is not None and self._users.users.update(user["id"], authorities=call.body)

    def _managed(self, call: Call, username: str) -> Row | None:
        """Return a user whose authorities the caller may see and set: nobody's own, none that the caller lacks."""
        self._check_manages(call, username)
        for authority in call.body or () if not call.is_admin else ():
            if username == call.user or authority not in call.caller.authorities:
                raise Refused(403, f"No permission to set authority {authority}")
        if username == call.user and not call.is_admin:
            raise Refused(403, f"No permission to manage user {username}")
        return self._users.find(username)

    def _check_manages(self, call: Call, *usernames: str) -> None:
        tree = self._reached(call.user, _DOWN, "1")
        for username in usernames:
            if not call.is_admin and username not in tree:
                raise Refused(403, f"No permission to manage user {username}")

    def _set(self, direction: tuple[str, str], call: Call, username: str) -> bool:
        """Set who is a step away from a user; return whether that changes anything."""
        self._check_manages(call, username, *call.body)
        start, end = direction
        wanted = {name for name in call.body if name != username and self._users.find(name)}
        known = {pair[end] for pair in self._pairs.find(**{start: username})}
        for name in known - wanted:
            self._pairs.delete_where(**{start: username, end: name})
        for name in sorted(wanted - known):
            self._pairs.add(**{start: username, end: name})
        return wanted != known

    update_subordinate_owners = partialmethod(_set, _UP)
    update_subordinate_subordinates = partialmethod(_set, _DOWN)

    def _reached(self, username: str, direction: tuple[str, str], all_: str) -> list[str]:
        """Return a user and those a step away, or all steps."""
        start, end = direction
        reached = [username]
        for name in reached if all_ == "1" else [username]:
            reached += [pair[end] for pair in self._pairs.find(**{start: name}) if pair[end] not in reached]
        return reached
