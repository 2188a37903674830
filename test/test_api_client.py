"""ApiClient: connections over many calls, generations, headers, secrets, copies."""

import copy
import pickle
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Any

import pytest
from pydantic import ValidationError

import freechat_sdk
from freechat_sdk import (
    ApiClient,
    ApiDecodeError,
    ApiException,
    ApiTypeError,
    ApiValueError,
    ApiVersionError,
    CharacterApi,
    ChatApi,
    ChatMessageDTO,
    Configuration,
    InsecureTransportWarning,
    NotFoundException,
    UnauthorizedException,
)
from freechat_sdk._names import API_MODULES
from test.clients import TOKEN, Clock, at_once, chat_api, chat_api_at
from test.server import (
    MAX_WAIT,
    Connection,
    Handler,
    RecordingServer,
    Request,
    in_order,
    json_response,
    login_redirect,
    text_response,
)


def by_path(routes: dict[str, Handler]) -> Handler:
    """Return a handler that responds to each generation in its own way."""
    return lambda request, connection: routes[request.path.split("/")[2]](request, connection)


# Connections


def test_a_thousand_calls_do_not_show_that_servers_close_after_100_requests() -> None:
    counts: Counter[int] = Counter()

    def close_after_100(request: Request, connection: Connection) -> None:
        counts[request.connection] += 1
        headers = [("Connection", "close")] if counts[request.connection] == 100 else []
        json_response([], headers=headers)(request, connection)
        if headers:
            connection.close()

    with chat_api(close_after_100, retries=0) as (api, server):
        for _ in range(1000):
            assert api.list_chats() == []
        assert (len(server.requests), len(server.connections)) == (1000, 10)


def test_a_connection_that_the_server_closed_while_idle_is_replaced_before_anything_is_sent() -> None:
    closed = threading.Event()

    def handle(request: Request, connection: Connection) -> None:
        json_response({"text": "a"})(request, connection)
        connection.close()
        closed.set()

    with chat_api(handle, retries=0) as (api, server):
        for _ in range(20):
            assert api.send_assistant("chat", "uid").answer == "a"
            assert closed.wait(MAX_WAIT)
            closed.clear()
        assert len(server.requests) == 20


def test_a_connection_idle_for_50_s_is_not_used_again() -> None:
    clock = Clock()
    with chat_api(json_response([]), retries=at_once(clock=clock)) as (api, server):
        api.list_chats()
        clock.now += 49
        api.list_chats()
        assert len(server.connections) == 1
        clock.now += 51
        api.list_chats()
        assert len(server.connections) == 2


def test_the_context_manager_closes_the_sockets_and_a_later_call_opens_new_ones() -> None:
    with chat_api(json_response([])) as (api, server):
        with api.api_client:
            api.list_chats()
        assert server.connections[0].wait_closed()
        assert api.list_chats() == []
        api.api_client.close()
        api.api_client.close()


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_call_leaves_a_working_client() -> None:
    def interrupt(_: Request, connection: Connection) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        # Just before it waits, Python does not see a signal. A byte ends the wait.
        connection.send(b"H")
        assert connection.wait_closed()

    with chat_api(in_order(interrupt, json_response([]))) as (api, _):
        with pytest.raises(KeyboardInterrupt):
            api.list_chats()
        assert api.list_chats() == []


# Generations


def test_auto_costs_nothing_on_a_v1_server() -> None:
    with chat_api(json_response([]), api_version="auto") as (api, server):
        before = api.api_client.generation
        api.list_chats()
        assert (before, api.api_client.generation) == (None, "v1")
        assert [request.path for request in server.requests] == ["/api/v1/chat"]


