"""The examples of the reference are real values: in the contract, and as arguments in the snippets of all pages."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from codegen.document import Field, Parameter
from test.snippets import Snippet
from test.test_contract import DOCUMENT, METHODS
from test.test_docs import PYTHON

VISIBILITIES, STATES = "private public public_org hidden", "pending running succeeded failed canceled unknown"
COUNTS, KINDS = "view_count refer_count recommend_count score", "prompt agent plugin character"
KNOWN = {
    "visibility": VISIBILITIES,
    "role": "system assistant user function_call function_result",
    "gender": "male female other",
    "info_type": KINDS,
    "refer_type": KINDS,
    "stats_type": COUNTS,
    "quota_type": "messages tokens none",
    "source_type": "file url",
    "status": STATES,
    "sender_status": "online offline invisible",
    "finish_reason": "stop length tool_execution content_filter other",
    "tags_op": "and or",
    "ai_models_op": "and or",
    "speaker_type": "idx wav",
    "tts_speaker_type": "idx wav",
    "manifest_format": "open_ai dash_scope",
    "api_format": "openapi_v3",
    "tool_spec_format": "open_ai",
}
"""The values of fields and parameters that have a fixed set, by Python name."""
OF_CLASS = {
    **dict.fromkeys(
        ["PromptCreateDTO.format", "PromptUpdateDTO.format", "PromptTemplateDTO.format"], "mustache f_string"
    ),
    **dict.fromkeys(["AgentCreateDTO.format", "AgentUpdateDTO.format", "AgentQueryWhere.format"], "langflow"),
    "ChatContentDTO.type": "text image video audio pdf",
    **dict.fromkeys(["PromptQueryWhere.type", "PromptSummaryDTO.type", "PromptDetailsDTO.type"], "string chat"),
    "PromptSummaryStatsDTO.type": "string chat",
    "TgMessageDTO.message_type": "text picture sound",
    "AiApiKeyCreateDTO.provider": "open_ai azure_open_ai dash_scope ollama hugging_face",
    "AiApiKeyInfoDTO.provider": "open_ai azure_open_ai dash_scope ollama hugging_face",
    "ChatSessionDTO.provider": "open_ai azure_open_ai dash_scope ollama hugging_face",
}
"""The same where a name means different things, by class and name."""
HEX = re.compile(r"[0-9a-f]{32}")
FORMS = {
    "chat_id": HEX,
    "character_uid": HEX,
    "assistant_uid": HEX,
    "backend_id": HEX,
    "character_backend_id": HEX,
    "prompt_task_id": HEX,
    "chat_prompt_task_id": HEX,
    "parent_uid": HEX,
    "request_id": HEX,
    "model_id": re.compile(r"\[(open_ai|azure_open_ai|dash_scope|ollama|hugging_face)\][^|]+(\|\w+)?"),
    "ai_models": re.compile(r"\[(open_ai|azure_open_ai|dash_scope|ollama|hugging_face)\][^|]+(\|\w+)?"),
    "order_by": re.compile(r"(version|modifyTime|createTime)( asc)?"),
    "email": re.compile(r"[^@ ]+@example\.(com|org|net)"),
}
"""The form of values, by Python name."""
JSON_TEXT = {
    "ext",
    "inputs",
    "config",
    "moderation_params",
    "image_params",
    "manifest_info",
    "api_info",
    "tool_spec_info",
}
PLACEHOLDER = re.compile(
    r"(?i)|\.+|x+|(my[-_ ])?(text|string|value|name|title|content|foo|bar|baz|abc|todo|example)(_example)?"
)


def faults(owner: str, name: str, value: Any) -> Iterator[str]:
    """Yield what is wrong with the example of a field of a model, or of a parameter if the owner is empty."""
    for each in value if isinstance(value, list) else [value]:
        known = OF_CLASS.get(f"{owner}.{name}") or KNOWN.get(name)
        if known and each not in known.split():
            yield f"{owner}.{name}: {each!r} is not one of {known}"
        if name in FORMS and isinstance(each, str) and not FORMS[name].fullmatch(each):
            yield f"{owner}.{name}: {each!r} is malformed"
        if each in ({}, [], None) or (isinstance(each, str) and PLACEHOLDER.fullmatch(each) and not known):
            yield f"{owner}.{name}: {each!r} is a placeholder"
    if name in JSON_TEXT and isinstance(value, str):
        json.loads(value)


VALUES: list[tuple[str, Field | Parameter]] = [
    *((schema.name, field) for schema in DOCUMENT.schemas for field in schema.fields if field.example != ""),
    *(("", parameter) for _, operation in METHODS for parameter in operation.parameters if parameter.example != ""),
]


@pytest.mark.parametrize(("owner", "value"), VALUES, ids=lambda value: getattr(value, "name", value))
def test_an_example_of_the_contract_is_a_real_value(owner: str, value: Field | Parameter) -> None:
    assert list(faults(owner, value.name, value.example)) == []


def arguments(code: str) -> Iterator[tuple[str, str, Any]]:
    """Yield class, name and value of the constants that calls pass and assignments name."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call):
            owner = ast.unparse(node.func).rpartition(".")[2]
            if owner != "print":
                yield from ((owner, keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield "", node.targets[0].id, node.value


def constants(code: str) -> Iterator[tuple[str, str, Any]]:
    for owner, name, node in arguments(code):
        try:
            yield owner, name, ast.literal_eval(node)
        except ValueError:
            continue


REFERENCE = [snippet for snippet in PYTHON if re.fullmatch(r"docs/\w+(Api|DTO|Where)\.md", snippet.page)]


@pytest.mark.parametrize("snippet", PYTHON, ids=str)
def test_a_snippet_passes_only_known_values(snippet: Snippet) -> None:
    found = [fault for constant in constants(snippet.code) for fault in faults(*constant)]
    assert [fault for fault in found if snippet in REFERENCE or "placeholder" not in fault] == []


@pytest.mark.parametrize("snippet", REFERENCE, ids=str)
def test_a_snippet_of_the_reference_calls_an_operation(snippet: Snippet) -> None:
    """No page shows how a model becomes JSON and back, which is the same for all models."""
    called = re.search(r"\bapi(?:_instance)?\.(\w+)\(", snippet.code)
    assert called is not None
    assert called[1] in {operation.name for _, operation in METHODS}
    assert "to_json" not in snippet.code
    assert "from_json" not in snippet.code


@pytest.mark.parametrize(
    ("name", "value"),
    [("visibility", "text"), ("name", "text"), ("chat_id", "chat_id_example"), ("ext", {}), ("lang", "")],
)
def test_a_placeholder_is_found(name: str, value: Any) -> None:
    assert list(faults("", name, value)) != []
