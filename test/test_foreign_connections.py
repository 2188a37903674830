"""What tools put in place of urllib3's connections, its `urlopen` and our classes, as tests of users do it.

The real tools (vcrpy and others) are in `test/integrations`.
"""

import io
import warnings
from collections.abc import Callable
from http.client import parse_headers
from typing import Any
from unittest.mock import MagicMock, Mock, create_autospec, patch

import pytest
from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.contrib.socks import SOCKSConnection, SOCKSHTTPConnectionPool
from urllib3.exceptions import ProtocolError

import freechat_sdk
from freechat_sdk import (
    ApiClient,
    ApiConnectionError,
    ApiResponse,
    ChatApi,
    Configuration,
    Download,
    ForeignConnectionWarning,
    NotFoundException,
    SseEmitter,
)
from freechat_sdk._names import API_MODULES
from test.clients import TOKEN, chat_api, chat_api_at, configured
from test.proxies import SocksProxy, in_clear
from test.server import RecordingServer, chats_and_streams, event_bytes, final_event, json_response

replaced = pytest.mark.filterwarnings("ignore::freechat_sdk.ForeignConnectionWarning")
JSON_HEADERS = {"Content-Type": "application/json"}


class Foreign(HTTPConnection):
    """Records what urllib3 gives it, as a tool's class would."""

    given: list[tuple[str, type, dict[str, type]]]

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        self.given.append((url, type(url), {name: type(value) for name, value in kwargs["headers"].items()}))
        super().request(method, url, *args, **kwargs)


class ForeignSocks(SOCKSConnection):
    """The same through a SOCKS proxy."""


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> type[Foreign]:
    Foreign.given = []
    monkeypatch.setattr(HTTPConnectionPool, "ConnectionCls", Foreign)
    return Foreign


# Another class of connections


@replaced
def test_a_foreign_connection_gets_the_plain_target_and_plain_headers(foreign: type[Foreign]) -> None:
    with chat_api(chats_and_streams, connection_pool_maxsize=1, connection_pool_block=True) as (api, server):
        assert api.list_chats() == []
        assert api.stream_send_message("a-b", "Hi").until_done().answer == "Hi"
        assert api.list_chats() == []

    assert [request.target for request in server.requests] == [url for url, _, _ in foreign.given]
    assert foreign.given[1][0] == "/api/v1/chat/send/stream/a-b"
    assert {kind for _, kind, _ in foreign.given} == {str}
    assert {kind for _, _, headers in foreign.given for kind in headers.values()} == {str}
    assert server.requests[0].header("Authorization") == f"Bearer {TOKEN}"


def test_it_is_warned_of_once_a_client(foreign: type[Foreign]) -> None:
    with chat_api(json_response([])) as (api, _), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        api.list_chats()
        api.list_chats()

    assert [warning.category for warning in caught] == [ForeignConnectionWarning]
    assert str(caught[0].message).startswith("test has replaced the connections of urllib3.")


@replaced
def test_own_connections_are_used_again_when_the_tool_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    Foreign.given = []
    with chat_api(json_response([])) as (api, server):
        api.list_chats()
        with monkeypatch.context() as patched:
            patched.setattr(HTTPConnectionPool, "ConnectionCls", Foreign)
            api.list_chats()
        api.list_chats()

    assert [request.connection for request in server.requests] == [0, 1, 0]
    assert len(Foreign.given) == 1


@replaced
def test_a_lost_foreign_connection_may_have_sent_the_request(foreign: type[Foreign]) -> None:
    with (
        chat_api(lambda _, connection: connection.reset(), retries=0) as (api, _),
        pytest.raises(ApiConnectionError) as caught,
    ):
        api.delete_chat("chat")

    assert caught.value.request_sent is True


@in_clear
@replaced
def test_a_class_for_socks_proxies_is_used_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SOCKSHTTPConnectionPool, "ConnectionCls", ForeignSocks)
    with (
        RecordingServer(chats_and_streams) as server,
        SocksProxy() as proxy,
        chat_api_at(f"http://127.0.0.1:{server.port}", proxy=proxy.address("socks5h")) as api,
        patch.object(ForeignSocks, "request", autospec=True, side_effect=SOCKSConnection.request) as request,
    ):
        assert api.list_chats() == []

    assert request.call_args.args[2] == "/api/v1/chat"
    assert len(proxy.requests) == 1


# Another urlopen


