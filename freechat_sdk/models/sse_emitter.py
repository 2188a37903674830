"""Provides `SseEmitter` under its path in the official client. The class is defined in `freechat_sdk.streaming`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freechat_sdk.streaming import SseEmitter as SseEmitter

__all__ = ["SseEmitter"]


def __getattr__(name: str) -> object:
    if name != "SseEmitter":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from freechat_sdk import streaming

    return streaming.SseEmitter
