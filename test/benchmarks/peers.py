"""What other clients take for the same work, in an environment of their own.

    .venv-bench/bin/python test/benchmarks/peers.py http://127.0.0.1:1234

The official client has the name of this package, so this script imports nothing of the project. It reads lines of
`tool work calls` and prints the seconds of a call for each; at first it prints the tools' versions as JSON.
"""

import gc
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

sys.path.remove(str(Path(__file__).parent))  # its modules are named like others

import httpx
import msgspec
import openai
import urllib3

import freechat_sdk

HOST = sys.argv[1]
CHAT = "0123456789abcdef0123456789abcdef"
API = f"{HOST}/api/v1/chat"
USAGE, LIST, STREAM = f"{API}/memory/usage/{CHAT}", f"{API}/messages/{CHAT}", f"{API}/send/stream/chunks"
BODY = {"role": "user", "contents": [{"type": "text", "content": "Hi"}]}


class Official:
    """The official client, which does not read events."""

    def __init__(self):
        client = freechat_sdk.ApiClient(freechat_sdk.Configuration(host=HOST, access_token="token"))
        self._chats = freechat_sdk.ChatApi(client)

    def usage(self):
        return self._chats.get_memory_usage(CHAT)

    def list(self):
        return self._chats.list_messages2(CHAT)


class OpenAI:
    """openai-python by its own generic methods."""

    def __init__(self):
        self._client = openai.OpenAI(api_key="token", base_url=API)

    def usage(self):
        return self._client.get(USAGE, cast_to=object)

    def list(self):
        return self._client.get(LIST, cast_to=object)

    def stream(self):
        events = self._client.post(STREAM, body=BODY, cast_to=object, stream=True, stream_cls=openai.Stream[object])
        return sum(1 for _ in events)


class Httpx:
    """httpx, with the json module."""

    def __init__(self):
        self._client = httpx.Client(headers={"Authorization": "Bearer token"}, timeout=60)

    def usage(self):
        return self._client.get(USAGE).json()

    def list(self):
        return self._client.get(LIST).json()

    def stream(self):
        with self._client.stream("POST", STREAM, json=BODY) as response:
            return sum(1 for line in response.iter_lines() if line and json.loads(line[5:]))


class Text(msgspec.Struct):
    type: str
    content: str


class Message(msgspec.Struct):
    role: str
    contents: list[Text]


class Record(msgspec.Struct, rename="camel"):
    message: Message
    message_id: int
    gmt_create: str


class Result(msgspec.Struct):
    text: str | None = None
    message: Message | None = None


class Msgspec:
    """urllib3 and msgspec's structs, of just the fields that come: as fast as Python reads JSON."""

    def __init__(self):
        self._pool = urllib3.PoolManager(headers={"Authorization": "Bearer token"}, timeout=60)
        self._usage = msgspec.json.Decoder().decode
        self._list = msgspec.json.Decoder(list[Record]).decode
        self._event = msgspec.json.Decoder(Result).decode

    def usage(self):
        return self._usage(self._pool.request("GET", USAGE).data)

    def list(self):
        return self._list(self._pool.request("GET", LIST).data)

    def stream(self):
        response = self._pool.request("POST", STREAM, json=BODY, preload_content=False)
        count, rest = 0, b""
        for chunk in response.stream():
            *events, rest = (rest + chunk).split(b"\n\n")
            for event in events:
                self._event(event[5:])
            count += len(events)
        response.release_conn()
        return count


def seconds(call, calls):
    gc.collect()
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def main():
    tools = {"freechat-sdk": Official(), "openai": OpenAI(), "httpx": Httpx(), "msgspec": Msgspec()}
    print(json.dumps({name: version(name) for name in tools}), flush=True)
    for line in sys.stdin:
        tool, work, calls = line.split()
        call = getattr(tools[tool], work, None)
        print("none" if call is None else seconds(call, int(calls)), flush=True)


if __name__ == "__main__":
    main()
