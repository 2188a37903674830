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

from freechat_sdk import ApiClient, ChatApi, ChatCreateDTO, Configuration
from test.server import MAX_WAIT

COMMAND = [sys.executable, "-m", "freechat_sdk.sandbox"]


@contextmanager
def running(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str], str]]:
    """Yield the process, what it asks to export, and the uid of its character."""
    process = subprocess.Popen([*COMMAND, "--port", "0", "--delay", "0", *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline().strip() for _ in range(4)]
        exported = dict(line.removeprefix("export ").split("=", 1) for line in lines[:2])
        yield process, exported, lines[2].rpartition(" ")[2]
    finally:
        process.kill()
        process.wait(MAX_WAIT)
        process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_what_a_client_needs_and_stops_cleanly(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as (process, exported, character):
        for name, value in exported.items():
            monkeypatch.setenv(name, value)
        with ApiClient() as client:
            chats = ChatApi(client)
            chat = chats.start_chat(ChatCreateDTO(character_uid=character))
            assert chats.send_message(chat, "Hi").answer == "You said: Hi"
            process.send_signal(number)
            assert process.wait(MAX_WAIT) == 0


def test_it_keeps_everything_in_a_file_and_can_be_another_release(tmp_path: Path) -> None:
    options = ("--db", str(tmp_path / "sandbox.db"), "--release", "2.0.0", "--faithful")
    tokens = []
    for _ in range(2):
        with running(*options) as (process, exported, _):
            tokens.append(exported["FREECHAT_TOKEN"])
            with ApiClient(Configuration(exported["FREECHAT_HOST"], access_token=tokens[-1])) as client:
                ChatApi(client).list_chats()
                assert client.generation == "v1"
            process.send_signal(signal.SIGINT)
            assert process.wait(MAX_WAIT) == 0
    assert tokens[0] == tokens[1]


@pytest.mark.parametrize("option", ["--port", "--delay"])
def test_what_cannot_work_is_said_in_one_line(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        value = str(taken.getsockname()[1]) if option == "--port" else "-1"
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
