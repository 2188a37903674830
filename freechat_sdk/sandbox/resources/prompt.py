"""PromptApi: prompts with their versions, filled in, and sent to a model."""

import json
from collections.abc import Iterator
from typing import Any

from freechat_sdk.sandbox import completions
from freechat_sdk.sandbox._events import prompt_events, result, whole_answer
from freechat_sdk.sandbox._models import stored_key
from freechat_sdk.sandbox._resource import Call, Refused
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox._templates import MUSTACHE, fill, fill_chat, messages_of
from freechat_sdk.sandbox._versioned import Versioned


class Prompt(Versioned, kind="prompt"):
    """Versions of prompts, and models that are asked with them."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._store = store
        self._keys = store.table("api_keys", "username")

    def _new(self, call: Call, fields: Row) -> Row:
        """Return the fields of a new prompt; one with a draft has nothing else to send."""
        if "draft" in fields:
            fields = {name: value for name, value in fields.items() if name not in ("template", "chatTemplate")}
        return {"type": "string", "format": MUSTACHE, "lang": "en", "tags": [], **self._changed(fields)}

    def _changed(self, fields: Row) -> Row:
        """Return the fields of a prompt with its type; it is written as a string or as a chat, never as both."""
        if "chatTemplate" in fields:
            template = {name: value for name, value in fields["chatTemplate"].items() if value != []}
            return {**fields, "type": "chat", "template": None, "chatTemplate": template}
        return {**fields, "type": "string", "chatTemplate": None} if "template" in fields else fields

    def apply_prompt_template(self, call: Call) -> str:
        filled = _filled(call.body, call.body)
        if filled is None:
            raise Refused(500)
        return str(_dumped(filled))

    def apply_prompt_ref(self, call: Call) -> Any:
        """Fill in a stored prompt; None if it has nothing but a draft."""
        filled = self._filled_ref(call, call.body)
        if isinstance(filled, dict) and "messageToSend" in filled and call.release.applies_raw_messages:
            filled["messageToSend"] = _dumped(_raw(filled["messageToSend"]))
        return _dumped(filled)

    def send_prompt(self, call: Call) -> Row:
        question = self._question(call, is_streamed=False)
        text, completion = whole_answer(call, question)
        if not text:
            raise Refused(429, question.text)
        return {"text": text, **result(text, completion)}

    def stream_send_prompt(self, call: Call) -> Iterator[Row]:
        return prompt_events(call, self._question(call, is_streamed=True))

    def _question(self, call: Call, *, is_streamed: bool) -> completions.Prompt:
        params = dict(call.body.get("params") or {})
        with self._store.transaction():
            filled = self._asked(call, call.body)
            key = stored_key(self._keys, call, params.pop("apiKey", None), params.pop("apiKeyName", None))
        messages = [completions.Message("user", filled)] if isinstance(filled, str) else messages_of(filled or {})
        if not messages:
            raise Refused(500)
        text, model = messages[-1].text, params.pop("modelId", "")
        return completions.Prompt(text, "", 0, is_streamed, messages, model, params, key)

    def _asked(self, call: Call, given: Row) -> Any:
        """Return the prompt that is given in one of three ways."""
        if template := given.get("promptTemplate"):
            return _filled(template, template)
        return given["prompt"] if "prompt" in given else self._filled_ref(call, given.get("promptRef", {}))

    def _filled_ref(self, call: Call, ref: Row) -> Any:
        prompt = self.own(call, ref.get("promptId", 0)) or {}
        is_draft = ref.get("draft") and "draft" in prompt
        return _filled({**prompt, **self._drafted(prompt)} if is_draft else prompt, ref)

    def _drafted(self, prompt: Row) -> Row:
        try:
            draft = json.loads(prompt["draft"])
            return self._changed({name: value for name, value in draft.items() if value is not None})
        except (AttributeError, ValueError):
            raise Refused(500) from None


def _filled(prompt: Row, given: Row) -> Any:
    """Return a prompt, or a template that is given, with the variables that are given; None if it has no text."""
    how = (given.get("variables", {}), prompt.get("format", MUSTACHE))
    text = prompt.get("template")
    return fill(text, *how) if isinstance(text, str) else fill_chat(prompt.get("chatTemplate"), *how)


def _raw(message: Row) -> Row:
    """Return a message as the servers' own code writes it."""
    parts = [{"text": part.get("content", ""), "type": "TEXT"} for part in message.get("contents", ())]
    return {"contents": parts, "type": message.get("role", "user").upper()}


def _dumped(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if isinstance(value, dict) else value
