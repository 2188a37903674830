"""What the sandbox does per class and release; `python -m test.sandbox.coverage` writes it into docs/sandbox.md."""

from pathlib import Path

from freechat_sdk.sandbox._contract import OPERATIONS, Operation
from freechat_sdk.sandbox._release import RELEASES, Release
from freechat_sdk.sandbox.resources import RESOURCES

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"
COMMAND = "python -m test.sandbox.coverage"
_START, _END = f"<!-- from the code, by `{COMMAND}` -->\n\n", "\n<!-- to here -->\n"
_KINDS = {f"{kind.__name__}Api": kind for kind in RESOURCES}


def _is_there(operation: Operation) -> bool:
    kind = _KINDS.get(operation.tag)
    return hasattr(kind, operation.name) or hasattr(kind, operation.group)


def _cell(tag: str, release: Release) -> str:
    """Return how many of the operations that a release has are in the sandbox."""
    generation, lacks = release.generation, release.lacks
    known = [each for each in OPERATIONS if each.tag == tag and generation in each.generations]
    known = [each for each in known if each.name not in lacks]
    count = sum(map(_is_there, known))
    if not known:
        return "not in this release"
    return f"all {count}" if count == len(known) else f"{count} of {len(known)}"


def table() -> str:
    """Return the table."""
    lines = ["| Class | " + " | ".join(RELEASES) + " |", "|---" * (len(RELEASES) + 1) + "|"]
    for tag in sorted({operation.tag for operation in OPERATIONS}):
        cells = [_cell(tag, release) for release in RELEASES.values()]
        lines.append(f"| [{tag}]({tag}.md) | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def filled(page: str) -> str:
    """Return the page with the table as it is now."""
    before, start, rest = page.partition(_START)
    _, end, after = rest.partition(_END)
    assert start, f"{_START!r} is not on the page"
    assert end, f"{_END!r} is not on the page"
    return before + start + table() + end + after


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
