"""What an error says to do: each situation is provoked over a socket, as a user meets it."""

import ssl
from collections.abc import Callable
from typing import Any

import pytest
import trustme

from freechat_sdk import (
    AccountApi,
    ApiClient,
    ApiConnectionError,
    ApiDecodeError,
    ApiException,
    ApiTimeoutError,
    ApiValueError,
    CharacterApi,
    ChatApi,
    Configuration,
    ForbiddenException,
    InsecureTransportWarning,
    NotFoundException,
    PromptApi,
    SkillApi,
    UnauthorizedException,
)
from test.clients import TOKEN, api_of, chat_api, chat_api_at
from test.server import (
    Connection,
    Handler,
    RecordingServer,
    Request,
    html_response,
    json_response,
    login_redirect,
    tls_context,
)

CHAT = "9d2e9cfb87034e379b0ad6e420e4fb20"


def old_error(status: int, error: str) -> Handler:
    """Return a handler that fails as servers up to 2.6 do."""
    return json_response({"timestamp": 1795414935177, "status": status, "error": error, "path": f"/x/{CHAT}"}, status)


def new_error(status: int, error: str, message: str = "") -> Handler:
    """Return a handler that fails as servers from 2.7 on do."""
    return json_response({"code": status, "error": error, "message": message, "path": f"/x/{CHAT}"}, status)


def hang_up(_: Request, connection: Connection) -> None:
    connection.reset()


def by_generation(v1: Handler, v2: Handler) -> Handler:
    return lambda request, connection: (v1 if request.path.startswith("/api/v1/") else v2)(request, connection)


def error_of(
    handler: Handler, call: Callable[[Any], object], kind: Callable[..., Any] = ChatApi, **settings: Any
) -> ApiException:
    with (
        api_of(kind, handler, **{"retries": 0, **settings}) as (api, _),
        pytest.raises(ApiException) as caught,
    ):
        call(api)
    return caught.value


def list_chats(api: ChatApi) -> object:
    return api.list_chats()


def test_an_error_names_method_host_prefix_and_template_but_no_value() -> None:
    with chat_api(new_error(403, "Forbidden"), api_version="v2") as (api, server):
        with pytest.raises(ForbiddenException) as caught:
            api.rollback_messages(CHAT, 3)
        error = caught.value
        path = "/chat/messages/rollback/{chatId}/{count}"
        assert (error.path, error.url) == (path, f"{server.url}/api/v2{path}")
        assert str(error).startswith(f"POST {error.url} returned 403 Forbidden\n")
        assert CHAT not in str(error)


def test_a_call_made_by_hand_names_its_own_address_without_its_query() -> None:
    with chat_api(hang_up) as (api, server), pytest.raises(ApiConnectionError) as caught:
        api.api_client.call_api("GET", "/api/v1/chat?secret=yes")
    assert str(caught.value).startswith(f"GET {server.url}/api/v1/chat failed: the connection was lost")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "handler", "said"),
    [
        (None, login_redirect(), "No token is set. Set Configuration(access_token=...) or the environment variable"),
        (None, new_error(401, "Unauthorized"), "No token is set. Set Configuration(access_token=...)"),
        (lambda: None, new_error(401, "Unauthorized"), "the function given as access_token returned none"),
        (TOKEN, new_error(401, "Unauthorized"), "The server rejected the token: it has expired"),
        (TOKEN, login_redirect(), "The server did not see the token: a proxy may have removed it"),
    ],
)
def test_a_missing_token_is_told_from_a_rejected_one(given: Any, handler: Handler, said: str) -> None:
    error = error_of(handler, list_chats, access_token=given)
    assert type(error) is UnauthorizedException
    assert said in str(error)


def test_a_rejected_token_of_the_environment_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREECHAT_TOKEN", TOKEN)
    error = error_of(new_error(401, "Unauthorized"), list_chats, access_token=None)
    assert str(error).endswith("Set the environment variable FREECHAT_TOKEN to a valid token.")


def test_a_token_of_the_environment_that_is_held_back_is_not_called_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREECHAT_TOKEN", TOKEN)
    with RecordingServer(login_redirect()) as proxy:
        with pytest.warns(InsecureTransportWarning, match="FREECHAT_TOKEN is not sent"):
            configuration = Configuration("http://chat.example.com", proxy=proxy.url)
        with ApiClient(configuration) as client, pytest.raises(UnauthorizedException) as caught:
            ChatApi(client).list_chats()
    assert "that of FREECHAT_TOKEN is not sent unencrypted" in str(caught.value)
    assert all(request.header("Authorization") is None for request in proxy.requests)


