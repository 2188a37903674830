"""The code on README's and docs/' pages; `python -m test.snippets FOLDER` writes the guides' Python for pyright."""

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@dataclass(frozen=True)
class Snippet:
    """A piece of code on a page."""

    page: str
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def snippets() -> Iterator[Snippet]:
    for page in PAGES:
        text = (ROOT / page).read_text("utf-8")
        for match in re.finditer(r"(?ms)^```(\w*)\n(.*?)^```", text):
            yield Snippet(page, text[: match.start()].count("\n") + 2, match[1], match[2])


def _has_types(snippet: Snippet) -> bool:
    """Return whether pyright knows what the snippet imports; for Celery and Dask it infers wrong types."""
    imported = set(re.findall(r"(?m)^(?:from|import) (\w+)", snippet.code))
    return not imported & {"celery", "dask"} and all(find_spec(name) for name in imported)


def write_guides(folder: Path) -> None:
    """Write the Python of each guide, a file for each snippet, with the code on the line that it has on its page."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for snippet in snippets():
        stem = Path(snippet.page).stem
        generated = stem.endswith(("Api", "DTO", "Where"))  # test_docs.py runs those; one template wrote them
        if snippet.language == "python" and not generated and _has_types(snippet):
            path = folder / f"{stem}_{snippet.line}.py"
            path.write_text("\n" * (snippet.line - 1) + snippet.code, "utf-8")


if __name__ == "__main__":
    write_guides(Path(sys.argv[1]))
