"""What an import, a call and an event may cost, counted instead of timed; the import also offers everything."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

import freechat_sdk
from test.clients import chat_api
from test.server import EVENT_STREAM, FINAL, Connection, RecordingServer, Request, event_bytes, json_response

ROOT = Path(__file__).parent.parent
HEAVY = {"dataclasses", "inspect", "logging", "pydantic", "pydantic_core", "re", "typing", "urllib3"}

UNUSED = {
    "asyncio",
    "dateutil",
    "difflib",
    "freechat_sdk.download",
    "freechat_sdk.streaming",
    "mimetypes",
    "pprint",
    "yaml",
}
"""What only some calls need."""


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


def test_a_first_call_loads_only_its_own_models_and_nothing_that_it_does_not_use() -> None:
    script = (
        "import sys, urllib3, pydantic; before = set(sys.modules)\n"
        "from freechat_sdk import AccountApi, ApiClient, Configuration\n"
        "with ApiClient(Configuration(sys.argv[1], api_version='v1')) as client:\n"
        "    AccountApi(client).get_user_basic1('ada')\n"
        "import json; print(json.dumps(sorted(set(sys.modules) - before)))\n"
    )
    with RecordingServer(json_response({})) as server:
        ran = subprocess.run([sys.executable, "-c", script, server.url], capture_output=True, check=True, text=True)
    loaded = set(json.loads(ran.stdout))
    ours = {name for name in loaded if name.startswith("freechat_sdk")}
    assert {name for name in ours if name.startswith(("freechat_sdk.api.", "freechat_sdk.models."))} == {
        "freechat_sdk.api.account_api",
        "freechat_sdk.models.api_token_info_dto",
        "freechat_sdk.models.user_basic_info_dto",
        "freechat_sdk.models.user_details_dto",
    }
    assert loaded & UNUSED == set()
    assert len(ours) <= 34


def counted(call: Callable[[], object]) -> Counter[str]:
    """Count the functions that this thread calls: those of C by name, the frames of Python together."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, function: object) -> None:
        if event == "c_call":
            calls[getattr(function, "__qualname__", "")] += 1
        elif event == "call":
            calls["frames"] += 1

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return calls


def test_a_small_call_asks_the_operating_system_for_as_little_as_possible() -> None:
    with chat_api(json_response({"messageUsage": 1})) as (api, _):
        for _ in range(2):
            api.get_memory_usage("chat")  # urllib3 finds out in the second call how to poll
        calls = counted(lambda: api.get_memory_usage("chat"))
    assert {name: calls[name] for name in ("socket.sendall", "socket.recv_into", "poll.poll")} == {
        "socket.sendall": 1,
        "socket.recv_into": 1,
        "poll.poll": 1,  # of urllib3, whether the server has closed the connection
    }
    assert calls["socket.settimeout"] <= 2
    assert calls["frames"] <= 320


EVENTS = 400


def streams(request: Request, connection: Connection) -> None:
    events = [event_bytes({"text": f"token{number} "}) for number in range(EVENTS)]
    if "chunks" in request.path:
        connection.start_stream()
        connection.send(b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events))
        connection.event(FINAL)
        connection.end()
    else:
        connection.respond(200, b"".join(events) + event_bytes(FINAL), [EVENT_STREAM])


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_an_event_costs_few_calls_and_leaves_its_data_and_its_text(framing: str) -> None:
    def read_events() -> None:
        for _ in range(EVENTS):
            next(stream)

    with chat_api(streams) as (api, _):
        api.stream_send_message(framing, "Hi").until_done()
        with api.stream_send_message(framing, "Hi") as stream:
            before = sys.getallocatedblocks()
            calls = counted(read_events)
            kept = sys.getallocatedblocks() - before
    assert calls["frames"] / EVENTS <= 2.5  # `__next__`, and the generator of events
    assert sum(calls.values()) / EVENTS <= 12
    assert kept / EVENTS <= 2.5
