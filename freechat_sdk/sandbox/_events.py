"""Turns the events of a stream into the chunks that a release sends them in."""

from collections.abc import Iterator
from typing import Any

from freechat_sdk.sandbox import _wire
from freechat_sdk.sandbox._contract import Type
from freechat_sdk.sandbox._release import Release


class CutError(Exception):
    """Raised by the events of a stream: the connection is cut at this point."""


def chunks(type_: Type, row: dict[str, Any], release: Release) -> Iterator[bytes]:
    """Yield the chunks of an event."""
    text = _wire.dumps(_wire.write(type_, row, release), release)
    if release.splits_events:
        yield from (b"data:", text, b"\n\n")
    else:
        yield b"data:%b\n\n" % text
