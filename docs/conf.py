"""How Sphinx makes a site of README and docs/ (`make docs`).

The root of the checkout is the source, so the links between pages are those that a code host follows.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

project = "freechat_sdk"
author = "the authors of freechat_sdk"
version = release = re.findall(
    r'(?m)^__version__ = "(.+)"$', Path(__file__).parents[1].joinpath("freechat_sdk/__init__.py").read_text("utf-8")
)[0]

extensions = ["myst_nb"]  # reads Markdown as myst_parser does, and notebooks
root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "docs/*.ipynb"]
exclude_patterns = [".*", "build", "codegen", "dist", "docs/examples", "freechat_sdk", "test"]  # not walked through

myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_render_markdown_format = "myst"  # the default does not know tables

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
pygments_dark_style = "github-dark"  # the default underlines the names of modules, as if they were links
html_title = f"{project} {version}"
html_copy_source = False
html_show_copyright = False
html_use_index = False  # nothing is in it
templates_path = ["_templates"]
html_additional_pages = {"index": "to_front_page.html"}  # the front page is README.html

_GUIDE = re.compile(r"\]\(docs/([a-z][\w-]*)\.(?:md|ipynb)\)")


def _toctree(caption: str, entries: list[str]) -> str:
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *entries, "```", ""])


def _add_navigation(app: Sphinx, docname: str, source: list[str]) -> None:
    """Add to pages what only the site's navigation needs, so that a code host does not show it."""
    if docname.endswith("Api"):
        source[0] = f"---\ntocdepth: 2\n---\n{source[0]}"  # the operations, not each one's example and parameters
    pages = sorted(name.removeprefix("docs/") for name in app.env.found_docs if name.startswith("docs/"))
    models = [page for page in pages if page.endswith(("DTO", "Where"))]
    if docname == "docs/reference":
        source[0] += _toctree("Models", models)
    if docname != root_doc:
        return
    classes = [page for page in pages if page[0].isupper() and page not in models]
    guides = [page for page in pages if page[0].islower() and page != "reference"]
    order = {page: place for place, page in enumerate(_GUIDE.findall(source[0]))}
    guides.sort(key=lambda page: order.get(page, len(order)))
    source[0] += _toctree("Guides", [f"docs/{page}" for page in guides])
    source[0] += _toctree(
        "Reference", ["Tasks and models <docs/reference>", *(f"{page} <docs/{page}>" for page in classes)]
    )
    source[0] += _toctree("Project", ["Changes <CHANGELOG>", "CONTRIBUTING"])


def setup(app: Sphinx) -> None:
    """Register what Sphinx calls."""
    app.connect("source-read", _add_navigation)