def test_a_redirect_shows_where_to_without_query_values_and_password() -> None:
    def redirect(request: Request, connection: Connection) -> None:
        connection.respond(308, b"", [("Location", f"https://user:pass@chat.example.com{request.target}?x=y#z")])

    error = error_of(redirect, lambda api: api.delete_chat(CHAT))
    assert "redirect to https://chat.example.com/api/v1/chat/***\nRedirects are not followed. Set" in str(error)
    secret = "not-a-token-by-its-looks|x"

    def embed(_: Request, connection: Connection) -> None:
        connection.respond(302, b"", [("Location", "/moved-not-a-token-by-its-looks%7Cx/on")])

    moved = error_of(embed, lambda api: api.delete_token(secret), AccountApi)
    assert "redirect to /moved-***/on\n" in str(moved)
    broken = error_of(lambda _, connection: connection.respond(302, b"", [("Location", "http://[")]), list_chats)
    assert "redirect to ***" in str(broken)


def test_a_403_may_mean_that_there_is_no_such_thing() -> None:
    error = error_of(new_error(403, "Forbidden", "No permission"), lambda api: api.list_messages(CHAT))
    assert "403 Forbidden: No permission\nIt does not exist, belongs to another user, or needs a role" in str(error)


def get_prompt(api: PromptApi) -> object:
    return api.get_prompt_summary(99)


def test_of_two_tries_the_more_telling_response_is_raised() -> None:
    for_user = new_error(404, "Not Found", "Failed to find prompt!")
    for v1, v2 in [(new_error(404, "Not Found"), for_user), (for_user, new_error(404, "Not Found"))]:
        error = error_of(by_generation(v1, v2), get_prompt, PromptApi, api_version="auto")
        assert "404 Not Found: Failed to find prompt!\nIt does not exist, or the user may not see it." in str(error)
        assert error.attempts == 1
    for v1, v2 in [(login_redirect(), old_error(404, "Not Found")), (old_error(404, "Not Found"), login_redirect())]:
        assert error_of(by_generation(v1, v2), get_prompt, PromptApi, api_version="auto").status == 404


def test_the_generation_is_doubted_only_while_it_is_open() -> None:
    missing = old_error(404, "Not Found")
    both = error_of(missing, get_prompt, PromptApi, api_version="auto")
    assert "neither /api/v1 nor /api/v2 has it. Check the arguments and Configuration(host=...)." in str(both)
    one = error_of(missing, lambda api: api.list_skills(), SkillApi, api_version="auto")
    assert "or the server is of another generation than v2" in str(one)
    chosen = error_of(missing, get_prompt, PromptApi, api_version="v1")
    assert "or the server is of another generation than v1" in str(chosen)
    with api_of(PromptApi, lambda request, connection: fine_or_missing(request, connection)) as (api, _):
        ChatApi(api.api_client).list_chats()
        with pytest.raises(NotFoundException) as caught:
            api.get_prompt_summary(99)
        assert str(caught.value).endswith("It does not exist, or the user may not see it. Check the arguments.")


def fine_or_missing(request: Request, connection: Connection) -> None:
    (json_response([]) if request.path.endswith("/chat") else old_error(404, "Not Found"))(request, connection)


@pytest.mark.parametrize("path", ["/w", "/api", "/api/v3"])
def test_a_path_of_the_host_is_the_likely_cause_of_a_404(path: str) -> None:
    with (
        RecordingServer(old_error(404, "Not Found")) as server,
        chat_api_at(server.url + path, api_version="auto") as api,
        pytest.raises(NotFoundException, match=f"likely cause is the path '{path}' of the host"),
    ):
        api.list_chats()


def test_clearing_a_memory_on_an_old_server_points_at_update_chat() -> None:
    error = error_of(old_error(500, "Internal Server Error"), lambda api: api.clear_memory(CHAT))
    assert "although everything has been forgotten. Call update_chat" in str(error)


@pytest.mark.parametrize(
    ("handler", "call", "said"),
    [
        (old_error(500, "x"), lambda api: api.send_message(CHAT, ""), "call update_chat before you send"),
        (old_error(500, "x"), list_chats, "also does on invalid requests. Check the arguments"),
        (html_response(502), list_chats, "A proxy in front of the server did not get its response"),
        (old_error(406, "x"), lambda api: api.start_chat({"character_uid": "a"}), "prompt with a chat template"),
        (new_error(503, "x", "no speech server"), list_chats, "is not available. Try again later."),
    ],
)
def test_what_a_status_means_for_an_operation(handler: Handler, call: Callable[[Any], object], said: str) -> None:
    assert said in str(error_of(handler, call))


def upload(size: int) -> Callable[[CharacterApi], object]:
    return lambda api: api.upload_character_picture("uid", b"x" * size)


@pytest.mark.parametrize("handler", [old_error(400, "x"), old_error(413, "x"), hang_up])
def test_an_upload_that_fails_tells_its_size_if_it_may_be_too_large(handler: Handler) -> None:
    assert "has 1048577 bytes: servers accept up to 10 MiB" in str(error_of(handler, upload(1048577), CharacterApi))


def test_a_small_file_that_is_refused_is_not_called_too_large() -> None:
    assert "MiB" not in str(error_of(old_error(400, "x"), upload(1048576), CharacterApi))
    assert "The file has 5 bytes: servers accept up to" in str(error_of(old_error(413, "x"), upload(5), CharacterApi))


