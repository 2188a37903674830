"""Chat interfaces of docs/integrations.md: Streamlit, Gradio, and OpenAI's client at the endpoint of docs/examples."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from openai import APIStatusError, OpenAI
from streamlit.testing.v1 import AppTest

from freechat_sdk import ApiClient, ChatApi, Conversation
from freechat_sdk.sandbox import Sandbox
from test.clients import TOKEN, configured
from test.integrations.services import Service, endless, freechat, serve
from test.server import MAX_WAIT, RecordingServer
from test.snippets import ROOT
from test.test_docs import SNIPPETS, TOOLS

ENDPOINT = (ROOT / "docs/examples/openai_endpoint.py").read_text("utf-8")


def code(tool: str) -> str:
    """Return the snippet that imports a tool."""
    (found,) = (one.code for one in SNIPPETS if one.page == TOOLS and tool in one.code)
    return found


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox that the environment names."""
    with Sandbox() as sandbox:
        monkeypatch.setenv("FREECHAT_HOST", sandbox.host)
        monkeypatch.setenv("FREECHAT_TOKEN", sandbox.token)
        yield sandbox


def said(sandbox: Sandbox) -> list[str]:
    """Return the texts of the user's only chat, oldest first."""
    with ApiClient(configured(sandbox.host, access_token=sandbox.token, api_version="v2")) as client:
        (chat,) = ChatApi(client).list_chats()
        return [record.text for record in Conversation(client, chat.chat_id).history(None)][::-1]


# Streamlit


@pytest.mark.filterwarnings("ignore")
def test_streamlit_shows_the_history_and_the_answer(sandbox: Sandbox) -> None:
    app = AppTest.from_string(code("import streamlit")).run(timeout=MAX_WAIT)
    app.chat_input[0].set_value("Hi").run(timeout=MAX_WAIT)
    assert not app.exception
    shown = [element.value for message in app.chat_message for element in message.markdown]
    assert shown == [sandbox.character.greeting, "Hi", "You said: Hi"]
    assert said(sandbox) == shown
    app.chat_input[0].set_value("Bye").run(timeout=MAX_WAIT)
    shown = [element.value for message in app.chat_message for element in message.markdown]
    assert said(sandbox) == shown
    assert shown[-1].endswith("Bye")


# Gradio


@contextmanager
def gradio_page(folder: Path, host: str, token: str = TOKEN) -> Iterator[Client]:
    """Run the snippet as a script, and yield a client of its page."""
    environment = {"FREECHAT_HOST": host, "FREECHAT_TOKEN": token, "GRADIO_ANALYTICS_ENABLED": "False"}
    with serve(folder, code("import gradio"), ["service"], environment) as service:
        yield Client(service.wait_for_log(r"http://127.0.0.1:\d+"), verbose=False)


def test_gradio_shows_the_answer_grow(sandbox: Sandbox, tmp_path: Path) -> None:
    with gradio_page(tmp_path, sandbox.host, sandbox.token) as page:
        job = page.submit("one two three", api_name="/answer")
        assert job.result(3 * MAX_WAIT) == "You said: one two three"
        assert job.outputs()[:3] == ["You", "You said:", "You said: one"]


def test_gradio_closes_the_stream_of_an_answer_that_is_stopped(tmp_path: Path) -> None:
    closed = threading.Event()
    with freechat(endless(closed)) as server, gradio_page(tmp_path, server.url) as page:
        job = page.submit("Tell me a story", api_name="/answer")
        assert next(iter(job)).startswith("and then ")
        job.cancel()
        assert closed.wait(MAX_WAIT)


# OpenAI's protocol


@contextmanager
def endpoint(folder: Path, host: str) -> Iterator[Service]:
    command = ["gunicorn", "service:app", "--bind", "fd://{fd}", "--threads", "20"]
    with serve(folder, ENDPOINT, command, {"FREECHAT_HOST": host}) as service:
        yield service


def openai_at(service: Service, token: str) -> OpenAI:
    return OpenAI(base_url=f"http://127.0.0.1:{service.port}/v1", api_key=token, max_retries=0)


def test_openais_client_talks_to_a_character(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with endpoint(tmp_path, sandbox.host) as service, openai_at(service, sandbox.token) as openai:
        monkeypatch.setenv("OPENAI_BASE_URL", str(openai.base_url))
        exec(code("import OpenAI"), {"__name__": "__main__"})
        assert capsys.readouterr().out == "You said: Hi"

        messages: Any = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "You said: Hi"},
            {"role": "user", "content": [{"type": "text", "text": "Bye"}]},
        ]
        result = openai.chat.completions.create(model="pip", messages=messages)
        assert result.choices[0].message.content == "I hear you: Bye"
        assert result.choices[0].finish_reason == "stop"
        assert said(sandbox)[1:] == ["Hi", "You said: Hi", "Bye", "I hear you: Bye"]
        assert [model.id for model in openai.models.list()] == [sandbox.character.uid]


def test_a_prompt_of_the_interface_does_not_get_into_the_chat(sandbox: Sandbox, tmp_path: Path) -> None:
    task: Any = [{"role": "user", "content": "### Task:\nGenerate a concise title.\n### Chat History:\nUSER: Hi"}]
    with endpoint(tmp_path, sandbox.host) as service, openai_at(service, sandbox.token) as openai:
        with pytest.raises(APIStatusError) as caught:
            openai.chat.completions.create(model="pip", messages=task)
        assert caught.value.status_code == 400
    assert sandbox.requests == []


@pytest.mark.parametrize(("token", "model", "status"), [(TOKEN, "pip", 401), (None, "nobody", 400)])
def test_errors_of_the_endpoint_have_a_status_and_a_message(
    sandbox: Sandbox, tmp_path: Path, token: str | None, model: str, status: int
) -> None:
    messages: Any = [{"role": "user", "content": "Hi"}]
    with endpoint(tmp_path, sandbox.host) as service, openai_at(service, token or sandbox.token) as openai:
        for is_streamed in (False, True):
            with pytest.raises(APIStatusError) as caught:
                openai.chat.completions.create(model=model, messages=messages, stream=is_streamed)
            assert caught.value.status_code == status
            assert "message" in caught.value.response.json()["error"]


def test_the_endpoint_closes_the_stream_of_a_client_that_leaves(tmp_path: Path) -> None:
    closed = threading.Event()
    messages: Any = [{"role": "user", "content": "Tell me a story"}]
    server: RecordingServer = freechat(endless(closed))
    with server, endpoint(tmp_path, server.url) as service, openai_at(service, TOKEN) as openai:
        stream = openai.chat.completions.create(model="7" * 32, messages=messages, stream=True)
        assert next(iter(stream)).choices[0].delta.content == "and then "
        stream.close()
        assert closed.wait(MAX_WAIT)
