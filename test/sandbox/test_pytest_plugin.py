"""The plugin for pytest, as a test suite meets it."""

import os
import subprocess
import sys
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from freechat_sdk import ApiClient, ChatApi, ChatCreateDTO
from freechat_sdk.sandbox import Sandbox

pytest_plugins = ["pytester"]

LOADED = (ApiClient, ChatApi, ChatCreateDTO, Sandbox)
"""They are loaded here, because each run of pytest within a test unloads what it has loaded itself."""

ROOT = Path(__file__).parents[2]


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    """Run the test's own tests, without Hypothesis, which loads itself anew for each run."""
    return pytester.runpytest("-W", "error", "-p", "no:hypothesispytest", *options)


def test_a_short_test_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from freechat_sdk import ChatApi, ChatCreateDTO

        def test_it(freechat_client, freechat_character):
            chats = ChatApi(freechat_client)
            chat = chats.start_chat(ChatCreateDTO(character_uid=freechat_character.uid))
            assert chats.send_message(chat, "Hi").answer == "You said: Hi"
        """
    )
    run(pytester, "--strict-markers").assert_outcomes(passed=1)


def test_the_environment_names_the_sandbox_and_each_test_finds_the_same_state(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from freechat_sdk import ApiClient, ChatApi, ChatCreateDTO, Configuration
        from freechat_sdk.sandbox import Status

        hosts = set()

        @pytest.mark.parametrize("number", range(3))
        def test_program(number, freechat_sandbox, freechat_character, monkeypatch):
            with ApiClient() as client:
                assert client.configuration.host == freechat_sandbox.host
                chats = ChatApi(client)
                assert chats.list_chats() == []
                assert freechat_sandbox.requests[0].operation == "ChatApi.list_chats"
                chats.start_chat(ChatCreateDTO(character_uid=freechat_character.uid))
            freechat_sandbox.fail("*", Status(404))
            hosts.add(freechat_sandbox.host)
            assert len(hosts) == 1

        def test_other():
            import os
            assert "FREECHAT_HOST" not in os.environ
        """
    )
    run(pytester).assert_outcomes(passed=4)


def test_the_marker_chooses_release_and_faults_and_the_nearest_one_wins(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from freechat_sdk import ChatApi, NotFoundException, QuotaExceededException
        from freechat_sdk.sandbox import QuotaUsedUp, Status

        pytestmark = pytest.mark.freechat(release="2.0.0", faults=[("ChatApi.list_chats", Status(404), 1)])

        def test_v1(freechat_client):
            with pytest.raises(NotFoundException):
                ChatApi(freechat_client).list_chats()
            assert ChatApi(freechat_client).list_chats() == []
            assert freechat_client.generation == "v1"

        @pytest.mark.freechat(release="2.6.0", faults=[("*", QuotaUsedUp())])
        def test_v2(freechat_sandbox, freechat_client):
            assert freechat_sandbox.release == "2.6.0"
            with pytest.raises(QuotaExceededException):
                ChatApi(freechat_client).list_chats()
        """
    )
    run(pytester).assert_outcomes(passed=2)


POLLS = """
        import pytest
        from freechat_sdk import ChatApi

        {marker}
        def test_program(freechat_client):
            for _ in range(5):
                ChatApi(freechat_client).list_chats()
"""


def test_a_test_that_misuses_the_server_fails_unless_the_marker_says_otherwise(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_judged=POLLS.format(marker=""), test_not=POLLS.format(marker="@pytest.mark.freechat(verdict=False)")
    )
    result = run(pytester)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["E*The program misused the server:", "E*polled faster than once a second*"])


def test_the_verdict_is_given_before_the_client_is_closed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from freechat_sdk import ChatApi
        from freechat_sdk.sandbox import Stall

        kept = []

        def test_program(freechat_sandbox, freechat_client, freechat_character):
            freechat_sandbox.fail("ChatApi.stream_send_message", Stall(after=1))
            chat = freechat_sandbox.add_chat(freechat_character.uid)
            kept.append(ChatApi(freechat_client).stream_send_message(chat, "Hi"))
            next(kept[0])
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E*a stream was left open*"])


def test_importing_the_plugin_loads_nothing_but_pytest() -> None:
    script = """
import sys, pytest
before = set(sys.modules)
import freechat_sdk.sandbox.pytest_plugin
print(*sorted(set(sys.modules) - before))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    own = {"", "._names", ".sandbox", ".sandbox.pytest_plugin"}
    assert set(ran.stdout.split()) == {f"freechat_sdk{name}" for name in own}


# In an environment without the extra


def needed_by(name: str) -> set[str]:
    """Return a distribution's name with those that it needs here, without extras."""
    requirements = [Requirement(text) for text in distribution(name).requires or []]
    names = [each.name for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})]
    return {name}.union(*(needed_by(each) for each in names))


def link(found: Distribution, folder: Path) -> None:
    """Put what a distribution has installed into a folder of packages."""
    for top in {file.parts[0] for file in found.files or [] if file.parts[0] not in ("..", "__pycache__")}:
        target = folder / top
        if not top.startswith("__editable__") and not target.exists():
            target.symlink_to(Path(str(found.locate_file(top))).resolve())


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with pytest and the client, without werkzeug and pystache."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in needed_by("pytest") | needed_by("freechat-sdk"):
        link(distribution(name), packages)
    if not (packages / "freechat_sdk").exists():  # it is installed as editable
        (packages / "freechat_sdk").symlink_to(ROOT / "freechat_sdk")
    return folder / "bin" / "python"


def run_pytest(python: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", folder],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_the_extra_the_plugin_does_no_harm(bare_python: Path, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_it(request): assert request.config.pluginmanager.hasplugin('freechat')"
    )
    ran = run_pytest(bare_python, tmp_path)
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_without_the_extra_a_fixture_says_what_to_install(bare_python: Path, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(freechat_sandbox): pass")
    ran = run_pytest(bare_python, tmp_path)
    assert "1 error" in ran.stdout, ran.stdout + ran.stderr
    assert "The sandbox needs werkzeug, which is not installed. Run: pip install" in ran.stdout
