"""The contract as plain data, read from an OpenAPI document. What is not supported stops the reading."""

from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from codegen.naming import python_name
from codegen.node import Node

VERBS = ("get", "post", "put", "delete", "patch")
GENERATIONS = ("v1", "v2")
JSON, TEXT, EVENTS, FORM = "application/json", "text/plain", "text/event-stream", "multipart/form-data"


@dataclass(frozen=True)
class Type:
    """A type: string, integer, number, boolean, datetime, file, any, a model, or an array or map of another."""

    kind: str
    item: "Type | None" = None
    model: str = ""


@dataclass(frozen=True)
class Parameter:
    """A value in the path or the query."""

    wire: str
    name: str
    template_name: str
    place: str
    type: Type
    required: bool
    description: str
    example: Any
    v2: "Parameter | None"
    generations: tuple[str, ...] = ()
    """Where it exists; empty is wherever the operation does."""


@dataclass(frozen=True)
class Body:
    """What a request carries."""

    name: str
    type: Type
    required: bool
    description: str
    media_type: str


@dataclass(frozen=True)
class Answer:
    """What a success answers: json, text, events, download or nothing."""

    kind: str
    type: Type
    description: str
    media_types: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """One method of an API class."""

    name: str
    name_in_2x: str
    verb: str
    path: str
    summary: str
    description: str
    generations: tuple[str, ...]
    group: str
    retry: str
    retry_busy: bool
    waits_for_model: bool
    nullable: bool
    parameters: tuple[Parameter, ...]
    body: Body | None
    answer: Answer
    errors: tuple[tuple[int, str], ...]

    @property
    def template(self) -> str:
        """The path with the names to show: of two parameters in one place each operation has its own."""
        path = self.path
        for parameter in self.parameters:
            path = path.replace("{" + parameter.wire + "}", "{" + parameter.template_name + "}")
        return path


@dataclass(frozen=True)
class Tag:
    """One API class."""

    name: str
    description: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Field:
    """One field of a model."""

    wire: str
    name: str
    type: Type
    required: bool
    description: str
    generations: tuple[str, ...]
    secret: bool
    example: Any


@dataclass(frozen=True)
class Schema:
    """One model."""

    name: str
    description: str
    generations: tuple[str, ...]
    mixin: str
    from_string: bool
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Task:
    """Something that people want to do, and the operations that do it, in order, as `(class, method)`."""

    name: str
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Document:
    """The whole contract."""

    tags: tuple[Tag, ...]
    schemas: tuple[Schema, ...]
    tasks: tuple[Task, ...] = ()


def read(root: Node) -> Document:
    """Return the contract in a document.

    Raises:
        DocumentError: at the first thing that is not supported, with its place.
    """
    root.choice("openapi", ("3.1.0",))
    root.skip("info", "servers", "security")
    operations = list(_operations(root))
    tags = tuple(_tag(node, operations) for node in root.listed("tags"))
    known = {tag.name for tag in tags}
    for tag_name, operation in operations:
        if tag_name not in known:
            raise root.error(f"{tag_name}.{operation.name}: the tag {tag_name!r} is not declared")
    components = root.child("components")
    schemas = tuple(_schema(name, node) for name, node in components.children("schemas"))
    components.skip("securitySchemes", "parameters", "responses")
    components.finish()
    known_operations = {(tag.name, operation.name) for tag in tags for operation in tag.operations}
    tasks = tuple(_task(node, known_operations) for node in root.listed("x-tasks")) if "x-tasks" in root else ()
    root.finish()
    document = Document(tags, schemas, tasks)
    _check_models(document, root)
    return document


def _task(node: Node, known: set[tuple[str, str]]) -> Task:
    name = node.text("name")
    steps = tuple((step.partition(".")[0], step.partition(".")[2]) for step in node.take("steps", list))
    for step in steps:
        if step not in known:
            raise node.error(f"there is no operation {'.'.join(step)}")
    node.finish()
    return Task(name, steps)


