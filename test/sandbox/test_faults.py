"""Faults on command, as the client meets them."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from freechat_sdk import (
    ApiClient,
    ApiConnectionError,
    ApiDecodeError,
    ApiException,
    ApiTimeoutError,
    ChatApi,
    ChatCreateDTO,
    NotFoundException,
    QuotaExceededException,
    ServiceException,
    ServiceUnavailableException,
    StreamInterruptedError,
)
from freechat_sdk.sandbox import (
    Busy,
    Character,
    CloseDelimited,
    Cut,
    Fault,
    Garbage,
    Gzip,
    Html,
    ModelFails,
    Prompt,
    QuotaUsedUp,
    Reset,
    Sandbox,
    Slow,
    SlowFirstToken,
    Stall,
    Status,
)
from test.clients import configured, each_release
from test.server import MAX_WAIT

SEND, STREAM = "ChatApi.send_message", "ChatApi.stream_send_message"
SHORT = 0.2
RELEASES = each_release()
pytestmark = pytest.mark.freechat(verdict=False)


@pytest.fixture
def api(freechat_sandbox: Sandbox) -> Iterator[ChatApi]:
    settings: dict[str, Any] = {"access_token": freechat_sandbox.token, "api_version": "auto", "retries": 0}
    with ApiClient(configured(freechat_sandbox.host, **settings)) as client:
        yield ChatApi(client)


@pytest.fixture
def chat(api: ChatApi, freechat_character: Character) -> str:
    return api.start_chat(ChatCreateDTO(character_uid=freechat_character.uid))


def texts(api: ChatApi, chat: str) -> list[str]:
    return [record.text or "" for record in api.list_messages(chat)][1:]  # without the greeting


@pytest.mark.parametrize(
    ("fault", "error", "is_stored"),
    [
        (Status(404), NotFoundException, False),
        (Status(429, retry_after=2), QuotaExceededException, False),
        (Busy(), ServiceUnavailableException, False),
        (QuotaUsedUp(), QuotaExceededException, False),
        (Html(), ApiDecodeError, False),
        (Reset(), ApiConnectionError, True),
        (Garbage(), ApiDecodeError, True),
        (Stall(), ApiTimeoutError, True),
        (Stall(after=7), ApiTimeoutError, True),
        (Cut(after=7), ApiConnectionError, True),
        (Slow(3600), ApiTimeoutError, True),
        (SlowFirstToken(3600), ApiTimeoutError, True),
        (ModelFails(), ServiceException, True),
        (ModelFails(after=2), ServiceException, True),
    ],
)
@pytest.mark.parametrize("release", RELEASES)
def test_a_call_fails_as_told_and_the_next_does_not(
    release: str,
    fault: Fault,
    error: type[Exception],
    is_stored: bool,
    freechat_sandbox: Sandbox,
    api: ChatApi,
    chat: str,
) -> None:
    freechat_sandbox.fail(SEND, fault, 1)
    with pytest.raises(error):
        api.send_message(chat, "Hi you", _request_timeout=SHORT)
    if not isinstance(fault, SlowFirstToken):  # it holds the chat until the sandbox stops
        assert texts(api, chat)[:1] == ["Hi you"] * is_stored
        assert api.send_message(chat, "Again") is not None


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("fault", [Fault(), Gzip(), CloseDelimited(), Slow(0), SlowFirstToken(0)])
def test_a_client_bears_what_servers_may_do(
    release: str, fault: Fault, freechat_sandbox: Sandbox, api: ChatApi, chat: str
) -> None:
    freechat_sandbox.fail("*", fault)
    assert api.send_message(chat, "Hi").answer == "You said: Hi"
    with api.stream_send_message(chat, "Ho") as stream:
        assert "".join(stream.text_deltas()) == "I hear you: Ho"
    assert texts(api, chat)[-1] == "I hear you: Ho"


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Cut(after=3), StreamInterruptedError),
        (Stall(after=3), ApiTimeoutError),
        (ModelFails(3), StreamInterruptedError),
    ],
)
def test_a_stream_breaks_after_some_events(
    release: str, fault: Fault, error: type[ApiException], freechat_sandbox: Sandbox, api: ChatApi, chat: str
) -> None:
    freechat_sandbox.fail(STREAM, fault, 1)
    received: list[str] = []
    with api.stream_send_message(chat, "a b c d", _request_timeout=SHORT) as stream, pytest.raises(error):
        received += stream.text_deltas()
    opening = release == "2.0.0" and not isinstance(fault, ModelFails)  # an event without text
    assert received == ["You", " said:", " a"][: 2 if opening else 3]


def accented(prompt: Prompt) -> str:
    return "é"


@pytest.mark.freechat(model=accented)
def test_a_stream_is_cut_in_the_middle_of_a_character(freechat_sandbox: Sandbox, chat: str) -> None:
    def body(fault: str) -> bytes:
        with closing(http.client.HTTPConnection("127.0.0.1", freechat_sandbox.port, timeout=MAX_WAIT)) as connection:
            headers = {"Authorization": f"Bearer {freechat_sandbox.token}", "Content-Type": "application/json"}
            message = '{"role": "user", "contents": [{"type": "text", "content": "Hi"}]}'
            path = f"/api/v2/chat/send/stream/{chat}"
            connection.request("POST", path, message, {**headers, "X-Sandbox-Fault": fault})
            try:
                return connection.getresponse().read()
            except http.client.IncompleteRead as error:
                return error.partial

    start = body("Slow(0)").partition("é".encode())[0]
    cut = body(f"Cut(after={len(start) + 1}, unit='bytes')")
    assert len(cut) == len(start) + 1
    with pytest.raises(UnicodeDecodeError):
        cut.decode()


def test_the_first_fault_that_befalls_a_request_counts_it(freechat_sandbox: Sandbox, api: ChatApi) -> None:
    freechat_sandbox.fail("ChatApi.list_*", Status(404), 2)
    freechat_sandbox.fail("*", Status(429), 1)
    freechat_sandbox.fail("AccountApi.*", Status(502))
    for error in (NotFoundException, NotFoundException, QuotaExceededException):
        with pytest.raises(error):
            api.list_chats()
    assert api.list_chats() == []
    assert [entry.status for entry in freechat_sandbox.requests] == [404, 404, 429, 200]


def test_numbered_operations_are_meant_by_the_name_of_their_group(freechat_sandbox: Sandbox, api: ChatApi) -> None:
    freechat_sandbox.fail("ChatApi.list_messages", Status(404))
    for arguments in ((), (1,), (1, 1)):
        with pytest.raises(NotFoundException):
            api.list_messages("0" * 32, *arguments)


def test_chances_depend_on_the_seed_only(freechat_sandbox: Sandbox, api: ChatApi) -> None:
    def outcomes(seed: int) -> list[int]:
        snapshot = freechat_sandbox.snapshot()
        freechat_sandbox.fail("*", Status(404), probability=0.5, seed=seed)
        found = [api.api_client.call_api("GET", f"{freechat_sandbox.host}/api/v2/chat").status for _ in range(20)]
        freechat_sandbox.restore(snapshot)
        return found

    first = outcomes(1)
    assert set(first) == {200, 404}
    assert outcomes(1) == first != outcomes(2)


def test_a_restored_sandbox_has_no_faults_and_no_requests(freechat_sandbox: Sandbox, api: ChatApi) -> None:
    snapshot = freechat_sandbox.snapshot()
    freechat_sandbox.fail("*", Status(404))
    with pytest.raises(NotFoundException):
        api.list_chats()
    freechat_sandbox.restore(snapshot)
    assert freechat_sandbox.requests == []
    assert api.list_chats() == []


@pytest.mark.parametrize(
    ("header", "status"),
    [("Status(418)", 418), ("Busy", 503), ("Status(404, retry_after=1)", 404), ("QuotaUsedUp()", 429), ("Gzip", 200)],
)
def test_a_header_asks_for_the_fault_of_its_request(
    header: str, status: int, freechat_sandbox: Sandbox, api: ChatApi
) -> None:
    address = f"{freechat_sandbox.host}/api/v2/chat"
    response = api.api_client.call_api("GET", address, header_params={"X-Sandbox-Fault": header})
    response.read()
    assert response.status == status
    assert api.list_chats() == []


@pytest.mark.parametrize("header", ["", "Cat", "Cut(", "Cut(after=-1)", "Cut(after=open('x'))", "Status(200)", "1"])
def test_a_header_that_names_no_fault_is_refused(header: str, freechat_sandbox: Sandbox, api: ChatApi) -> None:
    address = f"{freechat_sandbox.host}/api/v2/chat"
    response = api.api_client.call_api("GET", address, header_params={"X-Sandbox-Fault": header})
    text = response.read().decode()
    assert response.status == 400
    assert text.startswith(f"{header!r} is not a fault")
    assert "Busy, CloseDelimited, Cut" in text


def test_what_cannot_be_is_refused_at_once(freechat_sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match=r"no operation 'ChatApi\.sned_message'"):
        freechat_sandbox.fail("ChatApi.sned_message", Reset())
    with pytest.raises(ValueError, match="status is an error status"):
        Status(200)
    with pytest.raises(ValueError, match="after of Cut is a number from 0 on, not -1"):
        Cut(after=-1)
    with pytest.raises(ValueError, match="unit of Cut"):
        Cut(unit="lines")


def test_slow_faults_wait_before_each_event_or_before_the_first_token() -> None:
    waits: list[float] = []
    with Sandbox(sleep=waits.append) as sandbox:
        client = ApiClient(configured(sandbox.host, access_token=sandbox.token, api_version="v2"))
        with client:
            api = ChatApi(client)
            chat = api.start_chat(ChatCreateDTO(character_uid=sandbox.character.uid))
            sandbox.fail(STREAM, Slow(2.5), 1)
            sandbox.fail(STREAM, SlowFirstToken(7), 1)
            for expected in ([2.5] * 4, [7]):  # three tokens and the end: "You said: Hi"
                with api.stream_send_message(chat, "Hi") as stream:
                    stream.until_done()
                assert waits == expected
                waits.clear()


@pytest.mark.parametrize("fault", [Stall(), Slow(3600), SlowFirstToken(3600)])
def test_a_sandbox_stops_at_once_whatever_it_was_told(fault: Fault) -> None:
    asked = threading.Event()

    def answer(prompt: Prompt) -> str:
        asked.set()
        return "Hi"

    def call() -> None:
        with client, suppress(ApiException):
            ChatApi(client).send_message(chat, "Hi")

    with Sandbox(model=answer) as sandbox:
        client = ApiClient(configured(sandbox.host, access_token=sandbox.token, api_version="v2", retries=0))
        chat = sandbox.add_chat(sandbox.character.uid)
        sandbox.fail(SEND, fault)
        thread = threading.Thread(target=call)
        thread.start()
        assert asked.wait(MAX_WAIT)
    thread.join(MAX_WAIT)
    assert not thread.is_alive()
