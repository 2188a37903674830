"""Clients made with `with_options`: one pool for many users, each with a token, limits and headers of its own."""

import copy
import pickle
import warnings
from typing import Any

import pytest

import freechat_sdk
from freechat_sdk import (
    ApiClient,
    ApiTimeoutError,
    ApiTypeError,
    ApiValueError,
    Call,
    ChatApi,
    Configuration,
    Hooks,
    InsecureTransportWarning,
    RetryPolicy,
    ServiceUnavailableException,
)
from test.clients import TOKEN, at_once, chat_api, configured, in_threads
from test.hostile import says, stall
from test.server import (
    Connection,
    Request,
    events_response,
    final_event,
    in_order,
    json_response,
    login_redirect,
    text_response,
)

OTHER = "fc-ffffffffffffffffffffffffffffffff"


def say_who_asks(request: Request, connection: Connection) -> None:
    """Respond with the token and the header X-User of the request, as text or as the answer of a stream."""
    caller = f"{request.header('Authorization')} {request.header('X-User')}"
    handler = events_response(final_event(caller)) if "/stream/" in request.path else text_response(caller)
    handler(request, connection)


def first_v1_then_v2(request: Request, connection: Connection) -> None:
    (login_redirect() if "/v1/" in request.target else say_who_asks)(request, connection)


def test_60_concurrent_calls_of_20_users_share_one_pool_and_nothing_else() -> None:
    with chat_api(first_v1_then_v2, api_version="auto", connection_pool_maxsize=8, connection_pool_block=True) as (
        api,
        server,
    ):

        def call(number: int) -> None:
            user = number % 20
            token = f"fc-{user:032x}"
            chats = ChatApi(api.api_client.with_options(access_token=token, headers={"X-User": str(user)}))
            seen = f"Bearer {token} {user}"
            if number < 40:
                assert chats.get_default_chat_id("uid") == seen
            else:
                assert chats.stream_send_message("chat", "Hi").until_done().answer == seen

        in_threads(call, 60)
        assert api.get_default_chat_id("uid") == f"Bearer {TOKEN} None"

        assert len(server.connections) <= 8
        assert api.api_client.generation == "v2"
        assert len([request for request in server.requests if "/v2/" in request.target]) == 61


def test_the_generation_that_one_client_finds_holds_for_all() -> None:
    with chat_api(first_v1_then_v2, api_version="auto") as (api, server):
        other = api.api_client.with_options(access_token=OTHER)
        ChatApi(other).stream_send_message("chat", "Hi").until_done()
        api.stream_send_message("chat", "Hi").until_done()

        assert other.generation == api.api_client.generation == "v2"
        assert len(server.requests) == 3


def test_a_client_keeps_what_is_not_given_and_changes_of_one_do_not_reach_the_other() -> None:
    with chat_api(text_response("x"), api_version="v2", timeout=7, user_agent_suffix="bot/1") as (api, server):
        parent = api.api_client
        parent.set_default_header("X-Trace", "1")
        child = parent.with_options(model_timeout=9)
        parent.set_default_header("X-Trace", "2")
        parent.configuration.access_token = OTHER
        child.set_default_header("X-Child", "1")
        ChatApi(child).get_default_chat_id("uid")
        api.get_default_chat_id("uid")

        assert (child.configuration.timeout, child.configuration.model_timeout) == (7, 9)
        assert (parent.configuration.timeout, parent.configuration.model_timeout) == (7, 300)
        of_child, of_parent = server.requests
        assert (of_child.header("X-Trace"), of_child.header("X-Child")) == ("1", "1")
        assert (of_parent.header("X-Trace"), of_parent.header("X-Child")) == ("2", None)
        assert of_child.header("Authorization") == f"Bearer {TOKEN}"
        assert of_parent.header("Authorization") == f"Bearer {OTHER}"
        assert (of_child.header("User-Agent") or "").endswith("bot/1")


def test_headers_replace_those_of_the_same_name() -> None:
    with chat_api(text_response("x"), api_version="v2") as (api, server):
        parent = api.api_client
        parent.set_default_header("X-Trace", "1")
        parent.cookie = "session=parent"
        child = parent.with_options(headers={"x-trace": "2", "cookie": "session=child"})
        ChatApi(child).get_default_chat_id("uid")

        (request,) = server.requests
        assert (request.header("X-Trace"), request.header("Cookie")) == ("2", "session=child")
        assert parent.cookie == "session=parent"


def test_none_takes_the_token_away() -> None:
    with chat_api(text_response("x"), api_version="v2") as (api, server):
        ChatApi(api.api_client.with_options(access_token=None)).get_default_chat_id("uid")

        assert server.requests[0].header("Authorization") is None


def test_a_function_gives_the_token() -> None:
    with chat_api(text_response("x"), api_version="v2") as (api, server):
        ChatApi(api.api_client.with_options(access_token=lambda: OTHER)).get_default_chat_id("uid")

        assert server.requests[0].header("Authorization") == f"Bearer {OTHER}"


