"""Who may import whom, as design.md draws it: downwards only, without circles, and each matter in its own modules."""

import ast
import http.client
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import urllib3

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "freechat_sdk"
FACADE = "__init__"
SANDBOX = "sandbox"

FLOORS = {
    "ground": {"_secrets", "_sse", "_thinking", "_names", "api_response"},
    "errors": {"exceptions"},
    "values": {"_addresses", "_model", "_unknown_fields", "_headers", "hooks", "_retry", "upload"},
    "models and settings": {"_mixins", "models", "configuration", "_decoders"},
    "operations": {"_operation", "_generation"},
    "requests and timeouts": {"_request", "_timeouts"},
    "observers and hints": {"_observer", "_hints"},
    "calls under way": {"_exchange"},
    "connections": {"_connection"},
    "connections through SOCKS": {"_socks"},
    "pools": {"_pool"},
    "responses": {"_response"},
    "calls, streams and downloads": {"rest", "streaming", "download"},
    "client": {"api_client"},
    "base of API classes": {"_api"},
    "API classes": {"api"},
    "helpers": {"characters", "conversation", "pagination", "teaching", "transcript"},
    "facade": {FACADE},
    "command": {"__main__"},
}
"""From the lowest to the highest; a module imports those below it, and of its own floor what makes no circle."""

KNOWN = {
    ("models.sse_emitter", "streaming"): "the official path of SseEmitter, which is not a model",
    ("_mixins", "models.chat_content_dto"): "the type of a field that a mixin reads; nothing is loaded",
    ("_mixins", "models.chat_context_dto"): "the type of a field that a mixin reads; nothing is loaded",
    ("_mixins", "models.chat_message_dto"): "the type of a field that a mixin reads; nothing is loaded",
}
"""The exceptions, and why they are."""

PRIVATE_NAMES_OF_URLLIB3 = {"_connection", "_pool", "_socks"}
"""The modules that may touch private names of urllib3 and http.client, which a release may change."""
URLLIB3 = PRIVATE_NAMES_OF_URLLIB3 | {"_exchange", "_response", "rest"}
"""The modules that may import urllib3."""
FREE_OF_IO = {
    "from a method call to a request": {"_operation", "_generation", "_request", "_headers", "_hints"},
    "from bytes to a value": {"_decoders", "_sse", "_thinking", "_model"},
}
INPUT_AND_OUTPUT = {"asyncio", "http", "multiprocessing", "select", "selectors", "socket", "ssl", "subprocess"}
INPUT_AND_OUTPUT |= {"threading", "urllib.request", "urllib3"}
DEPENDENCIES = {"dateutil", "pydantic", "pydantic_core", "typing_extensions", "urllib3"}
OPTIONAL = {"_socks": {"socks"}}
"""What a module may import that users install only if they need it."""


def files_of(folder: Path) -> list[Path]:
    """The sources and stubs of a folder."""
    return sorted(file for file in folder.rglob("*.py*") if file.suffix in (".py", ".pyi"))


def module_of(file: Path) -> str:
    """The name of a file's module within the package, as `models.chat_dto`; a package's own is its folder's."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == FACADE else parts)


MODULES: dict[str, list[ast.Module]] = {}
"""Each module's source, and its stub if it has one."""
for _file in files_of(PACKAGE):
    MODULES.setdefault(module_of(_file), []).append(ast.parse(_file.read_bytes()))
CLIENT = {module: trees for module, trees in MODULES.items() if module.partition(".")[0] != SANDBOX}


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that a source imports, within functions and for type checkers as well.

    They are `a.b` for `import a.b` and for `from a import b`.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from (f"{start}.{name.name}" for name in node.names)


def imports_in(module: str) -> set[str]:
    return {name for tree in MODULES[module] for name in imports_of(tree)}


