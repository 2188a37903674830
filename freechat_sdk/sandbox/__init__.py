"""A FreeChat server for trying out and testing: on this machine, without a key, a network or a model.

    from freechat_sdk import ApiClient, ChatApi, ChatCreateDTO, Configuration
    from freechat_sdk.sandbox import Sandbox

    with Sandbox() as sandbox, ApiClient(Configuration(sandbox.host, access_token=sandbox.token)) as client:
        chat = ChatApi(client).start_chat(ChatCreateDTO(character_uid=sandbox.character.uid))

It speaks real HTTP, keeps what is said (in memory or in a file), streams its answers token by token, and answers like
recorded servers of three releases, down to status codes, headers and empty bodies. So far it has the chat operations.
It needs the extra: `pip install "freechat-sdk[sandbox]"`. On the command line: `python -m freechat_sdk.sandbox`.
"""

from freechat_sdk.sandbox._reply import ModelError, Prompt, Reply, Usage, echo
from freechat_sdk.sandbox._sandbox import Sandbox
from freechat_sdk.sandbox._store import Character

__all__ = ["Character", "ModelError", "Prompt", "Reply", "Sandbox", "Usage", "echo"]
