"""Reads the contract from an OpenAPI document as plain data, and refuses what is not supported."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from codegen.naming import python_name, snake_case
from codegen.node import Node

HTTP_METHODS = ("get", "post", "put", "delete", "patch")
GENERATIONS = ("v1", "v2")
RETRY_CLASSES = ("read", "idempotent", "once")
JSON, TEXT, EVENTS, FORM = "application/json", "text/plain", "text/event-stream", "multipart/form-data"
_FILE = "file"


@dataclass(frozen=True)
class Type:
    """A type: string, integer, number, boolean, datetime, file, any, a model, or an array or map of another."""

    kind: str
    item: "Type | None" = None
    model: str = ""


def model_in(type_: Type) -> str:
    """Return the model that a type is or contains, or an empty text."""
    return type_.model if type_.item is None else model_in(type_.item)


@dataclass(frozen=True)
class Parameter:
    """A value in the path or the query."""

    wire: str
    name: str
    template_name: str
    location: str
    type: Type
    required: bool
    description: str
    example: Any
    v2: "Parameter | None"
    generations: tuple[str, ...] = ()
    """Where it exists; empty if that is wherever the operation does."""


@dataclass(frozen=True)
class Body:
    """The body of a request."""

    name: str
    type: Type
    required: bool
    description: str
    media_type: str


@dataclass(frozen=True)
class Response:
    """The response of a success: json, text, events, download or nothing."""

    kind: str
    type: Type
    description: str
    media_types: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """One method of an API class."""

    name: str
    name_in_2x: str
    method: str
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
    response: Response
    errors: tuple[tuple[int, str], ...]

    @property
    def template(self) -> str:
        """The path with the names to show, which differ if operations name one path parameter differently."""
        path = self.path
        for parameter in self.parameters:
            path = path.replace("{" + parameter.wire + "}", "{" + parameter.template_name + "}")
        return path

    @property
    def models(self) -> set[str]:
        """The models that it takes and returns."""
        types = [parameter.type for parameter in self.parameters] + [self.response.type]
        types += [self.body.type] if self.body else []
        return {model_in(type_) for type_ in types} - {""}


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
    always_sent: bool
    """Whether each response has it, so that its type is without None although it may be left out."""
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

    @property
    def models(self) -> set[str]:
        """The models of its fields."""
        return {model_in(field.type) for field in self.fields} - {""}


@dataclass(frozen=True)
class Task:
    """Something that people want to do, and the operations that do it in order, as `(class, method)`."""

    name: str
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Document:
    """The whole contract."""

    tags: tuple[Tag, ...]
    schemas: tuple[Schema, ...]
    tasks: tuple[Task, ...] = ()

    def schema(self, name: str) -> Schema:
        """Return the model of a name."""
        return next(schema for schema in self.schemas if schema.name == name)

    @property
    def from_string(self) -> tuple[str, ...]:
        """The models that a text can stand for."""
        return tuple(schema.name for schema in self.schemas if schema.from_string)


def read(root: Node) -> Document:
    """Return the contract in a document.

    Raises:
        DocumentError: if something is not supported; the message names its location.
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
    components.skip("securitySchemes", "parameters", "requestBodies", "responses")
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
    """Refuse names of models that do not exist, and models that contain themselves."""
    contained = {schema.name: schema.models for schema in document.schemas}
    operations = [operation for tag in document.tags for operation in tag.operations]
    used = set().union(*contained.values(), *(operation.models for operation in operations))
    if missing := sorted(used - set(contained)):
        raise root.error(f"there is no schema {missing[0]}")
    try:
        TopologicalSorter(contained).prepare()
    except CycleError as error:
        raise root.error(f"models contain each other: {' -> '.join(error.args[1])}") from None


def _tag(node: Node, operations: list[tuple[str, Operation]]) -> Tag:
    name, description = node.text("name"), node.text("description")
    node.finish()
    own = [operation for tag_name, operation in operations if tag_name == name]
    names = [operation.name for operation in own]
    for method_name in names:
        if names.count(method_name) > 1:
            raise node.error(f"duplicate operation {method_name!r}")
    return Tag(name, description, tuple(sorted(own, key=lambda operation: operation.name)))


def _operations(root: Node) -> Iterator[tuple[str, Operation]]:
    for path, item in root.children("paths"):
        for method in HTTP_METHODS:
            if method in item:
                yield _operation(path, method, item.child(method))
        item.finish()


def _operation(path: str, method: str, node: Node) -> tuple[str, Operation]:
    tags = node.take("tags", list)
    owner, _, name = node.text("operationId").partition(".")
    if [owner] != tags:
        raise node.error(f"'operationId' must be <tag>.<name>, and 'tags' must be [<tag>], not {tags}")
    operation = Operation(
        name=python_name(name, node),
        name_in_2x=node.take("x-name-in-2x", str, name),
        method=method.upper(),
        path=path,
        summary=node.text("summary"),
        description=node.text("description"),
        generations=_generations(node),
        group=node.take("x-group", str, ""),
        retry=node.choice("x-retry", RETRY_CLASSES),
        retry_busy="x-retry-on-503" in node and node.choice("x-retry-on-503", ("busy",)) == "busy",
        waits_for_model="x-time" in node and node.choice("x-time", ("model",)) == "model",
        nullable=node.take("x-nullable", bool, False),
        parameters=tuple(_parameter(child) for child in node.listed("parameters")),
        body=_body(node.child("requestBody")) if "requestBody" in node else None,
        response=_response(node),
        errors=tuple(_errors(node)),
    )
    _check_path(operation, node)
    node.finish()
    return owner, operation


