"""Decides what the generated Python says, as plain data: names, types, arguments, imports."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from codegen.document import Body, Document, Field, Operation, Parameter, Schema, Tag, Type, model_in
from codegen.naming import snake_case
from codegen.runtime import PACKAGE, exception_for

MIXINS = f"{PACKAGE}._mixins"
API_IMPORTS = {
    "pydantic": ("SkipValidation",),
    "typing": ("Any",),
    "typing_extensions": ("Unpack",),
    MIXINS: ("OrText",),
    f"{PACKAGE}._model": ("Timestamp",),
    f"{PACKAGE}._api": ("Api", "RequestOptions", "operation", "with_http_info", "without_preload_content"),
    f"{PACKAGE}._operation": ("BOTH", "IDEMPOTENT", "MODEL", "ONCE", "READ", "V1", "V2", "Operation", "exactly_one"),
    f"{PACKAGE}._decoders": ("as_json", "as_text", "nothing", "optional"),
    f"{PACKAGE}.download": ("Download", "as_download"),
    f"{PACKAGE}.streaming": ("SseEmitter", "as_events"),
    f"{PACKAGE}.upload": ("FileInput", "MultipartBody", "Upload"),
}
"""What a file of `api/` may need, by module; ruff removes what it does not use."""
MODEL_IMPORTS = {
    "typing": ("Annotated", "Any"),
    MIXINS: ("FROM_TEXT",),
    f"{PACKAGE}._model": (
        "ABSENT",
        "ALWAYS_SENT",
        "Flag",
        "Integer",
        "Model",
        "Number",
        "RequiredInput",
        "Secret",
        "Text",
        "Timestamp",
    ),
}
"""What a file of `models/` may need; its mixin comes from `MIXINS`."""

PLAIN = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "any": "Any",
    "datetime": "Timestamp",
    "file": "FileInput | Upload",
}
"""The Python names of types."""
_FIELDS = {**PLAIN, "string": "Text", "integer": "Integer", "number": "Number", "boolean": "Flag"}
_UNCHECKED_FILE = "SkipValidation[FileInput | Upload]"  # checked by MultipartBody, whose errors are clearer
_OPTIONS = "Options of this call alone; see `RequestOptions`."
_UNVERIFIED = "(Not seen in recordings of real servers.)"
_DOC_WIDTH = 110


@dataclass(frozen=True)
class Import:
    """One `from module import names`."""

    module: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Argument:
    """One argument of a method."""

    name: str
    type: str
    """Its type as callers see it."""
    annotation: str
    """Its type as the signature has it, for the check of arguments."""
    required: bool
    description: str
    model: str = ""
    """The model in its type, if there is one."""
    keyword_only: bool = False


@dataclass(frozen=True)
class Method:
    """One method of an API class, as text for the template."""

    name: str
    arguments: tuple[Argument, ...]
    returns: str
    docstring: str
    key: str
    call: tuple[str, ...]


@dataclass(frozen=True)
class ApiModule:
    """One file of `api/`."""

    name: str
    class_name: str
    title: str
    docstring: str
    imports: tuple[Import, ...]
    methods: tuple[Method, ...]


@dataclass(frozen=True)
class ModelField:
    """One field of a model, as text for the template."""

    name: str
    annotation: str
    description: str

    @property
    def docstring(self) -> str:
        """Its description, as the docstring below it."""
        return textwrap.indent(wrapped(self.description, 4), " " * 4).strip()


@dataclass(frozen=True)
class ModelModule:
    """One file of `models/`."""

    name: str
    class_name: str
    bases: str
    title: str
    docstring: str
    imports: tuple[Import, ...]
    fields: tuple[ModelField, ...]


def python_type(type_: Type, names: Mapping[str, str]) -> str:
    """Return a type in Python; `names` are those of plain types, and of models with a name of their own there."""
    if type_.kind == "array" and type_.item is not None:
        return f"list[{python_type(type_.item, names)}]"
    if type_.kind == "map" and type_.item is not None:
        return f"dict[str, {python_type(type_.item, names)}]"
    return names.get(type_.model, type_.model) if type_.kind == "model" else names[type_.kind]


def plan_api(tag: Tag, document: Document) -> ApiModule:
    """Return the file of one API class."""
    groups = _groups(tag)
    methods = [_method(operation, groups.get(operation.group, [operation]), document) for operation in tag.operations]
    return ApiModule(
        module_name(tag.name),
        tag.name,
        f"{tag.name}: the operations of one tag of the FreeChat API.",
        docstring(tag.description, 4),
        _imports(API_IMPORTS, set().union(*(operation.models for operation in tag.operations))),
        tuple(methods),
    )


def _imports(names: Mapping[str, tuple[str, ...]], models: Iterable[str]) -> tuple[Import, ...]:
    """Return the imports of a file, needed or not, of names by module and of models."""
    plain = [Import(*item) for item in names.items()]
    return (*plain, *(Import(module, (model,)) for model, module in homes(models, "models").items()))


def module_name(class_name: str) -> str:
    """Return the module of a class: `chat_api` for `ChatApi`."""
    return snake_case(class_name)


def _groups(tag: Tag) -> dict[str, list[Operation]]:
    groups: dict[str, list[Operation]] = {}
    for operation in tag.operations:
        if operation.group:
            groups.setdefault(operation.group, []).append(operation)
    return groups


def _method(operation: Operation, group: list[Operation], document: Document) -> Method:
    longest = max(group, key=lambda member: len(member.parameters))
    arguments = tuple(_arguments(operation, longest, _required_names(operation, group), document))
    returns, decoder = _returns(operation)
    return Method(
        operation.name,
        arguments,
        returns,
        _docstring(operation, arguments),
        _key(operation),
        tuple(_call(operation, longest, decoder)),
    )


def _arguments(operation: Operation, longest: Operation, required: set[str], document: Document) -> Iterator[Argument]:
    """Yield the arguments: the operation's own in order, then the others of its group in the order of the path."""
    own = {parameter.name for parameter in operation.parameters}
    others = [parameter for parameter in longest.parameters if parameter.name not in own]
    for parameter in (*operation.parameters, *others):
        if parameter.v2 is not None:
            yield from _alternatives(parameter, parameter.v2)
        else:
            yield _argument(parameter, parameter.name in required)
    if operation.body is not None:
        texts = document.from_string
        shown = {**PLAIN, **{name: f"{name} | str" for name in texts}}
        checked = {**PLAIN, "file": _UNCHECKED_FILE, **{name: f"OrText[{name}]" for name in texts}}
        yield _argument(operation.body, operation.body.required, shown, checked)


