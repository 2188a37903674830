"""Fills the templates with plain data and formats the files."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from codegen.contract import contract_operations, contract_schemas
from codegen.document import Document
from codegen.pages import api_page, model_page
from codegen.plan import homes, plan_api, plan_model
from codegen.runtime import DEFAULT_HOST, MODULES, PACKAGE, PUBLIC_NAMES

RUFF = "0.17.6"
"""The version that formats the output; another one might format it differently."""
_HERE = Path(__file__).parent
_ROOT = _HERE.parent


def render(document: Document) -> dict[str, str]:
    """Return all generated files by path."""
    files = dict(_raw_files(document))
    return {**files, **_formatted({path: text for path, text in files.items() if path.endswith((".py", ".pyi"))})}


def _raw_files(document: Document) -> Iterator[tuple[str, str]]:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Python and Markdown
    )

    def filled(template: str, **values: object) -> str:
        return environment.get_template(template).render(**values)

    def stub(homes: dict[str, str], modules: tuple[str, ...] = (), values: tuple[str, ...] = ()) -> str:
        names = sorted([*homes, *modules, *values])
        return filled("package.pyi.j2", homes=homes, modules=modules, values=values, names=names)

    apis = homes((tag.name for tag in document.tags), "api")
    models = homes((*(schema.name for schema in document.schemas), "SseEmitter"), "models")
    facade = {name: f"{PACKAGE}.{module}" for module, names in PUBLIC_NAMES.items() for name in names}
    yield f"{PACKAGE}/_names.py", filled("names.py.j2", apis=apis, models=models, facade=facade, modules=MODULES)
    yield f"{PACKAGE}/__init__.pyi", stub({**apis, **facade, **models}, MODULES, ("__version__",))
    operations, schemas = contract_operations(document), contract_schemas(document)
    yield f"{PACKAGE}/sandbox/_contract.py", filled("contract.py.j2", operations=operations, schemas=schemas)
    for folder, mapping, names in (("api", "API_MODULES", apis), ("models", "MODEL_MODULES", models)):
        docstring = f"The {'API classes' if folder == 'api' else 'models'}, each loaded when it is first used."
        yield f"{PACKAGE}/{folder}/__init__.py", filled("package.py.j2", docstring=docstring, mapping=mapping)
        yield f"{PACKAGE}/{folder}/__init__.pyi", stub(names)
    yield "docs/reference.md", filled("index.md.j2", tasks=document.tasks, tags=document.tags, schemas=document.schemas)
    for tag in document.tags:
        module = plan_api(tag, document)
        yield f"{PACKAGE}/api/{module.name}.py", filled("api.py.j2", module=module)
        page = filled("api.md.j2", page=api_page(tag, document), host=DEFAULT_HOST)
        yield f"docs/{tag.name}.md", page.rstrip() + "\n"
    for schema in document.schemas:
        model = plan_model(schema, document)
        yield f"{PACKAGE}/models/{model.name}.py", filled("model.py.j2", module=model)
        yield f"docs/{schema.name}.md", filled("model.md.j2", page=model_page(schema, document))


def _formatted(files: dict[str, str]) -> dict[str, str]:
    """Return Python files without unused imports, the others in order, and as ruff formats them."""
    with TemporaryDirectory() as folder:
        copies = {path: Path(folder) / path for path in files}
        for path, copy in copies.items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(files[path], encoding="utf-8", newline="\n")
        arguments = ["--quiet", "--no-cache", "--config", str(_ROOT / "pyproject.toml"), *map(str, copies.values())]
        _run_ruff("check", "--select", "F401,I", "--fix", *arguments)
        _run_ruff("format", *arguments)
        return {path: copy.read_text(encoding="utf-8") for path, copy in copies.items()}


def check_ruff() -> None:
    """Exit if the installed formatter is not the pinned one."""
    found = _run_ruff("--version").split()[1]
    if found != RUFF:
        raise SystemExit(f"codegen needs ruff {RUFF}, but {found} is installed. Run: pip install ruff=={RUFF}")


def _run_ruff(*arguments: str) -> str:
    """Return what ruff prints."""
    command = [sys.executable, "-m", "ruff", *arguments]
    return subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout  # noqa: S603
