"""Decides what the reference pages say, as plain data."""

from collections.abc import Iterator
from dataclasses import dataclass

from codegen.document import FORM, Body, Document, Operation, Schema, Tag, Type, model_in
from codegen.plan import PLAIN, Argument, Method, module_name, plan_api, python_type
from codegen.runtime import (
    DOWNLOAD_ACCEPT,
    MODEL_TIMEOUT,
    PACKAGE,
    RETRIED_STATUSES,
    STREAM_FIRST_EVENT_TIMEOUT,
    STREAM_IDLE_TIMEOUT,
    TIMEOUT,
    exception_for,
)

_SAMPLES = {
    "string": '"text"',
    "integer": "1",
    "number": "1.0",
    "boolean": "True",
    "any": "{}",
    "datetime": "datetime.now()",
}
_STATUSES = "{}, {} or {}".format(*RETRIED_STATUSES)
_RETRIES = {
    "read": f"It has no effect, so it is sent again after a lost connection or a {_STATUSES}.",
    "idempotent": f"Sending it twice has one effect, so it is sent again after a lost connection or a {_STATUSES}.",
    "once": "It is never sent again once a byte of it has left.",
}


@dataclass(frozen=True)
class Row:
    """One row of a table of parameters or fields."""

    name: str
    type: str
    description: str
    notes: str


@dataclass(frozen=True)
class MethodPage:
    """The section of one method."""

    name: str
    returns: str
    summary: str
    description: str
    example: str
    rows: tuple[Row, ...]
    returns_link: str
    content_type: str
    accept: str
    statuses: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ApiPage:
    """The page of one API class."""

    class_name: str
    description: str
    table: tuple[tuple[str, str, str, str], ...]
    methods: tuple[MethodPage, ...]


@dataclass(frozen=True)
class ModelPage:
    """The page of one model."""

    class_name: str
    module: str
    description: str
    generations: str
    rows: tuple[Row, ...]
    example: str


def api_page(tag: Tag, document: Document) -> ApiPage:
    """Return the page of an API class."""
    table = tuple(
        (operation.name, operation.method, _shown_path(operation), operation.summary.rstrip("."))
        for operation in tag.operations
    )
    methods = zip(tag.operations, plan_api(tag, document).methods, strict=True)
    sections = tuple(_method_page(tag, operation, method, document) for operation, method in methods)
    return ApiPage(tag.name, tag.description, table, sections)


def _shown_path(operation: Operation) -> str:
    return f"/api/{operation.generations[0]}{operation.template}"


def _method_page(tag: Tag, operation: Operation, method: Method, document: Document) -> MethodPage:
    return MethodPage(
        name=operation.name,
        returns=method.returns,
        summary=operation.summary,
        description=operation.description,
        example="\n".join(_example(tag, operation, document)),
        rows=tuple(_row(argument) for argument in method.arguments),
        returns_link=_linked(method.returns, _returned_model(operation)),
        content_type=operation.body.media_type if operation.body else "Not defined",
        accept=_accept(operation),
        statuses=tuple(_statuses(operation)),
        notes=tuple(_notes(operation)),
    )


def _row(argument: Argument) -> Row:
    notes = "" if argument.required else "[optional]"
    return Row(argument.name, _linked(argument.type, argument.model), argument.description, notes)


def _returned_model(operation: Operation) -> str:
    """Return the model in the type that a method returns, or an empty text; the events of a stream are not in it."""
    return model_in(operation.response.type) if operation.response.kind == "json" else ""


def _linked(type_: str, model: str) -> str:
    return f"[**{type_}**]({model}.md)" if model else f"**{type_}**"


def _accept(operation: Operation) -> str:
    if operation.response.kind == "download":
        return DOWNLOAD_ACCEPT
    types = [*operation.response.media_types, "application/json"]
    return ", ".join(dict.fromkeys(types))


def _statuses(operation: Operation) -> Iterator[tuple[str, str]]:
    yield "200", operation.response.description
    yield from ((str(status), f"{text} Raises `{exception_for(status)}`.") for status, text in operation.errors)