def test_a_client_has_its_own_time_limit() -> None:
    with chat_api(says(b"", stall)) as (api, _):
        impatient = ChatApi(api.api_client.with_options(timeout=0.05, retries=0))
        with pytest.raises(ApiTimeoutError):
            impatient.list_chats()


def test_a_number_of_retries_keeps_the_waits_of_the_policy() -> None:
    waits: list[float] = []
    policy = at_once(5, backoff=3.0, sleep=waits.append)
    handler = in_order(*[json_response({}, 503)] * 4, *[json_response({}, 503)] * 3)
    with chat_api(handler, retries=policy) as (api, _):
        for options in (
            {"retries": 3},
            {"retries": RetryPolicy(2, backoff=1.0, sleep=waits.append, random=lambda: 1.0)},
        ):
            with pytest.raises(ServiceUnavailableException):
                ChatApi(api.api_client.with_options(**options)).list_chats()

        assert waits == [3.0, 6.0, 8.0, 1.0, 2.0]


def test_clients_share_the_budget_of_retries() -> None:
    with chat_api(json_response({}, 503), retries=at_once(9, budget=3)) as (api, server):
        for client in (api.api_client.with_options(access_token=OTHER), api.api_client):
            with pytest.raises(ServiceUnavailableException):
                ChatApi(client).list_chats()

        assert len(server.requests) == (1 + 3) + 1


def test_a_client_has_its_own_hooks() -> None:
    class Names(Hooks):
        def __init__(self) -> None:
            self.calls: list[str] = []

        def on_response(self, call: Call) -> None:
            self.calls.append(call.path)

    of_parent, of_child = Names(), Names()
    with chat_api(json_response([]), hooks=of_parent) as (api, _):
        ChatApi(api.api_client.with_options(hooks=of_child)).list_chats()
        ChatApi(api.api_client.with_options(hooks=None)).list_chats()
        api.list_chats()

    assert (len(of_parent.calls), len(of_child.calls)) == (1, 1)


def test_closing_a_client_that_shares_connections_does_nothing() -> None:
    with chat_api(json_response([])) as (api, server):
        api.list_chats()
        with api.api_client.with_options(access_token=OTHER) as child:
            ChatApi(child).list_chats()
        child.close()
        ChatApi(child.with_options(timeout=5)).list_chats()
        api.list_chats()

        assert len(server.connections) == 1


def test_copies_are_independent() -> None:
    with chat_api(json_response([])) as (api, server):
        child = api.api_client.with_options(access_token=OTHER, headers={"X-User": "7"})
        ChatApi(child).list_chats()
        for copied in (pickle.loads(pickle.dumps(child)), copy.deepcopy(child)):
            with copied:
                assert ChatApi(copied).list_chats() == []
        api.list_chats()

        assert len(server.connections) == 3
        assert {request.header("X-User") for request in server.requests[:3]} == {"7"}
        assert {request.header("Authorization") for request in server.requests[:3]} == {f"Bearer {OTHER}"}


def test_a_subclass_stays_one() -> None:
    class Named(ApiClient):
        name = ""

    parent = Named(configured("http://127.0.0.1:9"))
    parent.name = "bot"
    child = parent.with_options(timeout=1)

    assert (type(child), child.name) == (Named, "bot")


@pytest.mark.parametrize(
    "name", ["host", "verify_ssl", "ssl_ca_cert", "proxy", "connection_pool_maxsize", "api_version", "acess_token"]
)
def test_other_settings_are_refused(name: str) -> None:
    options: Any = {name: TOKEN}

    with pytest.raises(ApiTypeError, match=f"cannot set {name}.*host, TLS and proxy") as caught:
        ApiClient(Configuration()).with_options(**options)

    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"access_token": f"{TOKEN}\n"},
        {"timeout": 0},
        {"retries": -1},
        {"headers": {"X-User": f"{TOKEN}\n"}},
        {"hooks": TOKEN},
    ],
)
def test_invalid_values_are_refused_and_not_shown(options: Any) -> None:
    with pytest.raises((ApiTypeError, ApiValueError)) as caught:
        ApiClient(Configuration()).with_options(**options)

    assert TOKEN not in str(caught.value)


def test_an_exposed_host_is_warned_of_once_for_all() -> None:
    parent = ApiClient(Configuration("http://chat.example.com"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for token in (TOKEN, OTHER):
            parent.with_options(access_token=token)._token()

    assert [warning.category for warning in caught] == [InsecureTransportWarning]


def test_a_proxys_tls_context_is_shared() -> None:
    import ssl

    context = ssl.create_default_context()
    parent = ApiClient(Configuration("http://127.0.0.1:9", proxy="https://127.0.0.1:8", proxy_ssl_context=context))

    assert parent.with_options(timeout=1).configuration.proxy_ssl_context is context


def test_the_options_of_clients_and_of_calls_are_public() -> None:
    assert freechat_sdk.RequestOptions.__optional_keys__ >= {"_request_timeout", "_headers", "_request_auth"}
    assert freechat_sdk.ClientOptions.__optional_keys__ == {
        "access_token",
        "timeout",
        "model_timeout",
        "retries",
        "headers",
        "hooks",
    }
