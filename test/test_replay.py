"""Every recorded exchange is made again through the SDK, against a server that repeats what was recorded."""

import base64
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from pydantic_core import from_json, to_json

import freechat_sdk
from freechat_sdk import (
    ApiClient,
    ApiException,
    ApiValueError,
    BadRequestException,
    ChatApi,
    Download,
    ForbiddenException,
    NotFoundException,
    QuotaExceededException,
    ServiceException,
    ServiceUnavailableException,
    SseEmitter,
    StreamFailedError,
    StreamInterruptedError,
    UnauthorizedException,
    Upload,
)
from freechat_sdk._names import API_MODULES
from freechat_sdk._secrets import mask
from test.clients import chat_api
from test.facts import BY_NAME
from test.recordings import (
    SERVERS,
    USERS,
    Cut,
    Exchange,
    as_recorded,
    exchanges,
    in_crumbs,
    in_one,
    normal,
    part_of,
    repeat,
)
from test.server import RecordingServer, Request

pytestmark = pytest.mark.filterwarnings("ignore::freechat_sdk.UnknownFieldWarning")  # a few were sent to the servers

ERRORS = {
    302: UnauthorizedException,
    400: BadRequestException,
    401: UnauthorizedException,
    403: ForbiddenException,
    404: NotFoundException,
    406: ApiException,
    413: ApiException,
    429: QuotaExceededException,
    500: ServiceException,
    503: ServiceUnavailableException,
}
REFUSED = {
    "dot segment": "a path value of '..' would leave its place",
    "encoded slash": "servers refuse a '/' in a path value even when it is encoded",
}
BY_HAND = {
    "method not allowed": "no operation uses this method on this path",
    "unknown path": "no operation has this path",
    "AppMetaForAdminApi.expose": "was recorded without the parameters that it must have",
    "bad json": "the body is not JSON",
    "no body": "the body that it must have is missing",
    "unsupported media type": "the body is not JSON",
    "path type mismatch": "a text stands where a number must",
    "a method that a path lacks": "no operation uses this method on this path",
    "another method that a path lacks": "no operation uses this method on this path",
    "an unknown path": "no operation has this path",
    "an unknown path without a token": "no operation has this path",
    "an unknown generation": "no server has this prefix",
    "the other generation": "the client of a known generation does not send to the other one",
    "a word where a number belongs": "a text stands where a number must",
    "broken JSON": "the body is not JSON",
    "expose as a plain user": "was recorded without the parameters that it must have",
}
COUNTS = {"v1": 329, "v2.6": 339, "v2": 339, "user-v1": 607, "user-v2.6": 638, "user-v2": 638}

ALL = [exchange for server in (*SERVERS, *USERS) for exchange in exchanges(server, *API_MODULES)]
TYPED = [exchange for exchange in ALL if exchange.name not in {*REFUSED, *BY_HAND}]


