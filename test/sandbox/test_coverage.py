"""The table in docs/sandbox.md."""

from test.sandbox.coverage import COMMAND, PAGE, filled, table


def test_the_page_says_what_the_code_does() -> None:
    page = PAGE.read_text("utf-8")
    assert page == filled(page), f"run {COMMAND}"


def test_the_table_counts_the_operations_that_a_release_has() -> None:
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table().splitlines()]
    rows = {cell.partition("]")[0].removeprefix("["): counts for cell, *counts in cells}
    assert rows["Class"] == ["2.0.0", "2.6.0", "2.9.0"]
    assert rows["AccountApi"] == ["all 13", "all 13", "all 13"]
    assert rows["ConnectorApi"][0] == "not in this release"
