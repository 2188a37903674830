"""The models that a server knows, and who pays for them."""

from freechat_sdk.sandbox._resource import Call, Refused
from freechat_sdk.sandbox._store import Row, Table

_CATALOGUE = (
    ("open_ai", "gpt-3.5-turbo", "text2chat"),
    ("azure_open_ai", "gpt-3.5-turbo", "text2chat"),
    ("open_ai", "gpt-3.5-turbo-instruct", "text2text"),
    ("open_ai", "gpt-4", "text2chat"),
    ("azure_open_ai", "gpt-4", "text2chat"),
    ("dash_scope", "qwen-turbo", "text2chat"),
    ("dash_scope", "qwen-plus", "text2chat"),
    ("open_ai", "text-embedding-ada-002", "embedding"),
    ("open_ai", "text-moderation-stable", "moderation"),
)


def known_models() -> list[Row]:
    return [_model(*entry) for entry in _CATALOGUE]


def stored_key(keys: Table, call: Call, value: str | None, name: str | None) -> str | None:
    """Return the api key that pays: one that is given, or the caller's enabled one of a name."""
    stored = keys.first(username=call.user, name=name, enabled=True) if name else None
    value = value or (stored["token"] if stored else None)
    if (name and not stored) or (not value and call.release.demands_api_key):
        raise Refused(403)
    return value


def described(model_id: str) -> Row:
    """Return a model of an id such as `[open_ai]gpt-4o` or `[open_ai]gpt-4o|text2chat`, known or not."""
    provider, _, rest = model_id.removeprefix("[").rpartition("]")
    name, _, type_ = rest.partition("|")
    return {**_model(provider, name, type_ or "text2chat"), "modelId": model_id, "description": "Unknown model."}


def _model(provider: str, name: str, type_: str) -> Row:
    model_id = f"[{provider}]{name}"
    return {"modelId": model_id, "name": name, "description": "A model.", "provider": provider, "type": type_}
