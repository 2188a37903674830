"""InteractiveStatisticsApi: counts of prompts, agents, plugins and characters, and the tags that most of them have."""

from collections import Counter
from functools import partialmethod

from freechat_sdk.sandbox._resource import Call, Refused, page
from freechat_sdk.sandbox._stats import KINDS, ZEROS, Stats
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox._versioned import PUBLIC, shown


class InteractiveStatistics:
    """Counts: anybody may count anything, by its uid."""

    def __init__(self, store: Store) -> None:
        self._stats = Stats(store)
        self._things = {kind: store.table(f"{kind}s", "uid", "username", "name") for kind in KINDS}

    def add_statistic(self, call: Call, info_type: str, info_id: str, stats_type: str, delta: int = 1) -> int:
        return self._stats.add(call, info_type, info_id, stats_type, delta)

    increase_statistic = add_statistic

    def get_statistic(self, call: Call, info_type: str, info_id: str, stats_type: str) -> int:
        return self._stats.count(info_type, info_id, stats_type)

    def get_statistics(self, call: Call, info_type: str, info_id: str) -> Row:
        return self._stats.of(call, info_type, info_id)

    def get_score(self, call: Call, info_type: str, info_id: str) -> int:
        return self._stats.score_by(call.user, info_type, info_id)

    def list_hot_tags(self, call: Call, info_type: str, page_size: int, text: str = "") -> list[Row]:
        public = self._things[info_type].find(visibility=PUBLIC) if info_type in KINDS else []
        tags = Counter(tag for row in public for tag in row.get("tags") or () if text in tag)
        return [{"content": tag, "count": count} for tag, count in page(tags.most_common(), page_size)]

    def _page(
        self, kind: str, call: Call, stats_type: str, page_size: int = 10, page_num: int = 0, asc: str = ""
    ) -> list[Row]:
        """Return the caller's public things of a page, the oldest first; all others take up their places unseen."""
        if kind == "character" and call.release.fails_to_rank_characters:
            raise Refused(500)
        ranked = self._stats.ranked(kind, stats_type, ascending=asc == "1")
        counted = {row["referId"]: row for row in page(ranked, page_size, page_num)}
        if not counted and call.release.fails_to_rank_nothing:
            raise Refused(500)
        public = self._things[kind].find(username=call.user, visibility=PUBLIC)
        own = [row for row in public if row["uid"] in counted]
        return [{**shown(kind, row), **{name: counted[row["uid"]][name] for name in ZEROS}} for row in own]

    list_prompts_by_statistic = partialmethod(_page, "prompt")
    list_agents_by_statistic = partialmethod(_page, "agent")
    list_plugins_by_statistic = partialmethod(_page, "plugin")
    list_characters_by_statistic = partialmethod(_page, "character")
