"""The snippets of docs/integrations.md and docs/services.md run as they stand."""

import warnings
from pathlib import Path

import pytest

from freechat_sdk import ForeignConnectionWarning
from freechat_sdk.sandbox import Sandbox
from test.snippets import Snippet
from test.test_docs import SERVICES, SNIPPETS, TOOLS

OUTPUT = {
    "def count_messages": "1 messages",
    'ContextVar[str] = ContextVar("token")': "Nobody has signed in, so nothing was sent.\n1 chats\n1 chats\n",
    "def add_request_id": " freechat_sdk: GET /chat status=200 ",
    "prometheus_client": 'freechat_seconds_count{method="GET",path="/chat",status="200"} 1.0',
    "to_markdown": "**Character:** Hello! I am Pip",
}
"""What snippets of docs/services.md print, log or write, by a part of their code."""
PAGES = [snippet for snippet in SNIPPETS if snippet.language == "python" and snippet.page in (TOOLS, SERVICES)]
ELSEWHERE = ("from fastapi", "from flask", "import gradio", "import OpenAI", "import streamlit")
"""What shows that test_services.py or test_interfaces.py runs a snippet, because it needs a server or a page."""
SCRIPTS = [snippet for snippet in PAGES if not any(part in snippet.code for part in ELSEWHERE)]


@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize("snippet", SCRIPTS, ids=str)
def test_a_snippet_runs_as_it_stands(
    snippet: Snippet,
    freechat_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ForeignConnectionWarning)
        if snippet.page == SERVICES:
            freechat_sandbox.add_chat(freechat_sandbox.character.uid)
        exec(compile(snippet.code, str(snippet), "exec"), {"__name__": "__main__"})
    files = "".join(file.read_text("utf-8") for file in tmp_path.rglob("*.*"))
    shown = "".join((*capsys.readouterr(), files))
    assert freechat_sandbox.token not in shown
    expected = [output for part, output in OUTPUT.items() if part in snippet.code]
    assert len(expected) == (snippet.page == SERVICES)
    assert all(output in shown for output in expected)
