"""How often things were viewed, used, recommended and scored."""

from freechat_sdk.sandbox._resource import Call
from freechat_sdk.sandbox._store import Row, Store

COUNTS = ("viewCount", "referCount", "recommendCount", "scoreCount", "score")


class Stats:
    """A row for each thing that was counted: `referType` is `prompt`, `agent`, `plugin` or `character`."""

    def __init__(self, store: Store) -> None:
        self.rows = store.table("stats", "referId")

    def of(self, call: Call, refer_type: str, refer_id: str) -> Row:
        """Return the counts of a thing by its uid; what was never counted has zeros or nothing."""
        row = self.rows.first(referType=refer_type, referId=refer_id)
        return row or (dict.fromkeys(COUNTS, 0) if call.release.has_zero_statistics else {})
