"""What the generated Python says, decided on plain data: names, types, arguments, imports."""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from codegen.document import Document, Field, Operation, Parameter, Schema, Tag, Type, models_in, models_of
from codegen.naming import snake_case

PACKAGE = "freechat_sdk"
_DOC_WIDTH = 110
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "any": "Any"}
_STRICT = {"string": "Text", "integer": "Integer", "number": "Number", "boolean": "Flag", "any": "Any"}
_ERRORS = {
    400: "BadRequestException",
    401: "UnauthorizedException",
    403: "ForbiddenException",
    404: "NotFoundException",
    409: "ConflictException",
    422: "UnprocessableEntityException",
    429: "QuotaExceededException",
    503: "ServiceUnavailableException",
}
_FILE = "SkipValidation[FileInput | Upload]"  # checked by MultipartBody, whose errors are clearer
OPTIONS = "What this one call does otherwise: see `RequestOptions`."


@dataclass(frozen=True)
class Import:
    """One `from module import names`."""

    module: str
    names: str


@dataclass(frozen=True)
class Argument:
    """One argument of a method."""

    name: str
    annotation: str
    required: bool
    keyword_only: bool
    description: str

    @property
    def declaration(self) -> str:
        """The argument as the signature has it."""
        return f"{self.name}: {self.annotation}" + ("" if self.required else " = None")


@dataclass(frozen=True)
class Method:
    """One method of an API class, as text for the template."""

    name: str
    signature: str
    returns: str
    docstring: str
    key: str
    call: str


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
    docstring: str


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


def error_name(status: int) -> str:
    """Return the class of the error for a status."""
    return _ERRORS.get(status) or ("ServiceException" if status >= 500 else "ApiException")


def python_type(type_: Type, names: dict[str, str]) -> str:
    """Return a type as Python writes it; `names` are those of the plain types."""
    if type_.kind == "model":
        return type_.model
    if type_.kind == "datetime":
        return "Timestamp"
    if type_.kind in ("array", "map") and type_.item is not None:
        inner = python_type(type_.item, names)
        return f"list[{inner}]" if type_.kind == "array" else f"dict[str, {inner}]"
    return names[type_.kind]


def plan_api(tag: Tag, document: Document) -> ApiModule:
    """Return the file of one API class."""
    groups = _groups(tag)
    methods = [_method(operation, groups.get(operation.group, [operation]), document) for operation in tag.operations]
    models = sorted({name for operation in tag.operations for name in models_of(operation)})
    used = "Operation " + " ".join(
        f"{method.signature} {method.call} {method.key} {method.returns}" for method in methods
    )
    return ApiModule(
        module_name(tag.name),
        tag.name,
        f"{tag.name}: the operations of one tag of the FreeChat API.",
        docstring(tag.description, 4),
        tuple(_imports(used, [model for model in models if _is_used(model, used)])),
        tuple(methods),
    )


def module_name(class_name: str) -> str:
    """Return the module of a class: `chat_api` for `ChatApi`."""
    return snake_case(class_name)


def _groups(tag: Tag) -> dict[str, list[Operation]]:
    groups: dict[str, list[Operation]] = {}
    for operation in tag.operations:
        if operation.group:
            groups.setdefault(operation.group, []).append(operation)
    return groups


def _is_used(name: str, text: str) -> bool:
    for mark in "()[]|,:=.":
        text = text.replace(mark, " ")
    return name in text.split()


def _imports(used: str, models: list[str]) -> Iterator[Import]:
    """Return the imports of an API file: of what might be used, what is."""
    offered = {
        "typing": ("Any",),
        "pydantic": ("SkipValidation",),
        "typing_extensions": ("Unpack",),
        f"{PACKAGE}._mixins": ("OrText",),
        f"{PACKAGE}._model": ("Timestamp",),
        f"{PACKAGE}._operation": (
            "BOTH",
            "IDEMPOTENT",
            "MODEL",
            "ONCE",
            "READ",
            "V1",
            "V2",
            "Operation",
            "exactly_one",
        ),
        f"{PACKAGE}._decoders": ("as_json", "as_text", "nothing", "optional"),
        f"{PACKAGE}.streaming": ("SseEmitter", "as_events"),
        f"{PACKAGE}.upload": ("FileInput", "MultipartBody", "Upload"),
        f"{PACKAGE}.download": ("Download", "as_download"),
        **{f"{PACKAGE}.models.{module_name(model)}": (model,) for model in models},
    }
    always = {f"{PACKAGE}._api": ("Api", "RequestOptions", "operation", "with_http_info", "without_preload_content")}
    found = {module: [name for name in names if _is_used(name, used)] for module, names in offered.items()}
    kept = {module: names for module, names in {**found, **always}.items() if names}
    yield from (Import(module, ", ".join(kept[module])) for module in sorted(kept, key=_import_order))


