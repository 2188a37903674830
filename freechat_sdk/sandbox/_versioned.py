"""Things that have versions and a visibility: prompts, agents, plugins and characters share these operations."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from freechat_sdk.sandbox._contract import OPERATIONS
from freechat_sdk.sandbox._models import described
from freechat_sdk.sandbox._resource import DEFAULT_PAGE_SIZE, Call, Refused, new_uid, own_or_refuse, page
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

    Each kind has those of the operations here that the contract has for it: `publish_thing` is `publish_agent`.
    """

    _kind: ClassVar[str]
    _renames_clones = True
    _owner_sees_hidden = True
    _default_where: ClassVar[Row | None] = None
    """What a search without conditions is for; None if it fails."""

    def __init_subclass__(cls, kind: str) -> None:
        cls._kind = kind
        for operation in OPERATIONS:
            method = getattr(cls, operation.name.replace(kind, "thing"), None)
            if operation.tag == f"{cls.__name__}Api" and method and operation.name not in vars(cls):
                setattr(cls, operation.name, _by_position(method))

    def __init__(self, store: Store) -> None:
        self.rows = store.table(f"{self._kind}s", "uid", "username", "name")
        self._stats = Stats(store)

    def _new(self, call: Call, fields: Row) -> Row:
        """Return the fields of a first version."""
        return fields

    def _changed(self, fields: Row) -> Row:
        return fields

    def _shown(self, row: Row) -> Row:
        return shown(self._kind, row)

    def _details(self, row: Row) -> Row:
        return self._shown(row)

    def create_thing(self, call: Call) -> int:
        return self.add(call, call.body)

    def create_things(self, call: Call) -> list[int]:
        return [self.add(call, fields) for fields in call.body]

    def add(self, call: Call, fields: Row) -> int:
        """Add a first version and return its id; it is public unless it says otherwise."""
        row = {"visibility": PUBLIC, "version": 0, **self._new(call, fields)}
        if row["visibility"] == PUBLIC_ORG and not call.is_admin:
            raise Refused(403)
        _check_json(row)
        return self.rows.add(**{**row, **call.dates, "uid": new_uid(), "username": call.user})

    def get_thing_summary(self, call: Call, row_id: int) -> Row:
        return self._shown(self.found(call, row_id))

    def get_thing_details(self, call: Call, row_id: int) -> Row:
        return self._details(self.found(call, row_id))

    def found(self, call: Call, row_id: int) -> Row:
        """Return a version that the caller may see, or refuse."""
        row = self.visible(call, row_id)
        if row is None:
            raise Refused(404, f"Failed to find {self._kind}!")
        return row

    def visible(self, call: Call, row_id: int) -> Row | None:
        """Return a version that the caller may see: one of its own, or one that is not hidden or private."""
        row = self.rows.get(row_id)
        if row is None:
            return None
        owners_unseen = () if self._owner_sees_hidden else (HIDDEN,)
        unseen = owners_unseen if row["username"] == call.user else (PRIVATE, HIDDEN)
        return None if row["visibility"] in unseen else row

    def own(self, call: Call, row_id: int) -> Row | None:
        """Return a version of the caller's; see `own_or_refuse`."""
        row = self.rows.get(row_id)
        is_gone = row is not None and row["visibility"] == HIDDEN and not self._owner_sees_hidden
        return own_or_refuse(call, None if is_gone and not call.is_admin else row)

    def update_thing(self, call: Call, row_id: int) -> bool:
        """Change what is given; true also for what is not there, to an administrator."""
        if self.own(call, row_id) is not None:
            fields = self._changed(call.body)
            _check_json(fields)
            self.rows.update(row_id, **fields, gmtModified=call.now)
        return True

    def publish_thing(self, call: Call, row_id: int, visibility: str = PUBLIC) -> int | None:
        """Make the next version of what a version is one of, hide all others, and return its id."""
        row = self.own(call, row_id)
        if row is None:
            return None
        versions = self.rows.find(uid=row["uid"])
        for version in versions:
            self.rows.update(version["id"], visibility=HIDDEN, gmtModified=call.now)
        number = max(version["version"] for version in versions) + 1
        changes = {"visibility": visibility, "version": number, "isPublished": True}
        return self.rows.add(**{**row, **changes, **call.dates})

    def clone_thing(self, call: Call, row_id: int) -> int | None:
        """Make a private copy of a version that the caller may see, and return its id; the original counts it."""
        row = self.visible(call, row_id)
        if row is None:
            return None
        self._stats.add(call, self._kind, row["uid"], "refer_count")
        name = self.new_thing_name(call, row["name"]) if self._renames_clones else row["name"]
        changes = {"name": name, "visibility": PRIVATE, "version": 1, "isPublished": False}
        return self.rows.add(**{**row, **changes, **call.dates, "username": call.user, "uid": new_uid()})

    def clone_things(self, call: Call) -> list[int]:
        cloned = [self.clone_thing(call, row_id) for row_id in call.body]
        ids = [row_id for row_id in cloned if row_id is not None]
        if not ids:
            raise Refused(400, f"Failed to find {self._kind}s {call.body}")
        return ids

    def delete_thing(self, call: Call, row_id: int) -> bool:
        return self.own(call, row_id) is not None and self.rows.delete(row_id)

    def delete_things(self, call: Call) -> list[int]:
        """Delete what is the caller's of some versions, and return their ids; it fails if that is nothing."""
        own = [row_id for row_id in call.body if (self.rows.get(row_id) or {}).get("username") == call.user]
        if not own:
            raise Refused(500)
        return [row_id for row_id in own if self.rows.delete(row_id)]

    def delete_thing_by_name(self, call: Call, name: str) -> list[int]:
        return self.rows.delete_where(username=call.user, name=name)

    def delete_thing_by_uid(self, call: Call, uid: str) -> list[int]:
        return self.rows.delete_where(username=call.user, uid=uid)

    def exists_thing_name(self, call: Call, name: str) -> bool:
        return self.rows.count(username=call.user, name=name) > 0

    def new_thing_name(self, call: Call, desired: str) -> str:
        """Return a name that the caller has nothing of: the desired one, or it with the next free number."""
        name, number = desired, 0
        while self.exists_thing_name(call, name):
            number += 1
            name = f"{desired}-{number}"
        return name

    def list_thing_versions_by_name(self, call: Call, name: str) -> list[Row]:
        stats = self._stats.of_version
        return [{**self._shown(row), "stats": stats(call, self._kind, row["uid"])} for row in self.of_name(call, name)]

    def of_name(self, call: Call, name: str) -> list[Row]:
        """Return all versions of the caller's of a name, the newest version first."""
        return sorted(self.rows.find(username=call.user, name=name), key=lambda row: row["version"], reverse=True)

    def search_thing_summary(self, call: Call) -> list[Row]:
        return [self._shown(row) for row in self._search(call)]

    def search_thing_details(self, call: Call) -> list[Row]:
        return [self._details(row) for row in self._search(call)]

    def batch_search_thing_summary(self, call: Call) -> list[list[Row]]:
        return [self.search_thing_summary(replace(call, body=query)) for query in call.body]

    def batch_search_thing_details(self, call: Call) -> list[list[Row]]:
        return [self.search_thing_details(replace(call, body=query)) for query in call.body]

    def search_public_thing_summary(self, call: Call) -> list[Row]:
        return self.search_thing_summary(_for_public(call))

    def count_things(self, call: Call) -> int:
        return len(self._matching(call))

    def count_public_things(self, call: Call) -> int:
        return self.count_things(_for_public(call))

    def _search(self, call: Call) -> list[Row]:
        rows = self._matching(call)
        for order in reversed(call.body.get("orderBy") or ()):
            field, _, direction = order.partition(" ")
            if field in _ORDERS:
                rows.sort(key=lambda row: row[_ORDERS[field]] or 0, reverse=direction.strip() != "asc")
        return page(rows, call.body.get("pageSize", DEFAULT_PAGE_SIZE), call.body.get("pageNum", 0))

    def _matching(self, call: Call) -> list[Row]:
        where = call.body.get("where", self._default_where)
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


