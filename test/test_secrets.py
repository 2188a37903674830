"""A token planted everywhere it can be given shows nowhere: no repr, log, message, traceback, report or pickle."""

import copy
import html
import http.client
import io
import json
import logging
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

import freechat_sdk
from freechat_sdk import (
    AccountApi,
    AiApiKeyCreateDTO,
    AIServiceApi,
    ApiClient,
    ApiException,
    ApiValueError,
    Call,
    CharacterApi,
    ChatApi,
    ChatContextDTO,
    ChatCreateDTO,
    Configuration,
    Hooks,
    StreamInterruptedError,
)
from freechat_sdk._connection import _TimedReader
from freechat_sdk._decoders import as_json
from freechat_sdk._model import _secret_names
from freechat_sdk._names import MODEL_MODULES
from freechat_sdk._operation import READ, Operation
from test.clients import TOKEN, api_of, configured, inner_frames, shown_in_frames
from test.hostile import GARBLED, LOST, STALLS, close, response, says
from test.server import (
    EVENT_STREAM,
    JSON,
    MAX_WAIT,
    Connection,
    Handler,
    RecordingServer,
    Request,
    chats_and_streams,
    events_response,
    html_response,
    in_order,
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


SHORT_TIME = 0.3
"""Seconds for calls that only time can end."""
FAULTS: dict[str, Handler] = {
    **LOST,
    **GARBLED,
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
    seconds = SHORT_TIME if handler in STALLS.values() else MAX_WAIT
    with chat_api(handler, timeout=seconds) as (api, server):
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


# Masked by value

OPAQUE = 'opaque"en%41\\/x~&+<1>'
"""A token that looks like none, of characters that are escaped in many ways."""
ESCAPED = {
    "raw": OPAQUE,
    "JSON": json.dumps(OPAQUE)[1:-1],
    "JSON, slashes escaped": json.dumps(OPAQUE)[1:-1].replace("/", "\\/"),
    "JSON, for HTML": json.dumps(OPAQUE)[1:-1].replace("<", "\\u003c").replace(">", "\\u003E").replace("&", "\\u0026"),
    "JSON in JSON": json.dumps(json.dumps(OPAQUE))[3:-3],
    "percent": quote(OPAQUE, safe=""),
    "percent, lower case": quote(OPAQUE, safe="").lower(),
    "percent in a path": quote(OPAQUE),
    "percent twice": quote(quote(OPAQUE, safe=""), safe=""),
    "HTML": html.escape(OPAQUE),
}
WAYS: dict[str, tuple[Any, dict[str, Any]]] = {
    "configured": (OPAQUE, {}),
    "from a function": (lambda: OPAQUE, {}),
    "header": (None, {"_request_auth": {"in": "header", "key": "X-Any", "value": OPAQUE}}),
    "bearer": (None, {"_request_auth": {"in": "header", "key": "Authorization", "value": f"Bearer {OPAQUE}"}}),
    "cookie": (None, {"_request_auth": {"in": "cookie", "key": "session", "value": f"a=b; session={OPAQUE}"}}),
    "_headers": (None, {"_headers": {"Authorization": f"Token {OPAQUE}"}}),
}


def echoes(form: str) -> Handler:
    """Return a handler that shows a text wherever a response can hold it: one place after the other."""
    text = form.encode()
    body = b'{"message":"bad ' + text + b'"}'
    return in_order(
        says(response(body, JSON, ("X-Any", form), ("Location", f"http://a/{form}"), status=400)),
        lambda _, connection: connection.respond(500, b"bad " + text, [], form),
        says(b"HTTP/1.1 abc " + text + b"\r\n\r\n", close),
        says(b"HTTP/1.1 200 OK\r\n" + text + b"\r\n\r\n", close),
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + text + b"\r\n\r\n", close),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + text, close),
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + text, close),
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + text + b"\r\n", close),
        says(response(b"[]", ("Content-Encoding", form))),
        says(response(b'{"chatId":"' + text + b'"}', JSON)),
        says(response(b"x", ("Content-Type", form))),
    )


