"""The official packages and ours as users install them: ours as a wheel without extras, in a clean venv of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
OFFICIAL = {"v1": "2.0.0", "v2": "2.10.0"}
"""The official package of each generation that ours is held against."""


@dataclass(frozen=True)
class Built:
    """The distributions of the present sources."""

    wheel: Path
    sdist: Path


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what Python and the SDK read of it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("FREECHAT_", "PYTHON"))}


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command that must succeed, without this process's settings, and return its standard output."""
    done = subprocess.run([*map(str, command)], cwd=cwd, env=clean_environment(), capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build sdist and wheel, the wheel from the sdist as installers do."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, sdist)


@pytest.fixture(scope="session")
def ours(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a clean venv that has only our wheel."""
    folder = tmp_path_factory.mktemp("ours")
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", built.wheel)
    return python


@pytest.fixture(scope="session")
def official() -> dict[str, Path]:
    """Return the Pythons of the venvs that `make compat` keeps, one for each generation's official package."""
    folder = Path(os.environ.get("FREECHAT_COMPAT_VENV", ROOT / ".venv-compat"))
    pythons = {generation: folder / version / "bin" / "python" for generation, version in OFFICIAL.items()}
    assert all(python.is_file() for python in pythons.values()), "run `make compat`, which installs them"
    return pythons
