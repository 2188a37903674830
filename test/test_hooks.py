"""Hooks and the log are told of every call, cannot break one, and show no credential."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from freechat_sdk import (
    ApiConnectionError,
    ApiDecodeError,
    ApiTypeError,
    Call,
    CharacterApi,
    Configuration,
    Hooks,
    StreamInterruptedError,
)
from freechat_sdk._observer import observer_for
from freechat_sdk._operation import READ
from freechat_sdk._request import Request
from test.clients import TOKEN, chat_api
from test.hostile import LOST, says
from test.server import FINAL, RecordingServer, events_response, in_order, json_response, text_response


class Notes(Hooks):
    """Records what it is told."""

    def __init__(self) -> None:
        self.notes: list[tuple[Any, ...]] = []
        self.calls: list[Call] = []

    def on_request(self, call: Call) -> None:
        self.notes.append(("request", call.attempt))
        self.calls.append(call)

    def on_response(self, call: Call) -> None:
        self.notes.append(("response", call.status))

    def on_error(self, call: Call) -> None:
        self.notes.append(("error", type(call.error)))

    def on_retry(self, call: Call, wait: float) -> None:
        self.notes.append(("retry", wait))

    def on_event(self, call: Call, event: Any) -> None:
        self.notes.append(("event", event.text))

    def on_close(self, call: Call) -> None:
        self.notes.append(("close",))


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG, "freechat_sdk"):
        yield caplog


def test_hooks_are_told_of_a_call(notes: Notes) -> None:
    response = json_response({"text": "Hi", "requestId": "r-7"}, headers=[("X-Secret", "s"), ("Server", "nginx")])
    with chat_api(response, hooks=notes) as (api, server):
        api.send_message("a-chat", "Hi")
    assert notes.notes == [("request", 1), ("response", 200)]
    (call,) = notes.calls
    assert (call.method, call.path, call.request_id) == ("POST", "/chat/send/{chatId}", "r-7")
    assert call.request_bytes == len(server.requests[0].body)
    assert call.response_body is not None
    assert call.headers == {"Content-Length": "34", "Content-Type": "application/json", "Server": "nginx"}
    assert call.seconds > 0
    assert "a-chat" not in repr(call)


def test_hooks_are_told_of_each_attempt(notes: Notes) -> None:
    with chat_api(in_order(json_response({}, 503), json_response([])), hooks=notes) as (api, _):
        api.list_chats()
    assert notes.notes == [("request", 1), ("response", 503), ("retry", 0.5), ("request", 2), ("response", 200)]
    assert notes.calls[0] is notes.calls[1]


def test_hooks_are_told_of_errors(notes: Notes) -> None:
    with chat_api(LOST["reset"], hooks=notes) as (api, _), pytest.raises(ApiConnectionError):
        api.send_message("chat", "Hi")
    assert notes.notes == [("request", 1), ("error", ApiConnectionError)]


def test_hooks_are_told_of_each_event_and_of_the_end_of_a_stream(notes: Notes) -> None:
    with chat_api(events_response({"text": "Hi"}, FINAL), hooks=notes) as (api, _):
        with api.stream_send_message("chat", "Hi") as stream:
            stream.until_done()
        stream.close()
    assert notes.notes == [("request", 1), ("response", 200), ("event", "Hi"), ("event", None), ("close",)]
    assert notes.calls[0].response_body is None


def test_hooks_are_told_what_broke_a_stream(notes: Notes) -> None:
    with (
        chat_api(events_response({"text": "Hi"}), hooks=notes) as (api, _),
        pytest.raises(StreamInterruptedError) as caught,
    ):
        api.stream_send_message("chat", "Hi").until_done()
    assert notes.notes[-2:] == [("event", "Hi"), ("close",)]
    assert notes.calls[0].error is caught.value


def test_hooks_are_told_of_the_end_of_a_download(notes: Notes) -> None:
    with (
        chat_api(text_response("file"), hooks=notes) as (api, _),
        CharacterApi(api.api_client).export_character(1) as file,
    ):
        assert file.read() == b"file"
    assert notes.notes == [("request", 1), ("response", 200), ("close",)]


def test_hooks_are_told_of_calls_by_hand(notes: Notes) -> None:
    with chat_api(text_response("hi"), hooks=notes) as (api, _):
        api.api_client.call_api("GET", f"/api/v1/token/{TOKEN}").read()
    assert notes.notes == [("request", 1), ("response", 200)]
    assert notes.calls[0].path == "/api/v1/token/***"


def test_a_hook_that_fails_breaks_no_call_and_silences_no_other(notes: Notes, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Hooks):
        def on_request(self, call: Call) -> None:
            raise RuntimeError("out of order")

        def on_event(self, call: Call, event: Any) -> None:
            raise RuntimeError("out of order")

    with chat_api(events_response({"text": "Hi"}, FINAL), hooks=[Broken(), notes]) as (api, _):
        assert api.stream_send_message("chat", "Hi").until_done().answer == "Hi"
    assert len(notes.notes) == 5
    assert [record.levelname for record in caplog.records if record.name == "freechat_sdk"] == ["WARNING"] * 3
    assert "out of order" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("wrong", [1, "hook", object(), [object()]])
def test_what_is_not_a_hook_is_refused(wrong: Any) -> None:
    with pytest.raises(ApiTypeError, match=r"freechat_sdk\.Hooks"):
        Configuration(hooks=wrong)


def test_if_nobody_listens_nothing_is_made() -> None:
    request = Request("GET", "/chat", "/api/v1/chat", {}, None, READ)
    assert observer_for(Configuration(), request, lambda: 0.0) is None
    assert observer_for(Configuration(hooks=Hooks()), request, lambda: 0.0) is not None


def test_the_log_says_what_happened_and_no_body(log: pytest.LogCaptureFixture) -> None:
    response = json_response({"text": "secret words", "requestId": "r-7"}, headers=[("X-Secret", TOKEN)])
    with chat_api(in_order(json_response({}, 503), json_response([]), response)) as (api, _):
        api.list_chats()
        api.send_message("a-chat", "more secret words")
    first, again, second, third = (record.getMessage() for record in log.records if record.name == "freechat_sdk")
    assert first.startswith("GET /chat status=503 seconds=0.")
    assert again == "GET /chat again_in=0.500"
    assert " attempt=2 sent=0 received=2 " in second
    assert third.startswith("POST /chat/send/{chatId} status=200 ")
    assert "requestId=r-7 Content-Length=44 Content-Type=application/json" in third
    assert not {"secret", "a-chat", TOKEN} & set(log.text.split())


def test_bodies_are_logged_when_asked_for_without_credentials(log: pytest.LogCaptureFixture) -> None:
    handler = in_order(json_response({"text": "an answer", "token": "abc"}), text_response(TOKEN))
    with chat_api(handler, log_bodies=True) as (api, _):
        api.send_message("chat", "a question")
        api.get_default_chat_id(1)
    assert "a question" in log.text
    assert "an answer" in log.text
    assert "abc" not in log.text
    assert TOKEN not in log.text


def test_a_server_cannot_write_lines_of_its_own_into_the_log(log: pytest.LogCaptureFixture) -> None:
    forged = "x\n2026-11-23 DEBUG all is well"
    folded = says(b"HTTP/1.1 200 OK\r\nServer: a\r\n DEBUG all is well\r\nContent-Length: 2\r\n\r\n[]")
    broken = says(b"HTTP/1.1 abc\x1b[31m\r\n\r\n")
    with chat_api(
        in_order(json_response({"text": "Hi", "requestId": forged}), folded, broken), retries=0, log_bodies=True
    ) as (api, _):
        api.send_message("chat", forged)
        api.list_chats()
        with pytest.raises(ApiDecodeError):
            api.list_chats()
    lines = [record.getMessage() for record in log.records if record.name == "freechat_sdk"]
    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)


def test_a_failure_is_logged(log: pytest.LogCaptureFixture) -> None:
    with chat_api(LOST["closed"]) as (api, _), pytest.raises(ApiConnectionError):
        api.send_message("chat", "Hi")
    assert "POST /chat/send/{chatId} error=ApiConnectionError seconds=0." in log.text


@pytest.mark.parametrize(("debug", "shows"), [(True, True), (False, False), (None, False)])
def test_debug_shows_messages_if_no_logging_is_set_up(debug: bool | None, shows: bool) -> None:
    script = (
        "import sys, freechat_sdk\n"
        f"configuration = freechat_sdk.Configuration(sys.argv[1], access_token={TOKEN!r}, debug={debug})\n"
        "with freechat_sdk.ApiClient(configuration) as client:\n"
        "    freechat_sdk.ChatApi(client).list_chats()\n"
    )
    with RecordingServer(json_response([])) as server:
        ran = subprocess.run(
            [sys.executable, "-c", script, server.url], capture_output=True, check=True, text=True, timeout=60
        )
    assert ("DEBUG GET /chat status=200" in ran.stderr) is shows
    assert (ran.stdout, TOKEN in ran.stderr) == ("", False)
    assert shows or ran.stderr == ""
