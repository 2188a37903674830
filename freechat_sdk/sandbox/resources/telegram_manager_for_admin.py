"""TelegramManagerForAdminApi: chats with bots of Telegram. No bot runs here, so there are none."""

from freechat_sdk.sandbox._resource import Call, Refused
from freechat_sdk.sandbox._store import Row, Store


class TelegramManagerForAdmin:
    """What a server knows of Telegram as long as nobody has written to one of its bots."""

    def __init__(self, store: Store) -> None:
        pass

    def find_telegram_chat(self, call: Call, backend_id: str, tg_chat_id: int) -> str:
        raise Refused(404, "No telegram chat bound.")

    def list_telegram_messages(self, call: Call, chat_id: str, limit: int = 0, offset: int = 0) -> list[Row]:
        return []
