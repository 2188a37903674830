"""Small changes of a module, and whether the tests notice them: `python -m test.mutants [module ...]`, `make mutants`.

test/mutants.yaml names the tests of each module, and argues each change that they need not notice. Messages of errors
and texts of several words are not changed: their wording is free.

Each change is made in memory, in a process of its own. For one within a function, that is a fork of a process that has
collected the tests: the function gets other code, and only those tests run that run its line. The same holds for a
constant and the lines that use it. For any other change, and if no test runs the line, a fresh process imports the
changed module and runs all tests.

mutmut 3 was tried: it puts a function around each function, which changes signatures and frames that this package
promises.
"""

import ast
import copy
import gc
import importlib.util
import inspect
import marshal
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PROCESSES = 2
NOT_REPLACED = 99
"""The exit status if a function cannot get the changed code."""
FORK, SPAWN = multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")
OPTIONS = [*("-p", "no:cacheprovider"), *("-p", "no:terminal"), *("-o", "addopts=")]
OPTIONS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
UNCHANGED_FIELDS = {"annotation", "returns", "decorator_list", "bases"}
UNCHANGED_CALLS = {"TypeVar", "ParamSpec", "NamedTuple", "cast", "warn"}
WORDING = re.compile(r"\w \w")
"""What makes a text words for people, and not a name or a key."""
ERROR_MAKERS = ("Error", "Exception", "_unreadable", "_interrupted", "_error")
"""How the names end of what makes an error."""
OTHER: dict[type[ast.AST], type[Any]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip


class Mutant(NamedTuple):
    """A module with one small change."""

    change: str
    """The place with the line before and after, as in the list."""
    code: CodeType
    lines: Sequence[int]
    """The lines of the statement that is changed."""
    function: tuple[str, int] | None
    """Name and first line of the function that is changed; None if the change takes effect on import."""
    constant: CodeType | None = None
    """The assignment that is changed, if it is one of the module; then `lines` are those that use its name."""


class _Site(NamedTuple):
    """Where something stands in another's place."""

    holder: Any
    key: Any
    new: ast.AST
    place: str
    lines: range
    function: tuple[str, int] | None


def mutants(source: str, path: str) -> Iterator[Mutant]:
    """Yield a module with each small change, one at a time."""
    tree = ast.parse(source)
    before = ast.unparse(tree).splitlines()
    for site in _sites(tree, "", range(0), None):
        old, site.holder[site.key] = site.holder[site.key], site.new
        after = ast.unparse(ast.fix_missing_locations(tree)).splitlines()
        code, lines = compile(tree, path, "exec"), list(site.lines)
        constant, name = _assigned(tree, lines)
        if constant is not None:
            lines = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name]
        site.holder[site.key] = old
        pairs = zip(before, after, strict=False)
        changed = next((f"{line.strip()} -> {new.strip()}" for line, new in pairs if line != new), None)
        if changed is not None:
            yield Mutant(f"{site.place}: {changed}", code, lines, site.function, constant)


def _assigned(tree: ast.Module, lines: Sequence[int]) -> tuple[CodeType | None, str]:
    """Return the code of an assignment of a module, and the name that it sets."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if lines[0] == statement.lineno:
                    return compile(ast.Module([statement], []), "<constant>", "exec"), name
    return None, ""


def _sites(node: Any, place: str, lines: range, function: tuple[str, int] | None) -> Iterator[_Site]:
    """Yield where something can be put in another's place, and what."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        place = f"{place}.{node.name}".lstrip(".")
    for field, value in ast.iter_fields(node):
        if field in UNCHANGED_FIELDS or (isinstance(node, ast.ClassDef) and field == "keywords"):
            continue
        inside = function
        if isinstance(node, ast.FunctionDef) and field == "body" and function is None:
            inside = (node.name, min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]))
        holder: Any = value if isinstance(value, list) else vars(node)
        keys: Any = range(len(value)) if isinstance(value, list) else [field]
        for key in keys:
            child = holder[key]
            if isinstance(child, ast.AST) and not _is_left_alone(child):
                own = _lines_of(child) if isinstance(child, ast.stmt) else lines
                yield from (_Site(holder, key, new, place, own, inside) for new in _others(child))
                yield from _sites(child, place, own, inside)


