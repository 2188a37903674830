"""Python client for FreeChat, a server for AI characters that people and programs chat with.

    import freechat_sdk

    with freechat_sdk.ApiClient() as client:  # FREECHAT_HOST and FREECHAT_TOKEN name the server and the token
        chats = freechat_sdk.ChatApi(client)
        for text in chats.stream_send_message(chat_id, "Hi").text_deltas():
            print(text, end="", flush=True)

Each public name is loaded when it is first used (PEP 562), so importing the package is fast. Editors and type checkers
read the names in `__init__.pyi`.
"""

from freechat_sdk._names import API_MODULES, FACADE_MODULES, MODEL_MODULES, MODULES

__version__ = "3.0.0"

_HOMES = {**API_MODULES, **MODEL_MODULES, **FACADE_MODULES}

__all__ = sorted([*_HOMES, *MODULES, "__version__"])  # noqa: PLE0605


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
