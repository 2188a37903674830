"""Who may import whom: downwards only, as the design draws it."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "freechat_sdk"
FACADE = "__init__"

LAYERS = (
    {"_secrets", "_sse", "_names", "api_response"},
    {"exceptions"},
    {"_model", "_headers", "hooks", "_retry", "upload"},
    {"_mixins", "models", "configuration", "_decoders"},
    {"_operation", "_generation"},
    {"_request", "_timeouts"},
    {"_observer"},
    {"_connection"},
    {"_socks"},
    {"_pool"},
    {"_response"},
    {"rest", "streaming", "download"},
    {"api_client"},
    {"_api"},
    {"api"},
    {FACADE},
)
"""From the lowest to the highest; a module imports those below it, and of its own floor what makes no circle."""

KNOWN = {
    ("models.sse_emitter", "streaming"): "the official path of SseEmitter, which is no model",
    ("_mixins", "models.chat_message_dto"): "a type of a field that the mixin reads; nothing is loaded",
}
REST = {"rest", "_connection", "_pool", "_response", "_socks"}
"""The REST layer: alone in knowing urllib3."""

INPUT_AND_OUTPUT = {"asyncio", "http", "multiprocessing", "select", "selectors", "socket", "ssl", "subprocess"}
INPUT_AND_OUTPUT |= {"threading", "urllib.request", "urllib3"}
DEPENDENCIES = {"dateutil", "pydantic", "pydantic_core", "typing_extensions", "urllib3"}
OPTIONAL = {"_socks": {"socks"}}
"""What a module may import that users install only if they need it."""
SANDBOX = "sandbox"


def files_of(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*.py") if "__pycache__" not in file.parts)


def module_of(file: Path) -> str:
    """The name of a file's module within the package, as `models.chat_dto`; a package's own is its folder's."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == FACADE else parts)


MODULES = {module_of(file): file for file in files_of(PACKAGE)}
CLIENT = {module: file for module, file in MODULES.items() if module.partition(".")[0] != SANDBOX}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def nodes_of(tree: ast.AST, *, types_too: bool) -> Iterator[ast.AST]:
    """Yield every node, inside functions as well; what only type checkers see on demand."""
    for node in ast.iter_child_nodes(tree):
        if types_too or not is_type_checking(node):
            yield node
            yield from nodes_of(node, types_too=types_too)


def imports_of(source: str, *, types_too: bool = True) -> set[str]:
    """The dotted names that a source imports: `a.b` for `import a.b`, `a.b` for `from a import b`."""
    found: set[str] = set()
    for node in nodes_of(ast.parse(source), types_too=types_too):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            found.update(f"{start}.{name.name}" for name in node.names)
    return found


def imports_in(file: Path, *, types_too: bool = True) -> set[str]:
    return imports_of(file.read_text("utf-8"), types_too=types_too)


def own_module(name: str) -> str | None:
    """The client's module that a dotted name lies in; None for a foreign one and for the version, a literal."""
    start, _, rest = name.partition(".")
    if start != "freechat_sdk" or rest == "__version__":
        return None
    return next((module for module in (rest, rest.rpartition(".")[0]) if module in MODULES), FACADE)


def modules_used_by(file: Path) -> set[str]:
    return {module for name in imports_in(file) if (module := own_module(name)) is not None}


def layer_of(module: str) -> int:
    (found,) = (number for number, layer in enumerate(LAYERS) if module.partition(".")[0] in layer)
    return found


def upward_imports(module: str, used: set[str]) -> set[str]:
    return {other for other in used if layer_of(other) > layer_of(module) and (module, other) not in KNOWN}


def is_within(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


@pytest.mark.parametrize("module", CLIENT)
def test_a_module_imports_downwards_only(module: str) -> None:
    assert upward_imports(module, modules_used_by(CLIENT[module])) == set()


def test_no_import_is_relative() -> None:
    assert [name for file in MODULES.values() for name in imports_in(file) if name.startswith(".")] == []


def test_modules_import_each_other_in_no_circle() -> None:
    graph = {
        module: {used for used in modules_used_by(file) if (module, used) not in KNOWN} - {module}
        for module, file in CLIENT.items()
        if file.name != "__init__.py"
    }

    TopologicalSorter(graph).prepare()


def test_the_known_exceptions_are_still_needed() -> None:
    assert [pair for pair in KNOWN if pair[1] not in modules_used_by(MODULES[pair[0]])] == []


def test_api_client_imports_neither_models_nor_apis() -> None:
    used = modules_used_by(MODULES["api_client"])

    assert {module for module in used if is_within(module, {"models", "api"})} == set()


@pytest.mark.parametrize("module", sorted(CLIENT.keys() - REST))
def test_urllib3_is_the_business_of_the_rest_layer(module: str) -> None:
    assert {name for name in imports_in(CLIENT[module], types_too=False) if is_within(name, {"urllib3"})} == set()


@pytest.mark.parametrize("module", ["_request", "_operation", "_headers", "_decoders", "_sse"])
def test_the_core_does_no_input_or_output(module: str) -> None:
    assert {name for name in imports_in(MODULES[module]) if is_within(name, INPUT_AND_OUTPUT)} == set()


@pytest.mark.parametrize("module", CLIENT)
def test_the_client_imports_the_standard_library_and_its_dependencies_alone(module: str) -> None:
    allowed = DEPENDENCIES | {"freechat_sdk"} | OPTIONAL.get(module, set())
    foreign = {name for name in imports_in(CLIENT[module]) if name.partition(".")[0] not in sys.stdlib_module_names}

    assert {name for name in foreign if not is_within(name, allowed)} == set()


@pytest.mark.parametrize("module", CLIENT)
def test_the_client_does_not_know_the_sandbox(module: str) -> None:
    assert {name for name in imports_in(CLIENT[module]) if is_within(name, {f"freechat_sdk.{SANDBOX}"})} == set()


def test_the_sandbox_imports_nothing_of_the_client() -> None:
    sandbox = [file for module, file in MODULES.items() if module not in CLIENT]
    used = {name for file in sandbox for name in imports_in(file) if is_within(name, {"freechat_sdk"})}

    assert {name for name in used if not is_within(name, {f"freechat_sdk.{SANDBOX}"})} == set()


def test_the_generator_imports_nothing_of_the_client() -> None:
    used = {name for file in files_of(ROOT / "codegen") for name in imports_in(file)}

    assert {name for name in used if is_within(name, {"freechat_sdk"})} == set()


def test_an_import_within_a_function_and_for_types_counts_as_well() -> None:
    source = """
if TYPE_CHECKING:
    from freechat_sdk.api import ChatApi

def late() -> None:
    from freechat_sdk import rest
    import freechat_sdk.streaming
"""
    late = {"freechat_sdk.rest", "freechat_sdk.streaming"}

    assert imports_of(source) == {"freechat_sdk.api.ChatApi"} | late
    assert imports_of(source, types_too=False) == late
    assert upward_imports("_request", {"rest", "streaming", "api"}) == {"rest", "streaming", "api"}
