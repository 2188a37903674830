"""PluginApi: descriptions of tools that somebody else runs."""

from freechat_sdk.sandbox._resource import Call, Refused
from freechat_sdk.sandbox._store import Row
from freechat_sdk.sandbox._versioned import PRIVATE, Versioned


class Plugin(Versioned, kind="plugin"):
    """Plugins, which have one version each, so that a public one needs no publication."""

    def _new(self, call: Call, fields: Row) -> Row:
        formats = {"manifestFormat": "dash_scope", "manifestInfo": "", "apiFormat": "openapi_v3", "apiInfo": ""}
        row = {"visibility": PRIVATE, "provider": call.user, "tags": [], **formats, **fields}
        return {**row, **_tools(row), "isPublished": True}

    def refresh_plugin_info(self, call: Call, plugin_id: int) -> None:
        """Read anew what a plugin offers, whoever asks."""
        row = self.rows.get(plugin_id)
        if row is None:
            raise Refused(500)
        self.rows.update(plugin_id, **_tools(row))


def _tools(plugin: Row) -> Row:
    """Return the tools that a model could call: a plugin that describes an API has an empty list of them."""
    has_api = bool(plugin["apiInfo"])
    return {"toolSpecFormat": "open_ai" if has_api else "unknown", "toolSpecInfo": "[]" if has_api else ""}
