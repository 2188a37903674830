"""Memory: what bodies and events in tiny chunks cost."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from freechat_sdk import CharacterApi, ChatApi
from test.clients import api_of
from test.server import FINAL, Connection, Request, chunk_bytes

SIZE = 200_000
TEXT = b"x" * SIZE
FIXED = 60_000
"""What a call costs however small its body is, in bytes."""


def in_twos(data: bytes) -> bytes:
    return b"".join(chunk_bytes(data[start : start + 2]) for start in range(0, len(data), 2))


TEXT_IN_TWOS = in_twos(TEXT)
EVENT_IN_TWOS = in_twos(b'data:{"text":"' + TEXT + b'"}\n\n')


def tiny_chunks(request: Request, connection: Connection) -> None:
    if "stream" in request.path:
        connection.start_stream()
        connection.send(EVENT_IN_TWOS)
        connection.event(FINAL)
    else:
        connection.start_chunked()
        connection.send(TEXT_IN_TWOS)
    connection.end()


@pytest.mark.parametrize(
    "call",
    [
        lambda api: api.get_default_chat_id(1),
        lambda api: api.api_client.call_api("GET", "/").read(),
        lambda api: next(api.stream_send_message("chat", "Hi")).text,
        lambda api: CharacterApi(api.api_client).export_character(1).read(),
    ],
    ids=["text", "by hand", "event", "download"],
)
def test_a_body_in_chunks_of_two_bytes_costs_little_more_than_twice_its_size(
    call: Callable[[ChatApi], Any],
) -> None:
    with api_of(ChatApi, tiny_chunks) as (api, _):
        call(api)  # loads modules
        tracemalloc.start()
        try:
            value = call(api)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(value) == SIZE
    assert peak < 2.4 * SIZE + FIXED
