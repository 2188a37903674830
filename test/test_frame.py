"""The project's metadata say each thing once, and agree."""

import ast
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

import freechat_sdk

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
REQUIREMENTS = [
    Requirement(line)
    for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


def test_the_version_is_a_literal_that_pyproject_reads() -> None:
    tree = ast.parse((ROOT / "freechat_sdk/__init__.py").read_text("utf-8"))
    assigned = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    assert ast.literal_eval(assigned["__version__"]) == freechat_sdk.__version__
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "freechat_sdk.__version__"}


def test_the_changelog_begins_with_the_present_version() -> None:
    first = re.search(r"(?m)^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"))

    assert first is not None
    assert first[1] == freechat_sdk.__version__


def test_the_classifiers_name_the_versions_of_python_that_ci_may_test() -> None:
    named = re.findall(r"Python :: 3\.(\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    looked_for = re.search(r"(?m)^for minor in ([\d ]+); do$", (ROOT / ".ci/run").read_text("utf-8"))

    assert looked_for is not None
    assert sorted(map(int, named), reverse=True) == [int(minor) for minor in looked_for[1].split()]
    assert PROJECT["project"]["requires-python"] == f">=3.{min(map(int, named))}"


def test_pyproject_reads_the_dependencies_from_requirements_txt() -> None:
    assert set(PROJECT["project"]["dynamic"]) == {"dependencies", "version"}
    assert PROJECT["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.txt"]}


def test_there_are_four_dependencies_and_each_has_a_lowest_version_and_an_upper_bound() -> None:
    bounds = {found.name: sorted(bound.operator for bound in found.specifier) for found in REQUIREMENTS}

    assert set(bounds) == {"urllib3", "pydantic", "python-dateutil", "typing-extensions"}
    assert all(operators == ["<", ">="] for operators in bounds.values())


def test_the_formatter_of_generated_files_is_pinned_to_one_version() -> None:
    pins = [Requirement(line) for line in PROJECT["project"]["optional-dependencies"]["codegen"]]
    (ruff,) = (found for found in pins if found.name == "ruff")

    assert [bound.operator for bound in ruff.specifier] == ["=="]


def test_every_folder_of_the_package_is_a_package_and_says_that_it_is_typed() -> None:
    folders = {file.parent for file in (ROOT / "freechat_sdk").rglob("*.py")}

    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []
    assert (ROOT / "freechat_sdk/py.typed").is_file()


def lines_of(files: Iterable[Path]) -> dict[str, int]:
    return {str(file.relative_to(ROOT)): len(file.read_text("utf-8").splitlines()) for file in files}


def test_the_package_stays_small() -> None:
    generated = [file for folder in ("api", "models") for file in (ROOT / "freechat_sdk" / folder).glob("*.py")]
    assert sum(lines_of(generated).values()) < 9000
    written = {*(ROOT / "freechat_sdk").rglob("*.py"), *(ROOT / "codegen").glob("*.py")} - {*generated}
    assert {name: count for name, count in lines_of(written).items() if count > 600} == {}