@pytest.mark.parametrize("elsewhere", [json_response({}, 404), login_redirect()], ids=["404", "login redirect"])
def test_auto_finds_a_v2_server_with_the_first_call_even_a_once_only_one(elsewhere: Handler) -> None:
    handler = by_path({"v1": elsewhere, "v2": json_response({"text": "a"})})
    with chat_api(handler, api_version="auto") as (api, server):
        assert api.send_message("x", "Hi").answer == "a"
        assert api.send_message("x", "Hi").answer == "a"
        assert api.api_client.generation == "v2"
        assert [request.path.split("/")[2] for request in server.requests] == ["v1", "v2", "v2"]
        assert [request.json for request in server.requests[:2]] == [server.requests[0].json] * 2


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
def test_an_error_does_not_settle_the_generation_and_is_not_sent_elsewhere(status: int) -> None:
    with chat_api(json_response({}, status), api_version="auto") as (api, server):
        with pytest.raises(ApiException):
            api.list_chats()
        assert (api.api_client.generation, len(server.requests)) == (None, 1)


def test_a_404_of_both_generations_asks_whether_this_is_a_freechat_server() -> None:
    with chat_api(json_response({}, 404), api_version="auto") as (api, server):
        with pytest.raises(NotFoundException, match="neither /api/v1 nor /api/v2 has it") as caught:
            api.list_chats()
        assert (api.api_client.generation, len(server.requests), caught.value.attempts) == (None, 2, 1)


def test_a_chosen_generation_is_kept_to() -> None:
    with chat_api(json_response({}, 404), api_version="v2") as (api, server):
        with pytest.raises(NotFoundException, match="another generation"):
            api.list_chats()
        assert [request.path for request in server.requests] == ["/api/v2/chat"]


def test_the_key_of_a_default_chat_tells_the_generation() -> None:
    with RecordingServer(text_response("chat")) as server:
        for version, key in (("v1", "uid"), ("v2", 5)):
            with chat_api_at(server.url, api_version=version) as api, pytest.raises(ApiVersionError, match=version):
                api.get_default_chat_id(key)
        assert server.requests == []
        with chat_api_at(server.url, api_version="auto") as api:
            assert api.get_default_chat_id(character_uid="uid") == "chat"
            assert api.api_client.generation == "v2"
        with chat_api_at(server.url) as api:
            with pytest.raises(ApiTypeError, match="character_id and character_uid"):
                api.get_default_chat_id()
            with pytest.raises(ApiTypeError, match="character_id and character_uid"):
                api.get_default_chat_id(1, character_uid="uid")
        assert [request.path for request in server.requests] == ["/api/v2/chat/uid"]


def test_the_settled_generation_goes_with_copies() -> None:
    with chat_api(json_response([]), api_version="auto") as (api, _):
        api.list_chats()
        client = api.api_client
        assert pickle.loads(pickle.dumps(client)).generation == copy.deepcopy(client).generation == "v1"


# Headers and options


def test_headers_merge_without_regard_to_case_and_the_callers_dict_stays() -> None:
    mine = {"x-trace": "1", "ACCEPT": "application/json;q=1"}
    with chat_api(json_response([])) as (api, server):
        api.api_client.set_default_header("X-Trace", "0")
        api.api_client.cookie = "a=b"
        api.list_chats(_headers=mine)
        (sent,) = server.requests
        names = [name.lower() for name, _ in sent.headers]
        assert len(names) == len(set(names))
        assert (sent.header("x-trace"), sent.header("accept"), sent.header("cookie")) == ("1", mine["ACCEPT"], "a=b")
        assert (mine, api.api_client.default_headers["X-Trace"]) == (
            {"x-trace": "1", "ACCEPT": "application/json;q=1"},
            "0",
        )
        assert sent.header("user-agent") == f"freechat-sdk/{freechat_sdk.__version__}/python"


def test_request_auth_stands_in_for_the_token() -> None:
    auth = {"type": "bearer", "in": "header", "key": "Authorization", "value": "Bearer other"}
    with chat_api(json_response([])) as (api, server):
        api.list_chats(_request_auth=auth)
        assert server.requests[0].header("Authorization") == "Bearer other"


