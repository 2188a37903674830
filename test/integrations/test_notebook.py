"""docs/notebook.ipynb runs from top to bottom, and shows what it says."""

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from test.snippets import ROOT


def outputs(notebook: Any, part: str) -> list[Any]:
    """Return the outputs of the cell whose code has some text."""
    (found,) = (cell.outputs for cell in notebook.cells if cell.cell_type == "code" and part in cell.source)
    return list(found)


def test_the_notebook_shows_answers_a_table_and_a_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)  # Streamlit sets it where it is imported
    notebook = nbformat.read(ROOT / "docs/notebook.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "stored without outputs: the site makes them"

    NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(ROOT / "docs")}}).execute()

    (said,) = outputs(notebook, 'conversation.say("Hello')
    assert said.data["text/markdown"] == "You said: Hello, **Pip**! It is good to see you."
    (streamed,) = outputs(notebook, "conversation.stream(")
    assert streamed.data["text/markdown"].startswith("I hear you: Tell me about *streams*")
    (table,) = outputs(notebook, "rows = ")
    assert table.data["text/markdown"].splitlines()[2] == "| What is a token? | 4 | 16 | 20 |"
    (plot,) = outputs(notebook, "plt.show()")
    assert plot.data["image/png"]
    (records,) = outputs(notebook, "to_records(conv")
    assert "('user', 'Thank you.')" in records.data["text/plain"]
    streams = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == "stream"
    ]
    assert streams == []  # no warnings
