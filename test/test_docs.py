"""README and docs/: every snippet runs, every link leads somewhere."""

import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import freechat_sdk
from codegen.runtime import PUBLIC_NAMES
from freechat_sdk import Configuration
from freechat_sdk.sandbox import Sandbox
from test.facts import BY_NAME, Example
from test.server import RecordingServer
from test.snippets import PAGES, ROOT, Snippet, snippets

WEB = ("http://", "https://")

CHAT = "9d2e9cfb87034e379b0ad6e420e4fb20"
CHARACTER = "75629cd542784e12b9a19b50620c94c3"
ASSISTANT = "9055417ba6b448e7b389e6d44d8634b0"
SHELL = {
    "pip install": "needs the package index",
    "pip uninstall": "would remove the package under test",
    "make demo": "test_demo.py runs what it runs",
    "make test": "runs this test",
    "python -m freechat_sdk.sandbox": "test_command.py runs it",
    "python -m pytest": "make integrations runs pytest in several processes",
    "curl": "a test below runs it",
    "python -m freechat_sdk": "test_main.py runs it",
}


pytestmark = pytest.mark.usefixtures("own_logging")

SCRIPTS = "docs/scaling.md"
"""Its snippets start processes, which import what they run: each is a script of its own."""


OWN_TEST = "docs/copying-characters.md"
"""test_copying_characters.py runs it."""

SUITES = "docs/testing.md"
"""Its snippets are test suites, which pytest runs."""
SANDBOX = "docs/sandbox.md"
SNIPPETS = list(snippets())
TOOLS, SERVICES = "docs/integrations.md", "docs/services.md"
"""`make integrations` runs the snippets of both pages, because they need the tools."""
PYTHON = [snippet for snippet in SNIPPETS if snippet.language == "python" and snippet.page not in (TOOLS, SERVICES)]
"""Runs against the sandbox; the test responds with an example to what that does not have."""


def called(snippet: Snippet) -> Example | None:
    """The operation that a snippet of the reference calls, if the sandbox does not have it."""
    api = re.search(r"\bapi(?:_instance)? = freechat_sdk\.(\w+)\(", snippet.code)
    method = re.search(r"\bapi(?:_instance)?\.(\w+)\(", snippet.code)
    if api is None or method is None or api[1] == "ChatApi":
        return None
    fact = BY_NAME[api[1], method[1]]
    return Example(fact, fact["generations"][0])


def releases(snippet: Snippet) -> list[str]:
    """The releases of the server that a snippet is for."""
    if "get_default_chat_id(character_id)" in snippet.code:
        return ["2.0.0"]  # an int id: only v1 knows characters by it
    return ["2.9.0"] if 'api_version="v2"' in snippet.code else ["2.0.0", "2.9.0"]


CALLED = {snippet: example for snippet in PYTHON if (example := called(snippet)) is not None}


@pytest.mark.parametrize(
    ("snippet", "release"),
    [
        pytest.param(snippet, release, id=f"{snippet}-{release}", marks=pytest.mark.freechat(release=release))
        for snippet in PYTHON
        if snippet not in CALLED and snippet.page not in (SCRIPTS, OWN_TEST, SUITES)
        for release in releases(snippet)
    ],
)
def test_a_snippet_runs_as_it_stands_and_no_call_in_it_fails(
    snippet: Snippet,
    release: str,
    freechat_sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)  # some save files
    monkeypatch.setattr("freechat_sdk.teaching._FIRST_PAUSE", 0.0)
    for uid, name in ((CHARACTER, "ally"), (ASSISTANT, "helper")):
        freechat_sandbox.add_character(name, uid=uid, greeting="Hello")
    freechat_sandbox.add_chat(CHARACTER, CHAT)
    exec(compile(snippet.code, str(snippet), "exec"), {"__name__": "__main__"})
    output = capsys.readouterr().out
    shows_errors = snippet.page in ("docs/errors.md", "docs/configuration.md", "docs/generations.md")
    assert shows_errors or re.findall(r"(?m)^[A-Z]+ /\S+.*", output) == []  # how an ApiException begins


