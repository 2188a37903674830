"""AgentApi: agents, which are configurations of flows that somebody else runs."""

from freechat_sdk.sandbox._resource import Call
from freechat_sdk.sandbox._stats import Stats
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox._versioned import Versioned


class Agent:
    """Versions of agents; a hidden one is gone even for its owner."""

    def __init__(self, store: Store) -> None:
        self._agents = Versioned(store, "agent", renames_clones=False, owner_sees_hidden=False)
        self._stats = Stats(store)

    def create_agent(self, call: Call) -> int:
        return self._agents.add(call, _with_defaults(call.body))

    def create_agents(self, call: Call) -> list[int]:
        return [self._agents.add(call, _with_defaults(fields)) for fields in call.body]

    def get_agent_summary(self, call: Call, agent_id: int) -> Row:
        return self._shown(self._agents.found(call, agent_id))

    get_agent_details = get_agent_summary

    def update_agent(self, call: Call, agent_id: int) -> bool:
        return self._agents.update(call, agent_id, call.body)

    def publish_agent(self, call: Call, agent_id: int, visibility: str) -> int | None:
        return self._agents.publish(call, agent_id, visibility)

    def clone_agent(self, call: Call, agent_id: int) -> int | None:
        return self._agents.clone(call, agent_id)

    def clone_agents(self, call: Call) -> list[int]:
        return self._agents.clone_all(call, call.body)

    def delete_agent(self, call: Call, agent_id: int) -> bool:
        return self._agents.delete(call, agent_id)

    def delete_agents(self, call: Call) -> list[int]:
        return self._agents.delete_all(call, call.body)

    def list_agent_versions_by_name(self, call: Call, name: str) -> list[Row]:
        rows = self._agents.of_name(call, name)
        return [{**self._shown(row), "stats": self._stats.of_version(call, "agent", row["uid"])} for row in rows]

    def search_agent_summary(self, call: Call) -> list[Row]:
        return [self._shown(row) for row in self._agents.search(call, call.body)]

    search_agent_details = search_agent_summary

    def batch_search_agent_summary(self, call: Call) -> list[list[Row]]:
        return [[self._shown(row) for row in self._agents.search(call, query)] for query in call.body]

    batch_search_agent_details = batch_search_agent_summary

    def count_agents(self, call: Call) -> int:
        return self._agents.count(call, call.body)

    def _shown(self, agent: Row) -> Row:
        return {**self._agents.shown(agent), "aiModels": []}


def _with_defaults(fields: Row) -> Row:
    return {"format": "langflow", "config": "{}", "tags": [], **fields}
