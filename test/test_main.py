"""`python -m freechat_sdk`: its two commands, in a process of their own, the chat in a terminal too."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from freechat_sdk.sandbox import Completion, Prompt, Sandbox
from test.server import MAX_WAIT, RecordingServer, json_response, refused_port

COMMAND = [sys.executable, "-m", "freechat_sdk"]
GREETING = "Hello! I am Pip, and I live in this sandbox. Whatever you say, I say back."


@pytest.fixture
def sandbox(freechat_sandbox: Sandbox) -> Sandbox:
    return freechat_sandbox


def environment(sandbox: Sandbox, **changes: str) -> dict[str, str]:
    server = {
        "FREECHAT_HOST": sandbox.host,
        "FREECHAT_TOKEN": sandbox.token,
        "FREECHAT_CHARACTER": sandbox.character.uid,
    }
    return {**os.environ, "TERM": "dumb", **server, **changes}


def run(*arguments: str, env: dict[str, str], typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], env=env, input=typed, capture_output=True, text=True, timeout=MAX_WAIT, check=False
    )


def test_check_tells_what_a_user_needs_to_know(sandbox: Sandbox) -> None:
    ran = run("check", env=environment(sandbox))
    assert (ran.returncode, ran.stderr) == (0, "")
    shown = dict(line.split(":", 1) for line in ran.stdout.splitlines() if ": " in line)
    assert {name: value.strip() for name, value in shown.items() if name not in ("First call", "Server")} == {
        "Encryption": "none, and none is needed on this machine",
        "Proxy": "none",
        "Generation": "v2",
        "Version": "not shown to this user",
        "User": "you",
        "Clock": "right",
    }
    assert ran.stdout.endswith("This server can be used.\n")
    assert sandbox.token not in ran.stdout


def test_check_fails_with_the_reason_if_the_token_is_not_accepted(sandbox: Sandbox) -> None:
    token = "fc-" + "7" * 32
    ran = run("check", env=environment(sandbox, FREECHAT_TOKEN=token))
    assert ran.returncode == 1
    assert "401" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert token not in ran.stdout + ran.stderr


def test_check_fails_with_the_reason_if_nobody_listens(sandbox: Sandbox) -> None:
    with refused_port() as port:
        ran = run("check", env=environment(sandbox, FREECHAT_HOST=f"http://127.0.0.1:{port}"))
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr


def test_check_shows_a_clock_that_is_wrong() -> None:
    old = json_response({"username": "you"}, headers=[("Date", "Wed, 21 Oct 2015 07:28:00 GMT")])
    with RecordingServer(old) as server:
        ran = run("check", env={**os.environ, "FREECHAT_HOST": server.url, "FREECHAT_TOKEN": "fc-" + "0" * 32})
    assert re.search(r"Clock: +the server's clock is \d+ s behind", ran.stdout)


def test_a_chat_takes_its_messages_from_a_pipe(sandbox: Sandbox) -> None:
    typed = "Hello\n/again\n/undo\n/undo\n\n/history\n"
    ran = run("chat", env=environment(sandbox), typed=typed)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [line for line in ran.stdout.splitlines() if line][1:] == [
        "assistant: " + GREETING,
        "> Hello",
        "You said: Hello",
        "> /again",
        "I hear you: Hello",
        "> /undo",
        "Taken back: Hello",
        "> /undo",
        "There is nothing to take back.",
        "> ",
        "> /history",
        "assistant: " + GREETING,
        "> ",
    ]


def test_a_character_that_nobody_knows_is_an_error(sandbox: Sandbox) -> None:
    ran = run("chat", "nobody", env=environment(sandbox))
    assert (ran.returncode, ran.stderr) == (
        1,
        "no character is named 'nobody'. Search characters for its name, or pass the uid.\n",
    )


def test_a_chat_needs_a_character(sandbox: Sandbox) -> None:
    ran = run("chat", env=environment(sandbox, FREECHAT_CHARACTER=""))
    assert ran.returncode == 2
    assert "FREECHAT_CHARACTER" in ran.stderr


@pytest.mark.freechat(model=lambda prompt: "a\x1b[2Jb\tc\nd")
def test_an_answer_cannot_control_the_terminal(sandbox: Sandbox) -> None:
    ran = run("chat", env=environment(sandbox), typed="Hello\n")
    assert "\x1b" not in ran.stdout
    assert "a\\x1b[2Jb\tc\nd" in ran.stdout


class Terminal:
    """The chat in a pseudo-terminal."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, "chat"],
            env=environment(sandbox),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._shown = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(MAX_WAIT)
        os.close(self._master)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def read_until(self, text: str) -> str:
        """Return what is shown up to a text."""
        while text not in self._shown:
            assert select.select([self._master], [], [], MAX_WAIT)[0], f"waiting for {text!r} after {self._shown!r}"
            self._shown += os.read(self._master, 65536).decode().replace("\r\n", "\n")
        before, _, self._shown = self._shown.partition(text)
        return before

    def interrupt(self) -> None:
        """Interrupt the chat once it waits: just before it does, Python would not see a signal until the next byte."""
        state = Path(f"/proc/{self.process.pid}/stat")
        while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "S":
            os.sched_yield()
        self.process.send_signal(signal.SIGINT)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_an_answer_and_not_the_chat() -> None:
    stopped = threading.Event()

    def model(prompt: Prompt) -> Completion:
        return Completion(tokens(prompt.text), None)

    def tokens(text: str) -> Iterator[str]:
        yield f"You said: {text}"
        stopped.wait(MAX_WAIT)

    with Sandbox(model=model) as sandbox, Terminal(sandbox) as chat:
        chat.read_until("> ")
        chat.type("one\n")
        chat.read_until(": one")
        chat.interrupt()
        chat.read_until("[stopped]")
        stopped.set()
        chat.read_until("> ")
        chat.interrupt()
        chat.read_until("Ctrl-D")
        chat.read_until("> ")
        chat.type("two\n")
        chat.read_until(": two")
        chat.read_until("> ")
        chat.type("\x04")
        assert chat.process.wait(MAX_WAIT) == 0


def test_lines_that_are_pasted_together_are_one_message(sandbox: Sandbox) -> None:
    with Terminal(sandbox) as chat:
        chat.read_until("> ")
        chat.type("one\ntwo\nthree\n")
        chat.read_until("You said: one\ntwo\nthree")
