"""The demo, run as `make demo` runs it, with its output piped."""

import os
import subprocess
import sys
from pathlib import Path

from freechat_sdk import ApiClient, ChatApi, ChatCreateDTO
from freechat_sdk.sandbox import Character

ROOT = Path(__file__).parent.parent
TIMEOUT = 60
GREETING = "Hello! I am Pip, and I live in this sandbox. Whatever you say, I say back."


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "docs/examples/demo.py"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def test_it_holds_a_conversation_with_a_sandbox_of_its_own() -> None:
    ran = run()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[1:] == [
        f"assistant: {GREETING}",
        "> Nice to meet you!",
        "You said: Nice to meet you!",
        "> Could you tell me what a stream is?",
        "Good question! I am only an echo, but here it is again: Could you tell me what a stream is?",
        "> /again",
        "Good question! I am only an echo, but here it is again: Could you tell me what a stream is?",
        "> /history",
        f"assistant: {GREETING}",
        "user: Nice to meet you!",
        "assistant: You said: Nice to meet you!",
        "user: Could you tell me what a stream is?",
        "assistant: Good question! I am only an echo, but here it is again: Could you tell me what a stream is?",
        "> /undo",
        "Taken back: Could you tell me what a stream is?",
        "> /undo",
        "Taken back: Nice to meet you!",
        "> ",
    ]


def test_it_talks_to_the_server_of_the_environment_and_takes_its_messages_back(
    freechat_client: ApiClient, freechat_character: Character
) -> None:
    assert run(FREECHAT_CHARACTER=freechat_character.uid).returncode == 0
    chats = ChatApi(freechat_client)
    chat = chats.start_chat(ChatCreateDTO(character_uid=freechat_character.uid))
    assert len(chats.list_messages(chat)) == 1


def test_a_token_that_is_not_accepted_is_explained_without_showing_it(freechat_character: Character) -> None:
    token = "fc-" + "7" * 32
    ran = run(FREECHAT_TOKEN=token, FREECHAT_CHARACTER=freechat_character.uid)
    assert ran.returncode == 1
    assert "401" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert token not in ran.stderr + ran.stdout
