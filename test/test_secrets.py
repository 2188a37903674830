"""A token planted everywhere it can be given shows nowhere: no repr, log, message, traceback, report or pickle."""

import copy
import http.client
import io
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from pydantic import ValidationError

from freechat_sdk import (
    AccountApi,
    AiApiKeyCreateDTO,
    AIServiceApi,
    ApiClient,
    ApiException,
    ApiValueError,
    Call,
    ChatApi,
    ChatContextDTO,
    ChatCreateDTO,
    Configuration,
    Hooks,
)
from test.clients import TOKEN, configured
from test.hostile import LOST, STALLS, response, says
from test.server import (
    JSON,
    Handler,
    RecordingServer,
    events_response,
    html_response,
    json_response,
    login_redirect,
    refused_port,
    text_response,
)

KEY = "sk-5ec2e7-of-another-service"
ECHO = f'{{"message":"bad token {TOKEN}","token":"{KEY}","path":"/api/v1/account/token/{TOKEN}"}}'.encode()


def shown(error: BaseException) -> str:
    """Everything that tools make of an error: texts, pickle, and a traceback with the variables of every frame."""
    assert error.__traceback__ is not None
    below = error.__traceback__.tb_next  # the test's own variables are not the package's to hide
    told = traceback.TracebackException(type(error), error, below, capture_locals=True)
    lines = "".join(told.format())
    assert "self = ChatApi(" in lines, "the variables are really shown"
    texts = [lines, str(error), repr(error), repr(error.args), repr(vars(error))]
    if isinstance(error, ValidationError):
        texts += [repr(error.errors()), error.json()]
    else:
        texts += [repr(pickle.dumps(error)), repr(pickle.loads(pickle.dumps(error))), repr(vars(copy.deepcopy(error)))]
    return "\n".join(texts)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Whatever loggers, from the root down, and http.client print, all of them at their most talkative."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    for name in ("", "urllib3", "freechat_sdk"):
        caplog.set_level(logging.DEBUG, name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http.client.HTTPConnection, "debuglevel", 1)
        yield lambda: stream.getvalue() + caplog.text + "".join(capfd.readouterr())
    logging.getLogger().removeHandler(handler)


def client_at(url: str, **settings: Any) -> ApiClient:
    """Return a client with the token in every place that it can be given in."""
    configuration = configured(url, **{"retries": 1, "log_bodies": True, **settings})
    client = ApiClient(configuration, "Authorization", f"Bearer {TOKEN}", cookie=f"session={TOKEN}")
    client.set_default_header("Proxy-Authorization", f"Basic {TOKEN}")
    return client


@contextmanager
def chat_api(handler: Handler, **settings: Any) -> Iterator[tuple[ChatApi, RecordingServer]]:
    with RecordingServer(handler) as server, client_at(server.url, **settings) as client:
        yield ChatApi(client), server


FAULTS: dict[str, Handler] = {
    **LOST,
    **STALLS,
    "400": says(response(ECHO, JSON, status=400)),
    "401": says(
        response(ECHO, JSON, ("WWW-Authenticate", f"Bearer {TOKEN}"), ("Set-Cookie", f"t={TOKEN}"), status=401)
    ),
    "500": says(response(ECHO, ("Authorization", f"Bearer {TOKEN}"), status=500)),
    "503": says(response(ECHO, JSON, status=503)),
    "redirect": says(response(b"", ("Location", f"https://x/?token={TOKEN}"), status=302)),
    "login": login_redirect(),
    "HTML": html_response(),
    "JSON of another shape": says(response(b'{"chatId":' + ECHO + b"}", JSON)),
    "broken header": says(f"HTTP/1.1 200 OK\r\nnonsense {TOKEN}\r\n\r\n".encode()),
}


@pytest.mark.parametrize("handler", FAULTS.values(), ids=FAULTS)
def test_no_error_shows_the_token(handler: Handler, told: Callable[[], str]) -> None:
    with chat_api(handler, timeout=0.2) as (api, server):
        with pytest.raises(ApiException) as caught:
            api.list_chats()
        client = api.api_client
        text = shown(caught.value) + told() + repr(client) + client.configuration.to_debug_report()
    assert TOKEN in "".join(map(repr, server.requests)), "the token is really sent"
    assert TOKEN not in text
    assert KEY not in text


