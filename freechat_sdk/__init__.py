"""Python client for FreeChat, a server for AI characters that people and programs chat with.

    import freechat_sdk

    with freechat_sdk.ApiClient() as client:  # FREECHAT_HOST and FREECHAT_TOKEN name the server and the token
        chats = freechat_sdk.ChatApi(client)
        for text in chats.stream_send_message(chat_id, "Hi").text_deltas():
            print(text, end="", flush=True)

Each public name is loaded when it is first used (PEP 562), so importing the package is fast.
"""

from freechat_sdk._names import API_MODULES, MODEL_MODULES

__version__ = "3.0.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from freechat_sdk import api as api
    from freechat_sdk import api_client as api_client
    from freechat_sdk import api_response as api_response
    from freechat_sdk import characters as characters
    from freechat_sdk import configuration as configuration
    from freechat_sdk import conversation as conversation
    from freechat_sdk import download as download
    from freechat_sdk import exceptions as exceptions
    from freechat_sdk import hooks as hooks
    from freechat_sdk import models as models
    from freechat_sdk import pagination as pagination
    from freechat_sdk import rest as rest
    from freechat_sdk import streaming as streaming
    from freechat_sdk import teaching as teaching
    from freechat_sdk import transcript as transcript
    from freechat_sdk import upload as upload
    from freechat_sdk._api import RequestOptions as RequestOptions
    from freechat_sdk.api import *
    from freechat_sdk.api_client import ApiClient as ApiClient
    from freechat_sdk.api_client import ClientOptions as ClientOptions
    from freechat_sdk.api_response import ApiResponse as ApiResponse
    from freechat_sdk.characters import create_character_with_prompt as create_character_with_prompt
    from freechat_sdk.characters import find_character as find_character
    from freechat_sdk.configuration import Configuration as Configuration
    from freechat_sdk.conversation import Conversation as Conversation
    from freechat_sdk.download import Download as Download
    from freechat_sdk.exceptions import *
    from freechat_sdk.hooks import Call as Call
    from freechat_sdk.hooks import Hooks as Hooks
    from freechat_sdk.models import *
    from freechat_sdk.pagination import paginate as paginate
    from freechat_sdk.rest import RetryPolicy as RetryPolicy
    from freechat_sdk.teaching import document_key as document_key
    from freechat_sdk.teaching import teach as teach
    from freechat_sdk.teaching import wait_for_rag_task as wait_for_rag_task
    from freechat_sdk.transcript import to_markdown as to_markdown
    from freechat_sdk.transcript import to_records as to_records
    from freechat_sdk.upload import Upload as Upload

_MODULES = frozenset(
    {
        "api",
        "api_client",
        "api_response",
        "characters",
        "configuration",
        "conversation",
        "download",
        "exceptions",
        "hooks",
        "models",
        "pagination",
        "rest",
        "streaming",
        "teaching",
        "transcript",
        "upload",
    }
)
_EXCEPTIONS = (
    "ApiAttributeError",
    "ApiConnectionError",
    "ApiDecodeError",
    "ApiException",
    "ApiKeyError",
    "ApiTimeoutError",
    "ApiTypeError",
    "ApiValueError",
    "ApiVersionError",
    "BadRequestException",
    "ConflictException",
    "ConversationBusyError",
    "ForbiddenException",
    "InsecureTransportWarning",
    "KeyInExportWarning",
    "NotFoundException",
    "OpenApiException",
    "QuotaExceededException",
    "RagTaskFailedError",
    "ServiceException",
    "ServiceUnavailableException",
    "StreamFailedError",
    "StreamInterruptedError",
    "UnauthorizedException",
    "UnprocessableEntityException",
)
_HOMES = {
    **API_MODULES,
    **MODEL_MODULES,
    **dict.fromkeys(_EXCEPTIONS, "freechat_sdk.exceptions"),
    "ApiClient": "freechat_sdk.api_client",
    "ApiResponse": "freechat_sdk.api_response",
    "Call": "freechat_sdk.hooks",
    "ClientOptions": "freechat_sdk.api_client",
    "Configuration": "freechat_sdk.configuration",
    "Conversation": "freechat_sdk.conversation",
    "Download": "freechat_sdk.download",
    "Hooks": "freechat_sdk.hooks",
    "RequestOptions": "freechat_sdk._api",
    "RetryPolicy": "freechat_sdk.rest",
    "Upload": "freechat_sdk.upload",
    "create_character_with_prompt": "freechat_sdk.characters",
    "document_key": "freechat_sdk.teaching",
    "find_character": "freechat_sdk.characters",
    "paginate": "freechat_sdk.pagination",
    "teach": "freechat_sdk.teaching",
    "to_markdown": "freechat_sdk.transcript",
    "to_records": "freechat_sdk.transcript",
    "wait_for_rag_task": "freechat_sdk.teaching",
}

__all__ = sorted([*_HOMES, *_MODULES, "__version__"])  # noqa: PLE0605


if not TYPE_CHECKING:  # otherwise a type checker would accept any name

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
