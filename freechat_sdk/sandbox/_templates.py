"""Fills in the variables of prompts: in templates of either format, and in the messages of chat templates."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pystache import Renderer
from pystache.parser import ParsingError

from freechat_sdk.sandbox._resource import Refused
from freechat_sdk.sandbox._store import Row
from freechat_sdk.sandbox.completions import Message

MUSTACHE, F_STRING = "mustache", "f_string"
_F_STRING_VARIABLE = re.compile(r"\{(\{*[^{}]*\}*)\}")
"""Only single braces hold a name; `{{name}}` is a variable `{name}`, which nobody has."""


def _text(value: Any) -> str:
    """Return a JSON value as it stands in a text; null is nothing."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


_mustache = Renderer(partials={})
_mustache.str_coerce = _text  # what a subclass would be for


def fill(template: str, variables: Mapping[str, Any], form: str = MUSTACHE) -> str:
    """Return a template with its variables filled in; one without a value is left out."""
    if form == F_STRING:
        return _F_STRING_VARIABLE.sub(lambda match: _text(variables.get(match[1])), template)
    try:
        return str(_mustache.render(template, variables))
    except ParsingError as error:
        raise Refused(500, str(error)) from error


def fill_chat(template: Any, variables: Mapping[str, Any], form: str = MUSTACHE) -> Any:
    """Return a chat template with its variables filled in, less its empty lists."""
    if isinstance(template, list):
        return [fill_chat(item, variables, form) for item in template]
    if not isinstance(template, dict):
        return template
    held = [(fill if name in ("system", "content") else fill_chat, name, value) for name, value in template.items()]
    return {name: rule(value, variables, form) for rule, name, value in held if value != []}


def messages_of(chat: Row) -> list[Message]:
    """Return a chat template that is filled in as what a model is sent."""
    rows = [*chat.get("messages", ()), *([chat["messageToSend"]] if "messageToSend" in chat else ())]
    system = [Message("system", chat["system"])] if chat.get("system") else []
    return system + [Message(row.get("role", "user"), message_text(row)) for row in rows]


def message_text(message: Row) -> str:
    """Return what a message says: its text contents, joined."""
    parts = message.get("contents", ())
    return "".join(part.get("content", "") for part in parts if part.get("type", "text") == "text")