def _check_models(document: Document, root: Node) -> None:
    """Refuse names of models that are not there, and models that hold themselves."""
    held = {
        schema.name: {name for field in schema.fields for name in models_in(field.type)} for schema in document.schemas
    }
    used = set().union(*held.values(), *(models_of(operation) for tag in document.tags for operation in tag.operations))
    if missing := sorted(used - set(held)):
        raise root.error(f"there is no schema {missing[0]}")
    try:
        TopologicalSorter(held).prepare()
    except CycleError as error:
        raise root.error(f"models hold each other: {' -> '.join(error.args[1])}") from None


def models_in(type_: Type | None) -> Iterator[str]:
    """Yield the models that a type names."""
    while type_ is not None:
        if type_.model:
            yield type_.model
        type_ = type_.item


def models_of(operation: Operation) -> set[str]:
    """Return the models that an operation takes and answers."""
    types = [operation.body.type if operation.body else None, operation.answer.type]
    types += [parameter.type for parameter in operation.parameters]
    return {name for type_ in types for name in models_in(type_)}


def _tag(node: Node, operations: list[tuple[str, Operation]]) -> Tag:
    name, description = node.text("name"), node.text("description")
    node.finish()
    own = [operation for tag_name, operation in operations if tag_name == name]
    names = [operation.name for operation in own]
    for method in names:
        if names.count(method) > 1:
            raise node.error(f"{method!r} is there twice")
    return Tag(name, description, tuple(sorted(own, key=lambda operation: operation.name)))


def _operations(root: Node) -> Iterator[tuple[str, Operation]]:
    for path, item in root.children("paths"):
        for verb in VERBS:
            if verb in item:
                yield _operation(path, verb, item.child(verb))
        item.finish()


def _operation(path: str, verb: str, node: Node) -> tuple[str, Operation]:
    tags = node.take("tags", list)
    owner, _, name = node.text("operationId").partition(".")
    if [owner] != tags:
        raise node.error(f"operationId is <tag>.<method> of the one tag, not of {tags}")
    operation = Operation(
        name=python_name(name, node),
        name_in_2x=node.take("x-name-in-2x", str, name),
        verb=verb.upper(),
        path=path,
        summary=node.text("summary"),
        description=node.text("description"),
        generations=_generations(node),
        group=node.take("x-group", str, ""),
        retry=node.choice("x-retry", ("read", "idempotent", "once")),
        retry_busy="x-retry-on-503" in node and node.choice("x-retry-on-503", ("busy",)) == "busy",
        waits_for_model="x-time" in node and node.choice("x-time", ("model",)) == "model",
        nullable=node.take("x-nullable", bool, False),
        parameters=tuple(_parameter(child) for child in node.listed("parameters")),
        body=_body(node.child("requestBody")) if "requestBody" in node else None,
        answer=_answer(node),
        errors=tuple(_errors(node)),
    )
    _check_path(operation, node)
    node.finish()
    return owner, operation


def _check_path(operation: Operation, node: Node) -> None:
    placed = ["{" + parameter.wire + "}" for parameter in operation.parameters if parameter.place == "path"]
    in_path = [part for part in operation.path.split("/") if part.startswith("{")]
    if placed != in_path:
        raise node.error(
            f"the path has {' '.join(in_path) or 'no values'}, the parameters {' '.join(placed) or 'none'}"
        )


def _generations(node: Node) -> tuple[str, ...]:
    generations = tuple(node.take("x-generations", list))
    if not generations or any(generation not in GENERATIONS for generation in generations):
        raise node.error(f"'x-generations' holds some of {', '.join(GENERATIONS)}")
    return generations


def _parameter(node: Node) -> Parameter:
    wire = node.text("name")
    place = node.choice("in", ("path", "query"))
    parameter = Parameter(
        wire=wire,
        name=python_name(node.take("x-name", str, wire), node),
        template_name=node.take("x-template-name", str, wire),
        place=place,
        type=_type(node.child("schema")),
        required=node.take("required", bool, False),
        description=node.text("description"),
        example=node.take("example", object, ""),
        v2=_other_parameter(wire, place, node.child("x-v2")) if "x-v2" in node else None,
        generations=_generations(node) if "x-generations" in node else (),
    )
    if place == "path" and not parameter.required:
        raise node.error("a value in the path is required")
    node.finish()
    return parameter


def _other_parameter(wire: str, place: str, node: Node) -> Parameter:
    name = python_name(node.text("x-name"), node)
    parameter = Parameter(
        wire, name, wire, place, _type(node.child("schema")), True, node.text("description"), "", None
    )
    node.finish()
    return parameter


