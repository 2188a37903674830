"""Writes the scripts of the reference pages from the examples in the document; ruff formats them later."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from codegen.document import FORM, Body, Document, Field, Operation, Parameter, Schema, Type, model_in
from codegen.naming import snake_case
from codegen.node import DocumentError
from codegen.runtime import PACKAGE

_HEAD = f"""
from datetime import datetime, timezone
from pprint import pprint

import {PACKAGE}

# The client takes the address of the server from FREECHAT_HOST and the token from FREECHAT_TOKEN.
with {PACKAGE}.ApiClient() as api_client:
"""
"""Formatting removes the imports that a script does not use."""
_FILES = {
    "txt": 'b"Ally was born in Lisbon."',
    "png": 'bytes.fromhex("89504e470d0a1a0a")',
    "mp4": 'bytes.fromhex("000000186674797069736f6d")',
    "wav": 'b"RIFF"',
    "gz": 'bytes.fromhex("1f8b08")',
}
"""The content of an example file, by the suffix of its name."""
_Names = Mapping[str, str]
"""The variables that hold models already, by model."""


def operation_script(tag_name: str, operation: Operation, document: Document) -> str:
    """Return a script that calls an operation and handles its errors."""
    lines = [f"api_instance = {PACKAGE}.{tag_name}(api_client)"]
    lines += _arguments(operation, document)
    lines += ["", "try:"]
    lines += _indented(_shown(operation, _call("api_instance", operation)))
    lines += [f"except {PACKAGE}.ApiException as error:", "    print(error)"]
    return _HEAD + "\n".join(_indented(lines))


def model_script(schema: Schema, document: Document) -> str:
    """Return a script that uses a model: it builds one for an operation, or reads one that an operation returns."""
    tag_name, name = schema.use.operation
    operation = document.operation(tag_name, name)
    call = _call("api", operation)
    inputs = [value for value in _inputs(operation) if _way(value.type, schema.name, document) is not None]
    lines = [f"api = {PACKAGE}.{tag_name}(api_client)"]
    lines += _arguments(operation, document, schema.name)
    lines += _shown(operation, call) if inputs else _read(operation.response.type, call, schema, document)
    return _HEAD + "\n".join(_indented(lines))


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]


def _inputs(operation: Operation) -> list[Parameter | Body]:
    """Return what an example of a call passes."""
    required = [parameter for parameter in operation.parameters if parameter.required]
    return [*required, operation.body] if operation.body else [*required]


def _call(instance: str, operation: Operation) -> str:
    return f"{instance}.{operation.name}({', '.join(value.name for value in _inputs(operation))})"


def _shown(operation: Operation, call: str) -> list[str]:
    """Return the lines that make a call and print what it returns."""
    if operation.response.kind == "events":
        return [
            f"with {call} as stream:",
            "    for text in stream.text_deltas():",
            '        print(text, end="", flush=True)',
        ]
    if operation.response.kind == "download":
        return [f"print({call}.save())"]
    return [call] if operation.response.kind == "nothing" else [f"pprint({call})"]


def _arguments(operation: Operation, document: Document, model: str = "") -> Iterator[str]:
    """Yield an assignment for each argument; a model that is to be shown is built in a variable of its own."""
    for value in _inputs(operation):
        names: dict[str, str] = {}
        for field in reversed(_way(value.type, model, document) or ()):
            built = model_in(field.type)
            yield f"{_variable(built)} = {_constructed(document.schema(built), document, names)}"
            names = {built: _variable(built)}
        yield f"{value.name} = {_argument(value, document, names, model)}"


def _argument(value: Parameter | Body, document: Document, names: _Names, model: str) -> str:
    if isinstance(value, Body) and value.media_type == FORM:
        suffix = value.example.rpartition(".")[2]
        return f"({value.example!r}, {_FILES[suffix]})  # or the path of a file"
    if isinstance(value, Body) and value.type.model in document.from_string and not names and value.type.model != model:
        return '"Hi"'
    return _value(value.type, value.example, document, names)


def _value(type_: Type, example: object, document: Document, names: _Names) -> str:
    """Return an expression for a value: a variable, the example of the document, or one made of those of the fields."""
    if type_.model in names:
        return names[type_.model]
    if type_.item is not None and model_in(type_):
        examples = example if isinstance(example, list) else [""]
        return f"[{', '.join(_value(type_.item, each, document, names) for each in examples)}]"
    return (
        _constructed(document.schema(type_.model), document, names, example)
        if type_.model
        else _literal(type_, example)
    )


def _constructed(schema: Schema, document: Document, names: _Names, example: object = "") -> str:
    """Return the call that builds a model: from an example, around a variable, or from the fields to show."""
    shown = {field.wire: field.example for field in schema.fields if _is_shown(field, schema, names)}
    given = example if isinstance(example, dict) else shown
    fields = [field for field in schema.fields if field.wire in given]
    if unknown := set(given) - {field.wire for field in fields}:
        raise DocumentError(f"{schema.name}: an example has {min(unknown)!r}, which is not a property")
    values = (f"{field.name}={_value(field.type, given[field.wire], document, names)}" for field in fields)
    return f"{PACKAGE}.{schema.name}({', '.join(values)})"


def _is_shown(field: Field, schema: Schema, names: _Names) -> bool:
    """Whether an example needs a field; around a variable it shows only what it must."""
    leads_to_variable = any(model_in(other.type) in names for other in schema.fields)
    return field.required or (model_in(field.type) in names if leads_to_variable else field.wire in schema.use.fields)


def _literal(type_: Type, value: object) -> str:
    if type_.kind == "datetime":
        instant = datetime.strptime(str(value), "%Y-%m-%dT%H:%M:%SZ")
        return f"datetime({', '.join(map(str, instant.timetuple()[:6]))}, tzinfo=timezone.utc)"
    if not isinstance(value, str):
        return repr(value)
    return f"'{value}'" if '"' in value and "'" not in value else json.dumps(value, ensure_ascii=False)


def _variable(model: str) -> str:
    return snake_case(model.removesuffix("DTO"))


def _way(type_: Type, model: str, document: Document) -> tuple[Field, ...] | None:
    """Return the fields that lead from a type to a model within it, or None if it is not there."""
    start = model_in(type_)
    if not start or start == model:
        return () if start else None
    for field in document.schema(start).fields:
        rest = _way(field.type, model, document)
        if rest is not None:
            return (field, *rest)
    return None


def _read(type_: Type, expression: str, schema: Schema, document: Document) -> list[str]:
    """Return the lines that go from a returned value to the model within it, and print some of its fields."""
    return list(_steps(type_, expression, _way(type_, schema.name, document) or (), schema))


def _steps(type_: Type, expression: str, way: tuple[Field, ...], schema: Schema, indent: str = "") -> Iterator[str]:
    depth, name = _depth(type_), _variable(model_in(type_))
    for level in range(depth):
        each = name if level == depth - 1 else f"{name}s"
        yield f"{indent}for {each} in {expression}:"
        indent, expression = f"{indent}    ", each
    if not depth:
        yield f"{indent}{name} = {expression}"
        yield f"{indent}if {name}:"
        indent += "    "
    if not way:
        fields = [field for field in schema.fields if field.wire in schema.use.fields]
        yield f"{indent}print({', '.join(f'{name}.{field.name}' for field in fields)})"
        return
    empty = " or []" if _depth(way[0].type) else ""
    yield from _steps(way[0].type, f"{name}.{way[0].name}{empty}", way[1:], schema, indent)


def _depth(type_: Type) -> int:
    """Return how many lists stand around a type."""
    return 0 if type_.item is None or type_.kind != "array" else 1 + _depth(type_.item)