def _argument(
    value: Parameter | Body, required: bool, shown: Mapping[str, str] = PLAIN, checked: Mapping[str, str] = PLAIN
) -> Argument:
    none = "" if required else " | None"
    type_, annotation = (python_type(value.type, names) + none for names in (shown, checked))
    return Argument(value.name, type_, annotation, required, value.description, model_in(value.type))


def _alternatives(parameter: Parameter, other: Parameter) -> Iterator[Argument]:
    """Yield the two arguments for one path parameter; the first takes both kinds of value, so by position as well."""
    second = f"{python_type(other.type, PLAIN)} | None"
    first = f"{python_type(parameter.type, PLAIN)} | {second}"
    yield Argument(parameter.name, first, first, False, parameter.description)
    yield Argument(other.name, second, second, False, other.description, keyword_only=True)


def _required_names(operation: Operation, group: list[Operation]) -> set[str]:
    """Return the parameters that must be given; in a group those of its shortest route, which each name reaches."""
    required = [{parameter.name for parameter in member.parameters if parameter.required} for member in group]
    return set.intersection(*required)


def _returns(operation: Operation) -> tuple[str, str]:
    """Return the type of the value, and the decoder that reads it."""
    response = operation.response
    type_ = python_type(response.type, PLAIN)
    returns, decoder = {
        "json": (type_, f"as_json({type_})"),
        "text": ("str", "as_text"),
        "events": ("SseEmitter", "as_events"),
        "download": ("Download", "as_download"),
        "nothing": ("None", "nothing"),
    }[response.kind]
    return (f"{returns} | None", f"optional({decoder})") if operation.nullable else (returns, decoder)


def _key(operation: Operation) -> str:
    """Return the line that chooses between two arguments for one path parameter, if there are two."""
    for parameter in operation.parameters:
        if parameter.v2 is not None:
            names = (parameter.name, parameter.v2.name)
            return f"key = exactly_one({', '.join(f'{name}={name}' for name in names)})"
    return ""