def test_request_auth_by_cookie_sends_no_token_and_asks_for_none() -> None:
    def ask() -> str:
        raise AssertionError("nobody needs it")

    auth = {"in": "cookie", "key": "session", "value": "s=1"}
    with chat_api(json_response([]), access_token=ask) as (api, server):
        api.list_chats(_request_auth=auth)
        assert server.requests[0].header("Authorization") is None
        assert server.requests[0].header("Cookie") == "s=1"


def test_a_changed_token_holds_from_the_next_call_on() -> None:
    with chat_api(json_response([])) as (api, server):
        api.api_client.configuration.access_token = "fc-2"
        api.list_chats()
        api.api_client.configuration.access_token = None
        api.list_chats()
        assert [request.header("Authorization") for request in server.requests] == ["Bearer fc-2", None]


def test_a_function_gives_the_token_for_each_call() -> None:
    tokens = iter(["fc-1", "fc-2", None])
    with chat_api(json_response([]), access_token=lambda: next(tokens)) as (api, server):
        for _ in range(3):
            api.list_chats()
    sent = [request.header("Authorization") for request in server.requests]
    assert sent == ["Bearer fc-1", "Bearer fc-2", None]


def by_token(request: Request, connection: Connection) -> None:
    status = 200 if request.header("Authorization") == "Bearer fc-fresh" else 401
    connection.respond(status, b"[]" if request.method == "GET" else b"true")


def test_a_call_that_reads_is_made_again_with_a_fresh_token_after_401() -> None:
    tokens = iter(["fc-old", "fc-fresh", "fc-old", "fc-older", "fc-old", "fc-old"])
    with chat_api(by_token, access_token=lambda: next(tokens)) as (api, server):
        assert api.list_chats_with_http_info().attempts == 2
        with pytest.raises(UnauthorizedException) as caught:  # once more, not again and again
            api.list_chats()
        assert caught.value.attempts == 2
        with pytest.raises(UnauthorizedException):  # the same token again would be in vain
            api.list_chats()
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    "call",
    [
        lambda api: api.delete_chat("chat"),
        lambda api: api.send_message("chat", "Hi"),
        lambda api: api.send_assistant("chat", "assistant"),
        lambda api: api.stream_send_message("chat", "Hi"),
        lambda api: api.list_chats(_request_auth={"in": "header", "key": "Authorization", "value": "x"}),
    ],
)
def test_other_calls_are_not_made_again_after_401(call: Callable[[ChatApi], object]) -> None:
    tokens = iter(["fc-old", "fc-fresh"])
    with chat_api(by_token, access_token=lambda: next(tokens)) as (api, server):
        with pytest.raises(UnauthorizedException):
            call(api)
        assert len(server.requests) == 1


def test_what_a_token_function_raises_reaches_the_caller_and_nothing_is_sent() -> None:
    def broken() -> str:
        raise LookupError("no vault")

    with chat_api(json_response([]), access_token=broken) as (api, server):
        with pytest.raises(LookupError, match="no vault"):
            api.list_chats()
        assert server.requests == []


@pytest.mark.parametrize("token", ["a b", 7, b"fc-1"])
def test_what_a_token_function_gives_is_checked(token: Any) -> None:
    with chat_api(json_response([]), access_token=lambda: token) as (api, server):
        with pytest.raises((ApiTypeError, ApiValueError), match="access_token"):
            api.list_chats()
        assert server.requests == []


def test_a_token_over_plain_http_to_another_machine_warns_once_and_says_what_to_do() -> None:
    with (
        RecordingServer(json_response([])) as server,
        chat_api_at("http://chat.example.com", proxy=server.url) as api,
        pytest.warns(InsecureTransportWarning, match=r"Use https or an SSH tunnel") as caught,
    ):
        assert (api.list_chats(), api.list_chats()) == ([], [])
    assert [warning.filename for warning in caught] == [__file__]
    assert api.api_client.configuration.host in str(caught[0].message)


