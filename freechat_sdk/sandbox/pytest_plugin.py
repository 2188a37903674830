"""The fixtures that the sandbox gives to pytest, and their marker. Importing it loads nothing but pytest.

@pytest.mark.freechat(release="2.6.0", faults=[("ChatApi.send_message", Reset(), 1)])
def test_my_program(freechat_sandbox): ...
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from freechat_sdk import ApiClient
    from freechat_sdk.sandbox import Character, Sandbox, Snapshot

_MARKER = (
    'freechat(release="2.9.0", faithful=False, model=echo, faults=(), verdict=True): what the sandbox of a test is. '
    "release, faithful and model are those of `Sandbox`; faults holds the arguments of `Sandbox.fail` as tuples; "
    "verdict says whether a test fails that misused the server."
)
_VERDICT: pytest.StashKey[Callable[[], None]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Let the verdict be given after the test, before the first of its fixtures ends and closes a client."""
    if (verdict := item.stash.get(_VERDICT, None)) is not None:
        item.addfinalizer(verdict)


class _Sandboxes:
    """The sandboxes of a session, one for each way to be, with what each holds when a test begins."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._running: dict[object, tuple[Sandbox, Snapshot]] = {}

    def fresh(self, **settings: Any) -> "Sandbox":
        """Return a sandbox that holds what it held at first."""
        from freechat_sdk.sandbox import Sandbox

        key = tuple(sorted(settings.items()))
        if key not in self._running:
            sandbox = self._stack.enter_context(Sandbox(**settings))
            self._running[key] = sandbox, sandbox.snapshot()
        sandbox, snapshot = self._running[key]
        sandbox.restore(snapshot)
        return sandbox

    def stop(self) -> None:
        """Stop all."""
        self._stack.close()


@pytest.fixture(scope="session")
def _freechat_sandboxes() -> Iterator[_Sandboxes]:
    sandboxes = _Sandboxes()
    yield sandboxes
    sandboxes.stop()


@pytest.fixture
def freechat_sandbox(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _freechat_sandboxes: _Sandboxes
) -> "Sandbox":
    """A running FreeChat server; each test finds it as the first one did. `FREECHAT_HOST` and `FREECHAT_TOKEN` name it.

    After the test, `Sandbox.assert_well_behaved` gives its verdict.
    """
    settings = _settings(request.node)
    faults, has_verdict = settings.pop("faults", ()), settings.pop("verdict", True)
    try:
        sandbox = _freechat_sandboxes.fresh(**settings)
    except ImportError as error:
        pytest.fail(str(error), pytrace=False)
    for fault in faults:
        sandbox.fail(*fault)
    monkeypatch.setenv("FREECHAT_HOST", sandbox.host)
    monkeypatch.setenv("FREECHAT_TOKEN", sandbox.token)
    monkeypatch.delenv("FREECHAT_API_VERSION", raising=False)
    if has_verdict:
        request.node.stash[_VERDICT] = sandbox.assert_well_behaved
    return sandbox


def _settings(node: pytest.Item) -> dict[str, Any]:
    """Return what the markers of a test say; the nearest one wins."""
    settings: dict[str, Any] = {}
    for marker in node.iter_markers("freechat"):
        settings = {**marker.kwargs, **settings}
    return settings


@pytest.fixture
def freechat_client(freechat_sandbox: "Sandbox") -> Iterator["ApiClient"]:
    """A client of the sandbox, with the token of its first user."""
    from freechat_sdk import ApiClient, Configuration

    with ApiClient(Configuration(freechat_sandbox.host, access_token=freechat_sandbox.token)) as client:
        yield client


@pytest.fixture
def freechat_character(freechat_sandbox: "Sandbox") -> "Character":
    """The character that the sandbox comes with: its `uid`, `greeting` and so on."""
    return freechat_sandbox.character
