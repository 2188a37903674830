"""Decides what the reference pages say, as plain data."""

from collections.abc import Iterator
from dataclasses import dataclass

from codegen.document import Document, Operation, Schema, Tag, model_in
from codegen.examples import model_script, operation_script
from codegen.plan import PLAIN, Argument, Method, described, module_name, plan_api, python_type
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

_STATUSES = "{}, {} or {}".format(*RETRIED_STATUSES)
_RETRIES = {
    "read": f"Retried after a lost connection or status {_STATUSES}: the call changes nothing.",
    "idempotent": f"Retried after a lost connection or status {_STATUSES}: a repeated call changes nothing more.",
    "once": "Never retried once a byte of the request has been sent.",
}
_PAGES_OF_KINDS = {"events": "SseEmitter", "download": "Download"}


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
    requests: tuple[str, ...]
    """Method and path in each generation."""
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
    table: tuple[tuple[str, str, tuple[str, ...], str], ...]
    methods: tuple[MethodPage, ...]


@dataclass(frozen=True)
class ModelPage:
    """The page of one model."""

    class_name: str
    module: str
    description: str
    generations: str
    users: tuple[tuple[str, tuple[str, ...]], ...]
    """Links to the operations that take it and return it, or to the models that contain it."""
    rows: tuple[Row, ...]
    example: str


def api_page(tag: Tag, document: Document) -> ApiPage:
    """Return the page of an API class."""
    table = tuple(
        (operation.name, operation.method, _paths(operation), operation.summary.rstrip("."))
        for operation in tag.operations
    )
    methods = zip(tag.operations, plan_api(tag, document).methods, strict=True)
    sections = tuple(_method_page(tag, operation, method, document) for operation, method in methods)
    return ApiPage(tag.name, tag.description, table, sections)


def _paths(operation: Operation) -> tuple[str, ...]:
    """Return the path in each generation that has the operation."""
    return tuple(f"/api/{generation}{operation.template_in(generation)}" for generation in operation.generations)


def _method_page(tag: Tag, operation: Operation, method: Method, document: Document) -> MethodPage:
    return MethodPage(
        name=operation.name,
        requests=tuple(f"{operation.method} {path}" for path in _paths(operation)),
        returns=method.returns,
        summary=operation.summary,
        description=operation.description,
        example=operation_script(tag.name, operation, document),
        rows=tuple(_row(argument) for argument in method.arguments),
        returns_link=_linked(method.returns, _returned_page(operation)),
        content_type=operation.body.media_type if operation.body else "Not defined",
        accept=_accept(operation),
        statuses=tuple(_statuses(operation)),
        notes=tuple(_notes(operation)),
    )


def _row(argument: Argument) -> Row:
    notes = "" if argument.required else "[optional]"
    return Row(argument.name, _linked(argument.type, argument.model), argument.description, notes)


def _returned_page(operation: Operation) -> str:
    """Return the page of the type that a method returns, or an empty text; a stream is not typed by its events."""
    kind = operation.response.kind
    return model_in(operation.response.type) if kind == "json" else _PAGES_OF_KINDS.get(kind, "")


def _linked(type_: str, model: str) -> str:
    return f"[**{type_}**]({model}.md)" if model else f"**{type_}**"


def _accept(operation: Operation) -> str:
    if operation.response.kind == "download":
        return DOWNLOAD_ACCEPT
    types = [*operation.response.media_types, "application/json"]
    return ", ".join(dict.fromkeys(types))


def _statuses(operation: Operation) -> Iterator[tuple[str, str]]:
    yield "200", described(operation, 200, operation.response.description)
    for status, text in operation.errors:
        yield str(status), f"{described(operation, status, text)} Raises `{exception_for(status)}`."


def _notes(operation: Operation) -> Iterator[str]:
    yield f"Generations: {' and '.join(operation.generations)}."
    if operation.name_in_2x != operation.name:
        called = f"In the official client 2.x this route is `{operation.name_in_2x}`"
        yield f"{called}; the arguments decide which route is called."
    if operation.response.kind == "events":
        limits = f"{STREAM_FIRST_EVENT_TIMEOUT} s for the first event, {STREAM_IDLE_TIMEOUT} s for each later one"
        yield f"Time limits: {limits}; `_request_timeout` changes both."
    else:
        seconds = MODEL_TIMEOUT if operation.waits_for_model else TIMEOUT
        yield f"Time limit: {seconds} s for the whole call; `_request_timeout` changes it."
    busy = " A busy chat (status 503, servers up to 2.6) has stored nothing, so the client waits for it, up to 30 s."
    busy = busy if operation.retry_busy else ""
    yield _RETRIES[operation.retry] + busy


def model_page(schema: Schema, document: Document) -> ModelPage:
    """Return the page of a model."""
    rows = []
    for field in schema.fields:
        notes = ["required"] if field.required else ["[optional]"]
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
        tuple(_users(schema, document)),
        tuple(rows),
        model_script(schema, document),
    )


def _users(schema: Schema, document: Document) -> Iterator[tuple[str, tuple[str, ...]]]:
    operations = [(tag.name, operation) for tag in document.tags for operation in tag.operations]
    taken = [entry for entry in operations if schema.name in _inputs(entry[1])]
    returned = [entry for entry in operations if schema.name == model_in(entry[1].response.type)]
    for verb, entries in (("Taken by", taken), ("Returned by", returned)):
        if entries:
            yield verb, tuple(f"[{tag}.{operation.name}]({tag}.md#{operation.name})" for tag, operation in entries)
    if owners := [other.name for other in document.schemas if schema.name in other.models]:
        yield "Part of", tuple(f"[{name}]({name}.md)" for name in owners)


def _inputs(operation: Operation) -> set[str]:
    types = [parameter.type for parameter in operation.parameters] + ([operation.body.type] if operation.body else [])
    return {model_in(type_) for type_ in types}
