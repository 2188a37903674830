"""Code as users write it; `make check` runs mypy and pyright on it.

The last lines are wrong. Both checkers complain of an ignore without need, so each of these must be flagged by both.
"""

from pathlib import Path

import freechat_sdk
from freechat_sdk import ApiClient, ApiResponse, ChatApi, ChatCreateDTO, ChatMessageDTO, Configuration, LlmResultDTO
from freechat_sdk.models.chat_content_dto import ChatContentDTO
from freechat_sdk.models.sse_emitter import SseEmitter
from freechat_sdk.rest import ApiException


class Slow(freechat_sdk.Hooks):
    def on_response(self, call: freechat_sdk.Call) -> None:
        print(call.method, call.path, call.status, call.seconds + 1)

    def on_retry(self, call: freechat_sdk.Call, wait: float) -> None:
        call.context["waited"] = wait


def ask_vault() -> str | None:
    return "fc-1"


configuration = Configuration(host="https://chat.example.com", access_token="fc-1", timeout=10)
configuration.access_token = None
watched = Configuration(access_token=ask_vault, hooks=[Slow()], retries=freechat_sdk.RetryPolicy(1, backoff=0.1))
watched.access_token = ask_vault
watched.hooks = Slow()
wrong = Configuration(hooks=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
with ApiClient(configuration) as client:
    api = ChatApi(client)
    chat_id: str = api.start_chat(ChatCreateDTO(character_uid="x", about="a walk"))
    result: LlmResultDTO = api.send_message(chat_id, "Hi", _request_timeout=(1, 2.5))
    answer: str | None = result.answer
    response: ApiResponse[LlmResultDTO] = api.send_message_with_http_info(chat_id, ChatMessageDTO.user("Hi"))
    status: int = response.status_code
    raw: bytes = api.send_message_without_preload_content(chat_id, "Hi", _headers={"X-Trace": "1"}).data
    found: str | None = api.get_default_chat_id("uid")
    found_by_name: str | None = api.get_default_chat_id(character_uid="uid")
    ids: list[int | None] = [record.id for record in api.list_messages(chat_id, 10, offset=2)]
    said: list[str] = [f"{record.role}: {record.text}" for record in api.list_messages(chat_id)]
    characters_by_chat: dict[str, int | None] = {chat.chat_id: chat.character.character_id for chat in api.list_chats()}
    texts: list[str] = [part.content.upper() for part in [ChatContentDTO(content="a")]]
    with api.stream_send_message(chat_id, "Hi") as stream:
        for text in stream.text_deltas():
            print(text.strip())
        last: LlmResultDTO | None = stream.result
    emitter: SseEmitter = api.stream_send_assistant(chat_id, "uid")
    events: list[LlmResultDTO] = list(emitter)
    deleted: bool = api.delete_chat(chat_id)
    freechat_sdk.models.ChatUpdateDTO(about="x").to_json()
    characters = freechat_sdk.CharacterApi(client)
    address: str = characters.upload_character_picture("uid", "me.png")
    address = characters.upload_character_picture("uid", ("me.png", b""))
    address = characters.upload_character_picture("uid", freechat_sdk.Upload(b"", progress=print))
    path: Path = characters.export_character(1).save(".")
    number_of_copy: int | None = characters.clone_character(1)
    found_sets: list[list[freechat_sdk.CharacterSummaryDTO]] = characters.batch_search_character_summary([])
    filled: str | None = freechat_sdk.PromptApi(client).apply_prompt_ref(
        freechat_sdk.PromptRefDTO(prompt_id=1, variables={"word": "hi", "deep": {"a": [1]}})
    )
    freechat_sdk.PluginApi(client).refresh_plugin_info(1)
    try:
        api.clear_memory(chat_id)
    except ApiException as error:
        print(error.status, error.reason, error.body, error.headers)

    of_user: ApiClient = client.with_options(access_token="fc-2", timeout=None, headers={"X-Trace": "1"}, hooks=Slow())
    options: freechat_sdk.RequestOptions = {"_request_timeout": 3}
    ChatApi(of_user).list_chats(**options)
    client.with_options(host="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.with_options(timeout="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    characters.upload_character_picture("uid", 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    api.delete_chat(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    api.delete_chat()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    api.delete_chat(chat_id, _retries=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    api.delete_chat(chat_id, _request_timeout="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    api.delete_chat_with_http_info(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    api.delete_chat_without_preload_content(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    api.list_messages(chat_id, "10")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    api.send_message(chat_id, 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ChatContentDTO(content="a", typ="text")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    freechat_sdk.ChatApu()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    ChatContentDTO(type="text")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ChatContentDTO(content=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    number: int = api.delete_chat_with_http_info(chat_id)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    wrong_result: str = api.send_message(chat_id, "Hi")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    found.upper()  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