@pytest.mark.parametrize(
    "host", ["http://localhost:1", "http://127.8.9.1", "http://[::1]:80", "https://chat.example.com"]
)
def test_no_warning_if_nobody_can_listen(host: str) -> None:
    with chat_api(json_response([]), host=host, retries=0) as (api, _):
        assert api.api_client._token() == TOKEN  # warnings are errors


def test_no_warning_without_a_token() -> None:
    with (
        RecordingServer(json_response([])) as server,
        chat_api_at("http://chat.example.com", access_token=None, proxy=server.url) as api,
    ):
        assert api.list_chats() == []


def test_the_user_agent_can_be_added_to() -> None:
    with chat_api(json_response([]), user_agent_suffix="shop/1.4") as (api, server):
        api.list_chats()
    assert server.requests[0].header("User-Agent") == f"freechat-sdk/{freechat_sdk.__version__}/python shop/1.4"


def test_a_user_agent_cannot_break_its_line() -> None:
    with pytest.raises(ApiValueError, match="User-Agent"):
        ApiClient(Configuration(user_agent_suffix="a\r\nX-Evil: 1"))


BAD_OPTIONS: list[dict[str, Any]] = [
    {"_headers": f"Bearer {TOKEN}"},
    {"_headers": {"X": f"{TOKEN}\r\nX-Evil: 1"}},
    {"_headers": {"X\n": TOKEN}},
    {"_headers": {"X": TOKEN.encode()}},
    {"_request_auth": TOKEN},
    {"_request_auth": {"in": "body", "key": "a", "value": TOKEN}},
    {"_request_auth": {"in": "header", "key": "Authorization", "value": f"{TOKEN}\n"}},
    {"_request_timeout": 0},
    {"_request_timeout": -1},
    {"_request_timeout": True},
    {"_request_timeout": "5"},
    {"_request_timeout": float("nan")},
    {"_request_timeout": (1, 2, 3)},
    {"_request_timeout": (1, 0)},
]


@pytest.mark.parametrize("options", BAD_OPTIONS, ids=[f"{number}" for number in range(len(BAD_OPTIONS))])
def test_a_bad_option_is_refused_before_anything_is_sent_without_showing_it(options: dict[str, Any]) -> None:
    with chat_api(json_response([])) as (api, server):
        with pytest.raises((ApiTypeError, ApiValueError)) as caught:
            api.list_chats(**options)
        assert server.requests == []
        assert TOKEN not in "".join(traceback.format_exception(caught.value)[-1:])


WRONG_CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    (("chat",), {}),
    ((5, "Hi"), {}),
    (("chat", 5), {}),
    (("chat", {"contents": [{"type": "text"}]}), {}),
    (("chat", "Hi", "more"), {}),
    (("chat", "Hi"), {"chat_id": "chat"}),
    (("chat", "Hi"), {"_retries": 3}),
]


@pytest.mark.parametrize(("arguments", "options"), WRONG_CALLS)
def test_wrong_arguments_are_refused_before_anything_is_sent(arguments: Any, options: dict[str, Any]) -> None:
    with chat_api(json_response([])) as (api, server):
        for method in (api.send_message, api.send_message_with_http_info):
            with pytest.raises(ValidationError):
                method(*arguments, **options)
        assert server.requests == []


def test_an_int_takes_neither_bool_nor_str() -> None:
    with chat_api(json_response([])) as (api, server):
        for wrong in (True, "1", 1.5):
            with pytest.raises(ValidationError):
                api.list_messages("chat", wrong)  # type: ignore[arg-type]
        assert server.requests == []


