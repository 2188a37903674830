"""The verdict on a program: each misuse is found, and what looks like it is not."""

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from freechat_sdk import ApiClient, ApiException, ChatApi, ChatCreateDTO, Configuration
from freechat_sdk.sandbox import Busy, Cut, Fault, Garbage, Html, Reset, Sandbox, Slow, Stall, Status
from test.clients import Clock, configured
from test.server import MAX_WAIT

SEND, STREAM = "ChatApi.send_message", "ChatApi.stream_send_message"
SHORT = 0.5


class Program:
    """A program that uses the sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.settings = configured(sandbox.host, access_token=sandbox.token, api_version="v2", retries=0)
        self.client = ApiClient(self.settings)
        self.api = ChatApi(self.client)
        self.chat = self.api.start_chat(ChatCreateDTO(character_uid=sandbox.character.uid))

    def send(self, text: str = "Hi") -> None:
        with suppress(ApiException):
            self.api.send_message(self.chat, text, _request_timeout=SHORT)

    def is_told(self, text: str) -> None:
        with pytest.raises(AssertionError) as caught:
            self.sandbox.assert_well_behaved()
        first, *others = str(caught.value).splitlines()
        assert first == "The program misused the server:"
        (other,) = others
        assert other.startswith("- ")
        assert text in other

    def is_praised(self) -> None:
        self.sandbox.assert_well_behaved()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def program(clock: Clock) -> Iterator[Program]:
    with Sandbox(clock=clock) as sandbox:
        program = Program(sandbox)
        with program.client:
            yield program


DOUBTFUL = [Reset(), Garbage(), Html(), Stall(), Slow(3600), Cut(after=5), Status(500), Status(502), Status(504)]


@pytest.mark.parametrize("fault", DOUBTFUL, ids=repr)
def test_a_message_sent_again_that_may_have_arrived(program: Program, fault: Fault) -> None:
    program.sandbox.fail(SEND, fault, 1)
    program.send()
    program.is_praised()
    program.send()
    program.is_told("ChatApi.send_message was sent again although the first request may have been carried out")


@pytest.mark.parametrize("fault", [Busy(), Status(429), Status(404), Fault()], ids=repr)
def test_a_message_sent_again_that_certainly_did_not_arrive_or_was_answered(program: Program, fault: Fault) -> None:
    program.sandbox.fail(SEND, fault, 1)
    program.send()
    program.send()
    program.is_praised()


def test_a_message_sent_again_after_a_look_at_the_chat(program: Program) -> None:
    program.sandbox.fail(SEND, Reset(), 2)
    program.send()
    program.send("another")
    program.api.list_messages(program.chat)
    program.send()
    program.is_praised()


def test_a_read_may_be_repeated(program: Program) -> None:
    program.sandbox.fail("ChatApi.list_chats", Reset(), 1)
    for _ in range(2):
        with suppress(ApiException):
            program.api.list_chats()
    program.is_praised()


@pytest.mark.parametrize("fault", [Reset(), Status(502), Busy(), Garbage()], ids=repr)
def test_the_client_itself_behaves_under_each_fault(program: Program, fault: Fault) -> None:
    patient = ApiClient(configured(program.sandbox.host, access_token=program.sandbox.token, api_version="v2"))
    program.sandbox.fail("*", fault, 2)
    with patient:
        for call in (ChatApi(patient).list_chats, lambda: ChatApi(patient).send_message(program.chat, "Hi")):
            with suppress(ApiException):
                call()
    program.is_praised()


def test_two_messages_at_once_to_a_chat(program: Program) -> None:
    with program.api.stream_send_message(program.chat, "Hi") as stream:
        stream.until_done()
    program.sandbox.fail(STREAM, Stall(after=1), 1)
    with program.api.stream_send_message(program.chat, "Hi") as stream:
        next(stream)
        program.send()
    program.is_told("ChatApi.send_message was called while another message to the same chat was under way")


def test_two_messages_at_once_to_two_chats_or_after_a_stream_was_closed(program: Program) -> None:
    other = program.sandbox.add_chat(program.sandbox.add_character("other").uid)
    program.sandbox.fail(STREAM, Stall(after=1), 1)
    with program.api.stream_send_message(program.chat, "Hi") as stream:
        next(stream)
        program.api.send_message(other, "Hi")
    program.send()
    program.is_praised()


def list_with_a_new_client(configuration: Configuration) -> None:
    with ApiClient(configuration) as client:
        ChatApi(client).get_default_chat_id("0" * 32)


def test_a_new_connection_for_each_call(program: Program, clock: Clock) -> None:
    for _ in range(4):
        clock.now += 1
        list_with_a_new_client(program.settings)
    program.is_praised()
    for _ in range(2):
        clock.now += 1
        list_with_a_new_client(program.settings)
    program.is_told("5 calls came on a new connection each")


def test_new_connections_after_streams_that_were_closed_early_or_ended_by_the_server(program: Program) -> None:
    for _ in range(6):
        with program.api.stream_send_message(program.chat, "a b c") as stream:
            next(stream)
    for _ in range(6):
        program.send("")  # a 500 closes the connection
    program.is_praised()


def test_many_threads_may_have_a_connection_each(program: Program) -> None:
    threads = [threading.Thread(target=program.api.get_default_chat_id, args=("0" * 32,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(MAX_WAIT)
    found = [exchange for exchange in program.sandbox._server.journal.exchanges if exchange.reconnects]
    assert found == []


def test_polling(program: Program, clock: Clock) -> None:
    for _ in range(4):
        program.api.list_chats()
    program.is_praised()
    program.api.list_chats()
    program.is_told("ChatApi.list_chats was polled faster than once a second")


def test_reading_once_a_second_or_between_other_calls(program: Program, clock: Clock) -> None:
    for _ in range(6):
        program.api.list_chats()
        clock.now += 1
    for number in range(6):
        program.send(str(number))
        program.api.list_chats()
    program.is_praised()


def test_a_stream_that_is_left_open(program: Program) -> None:
    program.sandbox.fail(STREAM, Stall(after=2), 1)
    stream = program.api.stream_send_message(program.chat, "Hi")
    next(stream)
    program.is_told("ChatApi.stream_send_message: a stream was left open")
    stream.close()
    program.is_praised()


@pytest.mark.parametrize("query", ["token=abc", "q=fc-0123", "Access_Token=abc", "x={token}"])
def test_a_token_in_a_query(program: Program, query: str) -> None:
    query = query.format(token=program.sandbox.token)
    program.client.call_api("GET", f"{program.sandbox.host}/api/v2/chat?{query}").read()
    program.is_told("ChatApi.list_chats: the query holds a token")


def test_all_misuses_are_told_each_once(program: Program) -> None:
    for _ in range(6):
        program.client.call_api("GET", f"{program.sandbox.host}/api/v2/chat?token=1").read()
    with pytest.raises(AssertionError) as caught:
        program.sandbox.assert_well_behaved()
    assert len(str(caught.value).splitlines()) == 3