def _check_path(operation: Operation, node: Node) -> None:
    declared = ["{" + parameter.wire + "}" for parameter in operation.parameters if parameter.location == "path"]
    in_path = [part for part in operation.path.split("/") if part.startswith("{")]
    if declared != in_path:
        raise node.error(f"the path has the parameters {in_path}, but {declared} are declared")


def _generations(node: Node, default: tuple[str, ...] = GENERATIONS) -> tuple[str, ...]:
    if "x-generations" not in node:
        return default
    generations = tuple(node.take("x-generations", list))
    if len(generations) != 1 or generations[0] not in GENERATIONS:
        raise node.error("'x-generations' must be [v1] or [v2]; leave it out for both")
    return generations


def _name(node: Node, default: str) -> str:
    """Return the Python name of a parameter or a body, which the document states only if it is not the default."""
    name = python_name(node.take("x-name", str, default or None), node)
    if "x-name" in node and name == default:
        raise node.error(f"'x-name' is {name!r} by default; leave it out")
    return name


def _parameter(node: Node) -> Parameter:
    wire = node.text("name")
    location = node.choice("in", ("path", "query"))
    parameter = Parameter(
        wire=wire,
        name=_name(node, snake_case(wire)),
        template_name=node.take("x-template-name", str, wire),
        location=location,
        type=_type(node.child("schema")),
        required=node.take("required", bool, False),
        description=node.text("description"),
        example=node.take("example", object, ""),
        v2=_other_parameter(wire, location, node.child("x-v2")) if "x-v2" in node else None,
        generations=_generations(node, ()),
    )
    if location == "path" and not parameter.required:
        raise node.error("a path parameter must be required")
    node.finish()
    return parameter


def _other_parameter(wire: str, location: str, node: Node) -> Parameter:
    name = _name(node, "")
    type_ = _type(node.child("schema"))
    parameter = Parameter(wire, name, wire, location, type_, True, node.text("description"), "", None)
    node.finish()
    return parameter


def _body(node: Node) -> Body:
    media_type, content = _only(node, "content")
    if media_type not in (JSON, FORM):
        raise node.error(f"a body of {media_type!r} is not supported")
    is_form = media_type == FORM
    type_ = _content_type(content, _form_type if is_form else _type)
    name = _name(node, _FILE if is_form else snake_case(model_in(type_)))
    body = Body(name, type_, node.take("required", bool, False), node.text("description"), media_type)
    node.finish()
    return body


def _content_type(content: Node, read_type: Callable[[Node], Type]) -> Type:
    type_ = read_type(content.child("schema"))
    content.finish()
    return type_


def _form_type(node: Node) -> Type:
    """Return the type of the one part of a form: a file."""
    node.choice("type", ("object",))
    name, part = _only(node, "properties")
    if name != _FILE or node.take("required", list) != [name]:
        raise node.error(f"a form must have one part, a required file named {_FILE!r}")
    part.text("description")
    node.finish()
    return _file_type(part)


def _file_type(node: Node) -> Type:
    """Return the type of a file, which is neither a parameter nor a part of JSON."""
    node.choice("type", ("string",))
    node.choice("format", ("binary",))
    node.finish()
    return Type("file")


def _only(node: Node, key: str) -> tuple[str, Node]:
    children = list(node.children(key))
    if len(children) != 1:
        raise node.error(f"{key!r} must have one entry")
    return children[0]


def _response(node: Node) -> Response:
    is_text, is_download = node.take("x-text", bool, False), node.take("x-download", bool, False)
    success = dict(node.children("responses")).get("200")
    if success is None:
        raise node.error("there is no response 200")
    description = success.text("description")
    contents = dict(success.children("content"))
    success.finish()
    if not contents:
        return Response("nothing", Type("any"), description, ())
    media_types = tuple(contents)
    if is_download:
        types = {_content_type(content, _file_type) for content in contents.values()}
        return Response("download", types.pop(), description, media_types)
    kinds = {JSON: "json", TEXT: "text", EVENTS: "events"}
    if len(media_types) != 1 or media_types[0] not in kinds:
        raise node.error(f"a response of {' and '.join(media_types)} is not supported")
    type_ = _content_type(contents[media_types[0]], _type)
    return Response("text" if is_text else kinds[media_types[0]], type_, description, media_types)


def _errors(node: Node) -> Iterator[tuple[int, str]]:
    for status, response in node.children("responses"):
        if status != "200":
            if not (status.isdigit() and 400 <= int(status) < 600):
                raise response.error("is not an error status, which is 400 to 599")
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
            raise node.error(f"{wire!r} is required, but is not a property")
    node.finish()
    return schema


def _field(wire: str, node: Node, required: bool) -> Field:
    if node.ref is not None and node.beside - {"description", "x-always-sent", "x-generations"}:
        raise node.error("only description, x-always-sent and x-generations may stand beside a $ref")
    return Field(
        wire=wire,
        name=python_name(wire, node),
        description=node.text("description"),
        generations=_generations(node, ()) if "x-generations" in node.beside else (),
        always_sent="x-always-sent" in node.beside and node.take("x-always-sent", bool, False),
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
        node.choice("format", ("date-time",))
        type_ = Type("datetime")
    else:
        type_ = Type(kind)
    node.finish()
    return type_