RESPONSES: dict[str, Callable[[], Any]] = {
    "unread": lambda: HTTPResponse(io.BytesIO(b"[]"), JSON_HEADERS, 200, preload_content=False),
    "read": lambda: HTTPResponse(io.BytesIO(b"[]"), JSON_HEADERS, 200),
    "bytes": lambda: HTTPResponse(b"[]", JSON_HEADERS, 200),
    "message": lambda: Mock(
        status=200,
        headers=parse_headers(io.BytesIO(b"Content-Type: application/json\r\n\r\n")),
        data=b"[]",
        reason="OK",
    ),
    "mock": lambda: Mock(status=200, headers=JSON_HEADERS, data=b"[]", reason="OK"),
    "mock with spec": lambda: MagicMock(spec=HTTPResponse, status=200, headers=JSON_HEADERS, data=b"[]", reason="OK"),
}
"""The ways in which tests write a response with the body `[]`."""


@pytest.mark.parametrize("way", RESPONSES)
def test_a_patched_urlopen_may_return_any_kind_of_response(way: str) -> None:
    response = RESPONSES[way]()
    with (
        patch.object(HTTPConnectionPool, "urlopen", autospec=True, return_value=response) as urlopen,
        chat_api_at("http://127.0.0.1:9") as api,
    ):
        assert api.list_chats() == []

    _, method, target, body = urlopen.call_args.args
    assert (method, target, body) == ("GET", "/api/v1/chat", None)
    assert urlopen.call_args.kwargs["headers"]["Authorization"] == f"Bearer {TOKEN}"


def test_a_patched_urlopen_may_return_a_stream() -> None:
    body = event_bytes({"text": "Hi"}) + event_bytes(final_event("Hi"))
    response = HTTPResponse(io.BytesIO(body), {"Content-Type": "text/event-stream"}, 200, preload_content=False)
    with (
        patch.object(HTTPConnectionPool, "urlopen", return_value=response),
        chat_api_at("http://127.0.0.1:9") as api,
        api.stream_send_message("chat", "Hi") as stream,
    ):
        assert list(stream.text_deltas()) == ["Hi"]


def test_a_patched_urlopen_may_return_an_error() -> None:
    response = HTTPResponse(b'{"message": "gone"}', JSON_HEADERS, 404)
    with (
        patch.object(HTTPConnectionPool, "urlopen", return_value=response),
        chat_api_at("http://127.0.0.1:9") as api,
        pytest.raises(NotFoundException, match="gone"),
    ):
        api.list_chats()


def test_a_patched_urlopen_may_raise() -> None:
    failure = ProtocolError("Connection aborted.", ConnectionResetError("reset"))
    with (
        patch.object(HTTPConnectionPool, "urlopen", side_effect=failure) as urlopen,
        chat_api_at("http://127.0.0.1:9", retries=1) as api,
        pytest.raises(ApiConnectionError, match="reset"),
    ):
        api.list_chats()

    assert urlopen.call_count == 2


def test_a_response_that_says_how_its_body_was_packed_is_not_unpacked_again() -> None:
    headers = {**JSON_HEADERS, "Content-Encoding": "gzip", "Content-Length": "99", "Transfer-Encoding": "chunked"}
    response = Mock(status=200, headers=headers, data=b"[]", reason=None)
    with patch.object(HTTPConnectionPool, "urlopen", return_value=response), chat_api_at("http://127.0.0.1:9") as api:
        result = api.list_chats_with_http_info()

    assert (result.data, result.raw_data) == ([], b"[]")
    assert result.headers["content-length"] == "2"


# Stand-ins for our classes


@pytest.mark.parametrize("name", sorted(API_MODULES))
def test_an_api_class_can_be_the_spec_of_a_mock(name: str) -> None:
    kind = getattr(freechat_sdk, name)
    methods = [method for method in vars(kind) if not method.startswith("_")]
    for mock in (Mock(spec=kind), create_autospec(kind, instance=True)):
        for method in methods:
            assert callable(getattr(mock, method))
        with pytest.raises(AttributeError):
            mock.there_is_no_such_method()


def test_an_autospec_checks_arguments_and_returns_what_the_test_says() -> None:
    api = create_autospec(ChatApi, instance=True)
    api.send_message.return_value.answer = "Hi"

    assert api.send_message("chat", "Hello", _request_timeout=3).answer == "Hi"
    api.send_message.assert_called_once_with("chat", "Hello", _request_timeout=3)
    with pytest.raises(TypeError):
        api.send_message()
    with pytest.raises(TypeError):
        api.delete_chat("chat", "other")


@pytest.mark.parametrize("kind", [ApiClient, Configuration, SseEmitter, Download, ApiResponse])
def test_the_other_classes_can_be_the_spec_of_a_mock(kind: type) -> None:
    for mock in (Mock(spec=kind), create_autospec(kind), create_autospec(kind, instance=True)):
        assert dir(mock)


def test_the_autospec_of_an_object_has_its_client_too() -> None:
    with ApiClient(configured("http://127.0.0.1:9")) as client:
        api = create_autospec(ChatApi(client))

    assert callable(api.api_client.with_options)
