"""The errors: their tree, what they say, that they hide credentials, pickle and copy."""

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from urllib3 import HTTPHeaderDict

from freechat_sdk import exceptions
from freechat_sdk._secrets import mask
from freechat_sdk.exceptions import (
    ApiConnectionError,
    ApiException,
    ApiTimeoutError,
    ApiTypeError,
    ApiValueError,
    BadRequestException,
    ConflictException,
    ForbiddenException,
    NotFoundException,
    QuotaExceededException,
    ServiceException,
    ServiceUnavailableException,
    StreamInterruptedError,
    UnauthorizedException,
    UnprocessableEntityException,
    kind_for,
)
from test.clients import TOKEN

HEADERS = HTTPHeaderDict({"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestException),
        (401, UnauthorizedException),
        (403, ForbiddenException),
        (404, NotFoundException),
        (405, ApiException),
        (409, ConflictException),
        (422, UnprocessableEntityException),
        (429, QuotaExceededException),
        (500, ServiceException),
        (503, ServiceUnavailableException),
        (599, ServiceException),
        (302, ApiException),
    ],
)
def test_a_status_has_its_kind(status: int, kind: type[ApiException]) -> None:
    assert kind_for(status) is kind


def test_a_redirect_to_the_login_page_means_that_no_token_was_accepted() -> None:
    for location in ("/w/login", "http://a/w/login?x=1"):
        assert kind_for(302, {"Location": location}) is UnauthorizedException
    assert kind_for(302, {"Location": "/w/login/more"}) is ApiException
    assert kind_for(200, {"Location": "/w/login"}) is ApiException


def test_the_tree_is_what_callers_catch() -> None:
    assert issubclass(ServiceUnavailableException, ServiceException)
    assert issubclass(ApiConnectionError, ConnectionError)
    assert issubclass(ApiTimeoutError, TimeoutError)
    assert issubclass(ApiTypeError, TypeError)
    assert issubclass(ApiValueError, ValueError)


def test_an_error_says_on_one_screen_what_the_server_said() -> None:
    body = b'{"code":429,"message":"Usage 1 exceeds limit 1"}'
    error = QuotaExceededException(429, "", body=body, method="POST", path="/chat/{chatId}", attempts=2)
    assert str(error).splitlines() == [
        "POST /chat/{chatId} returned 429 Too Many Requests: Usage 1 exceeds limit 1",
        "A quota is used up, or a limit is reached. Waiting does not help.",
        "(2 attempts were made.)",
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error":"Bad Request","message":""}', "400 Bad Request"),
        ('{"error":"No backend"}', "400 Bad Request: No backend"),
        ("<html>\n\x1b[31m</html>", "400 Bad Request: <html>\\n\\x1b[31m</html>"),
        ("[1]", "400 Bad Request: [1]"),
        ("{", "400 Bad Request: {"),
        ("", "400 Bad Request"),
        (None, "400 Bad Request"),
    ],
)
def test_the_servers_words_are_shown_or_the_start_of_what_nobody_can_read(body: str | None, said: str) -> None:
    assert str(ApiException(400, body=body)) == said


def test_an_unknown_status_has_no_phrase() -> None:
    assert ApiException(599).reason is None


def test_a_response_makes_the_error_as_the_official_client_does() -> None:
    response = SimpleNamespace(status=404, reason="Nope", data=b'{"message":"gone"}', headers=HEADERS)
    with pytest.raises(NotFoundException) as caught:
        ApiException.from_response(http_resp=response, body=None, data=None)
    assert (caught.value.status, caught.value.reason, caught.value.body) == (404, "Nope", '{"message":"gone"}')
    assert (caught.value.data, caught.value.headers) == ({"message": "gone"}, HEADERS)
    assert ApiException(http_resp=response, data="given").data == "given"


SECRETS = [
    TOKEN,
    f"Bearer {TOKEN}",
    "Authorization: Basic dXNlcjpwYXNzd29yZA==",
    '{"apiKeyValue":"sk-secret"}',
    '{"access_token" : "sk-secret"}',
    '{"password":"sk-sec\\"ret"}',
    '{"tgBotToken":"sk-secret',
]


@pytest.mark.parametrize("text", SECRETS)
def test_what_looks_like_a_credential_is_masked(text: str) -> None:
    for secret in ("0123456789abcdef", "dXNlcjpwYXNzd29yZA", "sk-sec", "ret"):
        assert secret not in mask(f"before {text}").replace("secret", "", text.count('"secret"'))
    error = ApiException(400, body=text, message=text, headers=HTTPHeaderDict({"Set-Cookie": TOKEN, "Location": TOKEN}))
    shown = [str(error), repr(error), str(error.args), str(error.__dict__), pickle.dumps(error).decode("latin-1")]
    for secret in ("0123456789abcdef", "dXNlcjpwYXNzd29yZA", "sk-sec"):
        assert secret not in "".join(shown)


def test_a_text_without_credentials_stays() -> None:
    text = '{"tokenUsage":{"inputTokenCount":3},"message":"fc-1 is not a token"}'
    assert mask(text) == text


def test_old_errors_name_their_place() -> None:
    error = ApiTypeError("wrong", ["a", 0], (int,), True)
    assert (str(error), error.path_to_item, error.valid_classes, error.key_type) == (
        "wrong at ['a'][0]",
        ["a", 0],
        (int,),
        True,
    )


EXAMPLES: dict[str, Any] = {
    **{name: getattr(exceptions, name)("message") for name in ("ApiTypeError", "ApiValueError", "ApiVersionError")},
    **{name: getattr(exceptions, name)("message", ["a"]) for name in ("ApiAttributeError", "ApiKeyError")},
    "ConversationBusyError": exceptions.ConversationBusyError("busy"),
    "ForeignConnectionWarning": exceptions.ForeignConnectionWarning("replaced"),
    "InsecureTransportWarning": exceptions.InsecureTransportWarning("open"),
    "UnknownFieldWarning": exceptions.UnknownFieldWarning("no such field"),
    "KeyInExportWarning": exceptions.KeyInExportWarning("key"),
    "RagTaskFailedError": exceptions.RagTaskFailedError("failed", {"id": 3}),
    "OpenApiException": exceptions.OpenApiException("a", "b"),
    "ApiConnectionError": ApiConnectionError("lost", request_sent=True, method="GET", path="/chat", attempts=2),
    "ApiTimeoutError": ApiTimeoutError("late", request_sent=False),
    "StreamInterruptedError": StreamInterruptedError(200, text="Hel", events=(1,), message="cut", method="GET"),
}
for _name in set(exceptions.__all__) - set(EXAMPLES):
    EXAMPLES[_name] = getattr(exceptions, _name)(404, "No", body=b"{}", headers=HEADERS, hint="Try.")


@pytest.mark.parametrize("name", exceptions.__all__)
def test_every_error_pickles_and_copies_whole(name: str) -> None:
    error = EXAMPLES[name]
    copies = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    for copied in [*copies, copy.copy(error), copy.deepcopy(error)]:
        assert type(copied) is type(error)
        assert (str(copied), repr(copied), copied.args, copied.__dict__) == (
            str(error),
            repr(error),
            error.args,
            error.__dict__,
        )
