"""Turns the document into the plain data that the sandbox is driven by, as Python source."""

from collections.abc import Iterable, Iterator

from codegen.document import GENERATIONS, Document, Field, Operation, Parameter, Schema, Type


def contract_operations(document: Document) -> list[str]:
    """Return a call of `Operation` for each operation, sorted by tag and name."""
    pairs = [(tag.name, operation) for tag in document.tags for operation in tag.operations]
    return [_operation(tag, operation) for tag, operation in sorted(pairs, key=lambda pair: (pair[0], pair[1].name))]


def contract_schemas(document: Document) -> list[tuple[str, str]]:
    """Return the name of each schema with a tuple of calls of `Field`, sorted by name."""
    return sorted((schema.name, _fields(schema)) for schema in document.schemas)


def _operation(tag: str, operation: Operation) -> str:
    values = [
        *(repr(value) for value in (tag, operation.name, operation.method, operation.path)),
        _tuple(call for parameter in operation.parameters for call in _parameters(parameter)),
        repr(_plain(operation.body.type)) if operation.body else "None",
        *(repr(value) for value in (operation.response.kind, _plain(operation.response.type))),
        repr(operation.response.media_types),
        *(repr(value) for value in (operation.group or operation.name, operation.waits_for_model)),
        _generations(operation.generations),
        repr(operation.retry),
    ]
    return f"Operation({', '.join(values)})"


def _parameters(parameter: Parameter) -> Iterator[str]:
    """Yield a parameter; one that v2 has changed is two, each of one generation."""
    if parameter.v2 is None:
        yield _parameter(parameter, parameter.generations or GENERATIONS)
    else:
        yield _parameter(parameter, ("v1",))
        yield _parameter(parameter.v2, ("v2",))


def _parameter(parameter: Parameter, generations: tuple[str, ...]) -> str:
    values = (parameter.wire, parameter.name, parameter.location, _plain(parameter.type), parameter.required)
    return f"Parameter({', '.join(map(repr, values))}, {_generations(generations)})"


def _fields(schema: Schema) -> str:
    return _tuple(_field(field) for field in schema.fields)


def _field(field: Field) -> str:
    return f"Field({field.wire!r}, {_plain(field.type)!r}, {_generations(field.generations or GENERATIONS)})"


def _plain(type_: Type) -> object:
    return (type_.kind, _plain(type_.item)) if type_.item else type_.model or type_.kind


def _generations(generations: tuple[str, ...]) -> str:
    return "BOTH" if generations == GENERATIONS else repr(generations)


def _tuple(values: Iterable[str]) -> str:
    return "(" + "".join(f"{value}, " for value in values) + ")"
