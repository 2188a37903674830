"""The package as users get it: what the distributions hold, and that what is installed works."""

import json
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import freechat_sdk
from test.compat.conftest import ROOT, Built, run
from test.server import RecordingServer, chats_and_streams

DEPENDENCIES = {"urllib3", "pydantic", "python-dateutil", "typing-extensions"}
VENVS_OWN = {"pip", "setuptools"}
"""What a new venv holds, depending on the version of Python."""

IMPORTS = """
import json
import freechat_sdk, freechat_sdk.api, freechat_sdk.models
modules = (freechat_sdk, freechat_sdk.api, freechat_sdk.models)
found = {module.__name__: [name for name in module.__all__ if getattr(module, name) is not None] for module in modules}
print(json.dumps({"file": freechat_sdk.__file__, "names": found}))
"""
CONVERSATION = """
import sys
import freechat_sdk

with freechat_sdk.ApiClient(freechat_sdk.Configuration(sys.argv[1], api_version="v1")) as client:
    chats = freechat_sdk.ChatApi(client)
    print(chats.list_chats())
    with chats.stream_send_message("chat", "Hi") as stream:
        print(*stream.text_deltas(), stream.until_done().finish_reason)
"""


def files_below(*folders: str) -> set[str]:
    """The files of the checkout in some folders, without what Python compiles."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in found if "__pycache__" not in path.parts}


def names_in(wheel: Path) -> list[str]:
    with ZipFile(wheel) as archive:
        return archive.namelist()


def tops(names: Iterable[str]) -> set[str]:
    return {PurePosixPath(name).parts[0] for name in names}


def test_the_sdist_holds_all_that_tests_and_generator_need(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    wanted = files_below("freechat_sdk", "codegen", "docs", "test", ".ci")
    wanted |= {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md"}
    wanted |= {"pyproject.toml", "requirements.txt", "setup.py"}

    assert wanted - names == set()
    assert tops(names) - tops(wanted) == {".gitignore", "MANIFEST.in", "PKG-INFO", "freechat_sdk.egg-info", "setup.cfg"}


def test_the_wheel_holds_the_package_with_its_types_and_nothing_else(built: Built) -> None:
    names = names_in(built.wheel)
    own = {name for name in names if name.startswith("freechat_sdk/")}

    assert own == files_below("freechat_sdk")
    assert "freechat_sdk/py.typed" in own
    assert tops(names) == {"freechat_sdk", f"freechat_sdk-{freechat_sdk.__version__}.dist-info"}


def test_stubs_in_any_folder_reach_the_wheel_from_an_unpacked_sdist(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    stubs = {"freechat_sdk/_stub.pyi", "freechat_sdk/api/_stub.pyi"}
    for stub in stubs:
        (source / stub).touch()
    run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", source)
    (wheel,) = (tmp_path / "dist").glob("*.whl")

    assert stubs <= set(names_in(wheel))


def inspected(python: Path) -> dict[str, dict[str, Any]]:
    """The metadata of every distribution in a venv, by name."""
    report = json.loads(run(python, "-m", "pip", "--disable-pip-version-check", "inspect", "--local"))
    return {canonicalize_name(found["metadata"]["name"]): found["metadata"] for found in report["installed"]}


def needed_by(metadata: dict[str, Any]) -> set[str]:
    """The names that a distribution requires here, without extras."""
    requirements = [Requirement(line) for line in metadata.get("requires_dist", [])]
    return {
        canonicalize_name(found.name)
        for found in requirements
        if found.marker is None or found.marker.evaluate({"extra": ""})
    }


def test_the_four_dependencies_and_theirs_are_all_that_is_installed(ours: Path) -> None:
    found = inspected(ours)
    wanted, waiting = {"freechat-sdk"}, ["freechat-sdk"]
    while waiting:
        new = needed_by(found[waiting.pop()]) - wanted
        wanted |= new
        waiting += new

    assert needed_by(found["freechat-sdk"]) == DEPENDENCIES
    assert set(found) - VENVS_OWN == wanted


def test_the_installed_packages_fit_together(ours: Path) -> None:
    assert "No broken requirements" in run(ours, "-m", "pip", "check")


def test_every_public_name_is_there(ours: Path) -> None:
    found = json.loads(run(ours, "-I", "-W", "error", "-c", IMPORTS))

    assert Path(found["file"]).is_relative_to(ours.parent.parent)
    for module in (freechat_sdk, freechat_sdk.api, freechat_sdk.models):
        assert found["names"][module.__name__] == [*module.__all__]


def test_it_calls_and_streams(ours: Path) -> None:
    with RecordingServer(chats_and_streams) as server:
        said = run(ours, "-I", "-W", "error", "-c", CONVERSATION, server.url)
    assert said == "[]\nHi stop\n"
    assert [request.path for request in server.requests] == ["/api/v1/chat", "/api/v1/chat/send/stream/chat"]