def test_the_text_of_a_message_is_enough() -> None:
    expected = {"role": "user", "contents": [{"type": "text", "content": "Hi"}]}
    with chat_api(json_response({"text": "a"})) as (api, server):
        for message in ("Hi", ChatMessageDTO.user("Hi"), expected):
            api.send_message("chat", message)  # type: ignore[arg-type]
        assert [request.json for request in server.requests] == [expected] * 3


def test_the_route_of_a_group_follows_from_the_arguments_given() -> None:
    with chat_api(json_response([])) as (api, server):
        for method in (api.list_messages, api.list_messages2):
            method("c")
            method("c", 3)
            method("c", 3, offset=1)
        api.list_messages1("c", 3, 1)
        routes = ["/api/v1/chat/messages/c", "/api/v1/chat/messages/c/3", "/api/v1/chat/messages/c/3/1"]
        assert [request.path for request in server.requests] == [*routes, *routes, routes[2]]
        with pytest.raises(ApiTypeError, match="offset needs limit"):
            api.list_messages("c", offset=1)


def test_a_host_may_have_a_path() -> None:
    with RecordingServer(json_response([])) as server, chat_api_at(f"{server.url}/chat-server/") as api:
        api.list_chats()
        assert server.requests[0].target == "/chat-server/api/v1/chat"


# By hand


def test_call_api_sends_the_token_only_to_the_configured_host() -> None:
    with RecordingServer(text_response("b")) as other, chat_api(text_response("a", 418)) as (api, server):
        client = api.api_client
        response = client.call_api("GET", "/api/v1/anything")
        assert (response.status, response.data, response.read(), response.data) == (418, None, b"a", b"a")
        assert response.getheader("content-type") == "text/plain;charset=UTF-8"
        assert response.getheader("X-None", "none") == "none"
        assert client.call_api("GET", f"{other.url}/elsewhere").read() == b"b"
        assert server.requests[0].header("Authorization") == f"Bearer {TOKEN}"
        assert other.requests[0].header("Authorization") is None


ADDRESSES = [
    "http://127.0.0.1:{other}/",
    "http://127.0.0.1:{other}\\@127.0.0.1:{good}/",
    "http://127.0.0.1:{other}/\\@127.0.0.1:{good}/",
    "http://127.0.0.1:{other}\t@127.0.0.1:{good}/",
    "\thttp://127.0.0.1:{other}/",
    " http://127.0.0.1:{other}/",
    "http://127.0.0.1:{good}@127.0.0.1:{other}/",
    "http://127.0.0.1:{other}#@127.0.0.1:{good}/",
    "http://127.0.0.1:{other}?@127.0.0.1:{good}/",
    "http://127.0.0.1:{other}/@127.0.0.1:{good}/",
    "http://127.0.0.1:{other}%40127.0.0.1:{good}/",
    "http://127.0.0.1:{other}%2f@127.0.0.1:{good}/",
    "http://127.0.0.1:{good}:{other}/",
    "http://127.0.0.1:{good}\uff0f@127.0.0.1:{other}/",
    "http://\uff11\uff12\uff17.0.0.1:{other}/",
    "http://[::ffff:127.0.0.1]:{other}/",
    "http://127.1:{other}/",
    "http://127.1:{good}/",
    "HTTP://127.0.0.1:{other}/ä?ö#ü",
    "HTTP://127.0.0.1:{good}",
    "http://user:password@127.0.0.1:{good}/",
    "http://127.0.0.1:0{good}/",
    "/@127.0.0.1:{other}/",
    "//127.0.0.1:{other}/",
    "@127.0.0.1:{other}/",
    "127.0.0.1:{other}/",
    "http:///",
    "http:",
    "",
    "/\ud800",
    "/a b",
]


