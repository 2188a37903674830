"""The operation that CONTRIBUTING.md adds to the contract, added to a copy of it."""

import inspect
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from codegen.__main__ import main
from freechat_sdk import ApiClient

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a copy of the contract, the operation of CONTRIBUTING.md, and all generated files."""
    snippet = re.search(r"```yaml\n(.+?)```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.DOTALL)
    assert snippet is not None
    contract = (ROOT / "codegen" / "openapi.yaml").read_text("utf-8")
    root = tmp_path_factory.mktemp("project")
    (root / "codegen").mkdir()
    (root / "codegen" / "openapi.yaml").write_text(contract.replace("\npaths:\n", f"\npaths:\n{snippet[1]}"), "utf-8")
    assert main([], root) == 0
    return root


SANDBOX = "freechat_sdk/sandbox/_contract.py"


def test_only_the_class_its_page_the_index_and_the_contract_of_the_sandbox_change(project: Path) -> None:
    generated = [path.relative_to(project) for path in project.rglob("*.*") if path.suffix in (".py", ".md")]
    changed = {str(path) for path in generated if (project / path).read_bytes() != (ROOT / path).read_bytes()}
    assert changed == {"freechat_sdk/api/chat_api.py", "docs/ChatApi.md", "docs/reference.md", SANDBOX}


@pytest.mark.parametrize("suffix", ["", "_with_http_info", "_without_preload_content"])
def test_the_method_has_its_three_variants(project: Path, suffix: str) -> None:
    spec = spec_from_file_location("chat_api_of_contributing", project / "freechat_sdk" / "api" / "chat_api.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    method = getattr(module.ChatApi(ApiClient()), f"pin_chat{suffix}")
    assert list(inspect.signature(method).parameters) == ["chat_id", "options"]
    assert (inspect.getdoc(method) or "").startswith("Pin a chat.")


def test_the_method_has_its_section(project: Path) -> None:
    page = (project / "docs" / "ChatApi.md").read_text("utf-8")
    assert "# **pin_chat**\n> bool pin_chat(chat_id)\n" in page
