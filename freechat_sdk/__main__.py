"""The command `python -m freechat_sdk`: check a server, or chat with a character.

FREECHAT_HOST and FREECHAT_TOKEN name the server and the token, FREECHAT_CHARACTER the character to chat with.
"""

import argparse
import importlib
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from freechat_sdk._addresses import is_encrypted_or_loopback
from freechat_sdk._pool import proxy_for
from freechat_sdk.api import AccountApi, AppMetaForAdminApi
from freechat_sdk.api_client import ApiClient
from freechat_sdk.configuration import Configuration
from freechat_sdk.conversation import Conversation
from freechat_sdk.exceptions import ApiException, OpenApiException, escape_unprintable
from freechat_sdk.transcript import to_records

_HELP = "Ctrl-C ends an answer, Ctrl-D the chat. /again, /history and /undo do what they say."


def main(arguments: list[str] | None = None) -> int:
    """Run the command. The exit status is 0, or 1 if the server cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m freechat_sdk", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="tell whether the server can be used")
    chat = commands.add_parser("chat", help="chat with a character")
    chat.add_argument("character", nargs="?", default=os.environ.get("FREECHAT_CHARACTER"), help="its uid or name")
    options = parser.parse_args(arguments)
    if options.command == "chat" and not options.character:
        parser.error("name a character, or set FREECHAT_CHARACTER")
    try:
        with ApiClient() as client:
            return _check(client) if options.command == "check" else _chat(client, options.character)
    except OpenApiException as error:
        print(error, file=sys.stderr)
        return 1


def _say(name: str, value: str) -> None:
    print(f"{name + ':':12}{escape_unprintable(value)}")


def _check(client: ApiClient) -> int:
    """Print what is known of the server, and a verdict."""
    _say("Server", client.configuration.host)
    _say("Encryption", _encryption(client.configuration))
    _say("Proxy", "yes" if proxy_for(client.configuration) else "none")
    started = time.perf_counter()
    response = AccountApi(client).get_user_basic_with_http_info()
    seconds = time.perf_counter() - started
    _say("Generation", client.generation or "unknown")
    _say("Version", _version(client))
    _say("User", (response.data and response.data.username) or "unknown")
    _say("Clock", _skew(response.headers["Date"] if response.headers and "Date" in response.headers else ""))
    _say("First call", f"{seconds * 1000:.0f} ms, including the connection")
    print("This server can be used.")
    return 0


def _encryption(configuration: Configuration) -> str:
    if not is_encrypted_or_loopback(configuration.host):
        return "none: anybody on the way can read the token"
    if configuration.host.startswith("http:"):
        return "none, and none is needed on this machine"
    return "TLS" if configuration.verify_ssl else "TLS, without a check of the certificate"


def _version(client: ApiClient) -> str:
    with suppress(ApiException):
        return AppMetaForAdminApi(client).get_app_meta().version or "unknown"
    return "not shown to this user"


def _skew(date: str) -> str:
    try:
        skew = (parsedate_to_datetime(date) - datetime.now(timezone.utc)).total_seconds()
    except (TypeError, ValueError):
        return "unknown: the server does not send its time"
    return "right" if abs(skew) < 60 else f"the server's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"


def _chat(client: ApiClient, character: str) -> int:
    conversation = Conversation.open(client, character)
    print(_HELP)
    _take(conversation, "/history")
    for line in _messages():
        try:
            _take(conversation, line)
        except KeyboardInterrupt:
            print(" [stopped]")
        except OpenApiException as error:
            print(error, file=sys.stderr)
    return 0


def _messages() -> Iterator[str]:
    """Yield what the user types until the end of the input. Lines that are pasted together are one message."""
    with suppress(ImportError):
        importlib.import_module("readline")  # it gives input() line editing
    is_terminal = sys.stdin.isatty()
    while True:
        try:
            lines = [input("> ")]
            while is_terminal and os.name == "posix" and select.select([sys.stdin], [], [], 0)[0]:
                lines.append(input())
        except KeyboardInterrupt:
            print(f"\n{_HELP}")
            continue
        except EOFError:
            print()
            return
        message = "\n".join(lines).strip()
        if not is_terminal:
            print(message)
        if message:
            yield message


def _take(conversation: Conversation, message: str) -> None:
    """Carry a command out, or send a message and print the answer as it comes."""
    if message == "/undo":
        taken = to_records(conversation.undo())
        print(f"Taken back: {_printable(taken[0]['text'])}" if taken else "There is nothing to take back.")
    elif message == "/history":
        for record in reversed(to_records(conversation.history())):
            print(f"{record['role']}: {_printable(record['text'])}")
    else:
        with conversation.stream_regenerated() if message == "/again" else conversation.stream(message) as stream:
            for text in stream.text_deltas():
                print(_printable(text), end="", flush=True)
        print()


def _printable(text: str) -> str:
    """Return a text of the server without characters that control a terminal."""
    return "".join(letter if letter in "\n\t" else escape_unprintable(letter) for letter in text)


if __name__ == "__main__":
    sys.exit(main())
