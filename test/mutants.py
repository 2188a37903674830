"""Small changes of a module, and whether the tests notice them: `python -m test.mutants [module ...]`, `make mutants`.

test/mutants.yaml names the tests of each module, and argues each change that they need not notice. Changes are made in
memory, in a process of their own. Messages of errors are not changed: their wording is free.

Tools for this were tried: mutmut 3 puts a function around each function, which changes signatures and frames that this
package promises; cosmic-ray removes no statements, and wants a session for each module.
"""

import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parent.parent
LIST = Path(__file__).with_suffix(".yaml")
PROCESSES = 2
PRELOADED = ["hypothesis", "pydantic", "pytest", "trustme", "urllib3", "yaml"]
UNCHANGED_FIELDS = {"annotation", "returns", "decorator_list", "bases"}
UNCHANGED_CALLS = {"TypeVar", "ParamSpec", "NamedTuple", "warn"}
OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip


class Mutant(NamedTuple):
    change: str
    """The place and the line before and after, as it stands in the list."""
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Yield each small change of a module."""
    tree = ast.parse(source)
    before = ast.unparse(tree).splitlines()
    for holder, key, new, place in _sites(tree, ""):
        old = holder[key] if isinstance(holder, list) else getattr(holder, key)
        _put(holder, key, new)
        text = ast.unparse(ast.fix_missing_locations(tree))
        _put(holder, key, old)
        changed = [pair for pair in zip(before, text.splitlines(), strict=False) if pair[0] != pair[1]]
        if changed:
            yield Mutant(f"{place}: {changed[0][0].strip()} -> {changed[0][1].strip()}", text)


def _put(holder: Any, key: Any, new: object) -> None:
    if isinstance(holder, list):
        holder[key] = new
    else:
        setattr(holder, key, new)


def _sites(node: ast.AST, place: str) -> Iterator[tuple[Any, Any, ast.AST, str]]:
    """Yield where something can be put in another's place, and what."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        place = f"{place}.{node.name}".lstrip(".")
    for field, value in ast.iter_fields(node):
        if field in UNCHANGED_FIELDS or (isinstance(node, ast.ClassDef) and field == "keywords"):
            continue
        for holder, key, child in (
            [(value, index, item) for index, item in enumerate(value)]
            if isinstance(value, list)
            else [(node, field, value)]
        ):
            if not isinstance(child, ast.AST) or _is_left_alone(child):
                continue
            yield from ((holder, key, new, place) for new in _others(child))
            yield from _sites(child, place)


def _is_left_alone(node: ast.AST) -> bool:
    """Return whether a node is a docstring, wording, or for type checkers only."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return True
        case ast.keyword(arg="message" | "hint"):
            return True
        case ast.Call(func=ast.Name(id=name)) if name in UNCHANGED_CALLS or name.endswith(("Error", "Exception")):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__" | "message" | "hint" | "_advice")]):
            return True
    return False


def _others(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what can stand in the place of a node."""
    match node:
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                other = copy.copy(node)
                other.ops = [*node.ops[:index], OTHER[type(operator)](), *node.ops[index + 1 :]]  # type: ignore[list-item]
                yield other
        case ast.BoolOp() | ast.BinOp() | ast.AugAssign() if type(node.op) in OTHER:
            changed: Any = copy.copy(node)
            changed.op = OTHER[type(node.op)]()
            yield changed
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str() as value):
            yield ast.Constant(f"{value}~")
        case ast.Constant(value=bytes() as value):
            yield ast.Constant(value + b"~")
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None))
    match node:
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Break() | ast.Continue() | ast.Delete():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.AnnAssign(target=ast.Attribute()):
            yield ast.Pass()
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            if not isinstance(test, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
                turned: Any = copy.copy(node)
                turned.test = ast.UnaryOp(ast.Not(), test)
                yield turned
        case ast.Expr(value=ast.YieldFrom()):
            yield ast.Pass()


class _Loader(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Loads one module from a text instead of its file."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self.name, self.path, self.source = name, path, source

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def get_source(self, fullname: str) -> str:
        return self.source

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)


def _test(module: str, source: str, tests: Sequence[str]) -> None:
    """Run tests with a changed module, and end this process with 0 if they notice nothing."""
    import pytest

    os.chdir(ROOT)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    sys.meta_path.insert(0, _Loader(f"freechat_sdk.{module}", ROOT / f"freechat_sdk/{module}.py", source))
    options = [
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
    ]
    # File by file: most changes are noticed by the first, and collecting the others takes longer than running it.
    os._exit(next((int(status) for test in tests if (status := pytest.main([*options, test]))), 0))


def outcome(module: str, source: str, tests: Sequence[str], limit: float | None = None) -> int | None:
    """Return the exit status of the tests with a changed module, or None if they took too long."""
    process = multiprocessing.get_context("forkserver").Process(target=_test, args=(module, source, tests))
    process.start()
    process.join(limit)
    if process.is_alive():
        process.kill()
        process.join()
        return None
    return process.exitcode


def run(module: str, about: dict[str, Any]) -> bool:
    """Make each change of a module, print what comes of it, and return whether each one is noticed or argued."""
    source, tests = (ROOT / f"freechat_sdk/{module}.py").read_text(), [f"test/{name}.py" for name in about["tests"]]
    argued = {entry["change"] for entry in about.get("unnoticed", ())}
    began = time.monotonic()
    if outcome(module, source, tests) != 0:
        raise SystemExit(f"{module}: the tests fail without a change")
    limit = 20 + 3 * (time.monotonic() - began)
    found = list(mutants(source))
    with ThreadPoolExecutor(PROCESSES) as pool:
        statuses = list(pool.map(lambda mutant: outcome(module, mutant.source, tests, limit), found))
    unnoticed = [mutant.change for mutant, status in zip(found, statuses, strict=True) if status == 0]
    new, gone = [change for change in unnoticed if change not in argued], argued - set(unnoticed)
    noticed = len(found) - len(unnoticed)
    print(f"{module}: {noticed} of {len(found)} noticed, {100 * noticed / len(found):.1f} %", end="")
    print(f", {len(unnoticed) - len(new)} argued, {statuses.count(None)} by time, {time.monotonic() - began:.0f} s")
    print(
        "".join(f"  - {change}\n" for change in new) + "".join(f"  is noticed: {change}\n" for change in gone), end=""
    )
    sys.stdout.flush()
    return not new


def main(names: Sequence[str]) -> int:
    modules = yaml.safe_load(LIST.read_text())
    multiprocessing.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder
        outcomes = [run(name, modules[name]) for name in names or modules]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
