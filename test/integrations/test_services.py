"""The services of docs/services.md, under uvicorn and gunicorn, with users, failures, stops and browsers that leave."""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from freechat_sdk import ApiClient, ChatApi, Conversation
from freechat_sdk.sandbox import Sandbox
from test.clients import TOKEN, configured
from test.integrations.services import Service, endless, first_event_then_silence, freechat, serve
from test.server import (
    MAX_WAIT,
    Connection,
    Request,
    final_event,
    json_response,
    refused_port,
)
from test.test_docs import SERVICES, SNIPPETS

CHARACTER = "75629cd542784e12b9a19b50620c94c3"
FASTAPI, FLASK = "uvicorn service:app --fd {fd}", "gunicorn service:app --bind fd://{fd} --threads 100"
STOPPED = {FASTAPI: "Shutting down", FLASK: "Handling signal: term"}
CODE = {
    command: next(one.code for one in SNIPPETS if one.page == SERVICES and f"\napp = {kind}(" in one.code)
    for command, kind in ((FASTAPI, "FastAPI"), (FLASK, "Flask"))
}

Start = Callable[..., AbstractContextManager[Service]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Return a function that starts a service with its command, the address of FreeChat and a token."""

    def run(command: str, host: str, token: str = TOKEN) -> AbstractContextManager[Service]:
        kind = next(known for known in CODE if command.startswith(known))
        environment = {"FREECHAT_HOST": host, "FREECHAT_TOKEN": token, "FREECHAT_API_VERSION": "auto"}
        return serve(tmp_path, CODE[kind], command.split(), environment)

    return run


@pytest.mark.parametrize("command", CODE)
def test_users_get_answers_in_their_own_chats(start: Start, command: str) -> None:
    with Sandbox() as sandbox:
        tokens = {name: sandbox.add_user(name) for name in ("ann", "bob")}
        with start(command, sandbox.host, sandbox.token) as service, ThreadPoolExecutor(8) as pool:

            def ask(number: int) -> list[tuple[str, object]]:
                name = ("ann", "bob")[number % 2]
                with service.ask(sandbox.character.uid, f"I am {name}", tokens[name]) as browser:
                    return list(browser.events())

            for number, events in enumerate(pool.map(ask, range(16))):
                text = "".join(str(data) for kind, data in events if kind == "message")
                assert text.endswith(f"I am {('ann', 'bob')[number % 2]}")
                assert events[-1] == ("done", None)
        for name, token in tokens.items():
            with ApiClient(configured(sandbox.host, access_token=token, api_version="v2")) as client:
                (chat,) = ChatApi(client).list_chats()
                texts = [record.text for record in Conversation(client, chat.chat_id).history(None)]
                assert [text for text in texts if text == f"I am {name}"] == [f"I am {name}"] * 8


def test_fastapi_closes_the_stream_of_a_browser_that_leaves_while_the_model_is_silent(start: Start) -> None:
    closed = threading.Event()
    with freechat(first_event_then_silence(closed)) as server, start(FASTAPI, server.url) as service:
        with service.ask(CHARACTER, "Tell me a story", TOKEN) as browser:
            assert next(browser.events()) == ("message", "Once")
            assert not closed.is_set()
        assert closed.wait(MAX_WAIT)
        assert service.get("/alive") == 200


@pytest.mark.parametrize("command", CODE)
def test_the_stream_of_a_browser_that_leaves_is_closed(start: Start, command: str) -> None:
    closed = threading.Event()
    with freechat(endless(closed)) as server, start(command, server.url) as service:
        with service.ask(CHARACTER, "Tell me a story", TOKEN) as browser:
            assert next(browser.events()) == ("message", "and then ")
        assert closed.wait(MAX_WAIT)


def test_fastapi_closes_the_stream_of_a_browser_that_left_before_it_began(start: Start) -> None:
    closed, asked, left = threading.Event(), threading.Event(), threading.Event()

    def begin_late(request: Request, connection: Connection) -> None:
        asked.set()
        left.wait(MAX_WAIT)
        first_event_then_silence(closed)(request, connection)

    with freechat(begin_late) as server, start(FASTAPI, server.url) as service:
        with service.ask(CHARACTER, "Tell me a story", TOKEN):
            assert asked.wait(MAX_WAIT)
        left.set()
        assert closed.wait(MAX_WAIT)


@pytest.mark.parametrize("command", CODE)
def test_a_broken_stream_ends_with_an_event_of_its_own(start: Start, command: str) -> None:
    def break_off(_: Request, connection: Connection) -> None:
        connection.start_stream()
        connection.event({"text": "Once"})
        connection.reset()

    with (
        freechat(break_off) as server,
        start(command, server.url) as service,
        service.ask(CHARACTER, "Tell me a story", TOKEN) as browser,
    ):
        assert [kind for kind, _ in browser.events()] == ["message", "failed"]


@pytest.mark.parametrize(("status", "expected"), [(401, 401), (403, 403), (429, 429), (500, 502)])
@pytest.mark.parametrize("command", CODE)
def test_a_failure_before_the_answer_is_a_status(start: Start, command: str, status: int, expected: int) -> None:
    refuse = json_response({"message": "No."}, status)
    with (
        freechat(refuse) as server,
        start(command, server.url) as service,
        service.ask(CHARACTER, "Hi", TOKEN) as browser,
    ):
        assert browser.response.status == expected
        assert TOKEN not in browser.response.read().decode()


@pytest.mark.parametrize("command", CODE)
def test_an_unknown_character_is_the_callers_mistake(start: Start, command: str) -> None:
    with (
        Sandbox() as sandbox,
        start(command, sandbox.host) as service,
        service.ask("nobody", "Hi", sandbox.token) as browser,
    ):
        assert browser.response.status == 400
        assert "no character is named 'nobody'" in browser.response.read().decode()


@pytest.mark.parametrize("command", CODE)
def test_a_request_without_a_token_is_refused(start: Start, command: str) -> None:
    with freechat(json_response({})) as server, start(command, server.url) as service:
        with service.ask(CHARACTER, "Hi", "") as browser:
            assert browser.response.status == 401
        assert server.requests == []


def test_a_plain_user_finds_out_whether_the_service_is_ready(start: Start) -> None:
    with Sandbox() as sandbox:
        with start(FASTAPI, sandbox.host, sandbox.add_user("service")) as service:
            assert service.get("/ready") == 200
        with start(FASTAPI, sandbox.host, TOKEN) as service:
            assert (service.get("/ready"), service.get("/alive")) == (401, 200)
    with refused_port() as port, start(FASTAPI, f"http://127.0.0.1:{port}") as service:
        assert (service.get("/ready"), service.get("/alive")) == (502, 200)


@pytest.mark.parametrize("command", CODE)
def test_a_stopped_service_sends_answers_to_their_end(start: Start, command: str) -> None:
    stopped = threading.Event()

    def pause(_: Request, connection: Connection) -> None:
        connection.start_stream()
        connection.event({"text": "Once "})
        stopped.wait(MAX_WAIT)
        connection.event({"text": "upon a time"})
        connection.event(final_event("Once upon a time"))
        connection.end()

    with freechat(pause) as server, start(command, server.url) as service:
        with service.ask(CHARACTER, "Tell me a story", TOKEN) as browser:
            events = browser.events()
            assert next(events) == ("message", "Once ")
            service.process.send_signal(signal.SIGTERM)
            service.wait_for_log(STOPPED[command])
            stopped.set()
            assert list(events) == [("message", "upon a time"), ("done", None)]
        service.process.communicate(timeout=MAX_WAIT)
        assert service.process.returncode in (0, -signal.SIGTERM)


def test_uvicorn_closes_a_stream_that_outlasts_the_graceful_stop(start: Start) -> None:
    closed = threading.Event()
    with (
        freechat(first_event_then_silence(closed)) as server,
        start(f"{FASTAPI} --timeout-graceful-shutdown 1", server.url) as service,
        service.ask(CHARACTER, "Tell me a story", TOKEN) as browser,
    ):
        assert next(browser.events()) == ("message", "Once")
        service.process.send_signal(signal.SIGTERM)
        assert closed.wait(MAX_WAIT)
        service.process.communicate(timeout=MAX_WAIT)
        assert service.process.returncode in (0, -signal.SIGTERM)