def _lines_of(statement: Any) -> range:
    """Return the lines of a statement without those that it holds."""
    body = getattr(statement, "body", None) or getattr(statement, "cases", None)
    first = body[0] if isinstance(body, list) else None
    first = getattr(first, "pattern", first)
    return range(statement.lineno, max(statement.lineno + 1, first.lineno) if first else statement.end_lineno + 1)


def _is_left_alone(node: ast.AST) -> bool:
    """Return whether a node is a docstring, wording, or for type checkers only."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return True
        case ast.keyword(arg="message" | "hint"):
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in UNCHANGED_CALLS or name.endswith(ERROR_MAKERS)
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
        case ast.Constant(value=str() as value) if not WORDING.search(value):
            yield ast.Constant(chr(ord(value) + 1) if len(value) == 1 else f"{value}x")
        case ast.Constant(value=bytes() as value):
            yield ast.Constant(value + b"x")
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


class _Ran(NamedTuple):
    """How a test ran: for how long, and over which lines of the module."""

    seconds: float
    lines: set[int]
    has_failed: bool


class _Loop:
    """A plugin of pytest that runs the collected tests for each change instead of once."""

    def __init__(self, module: str, tests: Sequence[str]) -> None:
        path = ROOT / f"freechat_sdk/{module}.py"
        self.mutants = list(mutants(path.read_text(), str(path)))
        self.statuses: list[int | None] = []
        """What came of each change: 0 if nothing was noticed, None if it took too long. Empty if a test failed."""
        self._module, self._path, self._tests = module, str(path), tests
        self.screen = os.dup(1)
        """Standard output, which pytest takes away while it runs."""
        self.failed: list[str] = []
        """The tests that fail without a change."""
        self._items: Sequence[Any] = ()
        self._runs: Sequence[_Ran] = ()
        self._has_failed = False

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._has_failed = self._has_failed or report.failed

    def pytest_runtestloop(self, session: Any) -> bool:
        self._items = session.items
        with ProcessPoolExecutor(PROCESSES, FORK, _keep, (self,)) as pool:
            self._runs = list(pool.map(_run_of, range(len(self._items))))
        self.failed = [item.nodeid for item, run in zip(self._items, self._runs, strict=True) if run.has_failed]
        if not self.failed:
            with ProcessPoolExecutor(PROCESSES, FORK, _keep, (self,)) as pool:
                self.statuses = list(pool.map(_status_of, range(len(self.mutants))))
        return True

    def traced(self, number: int) -> _Ran:
        """Run a test in a fork, so that nothing is left of it that later ones would use instead of running a line."""
        receiver, sender = FORK.Pipe(duplex=False)
        process = FORK.Process(target=lambda: sender.send(self._trace(number)))
        process.start()
        found: _Ran = receiver.recv()
        process.join()
        return found

    def _trace(self, number: int) -> _Ran:
        lines: set[int] = set()

        def trace_lines(frame: FrameType, _event: str, _argument: object) -> Any:
            lines.add(frame.f_lineno)
            return trace_lines

        def trace(frame: FrameType, _event: str, _argument: object) -> Any:
            return trace_lines if frame.f_code.co_filename == self._path else None

        began = time.monotonic()
        threading.settrace(trace)
        sys.settrace(trace)
        self._run(self._items[number])
        sys.settrace(None)
        return _Ran(time.monotonic() - began, lines, self._has_failed)

    def _run(self, item: Any) -> None:
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)

    def status(self, mutant: Mutant) -> int | None:
        """Return what comes of a change."""
        runs = sorted((run.seconds, number) for number, run in enumerate(self._runs) if run.lines & {*mutant.lines})
        if runs and (mutant.function or mutant.constant):
            fork = FORK.Process(target=self._replace, args=(mutant, [number for _, number in runs]))
            status = _ended(fork, sum(run.seconds for run in self._runs))
            if status != NOT_REPLACED and (status != 0 or mutant.function):  # others may have imported a constant
                return status
        process = SPAWN.Process(target=_import, args=(self._module, marshal.dumps(mutant.code), self._tests))
        return _ended(process, sum(run.seconds for run in self._runs))

    def _replace(self, mutant: Mutant, numbers: Sequence[int]) -> None:
        """Run some tests with a changed function or constant, and end this process with 0 if they notice nothing."""
        try:
            if mutant.constant is None:
                self._replace_function(mutant)
            else:
                exec(mutant.constant, vars(sys.modules[f"freechat_sdk.{self._module}"]))
        except (ValueError, TypeError):  # it does not call super() any more, or cannot be evaluated
            os._exit(NOT_REPLACED)
        for number in numbers:
            signal.alarm(int(10 + 5 * self._runs[number].seconds))
            self._run(self._items[number])
            if self._has_failed:
                os._exit(1)
        os._exit(0)

    def _replace_function(self, mutant: Mutant) -> None:
        (code,) = (
            part for part in _functions_in(mutant.code) if (part.co_name, part.co_firstlineno) == mutant.function
        )
        for function in [value for value in gc.get_objects() if self._is_live(value, mutant.function)]:
            function.__code__ = code

    def _is_live(self, value: object, function: object) -> bool:
        code = value.__code__ if type(value) is FunctionType else None
        return code is not None and code.co_filename == self._path and (code.co_name, code.co_firstlineno) == function


def _functions_in(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of each function that is not within another."""
    for part in code.co_consts:
        if isinstance(part, CodeType):
            if part.co_flags & inspect.CO_OPTIMIZED:
                yield part
            else:  # of a class
                yield from _functions_in(part)


