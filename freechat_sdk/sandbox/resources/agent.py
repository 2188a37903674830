"""AgentApi: agents, which are configurations of flows that somebody else runs."""

from freechat_sdk.sandbox._resource import Call
from freechat_sdk.sandbox._store import Row
from freechat_sdk.sandbox._versioned import Versioned


class Agent(Versioned, kind="agent"):
    """Versions of agents; a hidden one is gone even for its owner."""

    _renames_clones = False
    _owner_sees_hidden = False

    def _new(self, call: Call, fields: Row) -> Row:
        return {"format": "langflow", "config": "{}", "tags": [], **fields}

    def _shown(self, row: Row) -> Row:
        return {**super()._shown(row), "aiModels": []}
