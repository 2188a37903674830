"""AppConfigForAdminApi: the server's configuration."""

from freechat_sdk.sandbox._resource import Call
from freechat_sdk.sandbox._store import Row, Store


class AppConfigForAdmin:
    """A server that was started without a configuration of its own."""

    def __init__(self, store: Store) -> None:
        """Keep nothing."""

    def get_app_configs(self, call: Call) -> Row:
        return {"properties": {}}

    def get_default_config(self, call: Call) -> str:
        return "key: value\nlist:\n  - 1\n"