def _body(node: Node) -> Body:
    media_type, content = _only(node, "content")
    if media_type not in (JSON, FORM):
        raise node.error(f"a body of {media_type!r} is not supported")
    schema = content.child("schema")
    type_ = _form_type(schema) if media_type == FORM else _type(schema)
    body = Body(
        python_name(node.text("x-name"), node),
        type_,
        node.take("required", bool, False),
        node.text("description"),
        media_type,
    )
    content.finish()
    node.finish()
    return body


def _form_type(node: Node) -> Type:
    """Return the type of the one part of a form: a file."""
    node.choice("type", ("object",))
    name, part = _only(node, "properties")
    if name != "file" or node.take("required", list) != [name]:
        raise node.error("a form has one part, a file named 'file', that is required")
    part.text("description")
    type_ = _type(part)
    node.finish()
    return type_


def _only(node: Node, key: str) -> tuple[str, Node]:
    children = list(node.children(key))
    if len(children) != 1:
        raise node.error(f"{key!r} has one entry")
    return children[0]


def _answer(node: Node) -> Answer:
    is_text, is_download = node.take("x-text", bool, False), node.take("x-download", bool, False)
    success = dict(node.children("responses")).get("200")
    if success is None:
        raise node.error("there is no response 200")
    description = success.text("description")
    contents = dict(success.children("content"))
    success.finish()
    if not contents:
        return Answer("nothing", Type("any"), description, ())
    media_types = tuple(contents)
    types = {_content_type(content) for content in contents.values()}
    if is_download:
        return Answer("download", Type("file"), description, media_types)
    kinds = {JSON: "json", TEXT: "text", EVENTS: "events"}
    if len(media_types) != 1 or media_types[0] not in kinds:
        raise node.error(f"an answer of {' and '.join(media_types)} is not supported")
    return Answer("text" if is_text else kinds[media_types[0]], types.pop(), description, media_types)


def _content_type(content: Node) -> Type:
    type_ = _type(content.child("schema"))
    content.finish()
    return type_


def _errors(node: Node) -> Iterator[tuple[int, str]]:
    for status, response in node.children("responses"):
        if status != "200":
            if not (status.isdigit() and 400 <= int(status) < 600):
                raise response.error("is no status of an error")
            yield int(status), response.text("description")
            response.finish()


def _schema(name: str, node: Node) -> Schema:
    node.choice("type", ("object",))
    required = node.take("required", list, [])
    schema = Schema(
        name=name,
        description=node.text("description"),
        generations=_generations(node),
        mixin=node.take("x-mixin", str, ""),
        from_string=node.take("x-from-string", bool, False),
        fields=tuple(_field(wire, child, wire in required) for wire, child in node.children("properties")),
    )
    for wire in required:
        if wire not in [field.wire for field in schema.fields]:
            raise node.error(f"{wire!r} is required and not there")
    node.finish()
    return schema


def _field(wire: str, node: Node, required: bool) -> Field:
    if node.ref is not None and node.beside - {"description", "x-generations"}:
        raise node.error("beside a $ref stand description and x-generations alone")
    return Field(
        wire=wire,
        name=python_name(wire, node),
        description=node.text("description"),
        generations=_generations(node) if "x-generations" in node.beside else (),
        secret=node.ref is None and node.take("x-secret", bool, False),
        example="" if node.ref is not None else node.take("example", object, ""),
        type=_type(node),
        required=required,
    )


def _type(node: Node) -> Type:
    """Return the type of a schema; of a `$ref` the model that it names."""
    if node.ref is not None:
        return Type("model", model=node.ref.rpartition("/")[2])
    kind = node.choice("type", ("string", "integer", "number", "boolean", "array", "object"))
    if kind == "array":
        type_ = Type("array", _type(node.child("items")))
    elif kind == "object":
        values = node.take("additionalProperties", object)
        item = Type("any") if values is True else _type(node.child("additionalProperties"))
        type_ = Type("map", item)
    elif kind == "string" and "format" in node:
        formats = {"date-time": "datetime", "binary": "file"}
        type_ = Type(formats[node.choice("format", tuple(formats))])
    else:
        type_ = Type(kind)
    node.finish()
    return type_