def _import_order(module: str) -> tuple[int, str]:
    return (0 if module == "typing" else 2 if module.startswith(PACKAGE) else 1), module


def _method(operation: Operation, group: list[Operation], document: Document) -> Method:
    longest = max(group, key=lambda member: len(member.parameters))
    arguments = list(_arguments(operation, group, document))
    signature = ", ".join(argument.declaration for argument in arguments if not argument.keyword_only)
    keywords = ", ".join(argument.declaration for argument in arguments if argument.keyword_only)
    parts = ["self", signature, f"*, {keywords}" if keywords else "", "**options: Unpack[RequestOptions]"]
    returns, decoder = _returns(operation)
    return Method(
        operation.name,
        ", ".join(part for part in parts if part),
        returns,
        _docstring(operation, arguments),
        _key(operation),
        ", ".join(_call(operation, longest, decoder)),
    )


def _arguments(operation: Operation, group: list[Operation], document: Document) -> Iterator[Argument]:
    """Yield the arguments: the operation's own in order, then the others of its group in the order of the path."""
    longest = max(group, key=lambda member: len(member.parameters))
    own = {parameter.name for parameter in operation.parameters}
    others = [parameter for parameter in longest.parameters if parameter.name not in own]
    required_names = _required_names(operation, group)
    for parameter in (*operation.parameters, *others):
        type_ = python_type(parameter.type, _PLAIN)
        if parameter.v2 is not None:
            yield from _alternatives(parameter, parameter.v2)
        elif parameter.name in required_names:
            yield Argument(parameter.name, type_, True, False, parameter.description)
        else:
            yield Argument(parameter.name, f"{type_} | None", False, False, parameter.description)
    if operation.body is not None:
        type_ = _FILE if operation.body.type.kind == "file" else python_type(operation.body.type, _PLAIN)
        if type_ in _from_string(document):
            type_ = f"OrText[{type_}]"
        is_required = operation.body.required
        annotation = type_ if is_required else f"{type_} | None"
        yield Argument(operation.body.name, annotation, is_required, False, operation.body.description)


def _alternatives(parameter: Parameter, other: Parameter) -> Iterator[Argument]:
    """Yield the two names of one place: the first takes both kinds of value by position as well."""
    types = [python_type(parameter.type, _PLAIN), python_type(other.type, _PLAIN)]
    yield Argument(parameter.name, f"{' | '.join(types)} | None", False, False, parameter.description)
    yield Argument(other.name, f"{types[1]} | None", False, True, other.description)


def _required_names(operation: Operation, group: list[Operation]) -> set[str]:
    """Return the parameters that both official generations demand under the operation's name."""
    in_2x = [member for member in group if member.name_in_2x == operation.name]
    variants = [operation, *in_2x]
    demanded = [{parameter.name for parameter in member.parameters if parameter.required} for member in variants]
    return set.intersection(*demanded)


def _returns(operation: Operation) -> tuple[str, str]:
    """Return the type of the value, and the decoder that makes it."""
    answer = operation.answer
    type_ = python_type(answer.type, _PLAIN) if answer.kind == "json" else ""
    returns, decoder = {
        "json": (type_, f"as_json({type_})"),
        "text": ("str", "as_text"),
        "events": ("SseEmitter", "as_events"),
        "download": ("Download", "as_download"),
        "nothing": ("None", "nothing"),
    }[answer.kind]
    return (f"{returns} | None", f"optional({decoder})") if operation.nullable else (returns, decoder)


def _key(operation: Operation) -> str:
    """Return the line that chooses between two names of one place, if there are two."""
    for parameter in operation.parameters:
        if parameter.v2 is not None:
            names = (parameter.name, parameter.v2.name)
            return f"key = exactly_one({', '.join(f'{name}={name}' for name in names)})"
    return ""


