"""What the reference pages say, decided on plain data."""

from collections.abc import Iterator
from dataclasses import dataclass

from codegen.document import FORM, Body, Document, Operation, Parameter, Schema, Tag, Type
from codegen.plan import PACKAGE, error_name, module_name, plan_api, python_type

_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "any": "Any"}
_SAMPLES = {
    "string": '"text"',
    "integer": "1",
    "number": "1.0",
    "boolean": "True",
    "any": "{}",
    "datetime": "datetime.now()",
}
_RETRIES = {
    "read": "It has no effect, so it is sent again after a lost connection or a 502, 503 or 504.",
    "idempotent": "Sending it twice has one effect, so it is sent again after a lost connection or a 502, 503 or 504.",
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
    signature: str
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
    arguments = {method.name: method.signature for method in plan_api(tag, document).methods}
    table = tuple(
        (operation.name, operation.verb, _shown_path(operation), operation.summary.rstrip("."))
        for operation in tag.operations
    )
    sections = tuple(_method_page(tag, operation, arguments[operation.name], document) for operation in tag.operations)
    return ApiPage(tag.name, tag.description, table, sections)


def _shown_path(operation: Operation) -> str:
    return f"/api/{operation.generations[0]}{operation.template}"


def _method_page(tag: Tag, operation: Operation, signature: str, document: Document) -> MethodPage:
    shown = signature.removeprefix("self, ").replace(", **options: Unpack[RequestOptions]", "")
    shown = "" if shown.startswith("**options") else shown
    names = ", ".join(part.partition(":")[0].partition(" =")[0] for part in _split(shown))
    return MethodPage(
        name=operation.name,
        signature=names,
        returns=_returned(operation),
        summary=operation.summary,
        description=operation.description,
        example="\n".join(_example(tag, operation, document)),
        rows=tuple(_rows(operation, shown, document)),
        returns_link=_linked(_returned(operation), document),
        content_type=operation.body.media_type if operation.body else "Not defined",
        accept=_accept(operation),
        statuses=tuple(_statuses(operation)),
        notes=tuple(_notes(operation)),
    )


def _split(signature: str) -> list[str]:
    return [part for part in signature.split(", ") if part not in ("", "*")]


def _returned(operation: Operation) -> str:
    kinds = {"text": "str", "events": "SseEmitter", "download": "Download", "nothing": "None"}
    type_ = kinds.get(operation.answer.kind) or python_type(operation.answer.type, _PLAIN)
    return f"{type_} | None" if operation.nullable else type_


def _linked(type_: str, document: Document) -> str:
    for schema in document.schemas:
        if schema.name in type_.replace("[", " ").replace("]", " ").split():
            return f"[**{type_}**]({schema.name}.md)"
    return f"**{type_}**"


def _accept(operation: Operation) -> str:
    if operation.answer.kind == "download":
        return "application/octet-stream, */*, application/json"
    types = [*operation.answer.media_types, "application/json"]
    return ", ".join(dict.fromkeys(types))


def _statuses(operation: Operation) -> Iterator[tuple[str, str]]:
    yield "200", operation.answer.description
    yield from ((str(status), f"{text} Raises `{error_name(status)}`.") for status, text in operation.errors)


def _notes(operation: Operation) -> Iterator[str]:
    yield f"Generations: {' and '.join(operation.generations)}."
    if operation.name_in_2x != operation.name:
        called = f"The official client 2.x calls this route `{operation.name_in_2x}`"
        yield f"{called}; the route follows from the arguments given."
    if operation.answer.kind == "events":
        yield "Time limits: 300 s up to the first event, then 120 s of silence; `_request_timeout` sets both."
    else:
        seconds = 300 if operation.waits_for_model else 60
        yield f"Time limit: {seconds} s for the whole call; `_request_timeout` sets another."
    busy = " A chat that is busy (503, servers up to 2.6) is tried again." if operation.retry_busy else ""
    yield _RETRIES[operation.retry] + busy


def _rows(operation: Operation, signature: str, document: Document) -> Iterator[Row]:
    described = {parameter.name: parameter for parameter in _all_parameters(operation, document)}
    for part in _split(signature):
        name, _, rest = part.partition(": ")
        type_, _, default = rest.partition(" = ")
        text = (
            operation.body.description
            if operation.body and operation.body.name == name
            else described[name].description
        )
        yield Row(name, _linked(_shown_type(type_), document), text, "[optional]" if default else "")


def _shown_type(type_: str) -> str:
    """Return a type as callers see it, without what wraps it for the argument check."""
    if type_.startswith("OrText["):
        return type_.replace("OrText[", "").replace("]", " | str")
    if type_.startswith("SkipValidation["):
        return type_.removeprefix("SkipValidation[").removesuffix("]")
    return type_


def _all_parameters(operation: Operation, document: Document) -> Iterator[Parameter]:
    members = [operation]
    for tag in document.tags:
        members += [member for member in tag.operations if operation.group and member.group == operation.group]
    for member in members:
        for parameter in member.parameters:
            yield parameter
            if parameter.v2 is not None:
                yield parameter.v2


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
    if operation.answer.kind == "events":
        yield f"        with {call} as stream:"
        yield "            for text in stream.text_deltas():"
        yield '                print(text, end="", flush=True)'
    elif operation.answer.kind == "download":
        yield f"        print({call}.save())"
    else:
        yield f"        pprint({call})"
    yield f"    except {PACKAGE}.ApiException as error:"
    yield "        print(error)"


def _body_sample(body: Body, document: Document) -> str:
    if body.media_type == FORM:
        return '("name.txt", b"content")  # or a path'
    schema = next((schema for schema in document.schemas if schema.name == body.type.model), None)
    return '"Hi"' if schema is not None and schema.from_string else _sample(body.type, "", document)


def _sample(type_: Type, example: object, document: Document) -> str:
    if example != "":
        return f'"{example}"' if isinstance(example, str) else repr(example)
    if type_.kind == "array" and type_.item is not None:
        return f"[{_sample(type_.item, '', document)}]"
    if type_.kind != "model":
        return _SAMPLES.get(type_.kind, "{}")
    schema = next(schema for schema in document.schemas if schema.name == type_.model)
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
        notes += [f"{' and '.join(field.generations)} only"] if field.generations else []
        notes += ["hidden when printed"] if field.secret else []
        type_ = python_type(field.type, _PLAIN).replace("Timestamp", "datetime")
        rows.append(Row(field.name, _linked(type_, document), field.description, ", ".join(notes)))
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