def _notes(operation: Operation) -> Iterator[str]:
    yield f"Generations: {' and '.join(operation.generations)}."
    if operation.name_in_2x != operation.name:
        called = f"The official client 2.x calls this route `{operation.name_in_2x}`"
        yield f"{called}; the route follows from the arguments given."
    if operation.response.kind == "events":
        limits = f"{STREAM_FIRST_EVENT_TIMEOUT} s up to the first event, then {STREAM_IDLE_TIMEOUT} s of silence"
        yield f"Time limits: {limits}; `_request_timeout` sets both."
    else:
        seconds = MODEL_TIMEOUT if operation.waits_for_model else TIMEOUT
        yield f"Time limit: {seconds} s for the whole call; `_request_timeout` sets another."
    busy = " A chat that is busy (503, servers up to 2.6) is tried again." if operation.retry_busy else ""
    yield _RETRIES[operation.retry] + busy


def _example(tag: Tag, operation: Operation, document: Document) -> Iterator[str]:
    """Yield the lines of a script that makes the call."""
    yield "from pprint import pprint"
    yield ""
    yield f"import {PACKAGE}"
    yield ""
    yield "# FREECHAT_HOST and FREECHAT_TOKEN say which server to call, and as whom."
    yield f"with {PACKAGE}.ApiClient() as api_client:"
    yield f"    api_instance = {PACKAGE}.{tag.name}(api_client)"
    names = []
    for parameter in operation.parameters:
        if not parameter.required:
            continue
        yield f"    {parameter.name} = {_sample(parameter.type, parameter.example, document)}"
        names.append(parameter.name)
    if operation.body is not None:
        yield f"    {operation.body.name} = {_body_sample(operation.body, document)}"
        names.append(operation.body.name)
    yield ""
    yield "    try:"
    call = f"api_instance.{operation.name}({', '.join(names)})"
    if operation.response.kind == "events":
        yield f"        with {call} as stream:"
        yield "            for text in stream.text_deltas():"
        yield '                print(text, end="", flush=True)'
    elif operation.response.kind == "download":
        yield f"        print({call}.save())"
    else:
        yield f"        pprint({call})"
    yield f"    except {PACKAGE}.ApiException as error:"
    yield "        print(error)"


def _body_sample(body: Body, document: Document) -> str:
    if body.media_type == FORM:
        return '("name.txt", b"content")  # or a path'
    return '"Hi"' if body.type.model in document.from_string else _sample(body.type, "", document)


def _sample(type_: Type, example: object, document: Document) -> str:
    if example != "":
        return f'"{example}"' if isinstance(example, str) else repr(example)
    if type_.kind == "array" and type_.item is not None:
        return f"[{_sample(type_.item, '', document)}]"
    if type_.kind != "model":
        return _SAMPLES.get(type_.kind, "{}")
    schema = document.schema(type_.model)
    fields = [field for field in schema.fields if field.required] or [
        field for field in schema.fields if field.type.kind == "string" and not field.secret
    ][:1]
    values = ", ".join(f"{field.name}={_sample(field.type, field.example, document)}" for field in fields)
    return f"{PACKAGE}.{schema.name}({values})"


def model_page(schema: Schema, document: Document) -> ModelPage:
    """Return the page of a model."""
    rows = []
    for field in schema.fields:
        notes = ["must be given"] if field.required else ["[optional]"]
        notes += ["in each response"] if field.always_sent else []
        notes += [f"{' and '.join(field.generations)} only"] if field.generations else []
        notes += ["hidden when printed"] if field.secret else []
        type_ = python_type(field.type, {**PLAIN, "datetime": "datetime"})
        rows.append(Row(field.name, _linked(type_, model_in(field.type)), field.description, ", ".join(notes)))
    return ModelPage(
        schema.name,
        f"{PACKAGE}.models.{module_name(schema.name)}",
        schema.description,
        " and ".join(schema.generations),
        tuple(rows),
        "\n".join(_model_example(schema, document)),
    )


def _model_example(schema: Schema, document: Document) -> Iterator[str]:
    yield f"import {PACKAGE}"
    yield ""
    yield f"value = {_sample(Type('model', model=schema.name), '', document)}"
    yield "text = value.to_json()"
    yield f"assert {PACKAGE}.{schema.name}.from_json(text) == value"
    yield f"assert {PACKAGE}.{schema.name}.from_dict(value.to_dict()) == value"
