"""The project's OpenAPI document against the facts of the API, name by name."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

from codegen.document import Document, Operation, Parameter, Schema, Tag, Type, read
from codegen.naming import snake_case
from codegen.node import load
from test.facts import BY_NAME, MODELS

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "codegen" / "openapi.yaml"


DOCUMENT: Document = read(load(SOURCE))
METHODS = [(tag, operation) for tag in DOCUMENT.tags for operation in tag.operations]
OWN_NAMES = {"string": "str", "integer": "int", "boolean": "bool", "number": "float", "any": "Any", "file": "file"}


def fact_type(type_: Type) -> str:
    """Return a type as the facts write it."""
    if type_.item is not None:
        inner = fact_type(type_.item)
        return f"List[{inner}]" if type_.kind == "array" else f"Dict[str, {inner}]"
    return type_.model or OWN_NAMES.get(type_.kind, type_.kind)


def test_the_document_is_valid_openapi() -> None:
    validate(yaml.safe_load(SOURCE.read_text(encoding="utf-8")))


def test_the_document_has_no_anchors_so_that_each_entry_can_be_moved_alone() -> None:
    events = yaml.parse(SOURCE.read_text(encoding="utf-8"))
    assert [event.anchor for event in events if isinstance(event, yaml.NodeEvent) and event.anchor is not None] == []


@pytest.mark.parametrize("tag", DOCUMENT.tags, ids=lambda tag: tag.name)
def test_a_class_has_all_its_operations_and_no_others(tag: Tag) -> None:
    named = {operation.name for operation in tag.operations}
    assert named == {name for api, name in BY_NAME if api == tag.name}


@pytest.mark.parametrize(("tag", "operation"), METHODS, ids=lambda value: value.name)
def test_an_operation_is_what_the_facts_say(tag: Tag, operation: Operation) -> None:
    fact = BY_NAME[tag.name, operation.name]
    assert {
        "name_in_2.x": operation.name_in_2x,
        "http": f"{operation.method} {operation.template}",
        "generations": list(operation.generations),
        "group": operation.group,
        "sends": operation.body.media_type if operation.body else None,
        "returns": returned(operation),
        "produces": list(operation.response.media_types),
        "retry": operation.retry,
        "retry_on_503": "busy" if operation.retry_busy else None,
        "time": "model" if operation.waits_for_model else None,
        "nullable": operation.nullable,
    } == {
        "name_in_2.x": fact.get("name_in_2.x", fact["method_name"]),
        "http": fact["http"],
        "generations": fact["generations"],
        "group": fact.get("group", ""),
        "sends": fact.get("sends"),
        "returns": fact["returns"],
        "produces": fact["produces"],
        "retry": fact["retry"],
        "retry_on_503": fact.get("retry_on_503"),
        "time": fact.get("time"),
        "nullable": fact.get("nullable", False),
    }


def returned(operation: Operation) -> str:
    kinds = {"events": "SseEmitter", "nothing": "None", "download": "download", "text": "str"}
    return kinds.get(operation.response.kind) or fact_type(operation.response.type)


@pytest.mark.parametrize(("tag", "operation"), METHODS, ids=lambda value: value.name)
def test_parameters_are_what_the_facts_say(tag: Tag, operation: Operation) -> None:
    expected = BY_NAME[tag.name, operation.name].get("parameters", [])
    found = [parameter_fact(parameter) for parameter in operation.parameters]
    if operation.body is not None:
        location = "file" if operation.body.type.kind == "file" else "body"
        found.append({"name": operation.body.name, "in": location, "type": fact_type(operation.body.type)})
    assert found == expected


def parameter_fact(parameter: Parameter) -> dict[str, Any]:
    fact: dict[str, Any] = {"name": parameter.name, "in": parameter.location, "type": fact_type(parameter.type)}
    if parameter.template_name != parameter.name:
        fact["wire"] = parameter.template_name
    if not parameter.required:
        fact["required"] = False
    if parameter.generations:
        fact["generations"] = list(parameter.generations)
    if parameter.v2 is not None:
        other = parameter.v2
        fact["v2"] = {"name": other.name, "type": fact_type(other.type), "wire": camel_case(other.name)}
    return fact


def camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@pytest.mark.parametrize("schema", DOCUMENT.schemas, ids=lambda schema: schema.name)
def test_a_model_is_what_the_facts_say(schema: Schema) -> None:
    fact = MODELS[schema.name]
    assert list(schema.generations) == fact["generations"]
    assert [field_fact(field) for field in schema.fields] == [
        {"name": name, "json": name, "required": False, "generations": [], **entry}
        for name, entry in fact["fields"].items()
    ]


def field_fact(field: Any) -> dict[str, Any]:
    return {
        "name": field.name,
        "json": field.wire,
        "type": fact_type(field.type),
        "required": field.required,
        "generations": list(field.generations),
    }


def test_the_models_are_those_that_operations_reach() -> None:
    reached = set().union(*(operation.models for _, operation in METHODS))
    contained = {schema.name: schema.models for schema in DOCUMENT.schemas}
    while more := set().union(*(contained[name] for name in reached)) - reached:
        reached |= more
    assert {schema.name for schema in DOCUMENT.schemas} == reached


DESCRIPTIONS = [
    *((f"{tag.name}", tag.description) for tag in DOCUMENT.tags),
    *((f"{operation.name}", operation.description) for _, operation in METHODS),
    *((f"{operation.name}.200", operation.response.description) for _, operation in METHODS),
    *(
        (f"{operation.name}.{parameter.name}", parameter.description)
        for _, operation in METHODS
        for parameter in operation.parameters
    ),
    *((schema.name, schema.description) for schema in DOCUMENT.schemas),
    *((f"{schema.name}.{field.name}", field.description) for schema in DOCUMENT.schemas for field in schema.fields),
]


@pytest.mark.parametrize(("owner", "text"), DESCRIPTIONS, ids=[owner for owner, _ in DESCRIPTIONS])
def test_a_description_says_more_than_the_name(owner: str, text: str) -> None:
    name_in_words = set(snake_case(owner.rpartition(".")[2]).split("_"))
    words = {word.strip("`.,;:()").lower() for word in text.split()}
    assert len(words - name_in_words - {"the", "a", "an", "of", "id", "is"}) >= 3, text