def test_an_object_of_another_service_is_not_an_account() -> None:
    error = error_of(json_response({"status": "UP"}), lambda api: api.get_user_basic(), AccountApi)
    assert type(error) is ApiDecodeError
    assert "returned 200 OK: the body is not the JSON that the operation returns\n" in str(error)


def hang(_: Request, connection: Connection) -> None:
    connection.wait_closed()


@pytest.mark.parametrize(
    ("timeout", "said"),
    [
        (0.1, "timed out before the response was complete: the limit of 0.1 s for the whole call was reached"),
        (
            (5, 0.1),
            "timed out before the response was complete: the limit of 0.1 s for each wait for bytes was reached",
        ),
    ],
)
def test_a_timeout_names_the_limit_that_was_reached(timeout: Any, said: str) -> None:
    error = error_of(hang, lambda api: api.send_message(CHAT, "Hi", _request_timeout=timeout))
    assert type(error) is ApiTimeoutError
    assert said in str(error)
    assert "The server may have carried out the request: look before you send it again." in str(error)
    assert "carried out" not in str(error_of(hang, lambda api: api.list_chats(_request_timeout=timeout)))


def test_a_stream_that_lasts_too_long_names_its_limit() -> None:
    def trickle(_: Request, connection: Connection) -> None:
        connection.start_stream()
        connection.event({"text": "a"})
        connection.wait_closed()

    settings: dict[str, Any] = {"stream_timeout": 0.2, "stream_first_event_timeout": 5.0}
    error = error_of(trickle, lambda api: api.stream_send_message(CHAT, "Hi").until_done(), **settings)
    assert (
        "the limit of 0.2 s for the whole stream was reached\nRaise it with Configuration(stream_timeout=...)"
        in str(error)
    )


def test_a_tls_connection_that_fails_says_what_to_check() -> None:
    authority = trustme.CA()
    context: ssl.SSLContext = tls_context(authority, "127.0.0.1")
    with chat_api(json_response([]), tls=context, retries=0) as (api, _), pytest.raises(ApiConnectionError) as caught:
        api.list_chats()
    assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value)
    assert "Configuration(ssl_ca_cert=...) if its certificate is your own" in str(caught.value)
    with (
        RecordingServer(json_response([])) as server,
        chat_api_at(server.url.replace("http:", "https:"), retries=0) as api,
        pytest.raises(ApiConnectionError, match="Check that the server speaks https"),
    ):
        api.list_chats()


@pytest.mark.parametrize(
    ("host", "shown", "generation"),
    [
        ("http://h:8080/api/v1", "http://h:8080", "v1"),
        ("https://h/chat/api/v2/", "https://h/chat", "v2"),
        ("h/api/v2", "http://h", "v2"),
        ("http://h/api/v3", "http://h/api/v3", "auto"),
        ("http://h/v1", "http://h/v1", "auto"),
    ],
)
def test_a_host_with_the_prefix_of_a_generation_is_taken_without_it(host: str, shown: str, generation: str) -> None:
    configuration = Configuration(host)
    assert (configuration.host, configuration.api_version) == (shown, generation)
    later = Configuration()
    later.host = host
    assert (later.host, later.api_version) == (shown, generation)


def test_a_host_with_a_prefix_is_called_without_doubling_it() -> None:
    with RecordingServer(json_response([])) as server, chat_api_at(f"{server.url}/api/v2", api_version=None) as api:
        assert api.list_chats() == []
    assert [request.path for request in server.requests] == ["/api/v2/chat"]


def test_a_host_and_a_setting_that_name_different_generations_are_refused() -> None:
    with pytest.raises(ApiValueError, match=r"host ends in /api/v1, but api_version is 'v2'"):
        Configuration("http://h/api/v1", api_version="v2")
    assert Configuration("http://h/api/v1", api_version="auto").api_version == "v1"
    with pytest.raises(ApiValueError, match="api_version must be one of auto, v1, v2"):
        Configuration("http://h/api/v1", api_version=TOKEN)


ENVIRONMENT = [
    ("FREECHAT_TOKEN", f"Bearer {TOKEN}", "must be the token alone. Remove 'Bearer ' before it."),
    ("FREECHAT_TOKEN", f"{TOKEN}\n", "must not contain spaces, line breaks .* Remove those around the token."),
    ("FREECHAT_TOKEN", f"{TOKEN} x", "must not contain spaces, line breaks .* Remove those in it."),
    ("FREECHAT_HOST", "two words", "must not contain spaces"),
    ("FREECHAT_HOST", "ftp://h", "must be an address like https://chat.example.com"),
    ("FREECHAT_API_VERSION", "v3", "must be one of auto, v1, v2"),
]


@pytest.mark.parametrize(("name", "value", "said"), ENVIRONMENT)
def test_a_wrong_setting_of_the_environment_is_named_by_its_variable(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ApiValueError, match=f"the environment variable {name} {said}") as caught:
        Configuration()
    assert value.strip() not in str(caught.value)
