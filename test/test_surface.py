"""Every name that scripts written for the official clients use is in its place, and callable as they call it."""

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

import freechat_sdk
from codegen.naming import snake_case
from freechat_sdk import ApiClient, Configuration, SseEmitter
from freechat_sdk._model import Model
from freechat_sdk._names import API_MODULES, MODEL_MODULES

FACTS: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "data" / "contract" / "runtime.yaml").read_text())
MODULES = [name for name in FACTS["modules"] if "<" not in name]
UNLISTED = ("Connector", "Skill")
"""The models of the newest servers, which the facts of the surface do not list."""


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_importable(name: str) -> None:
    assert importlib.import_module(name).__name__ == name


@pytest.mark.parametrize("name", sorted(FACTS["package"]))
def test_the_package_offers_a_name(name: str) -> None:
    assert getattr(freechat_sdk, name) is not None
    assert name in dir(freechat_sdk)


@pytest.mark.parametrize(("name", "home"), {**API_MODULES, **MODEL_MODULES}.items())
def test_a_class_is_offered_by_package_and_module(name: str, home: str) -> None:
    folder = "api" if name in API_MODULES else "models"
    assert home == f"freechat_sdk.{folder}.{snake_case(name)}"
    listed = home.rpartition(".")[2] in FACTS[f"{folder.removesuffix('s')}_modules"]
    assert listed or name.startswith(UNLISTED)
    value = getattr(importlib.import_module(home), name)
    assert getattr(freechat_sdk, name) is getattr(importlib.import_module(f"freechat_sdk.{folder}"), name) is value


def check_call(function: Any, parameters: list[str]) -> None:
    """Hold a signature against `name` (required), `name=` (optional) and `*name=` (by keyword only), in order."""
    found = [parameter for parameter in inspect.signature(function).parameters.values() if parameter.name != "self"]
    positional = [parameter for parameter in parameters if not parameter.startswith("*")]
    for expected, parameter in zip(positional, found, strict=False):
        assert parameter.name == expected.rstrip("=")
        assert not expected.endswith("=") or parameter.default is not parameter.empty
    by_name = {parameter.name: parameter for parameter in found}
    for expected in parameters:
        if expected not in ("*args", "**kwargs"):
            assert expected.strip("*=") in by_name, expected
    known = {name.strip("*=") for name in parameters}
    for parameter in found:
        is_variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        assert parameter.name in known or is_variable or parameter.default is not parameter.empty


@pytest.mark.parametrize("owner", ["Configuration", "ApiClient"])
def test_a_class_has_its_members(owner: str) -> None:
    kind = getattr(freechat_sdk, owner)
    instance = kind()
    for name, parameters in FACTS[owner].items():
        if name in ("attributes", "no_meaning_here", "class_or_module_level", "not_kept"):
            continue
        if parameters == "property":
            assert isinstance(inspect.getattr_static(kind, name), property)
        else:
            check_call(getattr(kind, name), parameters)
    for attribute in FACTS[owner]["attributes"]:
        assert hasattr(instance, attribute), attribute
    for name in FACTS["ApiClient"]["not_kept"]:
        assert not hasattr(ApiClient, name)


def test_class_level_functions_need_no_instance() -> None:
    for name in FACTS["Configuration"]["class_or_module_level"]:
        assert inspect.ismethod(getattr(Configuration, name))


@pytest.mark.parametrize(("name", "fact"), FACTS["exceptions"].items())
def test_an_exception_is_made_and_caught_as_before(name: str, fact: dict[str, Any]) -> None:
    kind = getattr(freechat_sdk.exceptions, name)
    bases = {base.__name__ for base in kind.__mro__}
    assert set(fact["bases"]) <= bases
    if name != "OpenApiException":
        check_call(kind.__init__, fact["init"])


def test_api_exception_has_its_attributes() -> None:
    error = freechat_sdk.ApiException(404, "Not Found")
    for attribute in FACTS["ApiException"]["attributes"]:
        assert hasattr(error, attribute)
    assert freechat_sdk.rest.ApiException is freechat_sdk.ApiException


def test_the_rest_module_offers_its_names() -> None:
    for name in FACTS["rest"]:
        assert hasattr(freechat_sdk.rest, name)


def test_a_response_has_its_fields() -> None:
    check_call(freechat_sdk.ApiResponse, FACTS["ApiResponse"]["fields"])


@pytest.mark.parametrize("name", [name for name in MODEL_MODULES if name != "SseEmitter"])
def test_a_model_has_the_methods_of_all_models(name: str) -> None:
    model = getattr(freechat_sdk, name)
    assert issubclass(model, Model)
    for method in (*FACTS["model"]["methods"], *FACTS["model"]["class_methods"], "additional_properties"):
        assert hasattr(model, method)


def test_the_official_place_of_the_emitter_leads_to_ours() -> None:
    from freechat_sdk.models.sse_emitter import SseEmitter as Official

    assert Official is SseEmitter is freechat_sdk.streaming.SseEmitter


def test_the_default_host_is_the_official_one() -> None:
    assert Configuration().host == FACTS["default_host"]


def test_a_method_and_its_siblings_show_their_own_signature_and_help() -> None:
    method = freechat_sdk.ChatApi.delete_chat
    sibling = freechat_sdk.ChatApi.delete_chat_with_http_info
    assert str(inspect.signature(method)).startswith("(self, chat_id: str, **options")
    assert str(inspect.signature(method)).endswith("-> bool")
    assert str(inspect.signature(sibling)).endswith("ApiResponse[bool]")
    assert sibling.__qualname__ == "ChatApi.delete_chat_with_http_info"
    assert (sibling.__doc__ or "").startswith("Delete a chat")