@pytest.mark.parametrize("address", ADDRESSES, ids=ascii)
def test_token_default_headers_and_cookie_only_ever_reach_the_configured_host(address: str) -> None:
    with RecordingServer(text_response("b")) as other, chat_api(text_response("a")) as (api, server):
        client = api.api_client
        client.set_default_header("X-Anything", "own")
        client.cookie = "session=1"
        try:
            client.call_api("GET", address.format(good=server.port, other=other.port)).read()
        except ApiValueError:
            assert other.requests == server.requests == []
        own = {"Authorization": f"Bearer {TOKEN}", "X-Anything": "own", "Cookie": "session=1"}
        for request in other.requests:
            assert [request.header(name) for name in own] == [None] * 3
        for request in server.requests:
            sent = {name: request.header(name) for name in own}
            assert sent == own or (sent == dict.fromkeys(own) and "127.1" in address)


def test_an_address_without_a_host_or_with_a_backslash_is_refused() -> None:
    with chat_api(text_response("a")) as (api, server):
        for address in ("http://a\\@b", "/a\\b", "http:///", "//", "http://a\nb"):
            with pytest.raises(ApiValueError, match="address"):
                api.api_client.rest_client.request("GET", address)
        assert server.requests == []


def test_a_proxy_gets_neither_the_user_of_an_address_nor_its_fragment() -> None:
    with RecordingServer(text_response("a")) as proxy, chat_api_at("http://127.0.0.1", proxy=proxy.url) as api:
        api.api_client.call_api("GET", "http://user:password@127.0.0.1/a?b#c").read()
    assert [request.target for request in proxy.requests] == ["http://127.0.0.1/a?b"]


@pytest.mark.parametrize("method", ["", "GE T", "GET\r\nX: 1", "\ud800"], ids=ascii)
def test_a_method_is_a_token(method: str) -> None:
    with chat_api(text_response("a")) as (api, server):
        with pytest.raises(ApiValueError, match="invalid method"):
            api.api_client.call_api(method, "/")
        assert server.requests == []


UNSENDABLE: list[dict[str, Any]] = [
    {"body": float("nan")},
    {"body": {"a": [float("inf")]}},
    {"body": "\ud800"},
    {"body": "\ud800", "header_params": {"Content-Type": "text/plain"}},
    {"body": object()},
    {"post_params": [("a", "\ud800")]},
    {"post_params": [("a", "\ud800")], "header_params": {"Content-Type": "multipart/form-data"}},
    {"post_params": [("a", [float("nan")])], "header_params": {"Content-Type": "multipart/form-data"}},
    {"header_params": {"X": "\ud800"}},
    {"header_params": {"content-length": "5"}, "body": b"a"},
    {"header_params": {"Transfer-Encoding": "chunked"}, "body": b"a"},
]


@pytest.mark.parametrize("options", UNSENDABLE, ids=ascii)
def test_what_cannot_be_sent_by_hand_is_refused(options: dict[str, Any]) -> None:
    with chat_api(text_response("a")) as (api, server):
        with pytest.raises(ApiValueError):
            api.api_client.call_api("POST", "/", **options)
        assert server.requests == []


def test_the_host_header_may_be_set() -> None:
    with chat_api(json_response([])) as (api, server):
        api.list_chats(_headers={"Host": "chat.example.com"})
    assert [value for name, value in server.requests[0].headers if name == "Host"] == ["chat.example.com"]


def test_an_enum_of_str_sends_its_value_as_token_cookie_and_header() -> None:
    class Setting(str, Enum):
        TOKEN = "fc-of-an-enum"

    with chat_api(json_response([]), access_token=Setting.TOKEN) as (api, server):
        api.api_client.cookie = Setting.TOKEN
        api.api_client.set_default_header("X-Trace", Setting.TOKEN)
        api.list_chats()
    sent = [server.requests[0].header(name) for name in ("Authorization", "Cookie", "X-Trace")]
    assert sent == ["Bearer fc-of-an-enum", "fc-of-an-enum", "fc-of-an-enum"]


