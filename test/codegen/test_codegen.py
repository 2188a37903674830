"""The generator: golden files of a tiny document with every construct, names, refusals, and the command."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml

from codegen.__main__ import main
from codegen.document import Document, read
from codegen.naming import snake_case
from codegen.node import DocumentError, Node, load
from codegen.plan import plan_api
from codegen.render import render

HERE = Path(__file__).parent
TINY = HERE / "tiny.yaml"
GOLDEN = HERE / "golden"
REFRESH = "python -m test.codegen.test_codegen"


def golden_name(path: str) -> Path:
    """Return the path of the golden copy of a generated file; its name hides it from tools that check Python."""
    return GOLDEN / (path.replace("/", "__") + ".txt")


def rendered() -> dict[str, str]:
    """Return the files of the tiny document, beside one hand-written class."""
    with patch.multiple("codegen.render", MODULES=("hooks",), PUBLIC_NAMES={"hooks": ("Hooks",)}):
        return render(read(load(TINY)))


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return rendered()


def test_every_construct_is_generated_as_in_the_golden_files(files: dict[str, str]) -> None:
    assert {golden_name(path).name for path in files} == {path.name for path in GOLDEN.iterdir()}, f"run {REFRESH}"
    for path, text in files.items():
        assert text == golden_name(path).read_text(encoding="utf-8"), (
            f"{path}: if the change is intended, run {REFRESH}"
        )


def test_the_same_document_gives_the_same_files(files: dict[str, str]) -> None:
    assert rendered() == files


def test_generated_python_compiles(files: dict[str, str]) -> None:
    for path, text in files.items():
        if path.endswith(".py"):
            compile(text, path, "exec")


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("chatId", "chat_id"),
        ("gmtCreate", "gmt_create"),
        ("isTtsEnabled", "is_tts_enabled"),
        ("list_messages2", "list_messages2"),
        ("ChatApi", "chat_api"),
        ("AIServiceApi", "ai_service_api"),
        ("TTSServiceApi", "tts_service_api"),
        ("OpenAiParamDTO", "open_ai_param_dto"),
        ("TgMessageDTO", "tg_message_dto"),
        ("TokenUsageDTO", "token_usage_dto"),
        ("ChatToolCallDTO", "chat_tool_call_dto"),
    ],
)
def test_a_name_of_the_wire_becomes_a_name_in_python(name: str, snake: str) -> None:
    assert snake_case(name) == snake


def tiny() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    return document


def planned_arguments(document: Document, name: str) -> list[tuple[str, str, bool]]:
    (method,) = (method for method in plan_api(document.tags[0], document).methods if method.name == name)
    return [(argument.name, argument.annotation, argument.required) for argument in method.arguments]


def test_a_parameter_of_a_group_is_required_only_if_both_official_clients_require_it() -> None:
    document = read(Node.root(tiny()))
    everything, size = ("all", "bool | None", False), ("size", "int | None", False)
    assert planned_arguments(document, "list_things") == [everything, size]
    assert planned_arguments(document, "list_things1") == [size, everything]


Change = Callable[[dict[str, Any]], object]


def at(*steps: Any) -> Callable[[dict[str, Any]], Any]:
    def walk(document: dict[str, Any]) -> Any:
        value: Any = document
        for step in steps:
            value = value[step]
        return value

    return walk


GET = at("paths", "/things/{thingId}", "get")
THING = at("components", "schemas", "ThingDTO")
REFUSALS: dict[str, tuple[Change, str]] = {
    "another version": (lambda d: d.update(openapi="3.0.0"), "the document: 'openapi' is '3.0.0'"),
    "an unknown key of an operation": (lambda d: GET(d).update(deprecated=True), "paths.*get: not supported: deprec"),
    "an unknown extension": (lambda d: GET(d).update({"x-what": 1}), "not supported: x-what"),
    "no retry class": (lambda d: GET(d).pop("x-retry"), "'x-retry' is missing"),
    "an unknown retry class": (lambda d: GET(d).update({"x-retry": "often"}), "'x-retry' is 'often', not one of read"),
    "no generations": (lambda d: GET(d).update({"x-generations": []}), "'x-generations' must be"),
    "both generations": (
        lambda d: GET(d).update({"x-generations": ["v1", "v2"]}),
        r"'x-generations' must be \[v1\] or \[v2\]; leave it out for both",
    ),
    "a name that is the default": (
        lambda d: at("paths", "/file", "post", "requestBody")(d).update({"x-name": "file"}),
        "'x-name' is 'file' by default; leave it out",
    ),
    "a body without a name": (
        lambda d: at("paths", "/raw", "post", "requestBody")(d).pop("x-name"),
        "requestBody: 'x-name' is missing",
    ),
    "a parameter in a header": (
        lambda d: at("components", "parameters", "thingId")(d).update({"in": "header"}),
        r"get\.parameters\[0\]: 'in' is 'header', not one of path, query",
    ),
    "a parameter that the path lacks": (
        lambda d: GET(d)["parameters"].clear(),
        r"the path has the parameters \['\{thingId\}'\], but \[\] are declared",
    ),
    "a reference to nothing": (
        lambda d: GET(d)["parameters"].append({"$ref": "#/components/parameters/gone"}),
        r"parameters\[1\]: '#/components/parameters/gone' does not exist",
    ),
    "an undeclared tag": (lambda d: d.update(tags=[]), "the tag 'TinyThingApi' is not declared"),
    "two methods of one name": (
        lambda d: at("paths", "/count", "get")(d).update(operationId="TinyThingApi.get_raw"),
        "duplicate operation 'get_raw'",
    ),
    "a keyword as a name": (
        lambda d: GET(d).update(operationId="TinyThingApi.import"),
        "'import' is not a valid Python name",
    ),
    "a method of another tag": (lambda d: GET(d).update(operationId="OtherApi.get"), "'operationId' must be <tag>"),
    "no success": (lambda d: GET(d)["responses"].pop("200"), "there is no response 200"),
    "an unknown media type": (
        lambda d: GET(d)["responses"]["200"].update(content={"text/csv": {"schema": {"type": "string"}}}),
        "a response of text/csv is not supported",
    ),
    "allOf": (lambda d: THING(d)["properties"]["tags"].update(allOf=[]), r"properties.tags: not supported: allOf"),
    "an enum": (lambda d: THING(d)["properties"]["tags"]["items"].update(enum=["a"]), "not supported: enum"),
    "an unknown type": (lambda d: THING(d)["properties"]["size"].update(type="null"), "'type' is 'null'"),
    "an unknown format": (lambda d: THING(d)["properties"]["thingId"].update(format="uuid"), "'format' is 'uuid'"),
    "a file in JSON": (
        lambda d: THING(d)["properties"]["thingId"].update(format="binary"),
        "thingId: 'format' is 'binary'",
    ),
    "a download that is not a file": (
        lambda d: at("paths", "/file", "get", "responses", "200")(d).update(
            content={"text/csv": {"schema": {"type": "string"}}}
        ),
        "schema: 'format' is missing",
    ),
    "a model of nothing": (
        lambda d: THING(d)["properties"]["note"].update({"$ref": "#/components/schemas/GoneDTO"}),
        "'#/components/schemas/GoneDTO' does not exist",
    ),
    "more beside a reference": (lambda d: THING(d)["properties"]["note"].update(example=1), "beside a \\$ref"),
    "a required field that is not there": (lambda d: THING(d)["required"].append("gone"), "'gone' is required, but"),
    "models that contain each other": (
        lambda d: at("components", "schemas", "NoteDTO")(d)["properties"].update(
            thing={"$ref": "#/components/schemas/ThingDTO", "description": "Its thing."}
        ),
        "models contain each other: .*NoteDTO.*ThingDTO",
    ),
    "an empty description": (lambda d: THING(d).update(description=" "), "'description' is empty"),
    "a step that does not exist": (
        lambda d: d["x-tasks"][0].update(steps=["TinyThingApi.fly"]),
        "no operation TinyThingApi.fly",
    ),
    "a backslash": (lambda d: THING(d).update(description="a \\ b"), "'description' contains a backslash"),
    "an error that is a success": (
        lambda d: GET(d)["responses"].update({"201": {"description": "Made."}}),
        "201: is not an error status",
    ),
    "a body that is not JSON": (
        lambda d: at("paths", "/things", "post", "requestBody")(d).update(content={"text/xml": {"schema": {}}}),
        "a body of 'text/xml' is not supported",
    ),
}


@pytest.mark.parametrize(("change", "message"), REFUSALS.values(), ids=REFUSALS)
def test_what_is_not_supported_stops_the_generator_and_names_the_location(change: Change, message: str) -> None:
    document = tiny()
    change(document)
    with pytest.raises(DocumentError, match=message):
        read(Node.root(document))


BROKEN = [("a: 1\nb: 2\na: 3\n", "duplicate key 'a'"), ("a: b: c", "mapping values")]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_broken_yaml_stops_the_generator(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(DocumentError, match=message):
        load(tmp_path / "broken.yaml")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "codegen").mkdir()
    shutil.copy(TINY, tmp_path / "codegen" / "openapi.yaml")
    assert main([], tmp_path) == 0
    return tmp_path


def test_check_accepts_what_was_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["--check"], project) == 0
    assert capsys.readouterr() == ("", "")


def test_check_names_what_differs_is_missing_or_left_over_and_the_command(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, missing = project / "docs" / "ThingDTO.md", project / "freechat_sdk" / "models" / "note_dto.py"
    changed.write_text("other")
    left_over = project / "freechat_sdk" / "api" / "gone_api.py"
    left_over.write_text(missing.read_text())
    by_hand = project / "docs" / "guide.md"
    by_hand.write_text("# Guide\n")
    missing.unlink()
    assert main(["--check"], project) == 1
    said = capsys.readouterr().err.splitlines()
    names = ["docs/ThingDTO.md", "freechat_sdk/models/note_dto.py", "freechat_sdk/api/gone_api.py"]
    assert [line.partition(" ")[0] for line in said[:-1]] == names
    assert said[-1] == "run: python -m codegen"
    assert main([], project) == 0
    assert main(["--check"], project) == 0
    assert (left_over.exists(), by_hand.read_text()) == (False, "# Guide\n")


def test_a_faulty_document_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "codegen" / "openapi.yaml").write_text("openapi: 2")
    assert main(["--check"], project) == 2
    assert "codegen/openapi.yaml: " in capsys.readouterr().err


def test_the_generated_files_of_the_project_are_what_its_document_says() -> None:
    command = [sys.executable, "-m", "codegen", "--check"]
    done = subprocess.run(command, cwd=HERE.parent.parent, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


if __name__ == "__main__":
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir()
    for _path, _text in rendered().items():
        golden_name(_path).write_text(_text, encoding="utf-8")
