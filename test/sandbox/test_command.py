"""`python -m freechat_sdk.sandbox`, as somebody at a terminal uses it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from freechat_sdk import (
    AccountApi,
    AccountManagerForAdminApi,
    ApiClient,
    ChatApi,
    ChatCreateDTO,
    Configuration,
    PromptAiParamDTO,
    PromptApi,
)
from freechat_sdk.sandbox.__main__ import ADMIN_TOKEN
from test.server import MAX_WAIT, RecordingServer, json_response
from test.snippets import ROOT

COMMAND = [sys.executable, "-m", "freechat_sdk.sandbox"]


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Yield the process and what it asks to export."""
    process = subprocess.Popen([*COMMAND, "--port", "0", "--delay", "0", *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline().strip() for _ in range(5)]
        yield process, dict(line.removeprefix("export ").split("=", 1) for line in lines[:3])
    finally:
        process.kill()
        process.wait(MAX_WAIT)
        process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_what_a_client_needs_and_stops_cleanly(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as (process, exported):
        for name, value in exported.items():
            monkeypatch.setenv(name, value)
        with ApiClient() as client:
            chats = ChatApi(client)
            chat = chats.start_chat(ChatCreateDTO(character_uid=exported["FREECHAT_CHARACTER"]))
            assert chats.send_message(chat, "Hi").answer == "You said: Hi"
            process.send_signal(number)
            assert process.wait(MAX_WAIT) == 0


def test_what_it_prints_stands_in_the_guide_and_holds_for_both_users() -> None:
    guide = (ROOT / "docs/getting-started.md").read_text("utf-8")
    with running() as (_, exported):
        shown = {**exported, "FREECHAT_HOST": "http://127.0.0.1:8080"}
        lines = [f"export {name}={value}" for name, value in shown.items()]
        assert "\n".join([*lines, f"# The administrator's token: {ADMIN_TOKEN}"]) in guide
        for token, name in ((exported["FREECHAT_TOKEN"], "you"), (ADMIN_TOKEN, "admin")):
            with ApiClient(Configuration(exported["FREECHAT_HOST"], access_token=token)) as client:
                user = AccountApi(client).get_user_details()
                assert user is not None
                assert user.username == name


def test_it_keeps_everything_in_a_file_and_can_be_another_release(tmp_path: Path) -> None:
    options = ("--db", str(tmp_path / "sandbox.db"), "--release", "2.0.0", "--faithful", "--token", "mine")
    for admin_token in ("theirs", "other"):
        with running(*options, "--admin-token", admin_token) as (process, exported):
            host = exported["FREECHAT_HOST"]
            with ApiClient(Configuration(host, access_token="mine")) as client:
                ChatApi(client).list_chats()
                assert client.generation == "v1"
            with ApiClient(Configuration(host, access_token="theirs")) as client:
                users = AccountManagerForAdminApi(client).list_users(20, 0)
                assert {user.username for user in users} == {"admin", "sandbox", "you"}
            process.send_signal(signal.SIGINT)
            assert process.wait(MAX_WAIT) == 0


def test_with_forward_a_tasks_own_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    answer = {"choices": [{"message": {"content": "Hi there"}, "finish_reason": "stop"}]}
    with RecordingServer(json_response(answer)) as server, running("--forward") as (_, exported):
        params = {"modelId": "[open_ai]gpt-4o", "baseUrl": server.url}
        with ApiClient(Configuration(exported["FREECHAT_HOST"], access_token=exported["FREECHAT_TOKEN"])) as client:
            result = PromptApi(client).send_prompt(PromptAiParamDTO(prompt="Hi", params=params))
    assert result is not None
    assert result.text == "Hi there"


@pytest.mark.parametrize("option", ["--port", "--delay", "--token"])
def test_what_cannot_work_is_said_in_one_line(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        values = {"--port": str(taken.getsockname()[1]), "--delay": "-1", "--token": ADMIN_TOKEN}
        value = values[option]
        ran = subprocess.run([*COMMAND, option, value], capture_output=True, text=True, timeout=MAX_WAIT, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("the sandbox cannot start: ")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("missing", ["pystache", "werkzeug"])
@pytest.mark.parametrize(
    "command", [["-m", "freechat_sdk.sandbox"], ["-c", "from freechat_sdk.sandbox import Sandbox"]]
)
def test_without_what_it_needs_it_says_what_to_install(command: list[str], missing: str, tmp_path: Path) -> None:
    (tmp_path / f"{missing}.py").write_text(f"raise ModuleNotFoundError(name={missing!r})", "utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    ran = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=MAX_WAIT, check=False
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    packages = '"pystache>=0.6.8,<1" "werkzeug>=3.0.6,<4"'
    said = f"The sandbox needs {missing}, which is not installed. Run: pip install {packages}"
    assert ran.stderr.splitlines()[-1].removeprefix("ImportError: ") == said
    assert ran.stderr.count("\n") == 1 or command[0] == "-c"
