"""vcrpy records calls, streams, uploads and downloads, and replays them without a server."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import trustme
import vcr
from vcr.errors import CannotOverwriteExistingCassetteException

from freechat_sdk import ApiClient, CharacterApi, ChatApi, Configuration, NotFoundException
from test.clients import TOKEN, chat_api_at, configured
from test.proxies import SocksProxy, in_clear
from test.server import (
    Connection,
    RecordingServer,
    Request,
    chats_and_streams,
    events_response,
    final_event,
    json_response,
    text_response,
    tls_context,
)

pytestmark = pytest.mark.filterwarnings("ignore::freechat_sdk.ForeignConnectionWarning")


def cassette(folder: Path, mode: str, **options: Any) -> AbstractContextManager[Any]:
    """Return a cassette; with the mode "none" it only replays."""
    given = {"filter_headers": ["Authorization"], "record_mode": mode, **options}
    context: AbstractContextManager[Any] = vcr.use_cassette(str(folder / "cassette.yaml"), **given)
    return context


def record_and_replay(folder: Path, server: RecordingServer, script: Callable[[ChatApi], object], **client: Any) -> str:
    """Run a script with the server and a cassette, then again without the server; return the cassette's text."""
    with server:
        with cassette(folder, "once"), chat_api_at(server.url, **client) as api:
            recorded = script(api)
        count = len(server.requests)
    with cassette(folder, "none") as played, chat_api_at(server.url, **client) as api:
        assert script(api) == recorded
        assert played.all_played
    assert (count > 0, len(server.requests)) == (True, count)
    return (folder / "cassette.yaml").read_text("utf-8")


def test_calls_are_recorded_and_replayed(tmp_path: Path) -> None:
    server = RecordingServer(json_response([{"context": {"chatId": "a"}}]))

    text = record_and_replay(tmp_path, server, lambda api: [chat.to_dict() for chat in api.list_chats()])

    assert "uri: http://127.0.0.1:" in text
    assert "/api/v1/chat\n" in text
    assert TOKEN not in text
    assert "!!python" not in text


def test_a_path_is_recorded_with_its_values(tmp_path: Path) -> None:
    text = record_and_replay(tmp_path, RecordingServer(json_response(True)), lambda api: api.delete_chat("chat-1"))

    assert "/api/v1/chat/chat-1\n" in text


def test_streams_are_recorded_and_replayed(tmp_path: Path) -> None:
    def read(api: ChatApi) -> object:
        with api.stream_send_message("chat", "Hi") as stream:
            return list(stream.text_deltas()), stream.until_done().answer

    server = RecordingServer(events_response({"text": "Hel"}, {"text": "lo"}, final_event("Hello")))

    text = record_and_replay(tmp_path, server, read)

    assert "text/event-stream" in text


def test_errors_and_the_look_for_the_generation_are_replayed(tmp_path: Path) -> None:
    def respond(request: Request, connection: Connection) -> None:
        handler = json_response([]) if request.target == "/api/v2/chat" else json_response({"message": "gone"}, 404)
        handler(request, connection)

    def call(api: ChatApi) -> object:
        assert api.list_chats() == []
        with pytest.raises(NotFoundException) as caught:
            api.clear_memory("gone")
        return api.api_client.generation, caught.value.status, caught.value.body

    record_and_replay(tmp_path, RecordingServer(respond), call, api_version="auto")


def test_uploads_and_downloads_are_recorded_and_replayed(tmp_path: Path) -> None:
    picture = tmp_path / "me.png"
    picture.write_bytes(bytes(range(256)) * 1024)

    def respond(request: Request, connection: Connection) -> None:
        if request.method == "POST":
            assert picture.read_bytes() in request.body
            text_response("address")(request, connection)
        else:
            connection.respond(200, bytes(range(256)), [("Content-Type", "application/octet-stream")])

    def call(api: ChatApi) -> object:
        characters = CharacterApi(api.api_client)
        address = characters.upload_character_picture("uid", str(picture))
        return address, characters.export_character(1).read()

    record_and_replay(tmp_path, RecordingServer(respond), call)


def test_calls_over_tls_are_recorded_and_replayed(tmp_path: Path) -> None:
    authority = trustme.CA()
    server = RecordingServer(json_response([]), tls_context(authority, "127.0.0.1"))

    text = record_and_replay(
        tmp_path, server, lambda api: api.list_chats(), ca_cert_data=authority.cert_pem.bytes().decode()
    )

    assert "uri: https://127.0.0.1:" in text


@in_clear
def test_calls_through_a_socks_proxy_are_recorded_and_replayed(tmp_path: Path) -> None:
    with SocksProxy() as proxy:
        address = proxy.address("socks5h")
        record_and_replay(tmp_path, RecordingServer(chats_and_streams), lambda api: api.list_chats(), proxy=address)
        assert len(proxy.requests) == 1


def test_the_places_of_a_pool_come_back(tmp_path: Path) -> None:
    def call(api: ChatApi) -> object:
        return [api.delete_chat(f"chat-{number}") for number in range(3)]

    server = RecordingServer(json_response(True))

    record_and_replay(tmp_path, server, call, connection_pool_maxsize=1, connection_pool_block=True)


def test_a_client_that_is_open_records_from_its_next_call_on(tmp_path: Path) -> None:
    with RecordingServer(json_response([])) as server, chat_api_at(server.url) as api:
        api.list_chats()
        with cassette(tmp_path, "once") as recorded:
            api.list_chats()
        api.list_chats()

        assert len(recorded) == 1
        assert [request.connection for request in server.requests] == [0, 1, 0]


def test_a_call_that_is_not_on_the_cassette_is_the_error_of_vcrpy(tmp_path: Path) -> None:
    record_and_replay(tmp_path, RecordingServer(json_response([])), lambda api: api.list_chats())

    with (
        cassette(tmp_path, "none"),
        chat_api_at("http://127.0.0.1:9", connection_pool_maxsize=1, connection_pool_block=True) as api,
    ):
        for _ in range(2):
            with pytest.raises(CannotOverwriteExistingCassetteException):
                api.delete_chat("other")


def test_a_client_that_shares_its_connections_is_replayed_too(tmp_path: Path) -> None:
    record_and_replay(
        tmp_path,
        RecordingServer(json_response([])),
        lambda api: ChatApi(api.api_client.with_options(timeout=3)).list_chats(),
    )


def test_the_package_may_be_loaded_within_a_cassette(tmp_path: Path) -> None:
    script = f"""
import vcr

with vcr.use_cassette({str(tmp_path / "cassette.yaml")!r}):
    from freechat_sdk._connection import Connection, TlsConnection

names = [kind.__module__ for connection in (Connection, TlsConnection) for kind in connection.__mro__]
assert not [name for name in names if name.startswith("vcr")], names
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_client_made_by_hand_replays_as_well(tmp_path: Path) -> None:
    with (
        RecordingServer(json_response([])) as server,
        cassette(tmp_path, "once"),
        ApiClient(configured(server.url)) as client,
    ):
        assert client.call_api("GET", "/api/v1/chat").read() == b"[]"
    with cassette(tmp_path, "none"), ApiClient(Configuration(server.url)) as client:
        assert client.call_api("GET", "/api/v1/chat").read() == b"[]"
