"""The README's scripts do what it says."""

import re
from pathlib import Path

import pytest

from freechat_sdk import Configuration
from test.server import Connection, RecordingServer, Request

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
FIRST_STEPS, STREAMING, ERRORS = re.findall(r"(?ms)^```python\n(.*?)^```", README)

CHAT = "9d2e9cfb87034e379b0ad6e420e4fb20"
TOKEN = "fc-00000000000000000000000000000001"
MESSAGE = '"message":{"role":"assistant","contents":[{"type":"text","content":"Once upon"}]},"finishReason":"stop"'
EVENTS = ('{"text":"Once "}', '{"text":"upon"}', "{" + MESSAGE + "}")


def answer(request: Request, connection: Connection) -> None:
    """Answer as a v1 server does, and as a v2 one whose token is out of date."""
    if request.path == "/api/v1/chat":
        connection.answer(200, CHAT.encode(), [("Content-Type", "text/plain;charset=UTF-8")])
    elif request.path == f"/api/v1/chat/send/{CHAT}":
        connection.answer(
            200, b'{"text":"You said: Hi",' + MESSAGE.encode() + b"}", [("Content-Type", "application/json")]
        )
    elif request.path == f"/api/v1/chat/send/stream/{CHAT}":
        body = "".join(f"data:{event}\n\n" for event in EVENTS)
        connection.answer(200, body.encode(), [("Content-Type", "text/event-stream")])
    else:
        connection.answer(401)


def run(script: str, monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Run a script of the README against a server, as its user would, and return what it asked."""
    with RecordingServer(answer) as server:
        monkeypatch.setenv("FREECHAT_HOST", server.url)
        monkeypatch.setenv("FREECHAT_TOKEN", TOKEN)
        monkeypatch.delenv("FREECHAT_API_VERSION", raising=False)
        monkeypatch.setattr(Configuration, "_default", None)
        exec(compile(script, "README.md", "exec"), {"__name__": "__main__"})
        return list(server.requests)


def test_the_first_script_prints_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started, sent = run(FIRST_STEPS, monkeypatch)

    assert (started.method, sent.method) == ("POST", "POST")
    assert b'"content":"Hi"' in sent.body
    assert capsys.readouterr().out == "You said: Hi\n"


def test_the_streaming_script_prints_the_words_and_why_they_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(STREAMING, monkeypatch)

    assert capsys.readouterr().out == "Once upon\nstop\n"


def test_the_script_about_errors_catches_a_refused_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (listed,) = run(ERRORS, monkeypatch)

    assert (listed.method, listed.path) == ("GET", "/api/v2/chat")
    assert capsys.readouterr().out == "Set FREECHAT_TOKEN to a token that the server accepts.\n"
