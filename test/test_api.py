"""Generated methods: what they show of themselves, when they check, and their two siblings."""

import inspect
import pydoc
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError, validate_call
from typing_extensions import Unpack

from freechat_sdk import ApiClient, ApiResponse, ChatApi, Configuration, LlmResultDTO
from freechat_sdk._api import Api, RequestOptions, operation, with_http_info, without_preload_content
from freechat_sdk._decoders import as_json
from freechat_sdk._operation import READ, Operation
from freechat_sdk.rest import BaseHTTPResponse
from test.clients import configured
from test.server import RecordingServer, json_response


class SampleApi(Api):
    """An API of one method."""

    @operation
    def count(self, name: str, limit: int | None = None, **options: Unpack[RequestOptions]) -> Operation[int]:
        """Count things."""
        return Operation(
            "GET", "/count/{name}/{limit}", as_json(int), options, retry=READ, path={"name": name, "limit": limit}
        )

    count_with_http_info = with_http_info(count)
    count_without_preload_content = without_preload_content(count)

    @operation
    def total(
        self, numbers: list[int], more: list[str] | None = None, **options: Unpack[RequestOptions]
    ) -> Operation[int]:
        """Add things up."""
        return Operation("POST", "/total", as_json(int), options, retry=READ, body=[*numbers, *(more or [])])


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with RecordingServer(json_response(7, headers=[("X-Extra", "1")])) as running:
        yield running


@pytest.fixture
def client(server: RecordingServer) -> Iterator[ApiClient]:
    with ApiClient(configured(server.url)) as running:
        yield running


@pytest.fixture
def api(client: ApiClient) -> SampleApi:
    return SampleApi(client)


def test_a_method_returns_the_value(api: SampleApi, server: RecordingServer) -> None:
    assert api.count("a b", 3) == 7
    assert server.requests[0].target == "/api/v1/count/a%20b/3"


@pytest.mark.parametrize("numbers", [[1, 2], (1, 2), {1, 2}, range(1, 3), (number for number in (1, 2)), iter([1, 2])])
def test_a_list_is_given_as_any_iterable(api: SampleApi, server: RecordingServer, numbers: Any) -> None:
    api.total(numbers, more=("a",))  # type: ignore[arg-type]
    assert server.requests[0].json == [1, 2, "a"]


@pytest.mark.parametrize("numbers", ["12", b"12", {1: 2}, 3, ("1",), (True,)])
def test_a_list_is_neither_text_nor_a_mapping_and_its_items_are_strict(
    api: SampleApi, server: RecordingServer, numbers: Any
) -> None:
    with pytest.raises(ValidationError, match=r"valid (list|integer)"):
        api.total(numbers)
    assert server.requests == []


def test_a_lax_list_shows_as_a_plain_one() -> None:
    assert str(inspect.signature(SampleApi.total)).startswith(
        "(self, numbers: list[int], more: list[str] | None = None"
    )
    assert SampleApi.total.__annotations__["numbers"] == list[int]


def test_its_siblings_return_the_whole_response_and_the_unread_one(api: SampleApi) -> None:
    whole = api.count_with_http_info("a")
    assert (whole.data, whole.status_code, whole.headers["x-extra"], whole.raw_data) == (7, 200, "1", b"7")
    unread = api.count_without_preload_content("a")
    assert (unread.status, unread.data) == (200, b"7")


def test_the_validator_is_built_on_the_first_call_and_once(monkeypatch: pytest.MonkeyPatch, client: ApiClient) -> None:
    built: list[object] = []

    def counting(**settings: Any) -> Any:
        built.append(settings)
        return validate_call(**settings)

    monkeypatch.setattr("freechat_sdk._api.validate_call", counting)

    class LateApi(Api):
        @operation
        def count(self, **options: Unpack[RequestOptions]) -> Operation[int]:
            return Operation("GET", "/count", as_json(int), options, retry=READ)

        count_with_http_info = with_http_info(count)

    assert built == []
    LateApi(client).count()
    LateApi(client).count_with_http_info()
    assert len(built) == 1


@pytest.mark.parametrize("suffix", ["", "_with_http_info", "_without_preload_content"])
@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ((), {}, "name"),
        ((3,), {}, r"count\nname\n  Input should be a valid string"),
        (("a", "3"), {}, r"count\nlimit\n  Input should be a valid integer"),
        (("a", True), {}, "valid integer"),
        (("a", 3, 4), {}, "Unexpected positional argument"),
        (("a",), {"name": "b"}, "multiple values"),
        (("a",), {"colour": "red"}, "Extra inputs are not permitted"),
    ],
)
def test_each_way_to_call_checks_its_arguments_before_anything_is_sent(
    api: SampleApi, server: RecordingServer, suffix: str, arguments: Any, options: Any, said: str
) -> None:
    method = inspect.getattr_static(api, f"count{suffix}").__get__(api)
    with pytest.raises(ValidationError, match=said):
        method(*arguments, **options)
    assert server.requests == []


def test_a_wrong_value_within_a_body_is_named_by_its_argument(client: ApiClient) -> None:
    with pytest.raises(ValidationError) as caught:
        ChatApi(client).send_message("9d2e9cfb87034e379b0ad6e420e4fb20", {"contents": [{"content": 7}]})  # type: ignore[arg-type]
    assert [line["loc"] for line in caught.value.errors()] == [("chat_message_dto", "contents", 0, "content")]


def test_help_and_signature_show_the_arguments_and_what_each_sibling_returns() -> None:
    methods = [ChatApi.send_message, ChatApi.send_message_with_http_info, ChatApi.send_message_without_preload_content]
    signatures = [inspect.signature(method) for method in methods]
    assert [list(signature.parameters) for signature in signatures] == [
        ["self", "chat_id", "chat_message_dto", "options"]
    ] * 3
    assert [signature.return_annotation for signature in signatures] == [
        LlmResultDTO,
        ApiResponse[LlmResultDTO],
        BaseHTTPResponse,
    ]
    for method in methods:
        text = pydoc.plain(pydoc.render_doc(method))
        assert f"{method.__name__}(" in text
        assert (method.__doc__ or "-").splitlines()[0] in text


def test_an_api_without_a_client_uses_the_default_one() -> None:
    client = ApiClient(Configuration("http://127.0.0.1:1"))
    ApiClient.set_default(client)
    assert SampleApi().api_client is client