def each(selected: list[Exchange]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("exchange", selected, ids=lambda exchange: exchange.id)


def operation_of(exchange: Exchange) -> dict[str, Any]:
    return BY_NAME[exchange.api, exchange.method_name]


def chat_api_of(exchange: Exchange, cut: Cut = as_recorded) -> AbstractContextManager[tuple[ChatApi, RecordingServer]]:
    """Return a ChatApi with the token of an exchange, and a server that repeats the exchange."""
    generation = exchange.generation
    return chat_api(repeat(exchange, cut), access_token=exchange.token, api_version=generation, retries=0)


def arguments(exchange: Exchange) -> Iterator[tuple[str, Any]]:
    """Yield the arguments of the typed call, by name."""
    operation = operation_of(exchange)
    path, _, query = exchange.request["path"].partition("?")
    template = operation["http"].split(" ")[1].split("/")
    placed = {part: unquote(value) for part, value in zip(template[1:], path.split("/")[3:], strict=True)}
    given = {**placed, **dict(parse_qsl(query))}
    for parameter in operation.get("parameters", []):
        kind = parameter.get("v2", parameter) if exchange.generation == "v2" else parameter
        wire = parameter.get("wire", parameter["name"])
        if parameter["in"] == "file":
            yield parameter["name"], Upload((exchange.upload or ("", "", b""))[::2], content_type="image/png")
        elif parameter["in"] == "body":
            yield parameter["name"], from_json(exchange.request["body"])
        elif (value := given.get("{" + wire + "}", given.get(wire))) is not None:
            yield kind["name"], int(value) if kind["type"] == "int" else value


def options(exchange: Exchange) -> dict[str, Any]:
    """Return the options that make the typed call send the headers that are special to an exchange."""
    recorded = exchange.request["headers"]
    special = {name: recorded[name] for name in ("Accept-Encoding",) if name in recorded}
    if recorded.get("Accept") == "application/json":
        special["Accept"] = recorded["Accept"]
    return {"_headers": special}


def call(exchange: Exchange, client: ApiClient, variant: str = "") -> Any:
    method = getattr(getattr(freechat_sdk, exchange.api)(client), exchange.method_name + variant)
    return method(**dict(arguments(exchange)), **options(exchange))


def check_request(sent: Request, exchange: Exchange) -> None:
    recorded = exchange.request
    path, _, query = recorded["path"].partition("?")
    assert (sent.method, unquote(sent.path), sent.query) == (recorded["method"], unquote(path), parse_qsl(query))
    assert sent.header("Authorization") == recorded["headers"].get("Authorization")
    if exchange.upload is not None:
        assert part_of(str(sent.header("Content-Type")), sent.body)[::2] == exchange.upload[::2]
    elif "body" in recorded:
        assert normal(sent.json) == normal(from_json(recorded["body"]))
        assert sent.header("Content-Type") == recorded["headers"]["Content-Type"]
    else:
        assert (sent.body, sent.header("Content-Type")) == (b"", None)
    accepted = (sent.header("Accept") or "").split(", ")
    assert "application/json" in accepted
    if exchange.status == 200 and exchange.body:
        assert {dict(exchange.response["headers"])["Content-Type"].partition(";")[0], "*/*"} & set(accepted)


def is_stream(exchange: Exchange) -> bool:
    return exchange.method_name.startswith("stream_") and exchange.status == 200


def ends_well(exchange: Exchange) -> bool:
    last = exchange.events[-1]
    return last.get("text") is None and last.get("message") is not None


def fails_in_band(exchange: Exchange) -> bool:
    last = exchange.events[-1]
    return last.get("message") is None and last.get("finishReason") == "other"


def expected(exchange: Exchange) -> Any:
    """Return what the call gives, as JSON: text for operations that return text, None for an empty body."""
    if not exchange.body:
        return None
    operation = operation_of(exchange)
    if operation["returns"] == "download":
        return base64.b64encode(exchange.body).decode()
    if operation["produces"] == ["text/plain"] or operation.get("body") == "text":
        return exchange.body.decode()
    return normal(from_json(exchange.body))


def as_json(value: Any) -> Any:
    if isinstance(value, Download):
        return base64.b64encode(value.read()).decode()
    return normal(from_json(to_json(value, by_alias=True)))


def test_every_recorded_exchange_is_made_again_or_listed() -> None:
    every = {api for api, _ in BY_NAME}
    assert {server: len(list(exchanges(server, *every))) for server in COUNTS} == COUNTS
    assert {exchange.name for exchange in ALL} >= {*REFUSED, *BY_HAND}


@pytest.mark.parametrize("cut", [as_recorded, in_one, in_crumbs])
@each([exchange for exchange in TYPED if exchange.status == 200 and not is_stream(exchange)])
def test_a_response_is_what_was_recorded(exchange: Exchange, cut: Cut) -> None:
    with chat_api_of(exchange, cut) as (api, server):
        value = call(exchange, api.api_client)
        whole = call(exchange, api.api_client, "_with_http_info")
        unread = call(exchange, api.api_client, "_without_preload_content")
        assert as_json(value) == as_json(whole.data) == expected(exchange)
        assert (whole.status_code, unread.data) == (200, exchange.body)
        assert isinstance(whole.data, Download) or whole.raw_data == exchange.body
        for sent in server.requests:
            check_request(sent, exchange)
        assert len(server.requests) == 3


@pytest.mark.parametrize("cut", [as_recorded, in_one, in_crumbs])
@each([exchange for exchange in TYPED if is_stream(exchange)])
def test_a_stream_is_what_was_recorded(exchange: Exchange, cut: Cut) -> None:
    with chat_api_of(exchange, cut) as (api, server):
        stream: SseEmitter = call(exchange, api.api_client)
        if ends_well(exchange):
            assert as_json(list(stream)) == normal(exchange.events)
            assert as_json(stream.result) == normal(exchange.events[-1])
        elif fails_in_band(exchange):
            with pytest.raises(StreamFailedError) as failed:
                stream.until_done()
            assert (exchange.events[-1].get("text") or "no reason") in str(failed.value)
        else:
            with pytest.raises(StreamInterruptedError) as caught:
                stream.until_done()
            assert (caught.value.status, caught.value.text) == (200, stream.text)
            assert as_json(list(caught.value.events)) == normal(exchange.events)
        said = exchange.events[:-1] if fails_in_band(exchange) else exchange.events
        assert stream.text == "".join(event.get("text") or "" for event in said)
        (sent,) = server.requests
        check_request(sent, exchange)


@each([exchange for exchange in TYPED if exchange.status != 200])
def test_an_error_is_the_documented_exception(exchange: Exchange) -> None:
    with chat_api_of(exchange) as (api, server):
        with pytest.raises(ERRORS[exchange.status]) as caught:
            call(exchange, api.api_client)
        unread = call(exchange, api.api_client, "_without_preload_content")
        assert (unread.status, unread.data) == (exchange.status, exchange.body)
        error = caught.value
        assert error.status == exchange.status
        assert error.body == mask(exchange.body.decode())  # the path of a token operation holds the token
        assert str(exchange.status) in str(error)
        if exchange.body.startswith(b"{"):
            assert (from_json(exchange.body).get("message") or "") in str(error)
        assert exchange.token is None or exchange.token not in f"{error}{error!r}{error.body}{error.headers}"
        for sent in server.requests:
            check_request(sent, exchange)


@each([exchange for exchange in ALL if exchange.name in REFUSED])
def test_what_servers_refuse_is_not_sent(exchange: Exchange) -> None:
    values = {"dot segment": "..", "encoded slash": "a/b"}
    with chat_api_of(exchange) as (api, server):
        with pytest.raises(ApiValueError, match="chat_id"):
            api.delete_chat(values[exchange.name])
        assert server.requests == []


@each([exchange for exchange in ALL if exchange.name in BY_HAND])
def test_what_no_operation_sends_is_sent_by_hand(exchange: Exchange) -> None:
    request = exchange.request
    with chat_api_of(exchange) as (api, server):
        headers = {name: value for name, value in request["headers"].items() if name in ("Accept", "Content-Type")}
        response = api.api_client.call_api(
            request["method"], server.url + request["path"], headers, request.get("body", "").encode() or None
        )
        assert (response.status, response.read(), response.data) == (exchange.status, exchange.body, exchange.body)
        (sent,) = server.requests
        assert (sent.method, sent.target, sent.body) == (
            request["method"],
            request["path"],
            request.get("body", "").encode(),
        )
