"""Things that have versions and a visibility: prompts, agents, plugins and characters share these rules."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from freechat_sdk.sandbox._models import described
from freechat_sdk.sandbox._resource import Call, Page, Refused, new_uid, own_or_refuse
from freechat_sdk.sandbox._stats import Stats
from freechat_sdk.sandbox._store import Row, Store

PUBLIC, PRIVATE, PUBLIC_ORG, HIDDEN = "public", "private", "public_org", "hidden"
_ORDERS = {"version": "version", "modifyTime": "gmtModified", "createTime": "gmtCreate"}
_JSON_FIELDS = frozenset({"config", "ext", "inputs"})
_TEXTS = ("name", "description", "profile", "chatStyle", "template", "chatTemplate", "example")
"""Where `text` is looked for."""
_FILTERS: dict[str, Callable[[Row, Any], bool]] = {
    "name": lambda row, name: str(row.get("name") or "").startswith(name),
    "provider": lambda row, provider: str(row.get("provider") or "").startswith(provider),
    "tags": lambda row, tags: bool(set(tags) & set(row.get("tags") or ())),
    "aiModels": lambda row, models: bool(set(models) & set(row.get("aiModels") or ())),
    "text": lambda row, text: any(text in str(row.get(name) or "") for name in _TEXTS),
    "highPriority": lambda row, is_high: not is_high or (row.get("priority") or 0) > 1,
}
"""How fields of a search are compared if it is not by equality."""


class Versioned:
    """The versions of things of a kind (`prompt`, ...) in a table; a version is a row with an id and a uid.

    A version is created, cloned or published. Publishing makes the next version of the uid and hides all others;
    searches for public ones find published versions only.
    """

    def __init__(self, store: Store, kind: str, *, renames_clones: bool = True, owner_sees_hidden: bool = True) -> None:
        self.rows = store.table(f"{kind}s", "uid", "username", "name")
        self._stats = Stats(store)
        self._kind = kind
        self._renames_clones = renames_clones
        self._owner_sees_hidden = owner_sees_hidden

    def shown(self, row: Row) -> Row:
        """Return a row with its id and uid under the names that responses have for them, and its models described."""
        models = [described(model) for model in row.get("aiModels") or ()]
        return {**row, f"{self._kind}Id": row["id"], f"{self._kind}Uid": row["uid"], "aiModels": models}

    def add(self, call: Call, fields: Mapping[str, Any]) -> int:
        """Add a first version and return its id; it is public unless it says otherwise."""
        row = {"visibility": PUBLIC, "version": 0, **fields}
        if row["visibility"] == PUBLIC_ORG and not call.is_admin:
            raise Refused(403)
        _check_json(fields)
        dates = {"gmtCreate": call.now, "gmtModified": call.now}
        return self.rows.add(**{**row, **dates, "uid": new_uid(), "username": call.user})

    def visible(self, call: Call, row_id: int) -> Row | None:
        """Return a version that the caller may see: one of its own, or one that is not hidden or private."""
        row = self.rows.get(row_id)
        if row is None or not self._is_visible(call, row):
            return None
        return row

    def _is_visible(self, call: Call, row: Row) -> bool:
        if row["username"] != call.user:
            return row["visibility"] not in (PRIVATE, HIDDEN)
        return self._owner_sees_hidden or row["visibility"] != HIDDEN

    def found(self, call: Call, row_id: int) -> Row:
        """Return a version that the caller may see.

        Raises:
            Refused: with 404, if there is none.
        """
        row = self.visible(call, row_id)
        if row is None:
            raise Refused(404, f"Failed to find {self._kind}!")
        return row

    def own(self, call: Call, row_id: int) -> Row | None:
        """Return a version of the caller's; see `own_or_refuse`."""
        row = self.rows.get(row_id)
        is_gone = row is not None and row["visibility"] == HIDDEN and not self._owner_sees_hidden
        return own_or_refuse(call, None if is_gone and not call.is_admin else row)

    def update(self, call: Call, row_id: int, fields: Mapping[str, Any]) -> bool:
        """Change what is given; true also for what is not there, to an administrator."""
        if self.own(call, row_id) is not None:
            _check_json(fields)
            self.rows.update(row_id, **fields, gmtModified=call.now)
        return True

    def publish(self, call: Call, row_id: int, visibility: str = PUBLIC) -> int | None:
        """Make the next version of what a version is one of, hide all others, and return its id."""
        row = self.own(call, row_id)
        if row is None:
            return None
        versions = self.rows.find(uid=row["uid"])
        for version in versions:
            self.rows.update(version["id"], visibility=HIDDEN, gmtModified=call.now)
        number = max(version["version"] for version in versions) + 1
        dates = {"gmtCreate": call.now, "gmtModified": call.now}
        changes = {"visibility": visibility, "version": number, "isPublished": True, **dates}
        return self._copy(row, changes)

    def clone(self, call: Call, row_id: int) -> int | None:
        """Make a private copy of a version that the caller may see, and return its id; the original counts it."""
        row = self.visible(call, row_id)
        if row is None:
            return None
        self._stats.add(call, self._kind, row["uid"], "refer_count")
        name = self.new_name(call, row["name"]) if self._renames_clones else row["name"]
        dates = {"gmtCreate": call.now, "gmtModified": call.now}
        owner = {"username": call.user, "uid": new_uid()}
        changes = {"name": name, "visibility": PRIVATE, "version": 1, "isPublished": False, **owner, **dates}
        return self._copy(row, changes)

    def _copy(self, row: Row, changes: Row) -> int:
        return self.rows.add(**{name: value for name, value in {**row, **changes}.items() if name != "id"})

    def clone_all(self, call: Call, row_ids: Sequence[int]) -> list[int]:
        """Clone what is there of some versions, and return the ids of the copies."""
        cloned = [self.clone(call, row_id) for row_id in row_ids]
        ids = [row_id for row_id in cloned if row_id is not None]
        if not ids:
            raise Refused(400, f"Failed to find {self._kind}s {list(row_ids)}")
        return ids

    def delete(self, call: Call, row_id: int) -> bool:
        """Delete a version."""
        return self.own(call, row_id) is not None and self.rows.delete(row_id)

    def delete_all(self, call: Call, row_ids: Sequence[int]) -> list[int]:
        """Delete what is the caller's of some versions, and return their ids; it fails if that is nothing."""
        own = [row_id for row_id in row_ids if (self.rows.get(row_id) or {}).get("username") == call.user]
        if not own:
            raise Refused(500)
        return [row_id for row_id in own if self.rows.delete(row_id)]

    def delete_where(self, call: Call, **values: Any) -> list[int]:
        """Delete all versions of the caller's whose fields have values, and return their ids."""
        return self.rows.delete_where(username=call.user, **values)

    def of_name(self, call: Call, name: str) -> list[Row]:
        """Return all versions of the caller's of a name, the newest version first."""
        return sorted(self.rows.find(username=call.user, name=name), key=lambda row: row["version"], reverse=True)

    def exists(self, call: Call, name: str) -> bool:
        """Return whether the caller has something of a name."""
        return self.rows.count(username=call.user, name=name) > 0

    def new_name(self, call: Call, desired: str) -> str:
        """Return a name that the caller has nothing of: the desired one, or it with the next free number."""
        name, number = desired, 0
        while self.exists(call, name):
            number += 1
            name = f"{desired}-{number}"
        return name

    def count(self, call: Call, query: Mapping[str, Any]) -> int:
        """Return how many versions a search finds, on all pages."""
        return len(self._matching(call, query))

    def search(self, call: Call, query: Mapping[str, Any]) -> list[Row]:
        """Return the page of versions that a search asks for; it fails without `where`."""
        rows = self._matching(call, query)
        for order in reversed(query.get("orderBy") or ()):
            field, _, direction = order.partition(" ")
            if field in _ORDERS:
                rows.sort(key=lambda row: row[_ORDERS[field]] or 0, reverse=direction.strip() != "asc")
        return Page.of_query(query).cut(rows)

    def page(self, call: Call, query: Mapping[str, Any]) -> list[Row]:
        """Return the page of versions that a search asks for as responses show them."""
        return [self.shown(row) for row in self.search(call, query)]

    def _matching(self, call: Call, query: Mapping[str, Any]) -> list[Row]:
        where = query.get("where")
        if where is None:
            raise Refused(500)
        return [row for row in self._within(call, where) if all(_fits(row, where, name) for name in where)]

    def _within(self, call: Call, where: Mapping[str, Any]) -> list[Row]:
        """Return the rows of the visibility that is searched, or all that the caller may see but hidden ones."""
        visibility, owner = where.get("visibility"), where.get("username")
        if visibility not in (None, PUBLIC):
            return self.rows.find(visibility=visibility, username=call.user)
        public = self.rows.find(visibility=PUBLIC, isPublished=True)
        if visibility is None:
            own = self.rows.find(username=call.user)
            public = [row for row in own if row["visibility"] != HIDDEN] + [
                row for row in public if row["username"] != call.user
            ]
        return [row for row in public if owner in (None, row["username"])]


def _check_json(fields: Mapping[str, Any]) -> None:
    """Refuse a field whose column wants JSON text if it is something else."""
    try:
        for name in _JSON_FIELDS & fields.keys():
            json.loads(fields[name])
    except ValueError:
        raise Refused(500) from None


def check_public(query: Mapping[str, Any]) -> Row:
    """Return a search for public ones; refuse another."""
    where = query.get("where") or {}
    if where.get("visibility", PUBLIC) != PUBLIC:
        raise Refused(400, "The visibility should be 'public'")
    return {**query, "where": {**where, "visibility": PUBLIC}}


def _fits(row: Row, where: Mapping[str, Any], name: str) -> bool:
    """Return whether a row is what a search wants in a field."""
    wanted = where[name]
    if name in ("visibility", "username", "tagsOp", "aiModelsOp") or wanted in ("", []):
        return True
    if where.get(f"{name}Op") == "and":
        return set(wanted) <= set(row.get(name) or ())
    fits = _FILTERS.get(name)
    return fits(row, wanted) if fits else bool(row.get(name) == wanted)