def shown(kind: str, row: Row) -> Row:
    """Return a version with its id and uid under the names that responses have for them, and its models described."""
    models = [described(model) for model in row.get("aiModels") or ()]
    return {**row, f"{kind}Id": row["id"], f"{kind}Uid": row["uid"], "aiModels": models}


def _by_position(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that takes its arguments under any names: the contract's are `agent_id`, `prompt_id`, ..."""
    return lambda self, call, **arguments: method(self, call, *arguments.values())


def _check_json(fields: Mapping[str, Any]) -> None:
    """Refuse a field whose column wants JSON text if it is something else."""
    try:
        for name in _JSON_FIELDS & fields.keys():
            json.loads(fields[name])
    except ValueError:
        raise Refused(500) from None


def _for_public(call: Call) -> Call:
    where = call.body.get("where") or {}
    if where.get("visibility", PUBLIC) != PUBLIC:
        raise Refused(400, "The visibility should be 'public'")
    return replace(call, body={**call.body, "where": {**where, "visibility": PUBLIC}})


def _fits(row: Row, where: Mapping[str, Any], name: str) -> bool:
    wanted = where[name]
    if name in ("visibility", "username", "tagsOp", "aiModelsOp") or wanted in ("", []):
        return True
    if where.get(f"{name}Op") == "and":
        return set(wanted) <= set(row.get(name) or ())
    fits = _FILTERS.get(name)
    return fits(row, wanted) if fits else bool(row.get(name) == wanted)