def is_within(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def own_module(name: str) -> str | None:
    """The client's module that a dotted name lies in; None for a foreign one and for the version, a literal."""
    start, _, rest = name.partition(".")
    if start != "freechat_sdk" or rest == "__version__":
        return None
    return next((module for module in (rest, rest.rpartition(".")[0]) if module in MODULES), FACADE)


def modules_used_by(module: str) -> set[str]:
    used = {own for name in imports_in(module) if (own := own_module(name)) is not None}
    return used - {module}


def floor_of(module: str) -> int:
    (found,) = (number for number, floor in enumerate(FLOORS.values()) if module.partition(".")[0] in floor)
    return found


def upward_imports(module: str, used: set[str]) -> set[str]:
    return {other for other in used if floor_of(other) > floor_of(module) and (module, other) not in KNOWN}


@pytest.mark.parametrize("module", CLIENT)
def test_a_module_stands_on_one_floor(module: str) -> None:
    assert len([name for name, floor in FLOORS.items() if module.partition(".")[0] in floor]) == 1


@pytest.mark.parametrize("module", CLIENT)
def test_a_module_imports_downwards_only(module: str) -> None:
    assert upward_imports(module, modules_used_by(module)) == set()


def test_modules_import_each_other_without_a_circle() -> None:
    graph = {module: {used for used in modules_used_by(module) if (module, used) not in KNOWN} for module in CLIENT}

    TopologicalSorter(graph).prepare()


def test_a_circle_would_be_found_and_is_there_without_the_known_exceptions() -> None:
    graph = {module: modules_used_by(module) for module in CLIENT}

    with pytest.raises(CycleError):
        TopologicalSorter(graph).prepare()


def test_the_known_exceptions_are_still_needed() -> None:
    assert [pair for pair in KNOWN if pair[1] not in modules_used_by(pair[0])] == []


def test_no_import_is_relative() -> None:
    assert [name for module in MODULES for name in imports_in(module) if name.startswith(".")] == []


def test_the_module_of_secrets_imports_nothing_but_the_standard_library() -> None:
    assert {name for name in imports_in("_secrets") if name.partition(".")[0] not in sys.stdlib_module_names} == set()


def test_api_client_imports_neither_models_nor_apis() -> None:
    assert {module for module in modules_used_by("api_client") if is_within(module, {"models", "api"})} == set()


@pytest.mark.parametrize("module", sorted(CLIENT.keys() - URLLIB3))
def test_only_the_transport_imports_urllib3(module: str) -> None:
    assert {name for name in imports_in(module) if is_within(name, {"urllib3"})} == set()


@pytest.mark.parametrize("module", sorted(set().union(*FREE_OF_IO.values())))
def test_the_core_does_no_input_or_output(module: str) -> None:
    assert {name for name in imports_in(module) if is_within(name, INPUT_AND_OUTPUT)} == set()


@pytest.mark.parametrize("module", CLIENT)
def test_the_client_imports_only_the_standard_library_and_its_dependencies(module: str) -> None:
    allowed = DEPENDENCIES | {"freechat_sdk"} | OPTIONAL.get(module, set())
    foreign = {name for name in imports_in(module) if name.partition(".")[0] not in sys.stdlib_module_names}

    assert {name for name in foreign if not is_within(name, allowed)} == set()


@pytest.mark.parametrize("module", CLIENT)
def test_the_client_does_not_know_the_sandbox(module: str) -> None:
    assert {name for name in imports_in(module) if is_within(name, {f"freechat_sdk.{SANDBOX}"})} == set()


def test_the_sandbox_imports_nothing_of_the_client() -> None:
    sandbox = MODULES.keys() - CLIENT.keys() - {f"{SANDBOX}.pytest_plugin"}  # which has a client as a fixture
    used = {name for module in sandbox for name in imports_in(module)}
    own = {name for name in used if is_within(name, {"freechat_sdk"})}

    assert {name for name in own if not is_within(name, {f"freechat_sdk.{SANDBOX}"})} == set()


def test_the_generator_imports_nothing_of_the_client() -> None:
    used = {name for file in files_of(ROOT / "codegen") for name in imports_of(ast.parse(file.read_bytes()))}

    assert {name for name in used if is_within(name, {"freechat_sdk"})} == set()


# Private names


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_names_touched(tree: ast.AST) -> Iterator[str]:
    """Yield the private names that a source reads or sets on anything, by a dot or by `getattr` and its kin."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            yield node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("attr"):
            yield from (str(a.value) for a in node.args if isinstance(a, ast.Constant) and is_private(str(a.value)))


def private_names_defined(tree: ast.AST) -> Iterator[str]:
    """Yield the private names that a source gives to its own classes: methods, fields, what `self` is set to."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
            yield node.attr


def is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def private_names_of_urllib3() -> set[str]:
    files = [*files_of(Path(urllib3.__file__).parent), Path(http.client.__file__)]
    trees = [ast.parse(file.read_bytes()) for file in files]
    return {name for tree in trees for name in private_names_defined(tree) if is_private(name)}


FOREIGN = private_names_of_urllib3()


def foreign_names_touched(trees: list[ast.Module]) -> set[str]:
    """The private names of urllib3 and http.client that a module touches and has not defined itself."""
    own = {name for tree in trees for name in private_names_defined(tree)}
    return {name for tree in trees for name in private_names_touched(tree)} & FOREIGN - own


@pytest.mark.parametrize("module", sorted(CLIENT.keys() - PRIVATE_NAMES_OF_URLLIB3))
def test_only_connections_and_pools_touch_private_names_of_urllib3(module: str) -> None:
    assert foreign_names_touched(CLIENT[module]) == set()


# The tests themselves


def test_the_private_names_are_found() -> None:
    known = {"_get_conn", "_put_conn", "_make_request", "_new_conn", "_decoder", "_obj", "_socks_options", "_buffer"}
    assert known <= FOREIGN
    assert foreign_names_touched([ast.parse("response._decoder._obj\ngetattr(pool, '_put_conn')\nmine._other")]) == {
        "_decoder",
        "_obj",
        "_put_conn",
    }
    assert foreign_names_touched([ast.parse("class A:\n    def _make_request(self): self._make_request()")]) == set()


def test_an_import_within_a_function_and_for_types_counts_as_well() -> None:
    source = """
if TYPE_CHECKING:
    from freechat_sdk.api import ChatApi

def late() -> None:
    from freechat_sdk import rest
    import freechat_sdk.streaming
"""
    used = set(imports_of(ast.parse(source)))

    assert used == {"freechat_sdk.api.ChatApi", "freechat_sdk.rest", "freechat_sdk.streaming"}
    assert {own_module(name) for name in used} == {"api", "rest", "streaming"}
    assert upward_imports("_request", {"rest", "streaming", "api"}) == {"rest", "streaming", "api"}


def test_stubs_are_read_too(tmp_path: Path) -> None:
    for name in ("a.py", "a.pyi", "a.pyc", "py.typed"):
        (tmp_path / name).touch()

    assert [file.name for file in files_of(tmp_path)] == ["a.py", "a.pyi"]
