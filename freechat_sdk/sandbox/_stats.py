"""How often things were viewed, used, recommended and scored."""

from freechat_sdk.sandbox._resource import Call, Refused
from freechat_sdk.sandbox._store import Row, Store

KINDS = ("prompt", "agent", "plugin", "character")
COUNTS = {"view_count": "viewCount", "refer_count": "referCount", "recommend_count": "recommendCount", "score": "score"}
"""The fields that can be counted, by the names that requests have for them."""
MAX_SCORE = 10
UNKNOWN = -1
"""What stands for the count of a kind or a statistic that there is none of."""
ZEROS = dict.fromkeys((*COUNTS.values(), "scoreCount"), 0)


class Stats:
    """A row for each thing that was counted: `referType` is one of `KINDS`, `referId` a uid, which need not exist."""

    def __init__(self, store: Store) -> None:
        self._rows = store.table("stats", "referId")
        self._scores = store.table("scores", "referId")

    def of(self, call: Call, kind: str, uid: str) -> Row:
        """Return the counts of a thing; what was never counted has zeros or nothing."""
        row = self._rows.first(referType=kind, referId=uid)
        return row or (ZEROS if call.release.has_zero_statistics else {})

    def of_version(self, call: Call, kind: str, uid: str) -> Row:
        """Return the counts of a thing as lists of its versions show them."""
        return self.of(call, kind, "" if call.release.hides_version_statistics else uid)

    def count(self, kind: str, uid: str, statistic: str) -> int:
        if kind not in KINDS or statistic not in COUNTS:
            return UNKNOWN
        return int((self._rows.first(referType=kind, referId=uid) or ZEROS)[COUNTS[statistic]])

    def add(self, call: Call, kind: str, uid: str, statistic: str, delta: int = 1) -> int:
        """Count, or score, and return the new count; it fails below zero."""
        if kind not in KINDS or statistic not in COUNTS:
            return UNKNOWN
        if statistic == "score":
            changes = self._score(call, kind, uid, min(delta, MAX_SCORE))
        else:
            changes = {COUNTS[statistic]: self.count(kind, uid, statistic) + delta}
        if any(count < 0 for count in changes.values()):
            raise Refused(500)
        self._change(call, kind, uid, changes)
        return self.count(kind, uid, statistic)

    def _change(self, call: Call, kind: str, uid: str, changes: Row) -> None:
        row = self._rows.first(referType=kind, referId=uid)
        if row is None:
            new = {"referType": kind, "referId": uid, **ZEROS, **call.dates}
            self._rows.add(**{**new, **changes})
        elif changes:
            self._rows.update(row["id"], **changes, gmtModified=call.now)

    def _score(self, call: Call, kind: str, uid: str, score: int) -> Row:
        """Set the caller's score of a thing and return what that changes; zero and less change nothing."""
        if score <= 0:
            return {}
        thing = {"referType": kind, "referId": uid}
        self._scores.delete_where(**thing, username=call.user)
        self._scores.add(**thing, username=call.user, score=score)
        scores = [row["score"] for row in self._scores.find(**thing)]
        return {"score": round(sum(scores) / len(scores)), "scoreCount": len(scores)}

    def score_by(self, username: str, kind: str, uid: str) -> int:
        row = self._scores.first(referType=kind, referId=uid, username=username)
        return row["score"] if row else UNKNOWN

    def ranked(self, kind: str, statistic: str, *, ascending: bool) -> list[Row]:
        """Return what was counted of a kind, in the order of a statistic."""
        rows = self._rows.find(referType=kind) if statistic in COUNTS else []
        return sorted(rows, key=lambda row: row[COUNTS[statistic]], reverse=not ascending)
