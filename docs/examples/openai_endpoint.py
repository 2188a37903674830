"""An OpenAI-compatible endpoint over FreeChat's characters, for chat interfaces that speak this protocol.

Run it with `gunicorn --chdir docs/examples --threads 100 openai_endpoint:app`. The model is a character, by name or
uid; the API key is the user's FreeChat token. See "An OpenAI-compatible endpoint" in docs/integrations.md.
"""

import json
from collections.abc import Iterator
from time import time
from typing import Any

from flask import Flask, Response, request

from freechat_sdk import ApiClient, ApiException, ChatApi, Conversation, OpenApiException, SseEmitter

client = ApiClient()
app = Flask(__name__)


def user() -> ApiClient:
    """Return the client of the user who sends the request."""
    return client.with_options(access_token=(request.authorization and request.authorization.token) or None)


def completion(kind: str, model: str, **choice: Any) -> dict[str, Any]:
    """Return a completion, or a chunk of one, as the protocol has it."""
    choices = [{"index": 0, "finish_reason": None, **choice}]
    return {"id": "chatcmpl-freechat", "object": kind, "created": int(time()), "model": model, "choices": choices}


def chunks(stream: SseEmitter, model: str) -> Iterator[str]:
    """Yield a streamed answer as server-sent events."""
    try:
        for text in stream.text_deltas():
            delta = {"role": "assistant", "content": text}
            yield f"data: {json.dumps(completion('chat.completion.chunk', model, delta=delta))}\n\n"
        end = completion("chat.completion.chunk", model, delta={}, finish_reason="stop")
        yield f"data: {json.dumps(end)}\n\ndata: [DONE]\n\n"
    except ApiException as error:
        yield f"data: {json.dumps({'error': {'message': str(error)}})}\n\n"


@app.get("/v1/models")
def models() -> Any:
    """List the characters that the user has chats with."""
    uids = [chat.character.character_uid for chat in ChatApi(user()).list_chats()]
    return {"object": "list", "data": [{"id": uid, "object": "model"} for uid in uids]}


@app.post("/v1/chat/completions")
def complete() -> Any:
    """Send the last message. The character knows the others: they are in its chat."""
    body = request.get_json()
    model, content = body["model"], body["messages"][-1]["content"]
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    if text.startswith("### Task:"):  # how the prompts begin that Open WebUI sends of its own
        return {"error": {"message": "Use another model for titles, tags and suggestions, or turn them off."}}, 400
    conversation = Conversation.open(user(), model)
    if not body.get("stream"):
        message = {"role": "assistant", "content": conversation.say(text).answer}
        return completion("chat.completion", model, message=message, finish_reason="stop")
    stream = conversation.stream(text)
    response = Response(chunks(stream, model), mimetype="text/event-stream")
    response.call_on_close(stream.close)
    return response


@app.errorhandler(OpenApiException)
def fail(error: OpenApiException) -> Any:
    """Respond to a failed call with the server's status."""
    return {"error": {"message": str(error)}}, getattr(error, "status", 400) or 502