def kept_by(error: BaseException) -> str:
    """Return everything that an error and its causes keep."""
    texts = [repr(pickle.loads(pickle.dumps(error)).__dict__), pickle.dumps(error).decode("latin-1")]
    waiting = [error]
    while waiting:
        found = waiting.pop()
        texts += [str(found), repr(found), repr(found.args), repr(vars(found))]
        waiting += [other for other in (found.__cause__, found.__context__) if other is not None]
    return "\n".join(texts)


@pytest.mark.parametrize("form", ESCAPED)
@pytest.mark.parametrize("way", WAYS)
def test_a_token_that_a_call_used_is_masked_however_it_comes_back(form: str, way: str, told: Callable[[], str]) -> None:
    token, options = WAYS[way]
    configuration = {"access_token": token, "retries": 0, "log_bodies": True}
    with api_of(ChatApi, echoes(ESCAPED[form]), **configuration) as (api, server):
        for _ in range(11):
            with pytest.raises(ApiException) as caught:
                api.list_chats(**options)
            text = kept_by(caught.value) + shown_in_frames(caught.value) + told()
            assert ESCAPED[form] not in text
            assert repr(ESCAPED[form])[1:-1] not in text
    assert OPAQUE in "".join(value for _, value in server.requests[0].headers), "the token is really sent"


def test_the_text_and_the_events_of_a_stream_stay_as_received() -> None:
    broken = events_response({"text": f"{TOKEN} "}, {"text": OPAQUE})
    with (
        api_of(ChatApi, broken, access_token=OPAQUE) as (api, _),
        pytest.raises(StreamInterruptedError) as caught,
    ):
        api.stream_send_message("chat", "Hi").until_done()
    error = caught.value
    assert error.text == f"{TOKEN} {OPAQUE}"
    assert [event.text for event in error.events] == [f"{TOKEN} ", OPAQUE]
    assert OPAQUE not in f"{error}{error.body}{error.headers}"


def secret_fields() -> Iterator[Any]:
    for name in sorted(MODEL_MODULES.keys() - {"SseEmitter"}):
        model = getattr(freechat_sdk, name)
        for field in sorted(_secret_names(model)):
            value = {"X-Key": OPAQUE} if "dict" in str(model.model_fields[field].annotation) else OPAQUE
            yield pytest.param(model, {to_camel(field): value}, id=f"{name}.{field}")


@pytest.mark.parametrize(("model", "fields"), list(secret_fields()))
def test_the_secret_fields_of_a_model_are_masked_in_logged_bodies(
    model: Any, fields: dict[str, Any], told: Callable[[], str]
) -> None:
    body = model.from_json(json.dumps(fields))
    operation = Operation("POST", "/secret", as_json(list[model]), {}, retry=READ, body=body)
    with api_of(ChatApi, json_response([fields]), log_bodies=True) as (api, server):
        (received,) = api.api_client.run(operation)
    assert (received, server.requests[0].json) == (body, fields)
    text = told()
    assert text.count('"***"') == 2 * 2, "request and response, in the log and its copy"
    assert "opaque" not in text


# Frames


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