def _ended(process: Any, seconds: float) -> int | None:
    """Return the exit status of a process, or None if it takes far longer than the tests do."""
    process.start()
    process.join(10 + 3 * seconds)
    if process.is_alive():
        process.kill()
        process.join()
        return None
    return None if process.exitcode == -signal.SIGALRM else int(process.exitcode)


_kept: list[_Loop] = []


def _keep(loop: _Loop) -> None:
    _kept.append(loop)


def _run_of(number: int) -> _Ran:
    return _kept[0].traced(number)


def _status_of(number: int) -> int | None:
    (loop,) = _kept
    status = loop.status(loop.mutants[number])
    if status == 0:
        os.write(loop.screen, f"  not noticed: {loop.mutants[number].change}\n".encode())
    return status


def _import(module: str, code: bytes, tests: Sequence[str]) -> None:
    """Run tests with a changed module, and end this process with 0 if they notice nothing."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.mkdtemp(dir=os.environ["PYTEST_DEBUG_TEMPROOT"])
    spec = importlib.util.find_spec(f"freechat_sdk.{module}")
    assert spec is not None
    sys.modules[spec.name] = changed = importlib.util.module_from_spec(spec)
    exec(marshal.loads(code), vars(changed))
    # File by file: most changes are noticed by the first, and collecting the others takes longer than running it.
    os._exit(next((int(status) for test in tests if (status := pytest.main([*OPTIONS, "-x", test]))), 0))


def run(module: str, about: dict[str, Any]) -> None:
    """Make each change of a module, print what comes of it, and exit with 0 if each is noticed or argued."""
    began = time.monotonic()
    tests = [f"test/{name}.py" for name in about["tests"]]
    loop = _Loop(module, tests)
    pytest.main([*OPTIONS, *tests], [loop])
    if not loop.statuses:
        print(f"{module}: {', '.join(loop.failed) or 'no tests'}: failed without a change")
        sys.exit(1)
    argued = {entry["change"] for entry in about.get("unnoticed", ())}
    found = [mutant.change for mutant in loop.mutants]
    unnoticed = [change for change, status in zip(found, loop.statuses, strict=True) if status == 0]
    new, gone = [change for change in unnoticed if change not in argued], argued - set(unnoticed)
    noticed = len(found) - len(unnoticed)
    print(f"{module}: {noticed} of {len(found)} noticed, {100 * noticed / len(found):.1f} %", end="")
    print(
        f", {len(unnoticed) - len(new)} argued, {loop.statuses.count(None)} by time, {time.monotonic() - began:.0f} s"
    )
    print("".join([*(f"  - {change}\n" for change in new), *(f"  is noticed: {change}\n" for change in gone)]), end="")
    sys.exit(1 if new else 0)


def main(names: Sequence[str]) -> int:
    modules = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
        for name in names or modules:
            process = SPAWN.Process(target=run, args=(name, modules[name]))
            process.start()
            process.join()
            failed += process.exitcode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