@pytest.mark.parametrize("cookie", ["a\r\nX: 1", "€", "\0", b"a=b"])
def test_a_cookie_is_checked_when_it_is_given(cookie: Any) -> None:
    client = ApiClient(Configuration())
    with pytest.raises((ApiTypeError, ApiValueError)):
        client.cookie = cookie
    with pytest.raises((ApiTypeError, ApiValueError)):
        ApiClient(Configuration(), cookie=cookie)
    assert client.cookie is None


# Parts


def part(status: int) -> Handler:
    headers = [("Content-Range", "bytes 0-1/9"), ("Content-Type", "text/plain")]
    return lambda _, connection: connection.respond(status, b"[]", headers)


def test_a_part_that_was_not_asked_for_is_not_taken_for_the_whole() -> None:
    with chat_api(in_order(part(206), part(206), part(206), json_response([]))) as (api, server):
        character = CharacterApi(api.api_client)
        for call in (api.list_chats, api.list_chats_with_http_info, lambda: character.export_character(1)):
            with pytest.raises(ApiDecodeError, match="without being asked"):
                call()
        assert api.list_chats() == []
        assert {request.connection for request in server.requests} == {0, 1}


def test_a_part_that_was_asked_for_is_returned() -> None:
    with chat_api(part(206)) as (api, _):
        download = CharacterApi(api.api_client).export_character(1, _headers={"range": "bytes=0-1"})
        assert download.read() == b"[]"


def test_call_api_sends_json_bytes_and_forms() -> None:
    with chat_api(text_response("a")) as (api, server):
        client = api.api_client
        client.call_api("POST", "/json", body={"a": [1]}).read()
        client.call_api("POST", "/raw", {"content-type": "text/plain"}, body="ä").read()
        client.call_api("POST", "/form", post_params=[("a", "b c")]).read()
        client.call_api(
            "POST", "/file", {"Content-Type": "multipart/form-data"}, post_params=[("f", ("n", b"x"))]
        ).read()
        json_sent, raw, form, parts = server.requests
        assert (json_sent.json, json_sent.header("Content-Type")) == ({"a": [1]}, "application/json")
        assert (raw.body, raw.header("Content-Type")) == ("ä".encode(), "text/plain")
        assert (form.body, form.header("Content-Type")) == (b"a=b+c", "application/x-www-form-urlencoded")
        assert b'filename="n"' in parts.body
        assert (parts.header("Content-Type") or "").startswith("multipart/form-data; boundary=")


# Copies


def test_clients_and_apis_pickle_and_copy_with_their_configuration() -> None:
    with chat_api(json_response([])) as (api, server):
        api.api_client.set_default_header("X-Trace", "1")
        for copied in (pickle.loads(pickle.dumps(api)), copy.deepcopy(api)):
            assert copied.list_chats() == []
            copied.api_client.close()
        assert {request.header("Authorization") for request in server.requests} == {f"Bearer {TOKEN}"}
        assert {request.header("X-Trace") for request in server.requests} == {"1"}


def test_the_default_client_is_made_once_and_can_be_set() -> None:
    client = ApiClient(Configuration())
    ApiClient.set_default(client)
    try:
        assert ApiClient.get_default() is ChatApi().api_client is client
    finally:
        ApiClient.set_default(None)


def test_values_are_made_plain_for_json() -> None:
    client = ApiClient(Configuration())
    assert client.sanitize_for_serialization([ChatMessageDTO.user("Hi"), None]) == [
        {"role": "user", "contents": [{"type": "text", "content": "Hi"}]},
        None,
    ]


@pytest.mark.parametrize("name", sorted(API_MODULES))
def test_every_api_class_pickles_and_shows_no_token(name: str) -> None:
    api = getattr(freechat_sdk, name)(ApiClient(Configuration("https://chat.example.com", access_token=TOKEN)))
    copied = pickle.loads(pickle.dumps(api))
    assert copied.api_client.configuration.access_token == TOKEN
    assert TOKEN not in f"{api!r}{copied!r}{copy.deepcopy(api)!r}"