def _call(operation: Operation, longest: Operation, decoder: str) -> Iterator[str]:
    """Yield the arguments of the `Operation` that a method returns, without those that are the default."""
    yield f'"{operation.method}"'
    yield f'"{longest.template}"'
    yield decoder
    yield "options"
    yield f"retry={operation.retry.upper()}"
    for location in ("path", "query"):
        values = [
            f'"{parameter.template_name}": {"key" if parameter.v2 else parameter.name}'
            for parameter in longest.parameters
            if parameter.location == location
        ]
        if values:
            yield f"{location}={{{', '.join(values)}}}"
    if operation.body is not None:
        name = operation.body.name
        yield f"body=MultipartBody({name})" if operation.body.type.kind == "file" else f"body={name}"
    if operation.waits_for_model:
        yield "time=MODEL"
    if operation.retry_busy:
        yield "retry_busy=True"
    if _key(operation):
        yield "generations=V1 if isinstance(key, int) else V2"
    elif limited := [parameter for parameter in longest.parameters if parameter.generations]:
        generations = limited[0].generations[0].upper()
        yield f"generations=BOTH if {limited[0].name} is None else {generations}"
    elif len(operation.generations) == 1:
        yield f"generations={operation.generations[0].upper()}"


def _docstring(operation: Operation, arguments: Iterable[Argument]) -> str:
    given = [(argument.name, argument.description) for argument in arguments] + [("**options", _OPTIONS)]
    parts = [
        wrapped(operation.summary, 8),
        wrapped(operation.description, 8),
        "Args:\n" + "\n".join(_entry(name, text) for name, text in given),
        "Returns:\n" + textwrap.indent(wrapped(described(operation, 200, operation.response.description), 12), "    "),
    ]
    if operation.errors:
        errors = [
            _entry(exception_for(status), f"{status}: {described(operation, status, text)}")
            for status, text in operation.errors
        ]
        parts.append("Raises:\n" + "\n".join(errors))
    return textwrap.indent("\n\n".join(parts) + "\n", " " * 8).strip() + "\n" + " " * 8


def described(operation: Operation, status: int, text: str) -> str:
    """Return the text on a status, marked if no recorded server has answered with it."""
    return f"{text} {_UNVERIFIED}" if status in operation.unverified else text


def _entry(name: str, text: str) -> str:
    return textwrap.indent(wrapped(f"{name}: {text}", 16), " " * 8).replace(" " * 8, " " * 4, 1)


def wrapped(text: str, indent: int) -> str:
    """Return a text in lines that fit after an indent."""
    return textwrap.fill(text, _DOC_WIDTH - indent, break_long_words=False, break_on_hyphens=False)


def docstring(text: str, indent: int) -> str:
    """Return a description as the inside of a docstring: its first sentence on a line of its own."""
    first, mark, rest = text.partition(". ")
    if not mark:
        return text
    return textwrap.indent(f"{first}.\n\n{wrapped(rest, indent)}\n", " " * indent).strip() + "\n" + " " * indent


def plan_model(schema: Schema, document: Document) -> ModelModule:
    """Return the file of one model."""
    names = {**_FIELDS, **{name: f"Annotated[{name}, FROM_TEXT]" for name in document.from_string}}
    fields = tuple(_model_field(field, names) for field in schema.fields)
    mixin = [Import(MIXINS, (schema.mixin,))] if schema.mixin else []
    return ModelModule(
        module_name(schema.name),
        schema.name,
        schema.mixin or "Model",
        f"{schema.name}: a model of the FreeChat API.",
        _model_docstring(schema.description, fields),
        (*mixin, *_imports(MODEL_IMPORTS, schema.models)),
        fields,
    )


def _model_field(field: Field, names: Mapping[str, str]) -> ModelField:
    type_, default = python_type(field.type, names), ""
    if field.required:
        type_ = f"RequiredInput[{type_}]"
    elif field.always_sent:
        type_, default = f"Annotated[{type_}, ALWAYS_SENT]", " = ABSENT"
    elif (
        field.type.model in names
    ):  # Jedi follows an `Annotated` as a whole, but neither a part of a union nor an alias
        type_, default = f"Annotated[{field.type.model} | None, FROM_TEXT]", " = None"
    else:
        type_, default = f"{type_} | None", " = None"
    annotation = (f"Secret[{type_}]" if field.secret else type_) + default
    only = f" ({' and '.join(field.generations)} only)" if field.generations else ""
    return ModelField(field.name, annotation, field.description + only)


def _model_docstring(description: str, fields: Iterable[ModelField]) -> str:
    """Return the docstring of a model: `help()` shows only what stands there, editors also each field's own."""
    attributes = "Attributes:\n" + "\n".join(_entry(field.name, field.description) for field in fields)
    return f"{docstring(description, 4).rstrip()}\n\n{textwrap.indent(attributes, ' ' * 4)}\n    "


def homes(classes: Iterable[str], package: str) -> dict[str, str]:
    """Return the modules of classes by name."""
    return {name: f"{PACKAGE}.{package}.{module_name(name)}" for name in sorted(classes)}
