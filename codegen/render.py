"""Plain data -> templates -> formatted files."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from codegen.document import Document
from codegen.pages import api_page, model_page
from codegen.plan import PACKAGE, homes, plan_api, plan_model

RUFF = "0.17.6"
"""The one version that formats the output; another one would make other files of the same document."""
_HERE = Path(__file__).parent
_ROOT = _HERE.parent


def render(document: Document) -> dict[str, str]:
    """Return all generated files by path."""
    files = dict(_raw_files(document))
    python = {path: text for path, text in files.items() if path.endswith(".py")}
    return {**files, **{path: _formatted(path, text) for path, text in python.items()}}


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

    apis = homes((tag.name for tag in document.tags), "api")
    models = homes((*(schema.name for schema in document.schemas), "SseEmitter"), "models")
    yield f"{PACKAGE}/_names.py", filled("names.py.j2", apis=apis, models=models)
    for folder, mapping, names in (("api", "API_MODULES", apis), ("models", "MODEL_MODULES", models)):
        docstring = f"The {'API classes' if folder == 'api' else 'models'}, each loaded when it is first used."
        text = filled("package.py.j2", docstring=docstring, mapping=mapping, homes=names)
        yield f"{PACKAGE}/{folder}/__init__.py", text
    yield "docs/reference.md", filled("index.md.j2", tasks=document.tasks, tags=document.tags, schemas=document.schemas)
    for tag in document.tags:
        module = plan_api(tag, document)
        yield f"{PACKAGE}/api/{module.name}.py", filled("api.py.j2", module=module)
        yield f"docs/{tag.name}.md", filled("api.md.j2", page=api_page(tag, document)).rstrip() + "\n"
    for schema in document.schemas:
        model = plan_model(schema, document)
        yield f"{PACKAGE}/models/{model.name}.py", filled("model.py.j2", module=model)
        yield f"docs/{schema.name}.md", filled("model.md.j2", page=model_page(schema, document))


def _formatted(path: str, text: str) -> str:
    """Return Python as ruff lays it out, with imports in order."""
    settings = ["--config", str(_ROOT / "pyproject.toml"), "--stdin-filename", str(_ROOT / path)]
    for command in (["check", "--quiet", "--select", "I", "--fix"], ["format", "--quiet"]):
        text = _run_ruff([*command, *settings, "-"], text)
    return text


def check_ruff() -> None:
    """Refuse to run with another formatter than the pinned one."""
    said = _run_ruff(["--version"])
    if said.split()[1] != RUFF:
        raise SystemExit(f"codegen formats with ruff {RUFF}, and {said.strip()} is installed: pip install ruff=={RUFF}")


def _run_ruff(arguments: list[str], text: str = "") -> str:
    """Return what ruff prints for a text on its standard input."""
    command = [sys.executable, "-m", "ruff", *arguments]
    return subprocess.run(command, input=text, capture_output=True, check=True, encoding="utf-8").stdout  # noqa: S603