@pytest.mark.parametrize("snippet", [snippet for snippet in PYTHON if snippet.page == SCRIPTS], ids=str)
def test_a_script_runs_as_it_stands_and_leaves_nothing_behind(
    snippet: Snippet, freechat_sandbox: Sandbox, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(snippet.code, "utf-8")
    for name in ("ally", "helper"):
        freechat_sandbox.add_chat(freechat_sandbox.add_character(name, greeting="Hello").uid)
    ran = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == ("You said: Hi\n" if "celery" in snippet.code else "1 messages\n" * 2)
    assert {path.name for path in tmp_path.iterdir()} <= {script.name, "dask-scratch-space"}


@pytest.mark.parametrize("snippet", [snippet for snippet in PYTHON if snippet.page == SUITES], ids=str)
def test_a_suite_passes_as_it_stands(snippet: Snippet, tmp_path: Path) -> None:
    (tmp_path / "test_program.py").write_text(snippet.code, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(tmp_path)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert (ran.returncode, "passed" in ran.stdout) == (0, True), ran.stdout


def test_the_page_of_errors_shows_each(freechat_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    for snippet in PYTHON:
        if snippet.page == "docs/errors.md" and "sandbox.fail" in snippet.code:
            exec(compile(snippet.code, str(snippet), "exec"), {"__name__": "__main__"})
    output = capsys.readouterr().out
    assert output.count(" -> POST http://127.0.0.1:") == 13
    assert "the connection was lost in the middle of the answer" in output
    assert "the model failed" in output.lower()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_sandbox_serves_other_languages_as_the_page_says(freechat_sandbox: Sandbox) -> None:
    (commands,) = (snippet.code for snippet in SNIPPETS if snippet.page == SANDBOX and "curl" in snippet.code)
    ran = subprocess.run(["sh", "-ec", commands], capture_output=True, text=True, timeout=100, check=True)
    assert ran.stdout == "429"
    assert [(entry.operation, entry.status) for entry in freechat_sandbox.requests] == [("ChatApi.list_chats", 429)]


@pytest.mark.parametrize("snippet", CALLED, ids=str)
def test_an_example_of_the_reference_runs_as_it_stands(
    snippet: Snippet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = CALLED[snippet]
    monkeypatch.chdir(tmp_path)
    with RecordingServer(example.respond) as server:
        monkeypatch.setenv("FREECHAT_HOST", server.url)
        monkeypatch.setenv("FREECHAT_API_VERSION", example.generation)
        exec(compile(snippet.code, str(snippet), "exec"), {"__name__": "__main__"})
    assert len(server.requests) == 1
    assert re.findall(r"(?m)^[A-Z]+ /\S+.*", capsys.readouterr().out) == []


def test_pages_have_only_snippets_of_known_kinds() -> None:
    assert {(snippet.page, snippet.language) for snippet in SNIPPETS if snippet.language not in ("python", "sh")} == {
        ("CONTRIBUTING.md", "yaml"),  # test_contributing.py adds it to the contract
        ("docs/errors.md", "text"),  # an error as it is printed
        ("docs/getting-started.md", "text"),  # test_command.py holds it against what the sandbox prints
    }
    commands = [line for snippet in SNIPPETS if snippet.language == "sh" for line in snippet.code.splitlines()]
    assert [line for line in commands if not line.startswith(tuple(SHELL))] == []


def test_the_snippets_of_the_readme_print_what_they_promise(
    freechat_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    talk, errors, operations = (snippet for snippet in PYTHON if snippet.page == "README.md")
    for snippet, expected in (
        (talk, "You said: Hello!"),
        (errors, "I hear you: Hello!\n"),
        (operations, "pip [0-9a-f]{32}\n"),
    ):
        exec(snippet.code, {"__name__": "__main__"})
        assert re.fullmatch(expected, capsys.readouterr().out)
    monkeypatch.setenv("FREECHAT_TOKEN", "fc-" + "0" * 32)
    Configuration.set_default(None)
    exec(errors.code, {"__name__": "__main__"})
    assert capsys.readouterr().out == "Set FREECHAT_TOKEN to a token that the server accepts.\n"


def without_code(page: str) -> str:
    return re.sub(r"(?ms)^```.*?^```", "", (ROOT / page).read_text("utf-8"))


def anchors(page: str) -> set[str]:
    """What can be linked to on a page: what GitHub makes of its headings, and what it names itself."""
    text = without_code(page)
    titles = re.findall(r"(?m)^#+ (.+)$", text)
    made = {re.sub(r"[^\w -]", "", title).replace(" ", "-").lower() for title in titles}
    return made | {name.lower() for name in re.findall(r'<a id="([^"]+)">', text)}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page)):
        if link.startswith(WEB):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        name = target.resolve().relative_to(ROOT).as_posix()
        if not target.exists() or (anchor and anchor.lower() not in anchors(name)):
            broken.append(link)
    assert broken == []


HEADINGS = ["Example", "Parameters", "Return type", "Authorization", "HTTP request headers", "HTTP response details"]


@pytest.mark.parametrize(("api", "method"), BY_NAME)
def test_a_section_of_the_reference_gives_what_that_of_the_official_client_gives(api: str, method: str) -> None:
    fact = BY_NAME[api, method]
    page = (ROOT / "docs" / f"{api}.md").read_text("utf-8")
    section = page.partition(f'<a id="{method}"></a>')[2].partition("<a id=")[0]
    assert f"## {method}\n> " in section
    assert re.findall(r"(?m)^### (.+)$", section)[: len(HEADINGS)] == HEADINGS
    verb, path = fact["http"].split(" ")
    for generation in fact["generations"]:
        shown = f"{verb} /api/{generation}{path}"
        for parameter in fact.get("parameters", []):
            if generation == "v2" and "v2" in parameter:
                shown = shown.replace(parameter["wire"], parameter["v2"]["wire"])
        assert f"\n    {shown}\n" in section
    named = set(re.findall(r"(?m)^\*\*(\w+)\*\* \|", section))
    assert {parameter["name"] for parameter in fact.get("parameters", [])} | {"200"} <= named
    assert f"- **Content-Type**: {fact.get('sends', 'Not defined')}\n" in section


HELPERS = [name for home in ("characters", "pagination", "teaching", "transcript") for name in PUBLIC_NAMES[home]]
DESCRIBED = {
    "ApiClient": ("ApiClient", "ClientOptions"),
    "ApiResponse": ("ApiResponse",),
    "Conversation": ("Conversation",),
    "Download": ("Download",),
    "Helpers": tuple(HELPERS),
    "Hooks": ("Call", "Hooks"),
    "RequestOptions": ("RequestOptions",),
    "RetryPolicy": ("RetryPolicy",),
    "SseEmitter": ("SseEmitter",),
    "Upload": ("Upload",),
}
"""The pages that are written by hand, and the classes and functions that they describe."""
MADE_BY_CALLS = {"ApiResponse", "Call", "ClientOptions", "Download", "RequestOptions", "SseEmitter"}
"""Their pages do not tell how to make one."""


def names_to_describe(name: str) -> set[str]:
    """The public members and the arguments of a class or function."""
    described = getattr(freechat_sdk, name)
    if not isinstance(described, type):
        return {name, *inspect.signature(described).parameters} - {"client"}
    members = {member for member in vars(described) if not member.startswith("_")} | described.__annotations__.keys()
    arguments = set() if name in MADE_BY_CALLS else set(inspect.signature(described).parameters)
    return {member for member in members | arguments if name == "RequestOptions" or not member.startswith("_")}


@pytest.mark.parametrize("page", DESCRIBED)
def test_a_page_that_is_written_by_hand_describes_every_member_and_argument(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    in_code = {word for code in re.findall(r"`[^`\n]+`|(?m:^> .+$)", text) for word in re.findall(r"\w+", code)}
    assert set().union(*map(names_to_describe, DESCRIBED[page])) - in_code == set()


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, waiting = set(), ["README.md"]
    while waiting:
        page = waiting.pop()
        seen.add(page)
        for link in re.findall(r"\]\(([^)#\s]+\.md)", without_code(page)):
            target = ((ROOT / page).parent / link).resolve()
            name = target.relative_to(ROOT).as_posix()
            if name not in seen and target.exists():
                waiting.append(name)
    assert set(PAGES) - seen == set()
