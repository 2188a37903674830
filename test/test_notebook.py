"""In IPython, on which Jupyter stands: Tab, `?`, Markdown, and tracebacks on one screen. The shell is real."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell

from freechat_sdk import CharacterQueryDTO
from test.clients import chat_api
from test.server import json_response

DESCRIBED = next(line.strip() for line in (CharacterQueryDTO.__doc__ or "").splitlines() if "page_num: " in line)
"""What the docstring of a model says of one field, in its first line."""
SCREEN = 24
"""The lines of a terminal."""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A shell that keeps no history and whose `__main__` is its own while it lives."""
    monkeypatch.setattr(HistoryManager, "enabled", False)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    make_shell: Any = InteractiveShell  # without types
    made = make_shell()
    made.run_line_magic("colors", "nocolor")
    made.run_cell("import freechat_sdk\nfrom freechat_sdk import *")
    yield made
    made.restore_sys_module_state()


def completed(shell: Any, code: str, is_by_jedi: bool) -> set[str]:
    """Return what Tab offers at the end of a line."""
    shell.Completer.use_jedi = is_by_jedi
    with provisionalcompleter():
        return {completion.text.rpartition(".")[2] for completion in shell.Completer.completions(code, len(code))}


@pytest.mark.parametrize("is_by_jedi", [True, False])
@pytest.mark.parametrize(
    ("code", "offered"),
    [
        ("freechat_sdk.CharacterQ", {"CharacterQueryDTO", "CharacterQueryWhere"}),
        ("CharacterQueryDTO(pa", {"page_num=", "page_size="}),
        ("freechat_sdk.CharacterQueryDTO(wh", {"where="}),
        ("ChatApi.delete_", {"delete_chat", "delete_chat_with_http_info", "delete_chat_without_preload_content"}),
        ("record.te", {"text"}),
        ("message.contex", {"context"}),
        ("stream.until", {"until_done"}),
    ],
)
def test_tab_offers_python_names(shell: Any, code: str, offered: set[str], is_by_jedi: bool) -> None:
    shell.run_cell("message = ChatMessageDTO.user('Hi'); record = ChatMessageRecordDTO(); stream = SseEmitter")
    found = completed(shell, code, is_by_jedi)
    assert offered <= found
    assert {name for name in found if "=" in name} <= offered


def test_a_question_mark_shows_the_signature_and_each_field(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell("CharacterQueryDTO?")
    shown = capsys.readouterr().out
    assert "page_num: int | None = None" in shown
    assert DESCRIBED in shown
    assert "pageNum" not in shown


def test_answers_and_records_are_displayed_as_markdown(shell: Any) -> None:
    shell.display_formatter.active_types = ["text/plain", "text/markdown"]
    shell.run_cell("answer = LlmResultDTO(text='**Hi**'); record = ChatMessageRecordDTO(message='*Yes*')")
    display = shell.display_formatter.format
    assert display(shell.user_ns["answer"])[0] == {
        "text/plain": "LlmResultDTO(text='**Hi**')",
        "text/markdown": "**Hi**",
    }
    assert display(shell.user_ns["record"])[0]["text/markdown"] == "**user**\n\n*Yes*"
    assert display(shell.user_ns["LlmResultDTO"]())[0] == {"text/plain": "LlmResultDTO()"}


def shown_traceback(shell: Any, code: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    result = shell.run_cell(code)
    assert result.error_in_exec is not None
    return capsys.readouterr().out.splitlines()


CELL = """
def ask(depth):
    return ask(depth - 1) if depth else chats.delete_chat("c")

ask({depth})
"""


@pytest.mark.parametrize("depth", [0, 100])
def test_a_failed_call_ends_in_one_screen_that_says_what_was_asked_what_came_and_where(
    shell: Any, capsys: pytest.CaptureFixture[str], depth: int
) -> None:
    with chat_api(json_response({"message": "No such chat.\n" * 50}, 404)) as (chats, _):
        shell.user_ns["chats"] = chats
        lines = shown_traceback(shell, CELL.format(depth=depth), capsys)
    assert len(lines) <= SCREEN
    assert lines[0] == "Traceback (most recent call last):"
    assert f"    ask({depth})" in lines
    assert '    return ask(depth - 1) if depth else chats.delete_chat("c")' in lines
    (said,) = (line for line in lines if line.startswith("freechat_sdk.exceptions.NotFoundException: DELETE "))
    assert "404" in said
    assert "No such chat." in said
    assert not any("/freechat_sdk/" in line for line in lines)


def test_a_lost_connection_is_shown_without_the_errors_below_it(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with chat_api(json_response({})) as (chats, _):
        shell.user_ns["chats"] = chats
    lines = shown_traceback(shell, 'chats.send_message("c", "Hi", _request_timeout=5)', capsys)
    assert len(lines) <= SCREEN
    assert "urllib3" not in "\n".join(lines)
    assert lines[3].startswith("freechat_sdk.exceptions.ApiConnectionError: POST ")
