"""PluginApi: descriptions of tools that somebody else runs."""

from freechat_sdk.sandbox._resource import Call, Refused
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox._versioned import PRIVATE, Versioned


class Plugin:
    """Plugins, which have one version each, so that a public one needs no publication."""

    def __init__(self, store: Store) -> None:
        self._plugins = Versioned(store, "plugin")

    def create_plugin(self, call: Call) -> int:
        return self._plugins.add(call, _new(call, call.body))

    def create_plugins(self, call: Call) -> list[int]:
        return [self._plugins.add(call, _new(call, fields)) for fields in call.body]

    def get_plugin_summary(self, call: Call, plugin_id: int) -> Row:
        return self._plugins.shown(self._plugins.found(call, plugin_id))

    get_plugin_details = get_plugin_summary

    def update_plugin(self, call: Call, plugin_id: int) -> bool:
        return self._plugins.update(call, plugin_id, call.body)

    def refresh_plugin_info(self, call: Call, plugin_id: int) -> None:
        """Read anew what a plugin offers, whoever asks."""
        row = self._plugins.rows.get(plugin_id)
        if row is None:
            raise Refused(500)
        self._plugins.rows.update(plugin_id, **_tools(row))

    def delete_plugin(self, call: Call, plugin_id: int) -> bool:
        return self._plugins.delete(call, plugin_id)

    def delete_plugins(self, call: Call) -> list[int]:
        return self._plugins.delete_all(call, call.body)

    def search_plugin_summary(self, call: Call) -> list[Row]:
        return self._plugins.page(call, call.body)

    search_plugin_details = search_plugin_summary

    def batch_search_plugin_summary(self, call: Call) -> list[list[Row]]:
        return [self._plugins.page(call, query) for query in call.body]

    batch_search_plugin_details = batch_search_plugin_summary

    def count_plugins(self, call: Call) -> int:
        return self._plugins.count(call, call.body)


def _new(call: Call, fields: Row) -> Row:
    formats = {"manifestFormat": "dash_scope", "manifestInfo": "", "apiFormat": "openapi_v3", "apiInfo": ""}
    row = {"visibility": PRIVATE, "provider": call.user, "tags": [], **formats, **fields}
    return {**row, **_tools(row), "isPublished": True}


def _tools(plugin: Row) -> Row:
    """Return the tools that a model could call: a plugin that describes an API has an empty list of them."""
    has_api = bool(plugin["apiInfo"])
    return {"toolSpecFormat": "open_ai" if has_api else "unknown", "toolSpecInfo": "[]" if has_api else ""}
