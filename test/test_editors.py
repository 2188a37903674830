"""What editors offer and show: those that use Jedi, and those that use a language server, here that of pyright."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jedi  # type: ignore[import-untyped]
import pytest

from freechat_sdk import CharacterQueryDTO

ROOT = Path(__file__).parent.parent
FILE = ROOT / "example.py"
"""The file that the editor has open; it is not on the disk."""
DESCRIBED = next(line.strip() for line in (CharacterQueryDTO.__doc__ or "").splitlines() if "page_num: " in line)
"""What the docstring of a model says of one field, in its first line."""
USES = """import freechat_sdk
chats = freechat_sdk.ChatApi()
session = chats.list_chats()[0]
record = chats.list_messages(session.chat_id)[0]
"""


def script(line: str) -> Any:
    return jedi.Script(USES + line, path=FILE, project=jedi.Project(ROOT))


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("freechat_sdk.CharacterQ", {"CharacterQueryDTO", "CharacterQueryWhere"}),
        ("freechat_sdk.ApiT", {"ApiTypeError", "ApiTimeoutError", "ApiTokenInfoDTO"}),
        ("from freechat_sdk import SseE", {"SseEmitter"}),
        ("freechat_sdk.models.LlmR", {"LlmResultDTO"}),
        ("freechat_sdk.api.ChatA", {"ChatApi"}),
        ("freechat_sdk.CharacterQueryDTO(pa", {"page_num=", "page_size="}),
        ("chats.send_message('c', 'Hi').answ", {"answer"}),
        ("chats.send_message_with_http_info('c', 'Hi').data.answ", {"answer"}),
        ("chats.stream_send_message('c', 'Hi').until", {"until_done"}),
        ("record.tex", {"text"}),
        ("record.text.upp", {"upper"}),
        ("session.character.nickn", {"nickname"}),
        ("record.message.contex", {"context"}),
    ],
)
def test_jedi_offers_names(line: str, offered: set[str]) -> None:
    assert offered <= {completion.name for completion in script(line).complete()}


def test_jedi_shows_signature_and_descriptions_of_a_model() -> None:
    (signature,) = script("freechat_sdk.CharacterQueryDTO(").get_signatures()
    assert [parameter.name for parameter in signature.params] == ["where", "order_by", "page_num", "page_size"]
    assert "page_num: Integer | None=None" in signature.to_string()
    (helped,) = script("freechat_sdk.CharacterQueryDTO").help(5, 20)
    assert DESCRIBED in helped.docstring()


class LanguageServer:
    """pyright's language server, spoken to as an editor does (LSP 3.17)."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        folder = {"uri": ROOT.as_uri(), "name": "folder"}
        self.ask("initialize", processId=None, rootUri=ROOT.as_uri(), capabilities={}, workspaceFolders=[folder])
        self._send({"method": "initialized", "params": {}})

    def open(self, text: str) -> None:
        document = {"uri": FILE.as_uri(), "languageId": "python", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})

    def at(self, method: str, line: int, character: int) -> str:
        """Ask about a place of the open file; return the answer as JSON text."""
        position = {"line": line, "character": character}
        return json.dumps(self.ask(f"textDocument/{method}", textDocument={"uri": FILE.as_uri()}, position=position))

    def ask(self, method: str, **parameters: Any) -> Any:
        self._send({"id": method, "method": method, "params": parameters})
        while True:
            message = self._receive()
            if message.get("id") == method:
                return message["result"]
            if "id" in message:  # the server asks for settings, or to be told of changes
                self._send({"id": message["id"], "result": None})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._input.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._input.flush()

    def _receive(self) -> dict[str, Any]:
        size = 0
        while line := self._output.readline().strip():
            name, _, value = line.partition(b":")
            size = int(value) if name == b"Content-Length" else size
        message: dict[str, Any] = json.loads(self._output.read(size))
        return message


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    command = [sys.executable, "-c", "from pyright.langserver import entrypoint; entrypoint()", "--stdio"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        server = LanguageServer(process)
        server.open(
            USES
            + "query = freechat_sdk.CharacterQueryDTO(page_num=1)\n"
            + "kind = freechat_sdk.CharacterQueryDTO\n"
            + "record.text\n"
            + "session.character.nickname\n"
            + "freechat_sdk.CharacterQ"
        )
        yield server
        server.ask("shutdown")
        process.terminate()


def test_a_language_server_shows_a_model_with_python_names_and_descriptions(server: LanguageServer) -> None:
    called = server.at("hover", 4, 25)
    assert "page_num: Integer | None = None" in called
    assert "A name that is not a field warns." in called
    assert DESCRIBED.partition(": ")[2] in server.at("hover", 4, 41)
    assert "Attributes:" in server.at("hover", 5, 25)
    assert "page_num: Integer | None = None" in server.at("signatureHelp", 4, 39)


def test_a_language_server_shows_shortcuts_without_none(server: LanguageServer) -> None:
    assert "(property) text: str\\n" in server.at("hover", 6, 8)
    assert "nickname: Text | None" in server.at("hover", 7, 20)
    assert "character: CharacterSummaryDTO\\n" in server.at("hover", 7, 10)


def test_a_language_server_offers_the_names_of_the_package(server: LanguageServer) -> None:
    offered = server.at("completion", 8, 23)
    assert '"CharacterQueryDTO"' in offered
    assert '"CharacterQueryWhere"' in offered