def test_no_refused_connection_shows_the_token(told: Callable[[], str]) -> None:
    with refused_port() as port, client_at(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(ApiException) as caught:
            ChatApi(client).list_chats()
        assert TOKEN not in shown(caught.value) + told()


@pytest.mark.parametrize("status", [200, 500])
def test_a_token_in_a_path_is_not_logged(status: int, told: Callable[[], str]) -> None:
    """`delete_token` has it in its path, and urllib3 logs paths."""
    with chat_api(json_response(True, status)) as (api, server):
        with suppress(ApiException):
            AccountApi(api.api_client).delete_token(TOKEN)
        api.api_client.call_api("GET", f"/api/v1/account/token/{TOKEN}").read()
        text = told()
    assert [request.path.rpartition("/")[2] for request in server.requests] == [TOKEN, TOKEN]
    assert "DELETE /account/token/{token}" in text
    assert TOKEN not in text


def test_a_token_in_a_response_is_not_logged(told: Callable[[], str]) -> None:
    with chat_api(text_response(TOKEN)) as (api, _):
        assert AccountApi(api.api_client).create_token() == TOKEN
        assert TOKEN not in told()


def test_a_token_in_a_stream_is_not_logged(told: Callable[[], str]) -> None:
    with chat_api(events_response({"text": TOKEN}, {"text": 1})) as (api, _):
        stream = api.stream_send_message("chat", "Hi")
        with pytest.raises(ApiException) as caught:
            stream.until_done()
        assert TOKEN not in f"{caught.value}{stream!r}" + told()


@pytest.mark.parametrize(
    "options",
    [
        {"_request_auth": TOKEN},
        {"_request_auth": {"in": "header", "key": "Authorization", "value": f"Bearer\n{TOKEN}"}},
        {"_headers": f"Authorization: {TOKEN}"},
        {"_headers": {"Authorization": f"Bearer {TOKEN}\r\n"}},
        {"_headers": {"Authorization": [TOKEN]}},
        {"_content_type": [TOKEN]},
        {"_token": TOKEN},
    ],
)
def test_a_bad_option_does_not_show_the_token(options: dict[str, Any]) -> None:
    with client_at("http://127.0.0.1:9") as client, pytest.raises((TypeError, ValueError)) as caught:
        ChatApi(client).list_chats(**options)
    error = caught.value
    texts = [str(error), repr(error), repr(error.args), "".join(traceback.format_exception(error))]
    texts.append(repr(error.errors()) + error.json() if isinstance(error, ValidationError) else repr(vars(error)))
    assert TOKEN not in "".join(texts)


keys: Any = AiApiKeyCreateDTO
chats: Any = ChatCreateDTO
services: Any = AIServiceApi(ApiClient(Configuration()))
accounts: Any = AccountApi(ApiClient(Configuration()))


@pytest.mark.parametrize(
    "build",
    [
        lambda: keys(token=KEY),
        lambda: keys(name=1, provider="open_ai", token=[KEY]),
        lambda: keys.from_dict({"token": KEY}),
        lambda: keys.from_json(f'{{"token":["{KEY}"]}}'),
        lambda: chats(character_uid=1, api_key_value=KEY),
        lambda: services.add_ai_api_key({"token": KEY}),
        lambda: services.add_ai_api_key(KEY),
        lambda: accounts.delete_token([KEY]),
    ],
)
def test_no_validation_error_holds_what_it_is_about(build: Callable[[], Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        build()
    error = caught.value
    assert error.errors()
    assert KEY not in f"{error}{error!r}{error.errors()}{error.json()}{''.join(traceback.format_exception(error))}"


def test_no_repr_shows_a_credential() -> None:
    configuration = Configuration("https://chat.example.com", access_token=TOKEN)
    with client_at("https://chat.example.com") as client:
        objects = [
            configuration,
            vars(configuration),
            client,
            client.default_headers,
            ChatApi(client),
            client.rest_client,
        ]
        objects += [Configuration(access_token=lambda: TOKEN), ChatContextDTO(backend_id="b", api_key_value=KEY)]
        assert TOKEN not in repr(objects)
        assert KEY not in repr(objects)


def test_a_token_that_cannot_be_sent_is_not_shown() -> None:
    def give() -> str:
        return f"{TOKEN}\n"

    with client_at("http://127.0.0.1:9", access_token=give) as client, pytest.raises(ApiValueError) as caught:
        ChatApi(client).list_chats()
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_a_hook_that_prints_everything_it_gets_shows_no_token(capsys: pytest.CaptureFixture[str]) -> None:
    class Printing(Hooks):
        def on_request(self, call: Call) -> None:
            print(vars(call))

        def on_response(self, call: Call) -> None:
            print(vars(call))

    with chat_api(json_response([], headers=[("Set-Cookie", TOKEN)]), hooks=Printing()) as (api, _):
        api.list_chats()
    assert TOKEN not in capsys.readouterr().out


def test_the_token_is_in_the_pickle_of_a_client_as_documented() -> None:
    with client_at("https://chat.example.com") as client:
        copied = pickle.loads(pickle.dumps(client))
        assert copied.configuration.access_token == TOKEN
        assert TOKEN not in repr(vars(copied))
        copied.close()
