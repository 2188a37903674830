"""TagManagerForBizAdminApi: tags on anybody's things."""

from collections.abc import Callable

from freechat_sdk.sandbox._resource import Call
from freechat_sdk.sandbox._stats import KINDS
from freechat_sdk.sandbox._store import Store


class TagManagerForBizAdmin:
    """Tags of prompts, agents, plugins and characters by their uids; any user may change them."""

    def __init__(self, store: Store) -> None:
        self._things = {kind: store.table(f"{kind}s", "uid") for kind in KINDS}

    def create_tag(self, call: Call, refer_type: str, refer_id: str, tag: str) -> bool:
        return self._change(refer_type, refer_id, lambda tags: [*tags, *({tag} - {*tags})])

    def delete_tag(self, call: Call, refer_type: str, refer_id: str, tag: str) -> bool:
        return self._change(refer_type, refer_id, lambda tags: [other for other in tags if other != tag])

    def _change(self, kind: str, uid: str, change: Callable[[list[str]], list[str]]) -> bool:
        rows = self._things[kind].find(uid=uid) if kind in self._things else []
        for row in rows:
            self._things[kind].update(row["id"], tags=change(row.get("tags") or []))
        return bool(rows)