def _call(operation: Operation, longest: Operation, decoder: str) -> Iterator[str]:
    """Yield the arguments of the `Operation` that a method returns; what is not said is the default."""
    yield f'"{operation.verb}"'
    yield f'"{longest.template}"'
    yield decoder
    yield "options"
    yield f"retry={operation.retry.upper()}"
    for place in ("path", "query"):
        values = [
            f'"{parameter.template_name}": {"key" if parameter.v2 else parameter.name}'
            for parameter in longest.parameters
            if parameter.place == place
        ]
        if values:
            yield f"{place}={{{', '.join(values)}}}"
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


def _docstring(operation: Operation, arguments: list[Argument]) -> str:
    given = [(argument.name, argument.description) for argument in arguments] + [("**options", OPTIONS)]
    parts = [
        wrapped(operation.summary, 8),
        wrapped(operation.description, 8),
        "Args:\n" + "\n".join(_entry(name, text) for name, text in given),
        "Returns:\n" + textwrap.indent(wrapped(operation.answer.description, 12), "    "),
    ]
    if operation.errors:
        errors = [_entry(error_name(status), f"{status}: {text}") for status, text in operation.errors]
        parts.append("Raises:\n" + "\n".join(errors))
    return textwrap.indent("\n\n".join(parts) + "\n", " " * 8).strip() + "\n" + " " * 8


def _entry(name: str, text: str) -> str:
    return textwrap.indent(wrapped(f"{name}: {text}", 16), " " * 8).replace(" " * 8, " " * 4, 1)


def wrapped(text: str, indent: int) -> str:
    """Return a text in lines that fit behind an indent."""
    return textwrap.fill(text, _DOC_WIDTH - indent, break_long_words=False, break_on_hyphens=False)


def docstring(text: str, indent: int) -> str:
    """Return a description as the inside of a docstring: its first sentence on a line of its own."""
    first, mark, rest = text.partition(". ")
    if not mark:
        return text
    return textwrap.indent(f"{first}.\n\n{wrapped(rest, indent)}\n", " " * indent).strip() + "\n" + " " * indent


def _from_string(document: Document) -> set[str]:
    """Return the models that a text can stand for."""
    return {schema.name for schema in document.schemas if schema.from_string}


def plan_model(schema: Schema, document: Document) -> ModelModule:
    """Return the file of one model."""
    fields = tuple(_model_field(field, _from_string(document)) for field in schema.fields)
    used = " ".join(field.annotation for field in fields)
    models = sorted({name for field in schema.fields for name in models_in(field.type)})
    names = ("Flag", "Integer", "Number", "RequiredInput", "Secret", "Text", "Timestamp")
    base = () if schema.mixin else ("Model",)
    from_model = sorted([*base, *(name for name in names if _is_used(name, used))])
    from_mixins = [*([schema.mixin] if schema.mixin else []), *(["FromText"] if _is_used("FromText", used) else [])]
    offered = {
        "typing": ["Any"] if _is_used("Any", used) else [],
        f"{PACKAGE}._mixins": from_mixins,
        f"{PACKAGE}._model": from_model,
        **{f"{PACKAGE}.models.{module_name(model)}": [model] for model in models},
    }
    imports = [
        Import(module, ", ".join(offered[module])) for module in sorted(offered, key=_import_order) if offered[module]
    ]
    return ModelModule(
        module_name(schema.name),
        schema.name,
        schema.mixin or "Model",
        f"{schema.name}: a model of the FreeChat API.",
        docstring(schema.description, 4),
        tuple(imports),
        fields,
    )


def _model_field(field: Field, from_string: set[str]) -> ModelField:
    type_ = python_type(field.type, _STRICT)
    for name in from_string & set(models_in(field.type)):
        type_ = type_.replace(name, f"FromText[{name}]")
    type_ = f"RequiredInput[{type_}]" if field.required else f"{type_} | None"
    type_ = f"Secret[{type_}]" if field.secret else type_
    annotation = type_ if field.required else f"{type_} = None"
    only = f" ({' and '.join(field.generations)} only)" if field.generations else ""
    text = wrapped(field.description + only, 4)
    return ModelField(field.name, annotation, textwrap.indent(text, "    ").strip())


def homes(classes: Iterable[str], package: str) -> dict[str, str]:
    """Return where each class lives."""
    return {name: f"{PACKAGE}.{package}.{module_name(name)}" for name in sorted(classes)}
