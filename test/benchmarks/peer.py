"""The server that benchmarks call: as little work as possible for a response, in a process of its own.

    python -m test.benchmarks.peer

prints its port and responds until its standard input ends. `/sockets` tells how many connections there have been.
"""

import asyncio
import json
import sys
import threading
from collections.abc import Callable

TOKENS = 20_000
CHAT = "0123456789abcdef0123456789abcdef"
PREFIX = "/api/v1/chat"
INSTANT = "2026-11-23T05:22:39.000+00:00"
USAGE = {"inputTokenCount": 11, "outputTokenCount": 4, "totalTokenCount": 15}


def response(content_type: str, body: bytes) -> bytes:
    return head(content_type, f"Content-Length: {len(body)}") + body


def chunked_response(content_type: str, chunks: list[bytes]) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head(content_type, "Transfer-Encoding: chunked") + body + b"0\r\n\r\n"


def head(content_type: str, framing: str) -> bytes:
    """Return a header like that of a recorded server."""
    lines = (
        "HTTP/1.1 200 ",
        "Vary: Origin",
        "Vary: Access-Control-Request-Method",
        "Vary: Access-Control-Request-Headers",
        "X-Content-Type-Options: nosniff",
        "X-XSS-Protection: 0",
        "Cache-Control: no-cache, no-store, max-age=0, must-revalidate",
        "Pragma: no-cache",
        "Expires: 0",
        "X-Frame-Options: DENY",
        f"Content-Type: {content_type}",
        framing,
        "Date: Mon, 23 Nov 2026 05:22:38 GMT",
        "",
        "",
    )
    return "\r\n".join(lines).encode()


def message(number: int) -> dict[str, object]:
    """Return a record of list_messages as v1 writes it."""
    text = f"Message {number}: " + "some words that were said " * 14
    return {
        "message": {"role": "assistant" if number % 2 else "user", "contents": [{"type": "text", "content": text}]},
        "messageId": number,
        "gmtCreate": INSTANT,
    }


def session(number: int) -> dict[str, object]:
    """Return an entry of list_chats as v1 writes it."""
    uid = f"{number:032x}"
    return {
        "context": {
            "chatId": uid,
            "gmtCreate": INSTANT,
            "gmtModified": INSTANT,
            "gmtRead": INSTANT,
            "userNickname": "Ada",
            "userProfile": "A tester",
            "about": "testing",
            "backendId": uid,
            "quota": 0,
            "quotaType": "none",
        },
        "character": {
            "requestId": uid,
            "characterId": number,
            "characterUid": uid,
            "gmtCreate": INSTANT,
            "gmtModified": INSTANT,
            "visibility": "private",
            "version": 0,
            "name": f"character{number}",
            "description": "someone who likes to talk",
            "nickname": f"Character {number}",
            "gender": "other",
            "lang": "en",
            "greeting": f"Hello, I am number {number}!",
            "defaultScene": "a café",
            "priority": 1,
            "username": "ada",
            "tags": ["friend"],
        },
        "provider": "open_ai",
        "latestMessageRecord": message(number),
        "proactiveChatWaitingTime": 0,
        "senderStatus": "invisible",
        "isDebugEnabled": True,
        "isCustomizedApiKeyEnabled": True,
    }


def delta(number: int) -> dict[str, object]:
    """Return an event as v1 writes it."""
    return {"text": f"token{number} "}


def delta_of_v2(number: int) -> dict[str, object]:
    """Return an event as v2 2.9 writes it."""
    text = f"token{number} "
    message = {
        "role": "assistant",
        "name": None,
        "contents": [{"type": "text", "content": text}],
        "toolCalls": None,
        "thinking": None,
        "context": None,
        "messageId": None,
    }
    return {"text": text, "message": message, "finishReason": None, "tokenUsage": None, "requestId": None}


def events(delta: Callable[[int], dict[str, object]]) -> list[bytes]:
    """Return the events of a stream, framed."""
    deltas = [delta(number) for number in range(TOKENS)]
    final = {
        "message": {"role": "assistant", "contents": [{"type": "text", "content": "done"}]},
        "finishReason": "stop",
        "tokenUsage": USAGE,
    }
    return [b"data:" + json.dumps(event, separators=(",", ":")).encode() + b"\n\n" for event in [*deltas, final]]


def as_json(value: object) -> bytes:
    return response("application/json", json.dumps(value).encode())


def routes() -> dict[str, bytes]:
    """Return the whole response for each path below the prefix."""
    streamed = events(delta)
    return {
        f"/memory/usage/{CHAT}": as_json({"messageUsage": 12, "tokenUsage": USAGE}),
        f"/send/{CHAT}": as_json(
            {
                "requestId": "0" * 32,
                "text": "Hello",
                "message": {"role": "assistant", "contents": [{"type": "text", "content": "Hello"}]},
                "finishReason": "stop",
                "tokenUsage": USAGE,
            }
        ),
        "": as_json([session(number) for number in range(50)]),
        f"/messages/{CHAT}": as_json([message(number) for number in range(1000)]),
        "/send/stream/length": response("text/event-stream", b"".join(streamed)),
        "/send/stream/length-v2": response("text/event-stream", b"".join(events(delta_of_v2))),
        "/send/stream/chunks": chunked_response("text/event-stream", streamed),
    }


class Peer(asyncio.Protocol):
    """Responds to each request of a connection from the table."""

    responses = routes()
    connections = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""
        Peer.connections += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            start = self.buffer[:end]
            lengths = [line for line in start.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            size = end + 4 + (int(lengths[0][15:]) if lengths else 0)
            if len(self.buffer) < size:
                return
            self.buffer = self.buffer[size:]
            self.respond(start.split(b" ", 2)[1].decode())

    def respond(self, target: str) -> None:
        path = target.removeprefix(PREFIX)
        self.transport.write(as_json(Peer.connections) if path == "/sockets" else self.responses[path])


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Peer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ended.set)), daemon=True).start()
    await ended.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve())
