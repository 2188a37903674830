"""Turns the camelCase names of the wire and the CamelCase names of classes into Python names."""

import keyword
import re

from codegen.node import Node

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")


def snake_case(name: str) -> str:
    """Return `chatId` as `chat_id`, `AIServiceApi` as `ai_service_api`, `OpenAiParamDTO` as `open_ai_param_dto`."""
    if name == name.lower():
        return name
    return "_".join(word.lower() for word in _WORD.findall(name))


def camel_case(name: str) -> str:
    """Return `character_uid` as `characterUid`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def python_name(name: str, node: Node) -> str:
    """Return a name of the document in snake_case.

    Raises:
        DocumentError: if it is not an identifier, or is a keyword.
    """
    snake = snake_case(name)
    if not snake.isidentifier() or keyword.iskeyword(snake):
        raise node.error(f"{name!r} is not a valid Python name")
    return snake
