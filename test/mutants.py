"""Small changes of a module, and whether the tests notice them: `python -m test.mutants [module ...]`, `make mutants`.

test/mutants.yaml names the tests of each module, and argues each change that they need not notice. Changes are made in
memory, in a process of their own. Messages of errors are not changed: their wording is free.

mutmut 3 was tried: it puts a function around each function, which changes signatures and frames that this package
promises.
"""

import ast
import copy
import importlib.util
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
PROCESSES = 2
PRELOADED = ["hypothesis", "pydantic", "pytest", "trustme", "urllib3", "yaml"]
OPTIONS = ["-x", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
UNCHANGED_FIELDS = {"annotation", "returns", "decorator_list", "bases"}
UNCHANGED_CALLS = {"TypeVar", "ParamSpec", "NamedTuple", "warn"}
OTHER: dict[type[ast.AST], type[Any]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Yield each small change of a module: place, line before and line after, as in the list; and the whole text."""
    tree = ast.parse(source)
    before = ast.unparse(tree).splitlines()
    for holder, key, new, place in _sites(tree, ""):
        old, holder[key] = holder[key], new
        text = ast.unparse(ast.fix_missing_locations(tree))
        holder[key] = old
        for line, changed in zip(before, text.splitlines(), strict=False):
            if line != changed:
                yield f"{place}: {line.strip()} -> {changed.strip()}", text
                break


def _sites(node: ast.AST, place: str) -> Iterator[tuple[Any, Any, ast.AST, str]]:
    """Yield where something can be put in another's place, and what."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        place = f"{place}.{node.name}".lstrip(".")
    for field, value in ast.iter_fields(node):
        if field in UNCHANGED_FIELDS or (isinstance(node, ast.ClassDef) and field == "keywords"):
            continue
        holder: Any = value if isinstance(value, list) else vars(node)
        keys: Any = range(len(value)) if isinstance(value, list) else [field]
        for key in keys:
            child = holder[key]
            if isinstance(child, ast.AST) and not _is_left_alone(child):
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
                other.ops = [*node.ops[:index], OTHER[type(operator)](), *node.ops[index + 1 :]]
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


def _test(module: str, source: str, tests: Sequence[str]) -> None:
    """Run tests with a changed module, and end this process with 0 if they notice nothing."""
    import pytest

    os.chdir(ROOT)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    spec = importlib.util.find_spec(f"freechat_sdk.{module}")
    assert spec is not None
    sys.modules[spec.name] = changed = importlib.util.module_from_spec(spec)
    exec(compile(source, str(spec.origin), "exec"), vars(changed))
    # File by file: most changes are noticed by the first, and collecting the others takes longer than running it.
    os._exit(next((int(status) for test in tests if (status := pytest.main([*OPTIONS, test]))), 0))


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
        print(f"{module}: the tests fail without a change", flush=True)
        return False
    limit = 10 + 2 * (time.monotonic() - began)
    found = list(mutants(source))
    with ThreadPoolExecutor(PROCESSES) as pool:
        statuses = list(pool.map(lambda mutant: outcome(module, mutant[1], tests, limit), found))
    unnoticed = [change for (change, _), status in zip(found, statuses, strict=True) if status == 0]
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
    modules = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
    multiprocessing.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder
        outcomes = [run(name, modules[name]) for name in names or modules]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
