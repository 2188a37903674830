"""The snippets of docs/integrations.md run as they stand."""

import warnings
from pathlib import Path

import pytest

from freechat_sdk import ForeignConnectionWarning
from freechat_sdk.sandbox import Sandbox
from test.test_docs import SNIPPETS, TOOLS, Snippet


@pytest.mark.parametrize("snippet", [snippet for snippet in SNIPPETS if snippet.page == TOOLS], ids=str)
def test_a_snippet_runs_as_it_stands(snippet: Snippet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Sandbox() as sandbox, warnings.catch_warnings():
        warnings.simplefilter("ignore", ForeignConnectionWarning)
        monkeypatch.setenv("FREECHAT_HOST", sandbox.host)
        monkeypatch.setenv("FREECHAT_TOKEN", sandbox.token)
        exec(compile(snippet.code, str(snippet), "exec"), {"__name__": "__main__"})
    assert all(sandbox.token not in file.read_text("utf-8") for file in tmp_path.iterdir())
