"""Finds names that are not fields of a model in what a caller gives, and the field that was probably meant."""

import sys
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from freechat_sdk.exceptions import UnknownFieldWarning

_MODEL_CLASS = type(BaseModel)
_MAX_MODELS = 256
"""For how many models the names are kept. There are fewer, unless a program makes them at run time."""


def warn_of_unknown_fields(type_: Any, value: object) -> None:
    """Warn of each name that is not a field, in the dicts of a value that is given for a type.

    Models in it are left alone: they were checked when they were built, or come from a response.
    """
    for model, name in _unknown_names(type_, value):
        warnings.warn(_warning(model, name), UnknownFieldWarning, stacklevel=_level_of_caller())


def nearest_field(model: type[BaseModel], name: str) -> str | None:
    """Return the Python name of the field whose name resembles this one, or None."""
    from difflib import get_close_matches

    names = _fields(model)
    return next((names[close] for close in get_close_matches(name, names, n=1)), None)


def _warning(model: type[BaseModel], name: str) -> str:
    nearest = nearest_field(model, name)
    shown = name if name.isidentifier() else repr(name)
    if nearest is None:
        advice = ". It is kept and sent; pass it in additional_properties if that is intended."
    else:
        advice = f"; did you mean {nearest}? It is kept and sent as it was given."
    return f"{model.__name__} has no field {shown}{advice}"


def _unknown_names(type_: Any, value: object) -> Iterator[tuple[type[BaseModel], str]]:
    if isinstance(type_, _MODEL_CLASS):
        if isinstance(value, dict):
            yield from _unknown_keys(type_, value)
        return
    origin = get_origin(type_)
    if origin is list and isinstance(value, (list, tuple)):
        (item_type,) = get_args(type_)
        for item in value:
            if isinstance(item, (dict, list, tuple)):
                yield from _unknown_names(item_type, item)
    elif origin not in (None, list, dict):  # a union, or a type with its checks; no field holds a dict of models
        for part in get_args(type_):
            yield from _unknown_names(part, value)


def _unknown_keys(model: type[BaseModel], values: dict[str, Any]) -> Iterator[tuple[type[BaseModel], str]]:
    names = _fields(model)
    for name, value in values.items():
        if name not in names:
            yield model, str(name)
        elif isinstance(value, (dict, list, tuple)):
            yield from _unknown_names(model.model_fields[names[name]].annotation, value)


@lru_cache(_MAX_MODELS)
def _fields(model: type[BaseModel]) -> Mapping[str, str]:
    """Return the Python names of the fields by JSON name and by Python name."""
    fields = model.model_fields.items()
    return {(field.alias or to_camel(name)): name for name, field in fields} | {name: name for name, _ in fields}


def _level_of_caller() -> int:
    """Return the `stacklevel` with which the function that calls this one warns at the line of the caller's code."""
    level, frame = 0, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] == "freechat_sdk":
        level, frame = level + 1, frame.f_back
    return level + 1
