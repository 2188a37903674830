"""What the generator knows of the client, against the client."""

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest

import freechat_sdk
from codegen import document, runtime
from codegen.plan import API_IMPORTS, MODEL_IMPORTS
from freechat_sdk import Configuration, rest
from freechat_sdk._operation import BOTH, RetryClass
from freechat_sdk.download import as_download
from freechat_sdk.exceptions import kind_for

CONFIGURATION = Configuration()
STATED: dict[str, tuple[Any, Any]] = {
    "the package": (runtime.PACKAGE, freechat_sdk.__name__),
    "the default host": (runtime.DEFAULT_HOST, CONFIGURATION.host),
    "the time limit of a call": (runtime.TIMEOUT, CONFIGURATION.timeout),
    "the time limit of a model": (runtime.MODEL_TIMEOUT, CONFIGURATION.model_timeout),
    "the time to a first event": (runtime.STREAM_FIRST_EVENT_TIMEOUT, CONFIGURATION.stream_first_event_timeout),
    "the silence of a stream": (runtime.STREAM_IDLE_TIMEOUT, CONFIGURATION.stream_idle_timeout),
    "the retried statuses": (set(runtime.RETRIED_STATUSES), rest.RETRIED_STATUSES),
    "the retry classes": (document.RETRY_CLASSES, tuple(member.value for member in RetryClass)),
    "the generations": (document.GENERATIONS, BOTH),
    "what a download accepts": (runtime.DOWNLOAD_ACCEPT, as_download.accept),
    "the exceptions": (
        {status: runtime.exception_for(status) for status in range(400, 600)},
        {status: kind_for(status).__name__ for status in range(400, 600)},
    ),
}


@pytest.mark.parametrize(("stated", "real"), STATED.values(), ids=STATED)
def test_a_constant_of_the_generator_is_that_of_the_client(stated: Any, real: Any) -> None:
    assert stated == real


@pytest.mark.parametrize("imports", [API_IMPORTS, MODEL_IMPORTS], ids=["api", "models"])
def test_a_name_that_generated_files_import_exists(imports: dict[str, tuple[str, ...]]) -> None:
    for module, names in imports.items():
        assert [name for name in names if not hasattr(importlib.import_module(module), name)] == [], module


def test_the_package_offers_every_error() -> None:
    assert runtime.PUBLIC_NAMES["exceptions"] == tuple(freechat_sdk.exceptions.__all__)


def test_a_stub_offers_what_its_package_offers() -> None:
    for package in (freechat_sdk, freechat_sdk.api, freechat_sdk.models):
        assert package.__file__ is not None
        stub = ast.parse(Path(package.__file__).with_suffix(".pyi").read_text("utf-8"))
        imported = [name.asname for node in ast.walk(stub) if isinstance(node, ast.ImportFrom) for name in node.names]
        (listed,) = (node.value for node in stub.body if isinstance(node, ast.Assign))
        assert sorted(package.__all__) == ast.literal_eval(listed)
        assert set(package.__all__) - {"__version__"} == set(imported)
