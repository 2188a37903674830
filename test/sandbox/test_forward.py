"""`model=forward`: a task's own server, which speaks OpenAI's chat completions, answers through the sandbox."""

import json
import ssl
import threading
from typing import Any

import pytest
import trustme

from freechat_sdk import (
    ApiClient,
    ApiException,
    CharacterApi,
    CharacterBackendDTO,
    CharacterCreateDTO,
    ChatApi,
    ChatCreateDTO,
    Configuration,
    PromptAiParamDTO,
    PromptApi,
    PromptCreateDTO,
    PromptRefDTO,
    PromptTaskApi,
    PromptTaskDTO,
)
from freechat_sdk.sandbox import Completion, Message, ModelError, Prompt, Sandbox, Usage, forward
from freechat_sdk.sandbox.completions import paced
from test.server import (
    MAX_WAIT,
    Connection,
    Handler,
    RecordingServer,
    Request,
    json_response,
    refused_port,
    text_response,
    tls_context,
)

KEY = "sk-test"
MODEL = "[open_ai]gpt-4o|text2chat"
ANSWER = {
    "choices": [{"message": {"role": "assistant", "content": "Hi there"}, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
PARTS = [
    {"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}], "usage": None},
    {"choices": [{"delta": {"content": "Hi "}, "finish_reason": None}]},
    {"choices": [{"delta": {"content": "there"}, "finish_reason": None}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def prompt(server: RecordingServer | str, *, is_streamed: bool = False, **parameters: Any) -> Prompt:
    url = server if isinstance(server, str) else f"{server.url}/v1"
    messages = [Message("system", "Be kind."), Message("user", "Hi")]
    given = {"baseUrl": url, **parameters}
    return Prompt("Hi", "", 0, is_streamed, messages, MODEL, given, KEY)


def streamed(*parts: object, end: str = "data: [DONE]\n\n") -> Handler:
    """Return a handler that streams parts as OpenAI frames them."""

    def handle(_: Request, connection: Connection) -> None:
        connection.start_stream()
        for part in parts:
            connection.chunk(f"data: {json.dumps(part)}\n\n".encode())
        if end:
            connection.chunk(end.encode())
        connection.end()

    return handle


def cut_short(_: Request, connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 \r\nContent-Length: 9\r\n\r\n{")
    connection.close()


def test_the_tasks_server_gets_the_model_the_messages_the_parameters_and_the_key() -> None:
    with RecordingServer(json_response(ANSWER)) as server:
        completion = forward(prompt(server, temperature=0.3, topP=1, maxTokens=9, modelId="x", unknown="y"))
    assert completion == Completion(["Hi there"], Usage(3, 2), "length")
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.header("Authorization") == f"Bearer {KEY}"
    assert request.json == {
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}],
        "temperature": 0.3,
        "top_p": 1,
        "max_tokens": 9,
    }


@pytest.mark.parametrize("delay", [0, 1])
def test_a_streamed_answer_ends_with_why_and_what_it_cost(delay: float) -> None:
    ask = paced(forward, delay, lambda seconds: None)
    with RecordingServer(streamed(*PARTS)) as server:
        completion = ask(prompt(server, is_streamed=True))
        assert list(completion.tokens) == ["Hi ", "there"]
    assert (completion.usage, completion.finish_reason) == (Usage(3, 2), "stop")
    assert server.requests[0].json["stream"] is True


def test_tokens_pass_through_the_sandbox_as_they_come() -> None:
    seen = threading.Event()

    def answer(_: Request, connection: Connection) -> None:
        connection.start_stream()
        for part in PARTS[:2]:
            connection.chunk(f"data: {json.dumps(part)}\n\n".encode())
        assert seen.wait(MAX_WAIT)
        for part in PARTS[2:]:
            connection.chunk(f"data: {json.dumps(part)}\n\n".encode())
        connection.end()

    with RecordingServer(answer) as server, Sandbox(model=forward) as sandbox:
        params = {"modelId": MODEL, "baseUrl": f"{server.url}/v1", "apiKey": KEY}
        with ApiClient(Configuration(sandbox.host, access_token=sandbox.token)) as client:
            stream = PromptApi(client).stream_send_prompt(PromptAiParamDTO(prompt="Hi", params=params))
            deltas = []
            for delta in stream.text_deltas():
                deltas.append(delta)
                seen.set()
            assert deltas == ["Hi ", "there"]
            assert stream.result is not None
            assert stream.result.finish_reason == "stop"


def test_a_chat_asks_the_server_of_its_characters_task() -> None:
    with (
        RecordingServer(streamed(*PARTS)) as server,
        Sandbox(model=forward) as sandbox,
        ApiClient(Configuration(sandbox.host, access_token=sandbox.token)) as client,
    ):
        chats = ChatApi(client)
        chat = chats.start_chat(ChatCreateDTO(character_uid=character_of_its_own(client, server.url)))
        assert chats.stream_send_message(chat, "Hi").until_done().answer == "Hi there"
        assert [message.text for message in chats.list_messages(chat)] == ["Hi", "Hi there"]
    request = server.requests[0]
    assert request.header("Authorization") == f"Bearer {KEY}"
    assert request.json["messages"] == [
        {"role": "system", "content": "You are ally."},
        {"role": "user", "content": "Hi"},
    ]
    assert (request.json["model"], request.json["temperature"]) == ("gpt-4o", 0.3)


def character_of_its_own(client: ApiClient, url: str) -> str:
    """Make a character whose task names a server and a key, and return its uid."""
    prompts, tasks, characters = PromptApi(client), PromptTaskApi(client), CharacterApi(client)
    to_send = {"role": "user", "contents": [{"type": "text", "content": "{{{input}}}"}]}
    template = {"system": "You are {{CHARACTER_NICKNAME}}.", "messageToSend": to_send}
    prompt = prompts.create_prompt(PromptCreateDTO.from_dict({"name": "p", "chatTemplate": template}))
    ref, params = PromptRefDTO(prompt_id=prompt), {"baseUrl": url, "temperature": 0.3}
    task = tasks.create_prompt_task(PromptTaskDTO(prompt_ref=ref, model_id=MODEL, api_key_value=KEY, params=params))
    character = characters.get_character_summary(characters.create_character(CharacterCreateDTO(name="ally")))
    uid = str(character.character_uid)
    characters.add_character_backend(uid, CharacterBackendDTO(chat_prompt_task_id=task, is_default=True))
    return uid


def test_a_servers_failure_is_a_failure_of_the_sandbox() -> None:
    with RecordingServer(json_response({"error": {"message": "no"}}, 429)) as server, Sandbox(model=forward) as sandbox:
        params = {"modelId": MODEL, "baseUrl": f"{server.url}/v1", "apiKey": KEY}
        with (
            ApiClient(Configuration(sandbox.host, access_token=sandbox.token)) as client,
            pytest.raises(ApiException) as caught,
        ):
            PromptApi(client).send_prompt(PromptAiParamDTO(prompt="Hi", params=params))
    assert caught.value.status == 500


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (json_response({"error": {"message": "no"}}, 401), '{"error": {"message": "no"}}'),
        (json_response({"error": "no"}), '{"error": "no"}'),
        (text_response("<html>"), "not JSON: <html>"),
        (lambda _, connection: connection.respond(302, b"", [("Location", "http://127.0.0.1/")]), "HTTP Error 302: "),
        (lambda _, connection: connection.reset(), "reset"),
        (cut_short, "IncompleteRead"),
    ],
)
def test_what_a_server_says_of_its_failure_is_told(handler: Handler, said: str) -> None:
    with RecordingServer(handler) as server, pytest.raises(ModelError) as caught:
        forward(prompt(server))
    assert said in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_stream_that_breaks_fails_after_the_tokens_that_came() -> None:
    def breaks(_: Request, connection: Connection) -> None:
        connection.start_stream()
        connection.chunk(f"data: {json.dumps(PARTS[1])}\n\n".encode())
        connection.reset()

    for handler in (breaks, streamed(PARTS[1], {"error": {"message": "no"}}), streamed(PARTS[1], end="data: {\n\n")):
        with RecordingServer(handler) as server:
            tokens = iter(forward(prompt(server, is_streamed=True)).tokens)
            assert next(tokens) == "Hi "
            with pytest.raises(ModelError):
                next(tokens)


def test_a_stream_that_just_ends_has_no_reason() -> None:
    with RecordingServer(streamed(PARTS[1], end="")) as server:
        completion = forward(prompt(server, is_streamed=True))
        assert list(completion.tokens) == ["Hi "]
    assert (completion.usage, completion.finish_reason) == (None, None)


def test_a_server_is_asked_over_tls_and_has_to_show_a_certificate(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with RecordingServer(json_response(ANSWER), tls=tls_context(authority, "127.0.0.1")) as server:
        with pytest.raises(ModelError, match="certificate verify failed"):
            forward(prompt(server))
        monkeypatch.setenv(ssl.get_default_verify_paths().openssl_cafile_env, str(tmp_path / "ca.pem"))
        assert list(forward(prompt(server)).tokens) == ["Hi there"]


def test_a_server_that_is_not_there_or_has_no_web_address_is_told() -> None:
    with refused_port() as port, pytest.raises(ModelError, match="refused"):
        forward(prompt(f"http://127.0.0.1:{port}"))
    with pytest.raises(ModelError, match="baseUrl is an http or https address, not 'file:///etc/chat/completions'"):
        forward(prompt("file:///etc"))


def test_a_task_without_a_server_and_a_key_gets_an_echo() -> None:
    assert "".join(forward(Prompt("Hi")).tokens) == "You said: Hi"
