"""Whatever can go wrong on the way to an answer, provoked on a real socket: the call ends in the documented error."""

import gzip

import pytest

from freechat_sdk import (
    ApiClient,
    ApiConnectionError,
    ApiDecodeError,
    ApiException,
    ApiTimeoutError,
    ChatApi,
    Configuration,
    NotFoundException,
    ServiceException,
    ServiceUnavailableException,
    UnauthorizedException,
)
from freechat_sdk.rest import RetryPolicy
from test.hostile import LOST, STALLS, says
from test.server import (
    Handler,
    RecordingServer,
    html_response,
    in_order,
    json_response,
    login_redirect,
    refused_port,
)

TOKEN = "fc-0123456789abcdef0123456789abcdef"


class Waits(list[float]):
    """Stands for `sleep`: notes how long would have been waited."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def api_for(url: str, retries: object = 0, **settings: object) -> ChatApi:
    configuration = Configuration(url, access_token=TOKEN, api_version="v1", retries=retries)
    for name, value in settings.items():
        setattr(configuration, name, value)
    return ChatApi(ApiClient(configuration))


@pytest.fixture
def waits() -> Waits:
    return Waits()


def patient(waits: Waits) -> RetryPolicy:
    return RetryPolicy(retries=2, sleep=waits, random=lambda: 1.0)


@pytest.mark.parametrize("handler", LOST.values(), ids=LOST)
def test_a_lost_answer_is_a_connection_error_and_the_next_call_works(handler: Handler) -> None:
    with RecordingServer(in_order(handler, json_response([]))) as server:
        api = api_for(server.url)
        with pytest.raises(ApiConnectionError) as caught:
            api.list_chats()
        assert caught.value.request_sent is True
        assert caught.value.status is None
        assert isinstance(caught.value, ConnectionError)
        assert str(caught.value).startswith("GET /chat: ")
        assert api.list_chats() == []
        api.api_client.close()


@pytest.mark.parametrize("handler", LOST.values(), ids=LOST)
def test_a_read_is_made_again_after_a_lost_answer(handler: Handler, waits: Waits) -> None:
    with RecordingServer(in_order(handler, handler, json_response([]))) as server:
        api = api_for(server.url, patient(waits))
        response = api.list_chats_with_http_info()
        assert (response.data, response.attempts) == ([], 3)
        assert waits == [0.5, 1.0]
        api.api_client.close()


@pytest.mark.parametrize("handler", LOST.values(), ids=LOST)
def test_a_once_only_call_is_never_made_again_after_a_byte_left(handler: Handler, waits: Waits) -> None:
    with RecordingServer(handler) as server:
        api = api_for(server.url, patient(waits))
        with pytest.raises(ApiConnectionError) as caught:
            api.send_assistant("chat", "assistant")
        assert (caught.value.request_sent, len(server.requests), waits) == (True, 1, [])
        api.api_client.close()


def test_a_refused_connection_says_that_nothing_was_sent_and_is_tried_again_even_once_only(waits: Waits) -> None:
    with refused_port() as port:
        api = api_for(f"http://127.0.0.1:{port}", patient(waits))
        with api.api_client, pytest.raises(ApiConnectionError) as caught:
            api.send_message("chat", "Hi")
    assert not isinstance(caught.value, ApiTimeoutError)
    assert (caught.value.request_sent, caught.value.attempts, len(waits)) == (False, 3, 2)
    assert "whether the server is running" in str(caught.value)


def test_an_unknown_host_is_a_connection_error() -> None:
    api = api_for("https://no-such-host.invalid")
    with api.api_client, pytest.raises(ApiConnectionError, match="could not be resolved"):
        api.list_chats()


@pytest.mark.parametrize("handler", STALLS.values(), ids=STALLS)
def test_a_silent_or_trickling_server_ends_as_a_timeout_while_the_peer_holds_on(handler: Handler) -> None:
    with RecordingServer(handler) as server:
        api = api_for(server.url, 2)
        with pytest.raises(ApiTimeoutError) as caught:
            api.list_chats(_request_timeout=0.2)
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.request_sent is True
        assert len(server.requests) == 1
        api.api_client.close()


def test_the_configured_limits_hold_by_the_time_class() -> None:
    with RecordingServer(STALLS["before the answer"]) as server:
        api = api_for(server.url, timeout=0.05, model_timeout=0.1)
        with pytest.raises(ApiTimeoutError, match=r"0\.05 s for the call"):
            api.list_chats()
        with pytest.raises(ApiTimeoutError, match=r"0\.1 s for the call"):
            api.send_message("chat", "Hi")
        api.api_client.close()


def test_html_on_200_is_no_success() -> None:
    with RecordingServer(html_response()) as server:
        api = api_for(server.url)
        for call in (api.list_chats, lambda: api.delete_chat("x"), lambda: api.get_default_chat_id(1)):
            with pytest.raises(ApiDecodeError, match="does not look like a FreeChat server") as caught:
                call()
            assert caught.value.status == 200
            assert "Welcome" in str(caught.value)
        with pytest.raises(ApiDecodeError, match="text/event-stream"):
            api.stream_send_message("x", "Hi")
        api.api_client.close()


@pytest.mark.parametrize("body", [b"{", b'{"a":1}', b"[1]", b'"text"', b"\xff\xfe", b"[" * 100_000])
def test_a_body_of_another_shape_is_no_success(body: bytes) -> None:
    handler: Handler = lambda _, connection: connection.respond(200, body, [("Content-Type", "application/json")])  # noqa: E731
    with RecordingServer(handler) as server:
        api = api_for(server.url)
        with pytest.raises(ApiDecodeError) as caught:
            api.list_chats()
        assert caught.value.status == 200
        assert len(str(caught.value)) < 500
        api.api_client.close()


@pytest.mark.parametrize("body", [b'"true"', b"1", b"TRUE", b"yes", b"null"])
def test_a_bool_is_true_or_false_and_nothing_else(body: bytes) -> None:
    with RecordingServer(lambda _, connection: connection.respond(200, body)) as server:
        api = api_for(server.url)
        with pytest.raises(ApiDecodeError):
            api.delete_chat("x")
        api.api_client.close()


def test_a_broken_encoding_is_a_decode_error() -> None:
    broken = gzip.compress(b"[]")[:-6] + b"broken"
    handler: Handler = lambda _, connection: connection.respond(200, broken, [("Content-Encoding", "gzip")])  # noqa: E731
    with RecordingServer(handler) as server:
        api = api_for(server.url)
        with pytest.raises(ApiDecodeError, match=r"answered 200 OK: .*Content-Encoding"):
            api.list_chats()
        api.api_client.close()


@pytest.mark.parametrize("name", ["cut body", "cut chunk", "bad chunk"])
def test_the_body_of_a_call_by_hand_that_is_lost_is_a_connection_error_too(name: str) -> None:
    with RecordingServer(LOST[name]) as server:
        client = api_for(server.url).api_client
        with client, pytest.raises(ApiConnectionError, match="connection was lost"):
            client.call_api("GET", "/api/v1/chat").read()


def test_a_gzipped_answer_is_unpacked() -> None:
    packed = gzip.compress(b"[]")
    with RecordingServer(
        lambda _, connection: connection.respond(200, packed, [("Content-Encoding", "gzip")])
    ) as server:
        api = api_for(server.url)
        assert api.list_chats() == []
        api.api_client.close()


def test_redirects_are_not_followed() -> None:
    with RecordingServer(login_redirect()) as server:
        api = api_for(server.url)
        with pytest.raises(UnauthorizedException, match="FREECHAT_TOKEN") as caught:
            api.list_chats()
        assert (caught.value.status, len(server.requests)) == (302, 1)
        api.api_client.close()
    elsewhere: Handler = lambda _, connection: connection.respond(302, b"", [("Location", "http://127.0.0.1:1/")])  # noqa: E731
    with RecordingServer(elsewhere) as server:
        api = api_for(server.url)
        with pytest.raises(ApiException) as other:
            api.list_chats()
        assert (type(other.value), len(server.requests)) == (ApiException, 1)
        api.api_client.close()


@pytest.mark.parametrize("status", [502, 503, 504])
def test_reads_and_idempotent_calls_are_made_again_while_the_server_is_away(status: int, waits: Waits) -> None:
    with RecordingServer(in_order(json_response({}, status), json_response(True))) as server:
        api = api_for(server.url, patient(waits))
        assert api.delete_chat_with_http_info("x").attempts == 2
        api.api_client.close()
    with RecordingServer(json_response({}, status)) as server:
        api = api_for(server.url, patient(waits))
        with pytest.raises(ServiceException, match="3 attempts"):
            api.list_chats()
        with pytest.raises(ServiceException):
            api.rollback_messages("x", 2)
        assert len(server.requests) == 4
        api.api_client.close()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500])
def test_other_errors_are_not_tried_again(status: int, waits: Waits) -> None:
    with RecordingServer(json_response({"message": "no"}, status, [("Retry-After", "1")])) as server:
        api = api_for(server.url, patient(waits))
        with pytest.raises(ApiException, match="no"):
            api.list_chats()
        assert (len(server.requests), waits) == (1, [])
        api.api_client.close()


def test_a_send_to_a_busy_chat_is_made_again_but_not_after_another_503(waits: Waits) -> None:
    busy = json_response({"timestamp": 1, "status": 503, "error": "Service Unavailable"}, 503)
    with RecordingServer(in_order(busy, json_response({"text": "Hello"}))) as server:
        api = api_for(server.url, patient(waits))
        assert api.send_message("x", "Hi").answer == "Hello"
        assert len(waits) == 1
        api.api_client.close()
    with RecordingServer(json_response({"code": 503, "message": "no speech server"}, 503)) as server:
        api = api_for(server.url, patient(waits))
        with pytest.raises(ServiceUnavailableException, match="no speech server"):
            api.send_message("x", "Hi")
        assert len(server.requests) == 1
        api.api_client.close()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", [7.0]),
        ("3600", []),
        ("soon", [0.5]),
        ("Mon, 23 Nov 2020 09:00:00 GMT", [0.0]),
        ("Sun, 23 Nov 2220 09:00:00 GMT", []),
    ],
)
def test_retry_after_is_kept_to_within_limits(header: str, expected: list[float], waits: Waits) -> None:
    with RecordingServer(json_response({}, 503, [("Retry-After", header)])) as server:
        policy = RetryPolicy(retries=1, sleep=waits, random=lambda: 1.0)
        api = api_for(server.url, policy)
        with api.api_client, pytest.raises(ServiceUnavailableException):
            api.list_chats()
        assert waits == expected


def test_what_a_server_says_cannot_move_the_cursor() -> None:
    with RecordingServer(says(b"HTTP/1.1 \x1b[2Jabc\r\n\r\n")) as server:
        api = api_for(server.url)
        with api.api_client, pytest.raises(ApiConnectionError) as caught:
            api.list_chats()
    assert str(caught.value).isprintable()


def test_an_error_answer_is_described_on_one_screen_without_a_token() -> None:
    body = f"<html>{'x' * 5000} Bearer {TOKEN}</html>".encode()
    with RecordingServer(lambda _, connection: connection.respond(404, body)) as server:
        api = api_for(server.url)
        with pytest.raises(NotFoundException) as caught:
            api.list_messages(TOKEN, 1)
        text = str(caught.value)
        assert text.startswith("GET /chat/messages/{chatId}/{limit} answered 404 Not Found: <html>xxx")
        assert len(text) < 500
        assert TOKEN not in f"{text}{caught.value!r}{caught.value.body}"
        api.api_client.close()
