"""A model that is really there: the task's own server, which speaks OpenAI's chat completions, is asked."""

import json
import re
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from freechat_sdk.sandbox.completions import Completion, Message, ModelError, Prompt, Usage
from freechat_sdk.sandbox.completions.echo import echo

BASE_URL = "https://api.openai.com/v1"
"""Which server is asked if the task names none."""
MAX_SILENCE = 180
"""Seconds that a server may say nothing."""
_PARAMETERS = ("temperature", "topP", "maxTokens", "presencePenalty", "frequencyPenalty", "seed", "stop")
"""What is passed on, in snake case."""
_FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_execution",
    "content_filter": "content_filter",
}


def forward(prompt: Prompt) -> Completion:
    """Ask the server of the task's `baseUrl`, or OpenAI, with the task's key; tokens are passed on as they come.

    A task that has neither gets an echo, so that a sandbox's own character still talks.

    Raises:
        ModelError: with what the server said, or why it could not be asked.
    """
    if not prompt.parameters.get("baseUrl") and not prompt.api_key:
        return Completion.of(echo(prompt), prompt)
    response = _asked(prompt)
    completion = Completion((), None, None)
    if prompt.is_streamed:
        completion.tokens = _tokens(response, completion)
        return completion
    answer = _read(_whole(response))
    _end(completion, answer)
    completion.tokens = [choice["message"].get("content") or "" for choice in answer.get("choices") or ()]
    return completion


class _NoRedirects(HTTPRedirectHandler):
    """Makes a redirect an error, as the key is for one server only."""

    def redirect_request(self, *args: Any) -> None:
        return None


def _asked(prompt: Prompt) -> HTTPResponse:
    url = f"{(prompt.parameters.get('baseUrl') or BASE_URL).rstrip('/')}/chat/completions"
    if not url.startswith(("http://", "https://")):
        raise ModelError(f"baseUrl is an http or https address, not {url!r}")
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
    if prompt.api_key:
        headers["Authorization"] = f"Bearer {prompt.api_key}"
    request = Request(url, json.dumps(_question(prompt)).encode(), headers)  # noqa: S310 - http or https
    try:
        response: HTTPResponse = build_opener(_NoRedirects).open(request, timeout=MAX_SILENCE)
    except HTTPError as error:
        with error:
            raise ModelError(error.read().decode(errors="replace") or str(error)) from None
    except (OSError, HTTPException, ValueError) as error:
        raise ModelError(str(error)) from error
    return response


def _question(prompt: Prompt) -> dict[str, Any]:
    """Return the body of the request."""
    messages = prompt.messages or [Message("user", prompt.text)]
    return {
        "model": prompt.model_id.rpartition("]")[2].partition("|")[0],
        "messages": [{"role": message.role, "content": message.text} for message in messages],
        **{_snake(name): prompt.parameters[name] for name in _PARAMETERS if name in prompt.parameters},
        **({"stream": True, "stream_options": {"include_usage": True}} if prompt.is_streamed else {}),
    }


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", name)


def _whole(response: HTTPResponse) -> bytes:
    try:
        with response:
            return response.read()
    except (OSError, HTTPException) as error:
        raise ModelError(str(error)) from error


def _tokens(response: HTTPResponse, completion: Completion) -> Iterator[str]:
    """Yield the tokens of a streamed answer."""
    with response:
        for event in _events(response):
            _end(completion, event)
            for choice in event.get("choices") or ():
                if token := (choice.get("delta") or {}).get("content"):
                    yield token


def _events(response: HTTPResponse) -> Iterator[dict[str, Any]]:
    try:
        for line in response:
            data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
            if data == b"[DONE]":
                return
            if data:
                yield _read(data)
    except (OSError, HTTPException) as error:
        raise ModelError(str(error)) from error


def _read(data: bytes) -> dict[str, Any]:
    """Return the JSON object that a server sent, unless it tells of a failure."""
    text = data.decode(errors="replace")
    try:
        value = json.loads(text)
    except ValueError:
        raise ModelError(f"not JSON: {text}") from None
    if not isinstance(value, dict) or "error" in value:
        raise ModelError(text)
    return value


def _end(completion: Completion, answer: dict[str, Any]) -> None:
    """Take from an answer, or a part of one, why it ended and what it cost."""
    if usage := answer.get("usage"):
        completion.usage = Usage(usage["prompt_tokens"], usage["completion_tokens"])
    for choice in answer.get("choices") or ():
        if reason := choice.get("finish_reason"):
            completion.finish_reason = _FINISH_REASONS.get(reason, "other")
