"""A conversation with a character: `make demo`.

Talks to the server that FREECHAT_HOST and FREECHAT_TOKEN name, else to a sandbox of its own. On a server of yours it
talks to the character whose uid is in FREECHAT_CHARACTER, else to that of your newest chat.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from freechat_sdk import ApiClient, ApiException, ChatApi, ChatCreateDTO, Configuration
from freechat_sdk.sandbox import Sandbox

SECONDS_A_WORD = 0.08


def main() -> int:
    """Hold the conversation; the exit status is 1 when the server cannot be talked to."""
    try:
        with server() as (configuration, character), ApiClient(configuration) as client:
            print(f"A conversation on {configuration.host}")
            converse(ChatApi(client), character)
    except ApiException as error:
        print(error, file=sys.stderr)
        return 1
    return 0


@contextmanager
def server() -> Iterator[tuple[Configuration, str | None]]:
    """Yield the settings of the server to talk to, and the character there."""
    if "FREECHAT_HOST" in os.environ:
        yield Configuration(), os.environ.get("FREECHAT_CHARACTER")
        return
    with Sandbox(delay=SECONDS_A_WORD) as sandbox:
        yield Configuration(sandbox.host, access_token=sandbox.token), sandbox.character.uid


def converse(chats: ChatApi, character: str | None) -> None:
    """Say two things, one of them streamed, look back, and leave everything as it was."""
    known = {chat.chat_id: chat for chat in chats.list_chats()}
    if character is None:
        character = next((chat.character.character_uid for chat in known.values()), None)
    if character is None:
        print("Set FREECHAT_CHARACTER to the uid of a character of this server.")
        return
    chat = chats.start_chat(ChatCreateDTO(character_uid=character))
    for record in chats.list_messages(chat, limit=1):
        print(f"  {record.text}")

    print(f"  {chats.send_message(chat, said('Nice to meet you!')).answer}")

    with chats.stream_send_message(chat, said("Could you tell me what a stream is?")) as stream:
        print("  ", end="", flush=True)
        for text in stream.text_deltas():
            print(text, end="", flush=True)
    print()

    usage = chats.get_memory_usage(chat)
    tokens = usage.token_usage.total_token_count if usage.token_usage else None
    print(f"{len(chats.list_messages(chat))} messages so far; {usage.message_usage} answers cost {tokens} tokens.")
    if chat in known:
        print("This chat was there before, so it stays.")
    else:
        chats.delete_chat(chat)
        print("The chat is deleted.")


def said(text: str) -> str:
    """Show what the user says, and return it."""
    print(f"> {text}")
    return text


if __name__ == "__main__":
    sys.exit(main())
