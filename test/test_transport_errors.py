"""What can go wrong on the way to a response, provoked on a real socket: the call ends in the documented error."""

import pytest

from freechat_sdk import ApiConnectionError, ApiDecodeError, ApiTimeoutError, NotFoundException
from test.clients import TOKEN, chat_api, chat_api_at
from test.hostile import GARBLED, LOST, STALLS, says
from test.server import JSON, Handler, head, html_response


def test_an_unknown_host_is_a_connection_error() -> None:
    with (
        chat_api_at("https://no-such-host.invalid", retries=0) as api,
        pytest.raises(ApiConnectionError, match="could not be resolved"),
    ):
        api.list_chats()


def test_the_configured_limits_hold_by_the_time_class() -> None:
    with chat_api(STALLS["before the response"], timeout=0.05, model_timeout=0.1) as (api, _):
        with pytest.raises(ApiTimeoutError, match=r"0\.05 s for the whole call"):
            api.list_chats()
        with pytest.raises(ApiTimeoutError, match=r"0\.1 s for the whole call"):
            api.send_message("chat", "Hi")


def test_html_on_200_is_not_a_success() -> None:
    with (
        chat_api(html_response()) as (api, _),
        pytest.raises(ApiDecodeError, match="does not look like a FreeChat server") as caught,
    ):
        api.delete_chat("x")
    assert caught.value.status == 200
    assert "Welcome" in str(caught.value)


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"text"', b"\xff\xfe"])
def test_a_body_of_another_shape_is_not_a_success(body: bytes) -> None:
    with (
        chat_api(lambda _, connection: connection.respond(200, body, [JSON])) as (api, _),
        pytest.raises(ApiDecodeError) as caught,
    ):
        api.list_chats()
    assert caught.value.status == 200
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("body", [b'"true"', b"1", b"TRUE", b"yes", b"null"])
def test_a_bool_is_true_or_false_and_nothing_else(body: bytes) -> None:
    with chat_api(lambda _, connection: connection.respond(200, body)) as (api, _), pytest.raises(ApiDecodeError):
        api.delete_chat("x")


@pytest.mark.parametrize("name", ["cut body", "cut chunk", "cut chunk size", "cut trailer"])
def test_the_body_of_a_call_by_hand_that_is_lost_is_a_connection_error_too(name: str) -> None:
    with chat_api(LOST[name]) as (api, _), pytest.raises(ApiConnectionError, match="connection was lost"):
        api.api_client.call_api("GET", "/api/v1/chat").read()


def test_what_a_server_says_cannot_move_the_cursor() -> None:
    with (
        chat_api(says(b"HTTP/1.1 \x1b[2Jabc\r\n\r\n"), retries=0) as (api, _),
        pytest.raises(ApiDecodeError, match="not valid HTTP") as caught,
    ):
        api.list_chats()
    assert str(caught.value).isprintable()


def test_a_reason_phrase_cannot_move_the_cursor_either() -> None:
    broken = says(head(404, [("Content-Length", "0")], "No\x1b[2J\x07\x00 such \x9b1mthing"))
    with chat_api(broken) as (api, _), pytest.raises(NotFoundException) as caught:
        api.list_chats()
    assert caught.value.reason == r"No\x1b[2J\x07\x00 such \x9b1mthing"
    assert str(caught.value).replace("\n", "").isprintable()


@pytest.mark.parametrize("handler", GARBLED.values(), ids=GARBLED)
def test_a_response_that_is_not_http_is_a_decode_error_and_never_asked_for_again(handler: Handler) -> None:
    with chat_api(handler) as (api, server):
        with pytest.raises(ApiDecodeError, match="not valid HTTP") as caught:
            api.list_chats()
        assert caught.value.attempts == len(server.requests) == 1
        with pytest.raises(ApiDecodeError, match="not valid HTTP"):
            api.api_client.call_api("GET", "/api/v1/chat").read()


def test_an_error_response_is_described_on_one_screen_without_a_token() -> None:
    body = f"<html>{'x' * 5000} Bearer {TOKEN}</html>".encode()
    with (
        chat_api(lambda _, connection: connection.respond(404, body)) as (api, _),
        pytest.raises(NotFoundException) as caught,
    ):
        api.list_messages(TOKEN, 1)
    text = str(caught.value)
    assert text.startswith("GET /chat/messages/{chatId}/{limit} returned 404 Not Found: <html>xxx")
    assert len(text) < 500
    assert TOKEN not in f"{text}{caught.value!r}{caught.value.body}"
