"""AIServiceApi: the caller's stored keys of model providers, and the models that the server knows."""

from functools import partialmethod

from freechat_sdk.sandbox._models import known_models
from freechat_sdk.sandbox._resource import Call, Refused, masked, own, own_or_refuse, page
from freechat_sdk.sandbox._store import Row, Store

MAX_KEYS_PER_PROVIDER = 3


class AIService:
    """Stored keys and known models."""

    def __init__(self, store: Store) -> None:
        self._keys = store.table("api_keys", "username")

    def add_ai_api_key(self, call: Call) -> int:
        key = call.body
        if not key.get("name") or not key.get("token"):
            raise Refused(429)
        if self._keys.count(username=call.user, provider=key.get("provider")) >= MAX_KEYS_PER_PROVIDER:
            raise Refused(429, "Too many api keys.")
        if "enabled" not in key:
            raise Refused(500)
        return self._keys.add(**key, username=call.user, **call.dates)

    def list_ai_api_keys(self, call: Call, provider: str) -> list[Row]:
        return [_shown(key) for key in self._keys.find(username=call.user, provider=provider, enabled=True)]

    def get_ai_api_key(self, call: Call, id: int) -> Row | None:
        key = own_or_refuse(call, self._keys.get(id))
        return _shown(key) if key else None

    def _set_enabled(self, call: Call, id: int, *, is_enabled: bool) -> bool:
        own_or_refuse(call, self._keys.get(id))
        return self._keys.update(id, enabled=is_enabled, gmtModified=call.now)

    enable_ai_api_key = partialmethod(_set_enabled, is_enabled=True)
    disable_ai_api_key = partialmethod(_set_enabled, is_enabled=False)

    def delete_ai_api_key(self, call: Call, id: int) -> bool:
        own(call, self._keys, id=id)
        return self._keys.delete(id)

    def list_ai_model_info(self, call: Call, page_size: int = 100, page_num: int = 0) -> list[Row]:
        return [{**model, "requestId": None} for model in page(known_models(), page_size, page_num)]

    def get_ai_model_info(self, call: Call, model_id: str) -> Row | None:
        return next((model for model in known_models() if model["modelId"] == model_id), None)


def _shown(key: Row) -> Row:
    return {**key, "token": masked(key["token"])}
