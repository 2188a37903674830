"""AppMetaForAdminApi: what server this is."""

from freechat_sdk.sandbox._resource import Call
from freechat_sdk.sandbox._store import Row, Store

_SOURCE = "https://github.com/freechat-fun/freechat"


class AppMetaForAdmin:
    """The server's version."""

    def __init__(self, store: Store) -> None:
        """Keep nothing."""

    def get_app_meta(self, call: Call) -> Row:
        return {
            "name": "freechat",
            "version": call.release.name,
            "buildTimestamp": "2026-11-23 04:51:22 UTC",
            "buildNumber": "0",
            "commitUrl": f"{_SOURCE}/commit/0",
            "releaseNoteUrl": _SOURCE,
            "runningEnv": "local",
        }

    def expose(self, call: Call, open_ai_param: Row, qwen_param: Row) -> str:
        """Return nothing of interest: the operation only makes two schemas public."""
        return ""
