"""The server that benchmarks call: as little work as possible for a response, in a process of its own.

    python -m test.benchmarks.peer

prints its port and responds until its standard input ends. `/sockets` tells how many connections there have been.
A last segment like `grow1000` asks for so many records, events or bytes, and `relay100` for so many events one by one.
"""

import asyncio
import json
import sys
import threading
from collections.abc import Callable
from functools import lru_cache

TOKENS = 20_000
INTERVAL = 0.02
"""Seconds between the events of a relayed stream."""
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


def events(delta: Callable[[int], dict[str, object]], count: int = TOKENS) -> list[bytes]:
    """Return the events of a stream, framed."""
    deltas = [delta(number) for number in range(count)]
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


@lru_cache(maxsize=2)
def grown(kind: str, count: int) -> bytes:
    """Return a response with so many records, events or bytes."""
    if kind == "messages":
        return as_json([message(number) for number in range(count)])
    if kind == "stream":
        return chunked_response("text/event-stream", events(delta, count))
    return response("application/octet-stream", bytes(count))


class Peer(asyncio.Protocol):
    """Responds to each request of a connection from the table."""

    responses = routes()
    connections = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = bytearray()
        self.target: str | None = None
        self.left = 0
        Peer.connections += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while self.target is not None or (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            if self.target is None:
                self.begin(bytes(self.buffer[:end]))
                del self.buffer[: end + 4]
            read = min(self.left, len(self.buffer))
            del self.buffer[:read]
            self.left -= read
            if self.left:
                return
            target, self.target = self.target, None
            assert target is not None
            self.respond(target)

    def begin(self, start: bytes) -> None:
        """Note what is asked for, and how many bytes of a body come."""
        lengths = [line for line in start.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        self.left = int(lengths[0][15:]) if lengths else 0
        self.target = start.split(b" ", 2)[1].decode()

    def respond(self, target: str) -> None:
        path = target.replace("/v2/", "/v1/").removeprefix(PREFIX)
        kind, _, last = path.rpartition("/")
        if path == "/sockets":
            self.transport.write(as_json(Peer.connections))
        elif kind.endswith("/export"):
            self.transport.write(grown("bytes", int(last)))
        elif last.startswith("grow"):
            self.transport.write(grown(kind.rpartition("/")[2], int(last[4:])))
        elif last.startswith("relay"):
            self.transport.write(head("text/event-stream", "Transfer-Encoding: chunked"))
            self.relay(events(delta, int(last[5:])), asyncio.get_running_loop().time())
        else:
            self.transport.write(self.responses[path])

    def relay(self, waiting: list[bytes], due: float) -> None:
        """Send the events one by one, in time however late the last one was."""
        event = waiting.pop(0)
        self.transport.write(b"%x\r\n%b\r\n" % (len(event), event) + (b"" if waiting else b"0\r\n\r\n"))
        if waiting:
            asyncio.get_running_loop().call_at(due + INTERVAL, self.relay, waiting, due + INTERVAL)


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
