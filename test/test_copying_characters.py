"""docs/copying-characters.md: what it makes of a recorded export is what recorded servers accepted."""

import io
import re
import tarfile
from pathlib import Path

import pytest

from test.recordings import USERS, Exchange, as_recorded, exchanges, part_of, repeat
from test.server import Connection, RecordingServer, Request, text_response

PAGE = Path(__file__).parent.parent / "docs" / "copying-characters.md"
EXPORTED, ACCEPTED = (
    "export my character, the api key in clear inside",
    "import my own export with a file in each folder",
)


def recorded(server: str, name: str) -> Exchange:
    return next(exchange for exchange in exchanges(server, "CharacterApi") if exchange.name == name)


def contents(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        return {member.name: files.read() for member in members if (files := members.extractfile(member))}


@pytest.mark.parametrize("server", USERS)
def test_a_completed_archive_is_what_the_server_accepted(
    server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = re.search(r"(?ms)^```python\n(.*?)^```", PAGE.read_text("utf-8"))
    assert code is not None
    export, accepted = recorded(server, EXPORTED), recorded(server, ACCEPTED)
    assert accepted.upload is not None

    def handle(request: Request, connection: Connection) -> None:
        response = repeat(export, as_recorded) if request.method == "GET" else text_response("103")
        response(request, connection)

    with RecordingServer(handle) as server_under_test:
        monkeypatch.setenv("FREECHAT_HOST", server_under_test.url)
        monkeypatch.setenv("FREECHAT_API_VERSION", export.generation)
        exec(code[1], {"__name__": "__main__"})
    _, sent = server_under_test.requests
    _, _, archive = part_of(sent.header("Content-Type") or "", sent.body)
    assert contents(archive) == contents(accepted.upload[2])
    assert capsys.readouterr().out == "103\n"


@pytest.mark.parametrize("server", USERS)
def test_an_exported_archive_contains_the_api_key(server: str) -> None:
    assert b'"apiKeyValue":"sk-test"' in contents(recorded(server, EXPORTED).body)["character.json"]
