"""Importing the package loads next to nothing, and offers everything."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import freechat_sdk

ROOT = Path(__file__).parent.parent
HEAVY = {"dataclasses", "inspect", "logging", "pydantic", "pydantic_core", "re", "typing", "urllib3"}


def modules_after(statement: str) -> set[str]:
    """The modules that a bare interpreter, without site-packages, has loaded after a statement."""
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {statement}; loaded = list(sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{script}; import json; print(json.dumps(loaded))"],
        capture_output=True,
        check=True,
        text=True,
    )
    return set(json.loads(ran.stdout))


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert modules_after("import freechat_sdk") & HEAVY == set()


def test_listing_its_names_loads_nothing_heavy() -> None:
    assert modules_after("import freechat_sdk; dir(freechat_sdk)") & HEAVY == set()


def test_importing_the_package_loads_only_itself_and_its_table_of_names() -> None:
    loaded = modules_after("import freechat_sdk") - modules_after("pass")

    assert loaded == {"freechat_sdk", "freechat_sdk._names"}


def test_dir_lists_the_public_names() -> None:
    assert set(dir(freechat_sdk)) == set(freechat_sdk.__all__)
    assert {"ApiClient", "ChatApi", "Configuration", "SseEmitter", "__version__"} <= set(dir(freechat_sdk))


@pytest.mark.parametrize("name", freechat_sdk.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    scope: dict[str, object] = {}
    exec(f"from freechat_sdk import {name}", scope)

    assert scope[name] is not None


def test_a_name_that_is_not_there_is_an_attribute_error_that_names_it() -> None:
    misspelt = "ChatApu"

    with pytest.raises(AttributeError, match="no attribute 'ChatApu'"):
        getattr(freechat_sdk, misspelt)
