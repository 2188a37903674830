"""The sandbox behind the client: each release, its rules and its faults."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from freechat_sdk import (
    ApiClient,
    BadRequestException,
    ChatApi,
    ChatCreateDTO,
    ChatUpdateDTO,
    Configuration,
    ForbiddenException,
    NotFoundException,
    QuotaExceededException,
    ServiceException,
    ServiceUnavailableException,
    StreamInterruptedError,
    UnauthorizedException,
)
from freechat_sdk.sandbox import Completion, ModelError, Prompt, Sandbox, Usage, echo
from test.server import MAX_WAIT

INSTANT = datetime(2024, 10, 18, 9, 42, 44, tzinfo=timezone.utc)
RELEASES = ["2.0.0", "2.6.0", "2.9.0"]


def api_for(sandbox: Sandbox, **settings: Any) -> ChatApi:
    return ChatApi(ApiClient(Configuration(sandbox.host, **{"access_token": sandbox.token, "retries": 0, **settings})))


def start(api: ChatApi, sandbox: Sandbox, backend: str | None = None) -> str:
    return api.start_chat(ChatCreateDTO(character_uid=sandbox.character.uid, backend_id=backend))


@pytest.fixture(params=RELEASES)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(release=request.param) as running:
        yield running


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[ChatApi]:
    api = api_for(sandbox)
    with api.api_client:
        yield api


def texts(api: ChatApi, chat: str) -> list[str]:
    messages = [record.message for record in api.list_messages(chat)]
    return [part.content or "" for message in messages if message for part in message.contents or []]


def test_every_operation_of_a_conversation_works(sandbox: Sandbox, api: ChatApi) -> None:
    uid, number = sandbox.character.uid, sandbox.character.id
    is_v1 = sandbox.release == "2.0.0"
    key = number if is_v1 else uid
    chat = start(api, sandbox)
    assert api.api_client.generation == ("v1" if is_v1 else "v2")
    assert start(api, sandbox) == chat == api.get_default_chat_id(key)
    usage = api.get_memory_usage(chat)
    assert (usage.message_usage, usage.token_usage) == (None, None)
    assert texts(api, chat) == [sandbox.character.greeting]

    result = api.send_message(chat, "Hello")
    assert result.answer == "You said: Hello"
    with api.stream_send_message(chat, "And now?") as stream:
        words = list(stream.text_deltas())
        assert "".join(words) == stream.text == stream.until_done().answer
    assert len(words) > 3

    assert [record.id for record in api.list_messages(chat)] == [1, 2, 3, 4, 5]
    assert [record.id for record in api.list_messages(chat, limit=2, offset=1)] == [3, 4]
    assert [record.ext is None for record in api.list_messages(chat)] == [True] * 5
    usage = api.get_memory_usage(chat)
    assert (usage.message_usage, usage.token_usage is not None) == (2, True)

    helper = sandbox.add_character("helper").uid
    assert api.send_assistant(chat, helper).answer == api.stream_send_assistant(chat, helper).until_done().answer
    assert api.rollback_messages(chat, 2) == [5, 4]
    assert api.update_chat(chat, ChatUpdateDTO(user_nickname="Ada", gmt_read=INSTANT)) is True
    (session,) = api.list_chats()
    assert session.context is not None
    assert (session.context.user_nickname, session.context.chat_id) == ("Ada", chat)
    assert session.context.gmt_read == INSTANT
    assert session.latest_message_record is not None
    assert session.latest_message_record.id == 3

    cleared = api.clear_memory(chat)
    assert len(cleared) == 1
    assert api.send_message(chat, "Again").answer is not None
    assert api.get_memory_usage(chat).message_usage == 3
    assert (api.delete_chat(chat), api.delete_chat(chat)) == (True, False)
    assert api.list_chats() == []
    if is_v1:
        assert texts(api, chat) == ["Again", "So: Again"]
    else:
        with pytest.raises(ServiceException):
            api.list_messages(chat)
    assert api.get_default_chat_id(key) is None


def test_the_owner_of_a_character_sees_what_the_model_was_given(sandbox: Sandbox, api: ChatApi) -> None:
    own = sandbox.add_character("mine", greeting="Hi")
    chat = api.start_chat(ChatCreateDTO(character_uid=own.uid))
    api.send_message(chat, "one two")
    exts = [record.ext for record in api.list_debug_messages2(chat)]
    assert exts[0] is None
    assert "You are mine" in str(exts[1])
    assert json.loads(str(exts[2])) == [2, 4, 6]
    guest = start(api, sandbox)
    api.send_message(guest, "Hi")
    assert [record.ext for record in api.list_debug_messages(guest, 9)] == [None] * 3


def test_users_are_kept_apart(sandbox: Sandbox, api: ChatApi) -> None:
    chat = start(api, sandbox)
    other = api_for(sandbox, access_token=sandbox.add_user("bob"))
    with other.api_client:
        assert other.list_chats() == []
        for call in (other.list_messages, other.get_memory_usage, other.delete_chat, other.clear_memory):
            with pytest.raises(ForbiddenException):
                call(chat)
        assert start(other, sandbox) != chat


def test_who_is_not_known_is_sent_to_the_login_or_refused(sandbox: Sandbox) -> None:
    for token in (None, "fc-" + "0" * 32):
        anonymous = api_for(sandbox, access_token=token)
        with anonymous.api_client, pytest.raises(UnauthorizedException):
            anonymous.list_chats()


def test_a_plain_user_is_refused_what_is_not_there(sandbox: Sandbox, api: ChatApi) -> None:
    unknown = "0" * 32
    for call in (
        lambda: api.start_chat(ChatCreateDTO(character_uid=unknown)),
        lambda: api.send_message(unknown, "Hi"),
        lambda: api.stream_send_message(unknown, "Hi"),
        lambda: api.send_assistant(start(api, sandbox), unknown),
        lambda: api.list_messages(unknown),
        lambda: api.update_chat(unknown, ChatUpdateDTO(about="x")),
    ):
        with pytest.raises(ForbiddenException):
            call()


def test_an_administrator_learns_that_it_is_not_there(sandbox: Sandbox) -> None:
    unknown = "0" * 32
    api = api_for(sandbox, access_token=sandbox.add_user("root", admin=True))
    with api.api_client:
        with pytest.raises(BadRequestException):
            api.start_chat(ChatCreateDTO(character_uid=unknown))
        for send in (api.send_message, api.stream_send_message):
            with pytest.raises(ServiceException):
                send(unknown, "Hi")
        with pytest.raises(BadRequestException):
            api.send_assistant(start(api, sandbox), unknown)
        assert api.list_messages(unknown) == []
        assert api.update_chat(unknown, ChatUpdateDTO(about="x")) is False


def test_the_other_generation_is_not_there(sandbox: Sandbox) -> None:
    elsewhere = api_for(sandbox, api_version="v2" if sandbox.release == "2.0.0" else "v1")
    with elsewhere.api_client, pytest.raises(NotFoundException):
        elsewhere.list_chats()


@pytest.mark.parametrize(("kind", "quota"), [("messages", 1), ("tokens", 4)])
def test_a_quota_ends_a_chat(sandbox: Sandbox, api: ChatApi, kind: str, quota: int) -> None:
    chat = start(api, sandbox, sandbox.add_backend(sandbox.character.uid, quota_type=kind, quota=quota))
    api.send_message(chat, "first")
    for send in (api.send_message, api.stream_send_message):
        with pytest.raises(QuotaExceededException):
            send(chat, "second")
    assert len(api.list_messages(chat)) == 3


@pytest.mark.parametrize("release", RELEASES)
def test_tokens_are_sent_when_the_model_says_them(release: str) -> None:
    has_read = threading.Semaphore(0)

    def answer(prompt: Prompt) -> Completion:
        def tokens() -> Iterator[str]:
            yield "one "
            assert has_read.acquire(timeout=MAX_WAIT)
            yield "two"
            assert has_read.acquire(timeout=MAX_WAIT)

        return Completion(tokens(), Usage(1, 2))

    with Sandbox(release=release, model=answer) as sandbox:
        api = api_for(sandbox)
        with api.api_client:
            seen = []
            for text in api.stream_send_message(start(api, sandbox), "Hi").text_deltas():
                seen.append(text)
                has_read.release()
    assert seen == ["one ", "two"]


@pytest.mark.parametrize("release", RELEASES)
def test_a_chat_that_is_busy_refuses_or_queues_a_second_send(release: str) -> None:
    is_asked, may_answer = threading.Event(), threading.Event()

    def answer(prompt: Prompt) -> str:
        if prompt.text == "first":
            is_asked.set()
            assert may_answer.wait(MAX_WAIT)
        return prompt.text

    with Sandbox(release=release, model=answer) as sandbox:
        api = api_for(sandbox)
        answers: list[str | None] = []
        with api.api_client:
            chat = start(api, sandbox)
            first = threading.Thread(target=lambda: answers.append(api.send_message(chat, "first").answer))
            first.start()
            assert is_asked.wait(MAX_WAIT)
            if release == "2.9.0":
                second = threading.Thread(target=lambda: answers.append(api.send_message(chat, "second").answer))
                second.start()
                may_answer.set()
                second.join(MAX_WAIT)
            else:
                for send in (api.send_message, api.stream_send_message):
                    with pytest.raises(ServiceUnavailableException):
                        send(chat, "second")
                may_answer.set()
            first.join(MAX_WAIT)
            said = texts(api, chat)[1:]
    assert said == (["first", "first", "second", "second"] if release == "2.9.0" else ["first", "first"])
    assert sorted(map(str, answers)) == sorted(set(said))


@pytest.mark.parametrize("release", RELEASES)
def test_a_model_that_fails_within_a_stream_cuts_it(release: str) -> None:
    def answer(prompt: Prompt) -> Completion:
        def tokens() -> Iterator[str]:
            yield "Half an"
            raise ModelError

        return Completion(tokens(), None)

    with Sandbox(release=release, model=answer) as sandbox:
        api = api_for(sandbox)
        with api.api_client:
            chat = start(api, sandbox)
            with pytest.raises(StreamInterruptedError) as caught:
                api.stream_send_message(chat, "Hi").until_done()
            assert caught.value.text == "Half an"
            said = texts(api, chat)
    assert said[1:] == (["Hi"] if release == "2.0.0" else ["Hi", "Half an"])


def test_a_client_that_goes_away_does_not_stop_the_model() -> None:
    is_closed, is_done = threading.Event(), threading.Event()

    def answer(prompt: Prompt) -> Completion:
        def tokens() -> Iterator[str]:
            yield "one "
            assert is_closed.wait(MAX_WAIT)
            yield from ["two "] * 100
            is_done.set()

        return Completion(tokens(), Usage(1, 101))

    with Sandbox(model=answer) as sandbox:
        api = api_for(sandbox)
        with api.api_client:
            chat = start(api, sandbox)
            for _ in api.stream_send_message(chat, "Hi"):
                break
            is_closed.set()
            assert is_done.wait(MAX_WAIT)
            assert api.send_message(chat, "queued behind it").answer is not None
            assert texts(api, chat)[2] == "one " + "two " * 100


@pytest.mark.parametrize("release", ["2.0.0", "2.6.0"])
def test_a_faithful_sandbox_fails_to_clear_until_the_chat_is_updated(release: str) -> None:
    with Sandbox(release=release, faithful=True) as sandbox:
        api = api_for(sandbox)
        with api.api_client:
            chat = start(api, sandbox)
            api.send_message(chat, "Hi")
            with pytest.raises(ServiceException):
                api.clear_memory(chat)
            assert api.list_messages(chat) == []
            with pytest.raises(ServiceException):
                api.send_message(chat, "Hi")
            api.update_chat(chat, ChatUpdateDTO(about="x"))
            assert api.send_message(chat, "Hi").answer == "I hear you: Hi"
            assert len(api.list_messages(chat)) == 3


@pytest.mark.parametrize("is_faithful", [False, True])
def test_taking_everything_back_breaks_only_faithful_sandboxes(is_faithful: bool) -> None:
    with Sandbox(faithful=is_faithful) as sandbox:
        api = api_for(sandbox)
        with api.api_client:
            chat = start(api, sandbox)
            api.send_message(chat, "Hi")
            assert api.rollback_messages(chat, 99) == [3, 2, 1]
            assert api.rollback_messages(chat, 1) == []
            if is_faithful:
                with pytest.raises(ServiceException):
                    api.send_message(chat, "Hi")
                api.update_chat(chat, ChatUpdateDTO(about="x"))
            assert api.send_message(chat, "Hi").answer is not None


@pytest.mark.parametrize("date", ["2024-10-18T09:42:44+00:00", 1729244564000, "yesterday"])
def test_the_newest_release_takes_no_date_but_utc(date: object) -> None:
    with Sandbox() as sandbox:
        api = api_for(sandbox)
        with api.api_client:
            path = f"/api/v2/chat/{start(api, sandbox)}"
            headers = {"Content-Type": "application/json"}
            response = api.api_client.call_api("PUT", path, headers, json.dumps({"gmtRead": date}))
            assert (response.status, response.read() != b"") == (400, True)


def test_what_is_said_is_kept_in_a_file(tmp_path: Path) -> None:
    file = str(tmp_path / "sandbox.db")
    with Sandbox(db=file) as sandbox:
        token, uid = sandbox.token, sandbox.character.uid
        api = api_for(sandbox)
        with api.api_client:
            chat = start(api, sandbox)
            api.send_message(chat, "Remember me")
    with Sandbox(db=file) as sandbox:
        assert (sandbox.token, sandbox.character.uid) == (token, uid)
        api = api_for(sandbox)
        with api.api_client:
            assert texts(api, chat)[1] == "Remember me"


def test_it_leaves_no_thread_and_no_connection_behind() -> None:
    before = threading.active_count()
    with Sandbox() as sandbox:
        api = api_for(sandbox)
        assert api.list_chats() == []
        assert threading.active_count() > before
    assert threading.active_count() == before
    api.api_client.close()


def test_waits_before_each_token_are_the_callers_to_set() -> None:
    waits: list[float] = []
    with Sandbox(delay=0.25, sleep=waits.append) as sandbox:
        api = api_for(sandbox)
        with api.api_client:
            api.send_message(start(api, sandbox), "Hi")
    assert waits == [0.25] * 3


@pytest.mark.parametrize("settings", [{"release": "1.0"}, {"delay": -1}])
def test_a_wrong_setting_is_refused(settings: Any) -> None:
    with pytest.raises(ValueError, match="is "):
        Sandbox(**settings)


def test_a_character_has_only_known_fields(sandbox: Sandbox) -> None:
    with pytest.raises(TypeError, match="no 'colour'"):
        sandbox.add_character("x", colour="red")
    with pytest.raises(ValueError, match="no character"):
        sandbox.add_chat("0" * 32)


def test_the_echo_is_the_same_for_the_same_prompt_and_varies_over_a_chat() -> None:
    said = [echo(Prompt("Hi", "Pip", turn, False)) for turn in range(4)]
    assert said == [echo(Prompt("Hi", "Pip", turn, False)) for turn in range(4)]
    assert len(set(said)) == 4
    assert echo(Prompt(" ", "Pip", 0, False)) == "You said nothing. I will wait."


# Connections


def ask(connection: http.client.HTTPConnection, sandbox: Sandbox, **headers: str) -> http.client.HTTPResponse:
    given = {"Authorization": f"Bearer {sandbox.token}", **headers}
    connection.request("GET", f"/api/{'v1' if sandbox.release == '2.0.0' else 'v2'}/chat", headers=given)
    response = connection.getresponse()
    response.read()
    return response


def test_a_connection_closes_with_its_hundredth_response(sandbox: Sandbox) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", sandbox.port, MAX_WAIT)) as connection:
        headers = [ask(connection, sandbox).getheader("Connection") for _ in range(100)]
        assert headers == [None] * 99 + ["close"]


def test_a_request_may_come_in_chunks_and_is_refused_above_10_mib(sandbox: Sandbox) -> None:
    prefix = "/api/v1" if sandbox.release == "2.0.0" else "/api/v2"
    body = json.dumps({"characterUid": sandbox.character.uid}).encode()
    headers = {"Authorization": f"Bearer {sandbox.token}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection("127.0.0.1", sandbox.port, MAX_WAIT)) as connection:
        connection.request("POST", f"{prefix}/chat", iter([body[:5], body[5:]]), headers, encode_chunked=True)
        response = connection.getresponse()
        assert (response.status, len(response.read())) == (200, 32)
        connection.putrequest("POST", f"{prefix}/chat")
        connection.putheader("Content-Length", str(11 * 1024 * 1024))
        connection.endheaders()
        response = connection.getresponse()
        assert (response.status, response.read(), response.getheader("Connection")) == (413, b"", "close")


def test_an_error_of_v1_has_no_body_for_clients_that_do_not_take_json() -> None:
    with (
        Sandbox(release="2.0.0") as sandbox,
        closing(http.client.HTTPConnection("127.0.0.1", sandbox.port, MAX_WAIT)) as connection,
    ):
        response = ask(connection, sandbox, Accept="text/event-stream")
        assert (response.status, response.getheader("Content-Type")) == (406, None)