PHASES = [
    "socket.getaddrinfo",
    "freechat_sdk._connection.create_connection",
    "http.client.HTTPConnection.endheaders",
    "http.client.HTTPResponse._read_status",
    "freechat_sdk._connection._TimedReader.readinto",
]
AUTH = {"_request_auth": {"in": "header", "key": "X-Any", "value": OPAQUE}}
CALLS: list[Callable[[ChatApi], object]] = [
    lambda api: api.list_chats(),
    lambda api: api.list_chats(**AUTH),  # type: ignore[arg-type]
    lambda api: api.list_chats_with_http_info(_headers={"X-Any": OPAQUE}),
    lambda api: api.list_chats_without_preload_content(),
    lambda api: api.stream_send_message("chat", "Hi"),
    lambda api: api.api_client.call_api("GET", "/", {"X-Any": OPAQUE}),
]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("call", CALLS)
def test_an_interrupted_call_leaves_one_frame_of_ours_and_no_credential(
    phase: str, call: Callable[[ChatApi], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    with api_of(ChatApi, chats_and_streams, access_token=OPAQUE) as (api, _):
        with monkeypatch.context() as patch:
            patch.setattr(phase, interrupt)
            with pytest.raises(KeyboardInterrupt) as caught:
                call(api)
        names = [frame.f_code.co_name for frame in inner_frames(caught.value)]
        assert names == ["call"]
        assert "opaque" not in shown_in_frames(caught.value)
        assert api.list_chats() == []


def interrupted_once(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that raises KeyboardInterrupt instead of its first call."""
    interrupts = iter([KeyboardInterrupt])

    def call(*args: Any) -> Any:
        for kind in interrupts:
            raise kind
        return method(*args)

    return call


READERS: dict[str, Callable[[Any], object]] = {
    "list": list,
    "next": next,
    "until_done": lambda source: source.until_done(),
    "text_deltas": lambda source: list(source.text_deltas()),
    "read": lambda source: source.read(),
    "save": lambda source: source.save(os.devnull),
}


@pytest.mark.parametrize(
    ("kind", "reader"),
    [
        *(("stream", name) for name in ("list", "next", "until_done", "text_deltas")),
        *(("download", name) for name in ("list", "read", "save")),
        ("by hand", "read"),
    ],
)
@pytest.mark.parametrize("ending", ["interrupt", "reset"])
def test_a_body_that_breaks_off_leaves_no_credential_in_a_frame(
    kind: str, reader: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def respond(request: Request, connection: Connection) -> None:
        connection.start_chunked(headers=[EVENT_STREAM] if kind == "stream" else [])
        connection.event({"text": "a"})
        connection.chunk(f"data: {OPAQUE}".encode())
        if ending == "reset":
            connection.reset()

    with api_of(ChatApi, respond, access_token=OPAQUE) as (api, _), monkeypatch.context() as patch:
        source: Any
        if kind == "stream":
            source = api.stream_send_message("chat", "Hi")
        elif kind == "download":
            source = CharacterApi(api.api_client).export_character(1)
        else:
            source = api.api_client.call_api("GET", "/")
        if reader == "next":
            next(source)
        if ending == "interrupt":
            patch.setattr(_TimedReader, "readinto", interrupted_once(_TimedReader.readinto))
        with pytest.raises((KeyboardInterrupt, ApiException)) as caught:
            READERS[reader](source)
    frames = inner_frames(caught.value)
    assert {frame.f_globals["__package__"] for frame in frames} == {"freechat_sdk"}
    assert "opaque" not in repr([frame.f_locals for frame in frames])


REFUSED: list[Callable[[], object]] = [
    lambda: Configuration(f"http://a b/{OPAQUE}"),
    lambda: Configuration(f"ftp://{OPAQUE}"),
    lambda: Configuration(api_version=OPAQUE),
    lambda: Configuration(access_token=f"{OPAQUE}\n"),
    lambda: Configuration(access_token=OPAQUE, timeout=-1),
    lambda: Configuration(proxy_headers={"X-Any": f"{OPAQUE}\n"}),
    lambda: setattr(Configuration(), "access_token", f"{OPAQUE}\n"),
    lambda: ApiClient(Configuration(), "X-Any", f"{OPAQUE}\n"),
    lambda: ApiClient(Configuration(), cookie=f"{OPAQUE}\n"),
    lambda: setattr(ApiClient(Configuration()), "cookie", f"{OPAQUE}\n"),
    lambda: ApiClient(Configuration()).set_default_header("X-Any", f"{OPAQUE}\n"),
    lambda: ApiClient(Configuration()).call_api("GET", "/", {"X-Any": f"{OPAQUE}\n"}),
    lambda: keys(name=1, token=OPAQUE),
    lambda: keys.from_dict({"token": OPAQUE}),
    lambda: keys.from_json(json.dumps({"token": [OPAQUE]})),
    lambda: setattr(keys(name="a", provider="b", token="c"), "token", [OPAQUE]),
    lambda: setattr(keys(name="a", provider="b", token="c"), "tokn", OPAQUE),
    lambda: services.add_ai_api_key({"token": OPAQUE}),
]


@pytest.mark.parametrize("refused", REFUSED)
def test_what_is_refused_shows_in_no_frame_and_no_message(refused: Callable[[], object]) -> None:
    with pytest.raises((ApiValueError, ValidationError)) as caught:
        refused()
    error = caught.value
    assert len(inner_frames(error)) == 1
    assert "opaque" not in f"{error}{error!r}{error.args}{vars(error)}{shown_in_frames(error)}"


@pytest.mark.parametrize(
    "read",
    [
        lambda api: list(api.stream_send_message("chat", "Hi").text_deltas()),
        lambda api: bytes(CharacterApi(api.api_client).export_character(1)),
        lambda api: CharacterApi(api.api_client).export_character_with_http_info(1).raw_data,
    ],
    ids=["text_deltas", "bytes", "raw_data"],
)
def test_what_is_read_through_another_method_shows_one_frame_too(read: Callable[[ChatApi], object]) -> None:
    def respond(request: Request, connection: Connection) -> None:
        connection.start_chunked(headers=[EVENT_STREAM] if "stream" in request.path else [])
        connection.reset()

    with api_of(ChatApi, respond, access_token=OPAQUE) as (api, _), pytest.raises(ApiException) as caught:
        read(api)
    assert len(inner_frames(caught.value)) == 1


FULL = """
import traceback
from freechat_sdk import ApiClient, ApiException, ChatApi, Configuration
with ApiClient(Configuration("http://127.0.0.1:1", retries=0)) as client:
    try:
        ChatApi(client).list_chats()
    except ApiException as error:
        print(len(traceback.extract_tb(error.__traceback__)))
"""


@pytest.mark.parametrize(("switch", "is_whole"), [("1", True), ("", False)])
def test_a_switch_of_the_environment_keeps_the_frames_for_debugging(switch: str, is_whole: bool) -> None:
    environment = {**os.environ, "FREECHAT_FULL_TRACEBACKS": switch}
    run = subprocess.run([sys.executable, "-c", FULL], env=environment, capture_output=True, check=True, text=True)
    assert (int(run.stdout) > 2) == is_whole


def test_no_variable_of_a_client_and_no_part_of_a_token_shows_it() -> None:
    configuration = Configuration(
        access_token=OPAQUE,
        api_key={"a": OPAQUE},
        password=OPAQUE,
        proxy=f"http://user:{quote(OPAQUE, safe='')}@127.0.0.1:1",
        proxy_headers={"Proxy-Authorization": OPAQUE},
    )
    with ApiClient(configuration, "X-Api-Key", OPAQUE, cookie=f"a={OPAQUE}") as client:
        objects: list[object] = [
            vars(client),
            vars(configuration),
            vars(copy.deepcopy(configuration)),
            client.default_headers,
        ]
        token = configuration.access_token
        objects += [token, token[2:], [token[:9]], (token[1],), {"token": token[::-1]}]
        assert "opaque" not in repr(objects)
        assert str(token[0:6]) == "opaque"


def test_a_configuration_has_a_repr_at_every_moment() -> None:
    half_made = Configuration.__new__(Configuration)
    assert repr(half_made) == "Configuration(host=None, access_token=None, api_version=None)"
    half_made._access_token = lambda: OPAQUE
    assert "opaque" not in repr(half_made)


@pytest.mark.parametrize("token", ["c2VjcmV0LXRva2VuLTAxMjM0NQ==", "abcdefgh=", "=abcdefgh", "a=bcdefghi=="])
def test_a_token_with_equals_signs_is_masked_whole_where_a_server_echoes_it(token: str) -> None:
    handler = says(response(f"unknown token: {token}".encode(), status=401))
    with api_of(ChatApi, handler, access_token=token) as (api, _), pytest.raises(ApiException) as caught:
        api.list_chats()
    assert caught.value.body == "unknown token: ***"


@pytest.mark.parametrize("data", [TOKEN, json.dumps({"text": {"a": TOKEN}})])
def test_an_error_does_not_keep_the_one_of_pydantic_that_holds_the_event(data: str) -> None:
    def handle(_: Request, connection: Connection) -> None:
        connection.start_stream()
        connection.chunk(f"data:{data}\n\n".encode())
        connection.end()

    with api_of(ChatApi, handle) as (api, _), pytest.raises(freechat_sdk.ApiDecodeError) as caught:
        api.stream_send_message("chat", "Hi").until_done()
    waiting: list[BaseException | None] = [caught.value]
    while waiting:
        if (error := waiting.pop()) is not None:
            assert TOKEN not in f"{error!r} {error}"
            waiting += [error.__cause__, error.__context__]
