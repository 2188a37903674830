"""Prompts and their tasks in the sandbox: what no recording shows."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest

from freechat_sdk.sandbox import Completion, Prompt
from freechat_sdk.sandbox._app import App
from freechat_sdk.sandbox._events import CutError
from freechat_sdk.sandbox._http import Response
from freechat_sdk.sandbox._release import RELEASES
from freechat_sdk.sandbox._resource import Refused
from freechat_sdk.sandbox._store import Store
from freechat_sdk.sandbox._templates import F_STRING, fill, fill_chat
from freechat_sdk.sandbox._users import Users
from freechat_sdk.sandbox.completions import Usage
from test.sandbox.oracle import Clock
from test.sandbox.test_core import TOKEN, json_of, send

CHAT = {"system": "Be {{mood}}.", "messageToSend": {"role": "user", "contents": [{"content": "{{{input}}}"}]}}


class Server:
    """A sandbox without sockets, whose model keeps what it is asked and answers with `tokens`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._users = Users(store)
        self._users.add("admin", 0, is_admin=True)
        self._users.add_token("admin", 0, token=TOKEN)
        self.clock = Clock()
        self.asked: list[Prompt] = []
        self.answer: Callable[[], Completion] = lambda: Completion(["Yes", " ", "sir"], Usage(1, 3))
        self.use("2.9.0")

    def use(self, release: str, *, faithful: bool = True) -> None:
        facts = RELEASES[release]
        self._prefix = f"/api/{facts.generation}"
        release_ = facts if faithful else facts.without_faults()
        self._app = App(self._store, release_, self._ask, clock=self.clock)

    def _ask(self, prompt: Prompt) -> Completion:
        self.asked.append(prompt)
        return self.answer()

    def send(self, method: str, path: str, body: Any = None) -> Response:
        return send(self._app, method, self._prefix + path, body)

    def json(self, method: str, path: str, body: Any = None) -> Any:
        response = self.send(method, path, body)
        assert response.status == 200
        return json_of(response)

    def text(self, path: str, body: Any) -> str:
        response = self.send("POST", path, body)
        assert response.status == 200
        return response.body.decode()

    def create(self, **fields: Any) -> int:
        return int(self.json("POST", "/prompt", {"name": "p", **fields}))

    def events(self, body: Mapping[str, Any]) -> list[Any]:
        response = self.send("POST", "/prompt/send/stream", body)
        assert (response.status, response.chunks is None) == (200, False)
        return [json.loads(line[5:]) for line in b"".join(response.chunks or ()).decode().split("\n") if line]


@pytest.fixture
def server() -> Iterator[Server]:
    with closing(Store()) as store:
        yield Server(store)


# Templates


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{a}} {{{a}}} {{&a}}", "&lt;b&gt; <b> <b>"),
        ("{{#a}}yes{{/a}}{{^none}}no{{/none}}", "yesno"),
        ("{{#list}}[{{name}}]{{/list}}", "[x][y]"),
        ("{{deep.er}}, {{true}}, {{null}}, {{{numbers}}}, {{half}}", "down, true, , [1, 2], 0.5"),
        ("{{>file}}{{! a comment }}{{code}}", "{{a}}"),
    ],
)
def test_mustache_templates_are_filled_in(template: str, expected: str) -> None:
    names = [{"name": "x"}, {"name": "y"}]
    values = {"a": "<b>", "list": names, "deep": {"er": "down"}, "true": True, "null": None, "half": 0.5}
    assert fill(template, {**values, "numbers": [1, 2], "code": "{{a}}"}) == expected


def test_a_mustache_template_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(Refused, match="end tag mismatch"):
        fill("{{#a}}{{/b}}", {})


def test_f_strings_are_filled_in_without_escapes_and_with_single_braces_only() -> None:
    values = {"a": "<{b}>", "b": 1}
    assert fill("{a} {b} {c}| {{a}}| {}", values, F_STRING) == "<{b}> 1 | | "


def test_a_chat_template_is_filled_in_where_people_read_it() -> None:
    user = {"role": "{{a}}", "contents": [{"type": "text", "content": "{{a}}"}]}
    chat = {"system": "{{a}}", "messages": [user], "messageToSend": {"contents": []}}
    filled = {"role": "{{a}}", "contents": [{"type": "text", "content": "x"}]}
    assert fill_chat(chat, {"a": "x"}) == {"system": "x", "messages": [filled], "messageToSend": {}}


# Prompts


def test_a_prompt_is_a_string_or_a_chat_whichever_was_written_last(server: Server) -> None:
    prompt = server.create(template="t")
    server.json("PUT", f"/prompt/{prompt}", {"chatTemplate": CHAT})
    details = server.json("GET", f"/prompt/details/{prompt}")
    assert (details["type"], details["template"], details["chatTemplate"]["system"]) == ("chat", None, "Be {{mood}}.")
    server.json("PUT", f"/prompt/{prompt}", {"template": "u"})
    details = server.json("GET", f"/prompt/details/{prompt}")
    assert (details["type"], details["template"], details["chatTemplate"]) == ("string", "u", None)


def test_a_prompt_that_was_created_with_a_draft_has_nothing_else(server: Server) -> None:
    prompt = server.create(template="t", draft=json.dumps({"template": "Draft {{x}}", "chatTemplate": None}))
    ref = {"promptId": prompt, "variables": {"x": 1}}
    response = server.send("POST", "/prompt/apply/ref", ref)
    assert (response.status, response.body) == (200, b"")
    assert server.text("/prompt/apply/ref", {**ref, "draft": True}) == "Draft 1"
    server.json("PUT", f"/prompt/{prompt}", {"draft": "not JSON"})
    assert server.send("POST", "/prompt/apply/ref", {**ref, "draft": True}).status == 500


@pytest.mark.parametrize("field", ["ext", "inputs"])
def test_fields_of_json_text_have_to_be_json(server: Server, field: str) -> None:
    assert server.send("POST", "/prompt", {"name": "p", field: "{"}).status == 500
    prompt = server.create(**{field: "{}"})
    assert server.send("PUT", f"/prompt/{prompt}", {field: "{"}).status == 500


def test_models_are_described_by_their_ids(server: Server) -> None:
    prompt = server.create(aiModels=["[ollama]a/b:c", "[open_ai]e|embedding"])
    models = server.json("GET", f"/prompt/summary/{prompt}")["aiModels"]
    shown = [(model["provider"], model["name"], model["type"]) for model in models]
    assert shown == [("ollama", "a/b:c", "text2chat"), ("open_ai", "e", "embedding")]


def test_the_message_of_a_stored_chat_prompt_is_of_another_schema_on_faithful_servers_only(server: Server) -> None:
    ref = {"promptId": server.create(chatTemplate=CHAT), "variables": {"input": "hi"}}
    assert isinstance(json.loads(server.text("/prompt/apply/ref", ref))["messageToSend"], str)
    server.use("2.9.0", faithful=False)
    message = json.loads(server.text("/prompt/apply/ref", ref))["messageToSend"]
    assert message == {"role": "user", "contents": [{"content": "hi"}]}


# Sending


def test_the_model_gets_the_messages_the_parameters_and_the_key(server: Server) -> None:
    server.json("POST", "/ai/apikey", {"name": "k", "provider": "open_ai", "token": "sk-1", "enabled": True})
    template = {"chatTemplate": CHAT, "variables": {"mood": "kind", "input": "<hi>"}}
    params = {"modelId": "[open_ai]m", "apiKeyName": "k", "temperature": 0.5}
    server.json("POST", "/prompt/send", {"promptTemplate": template, "params": params})
    (prompt,) = server.asked
    assert [(message.role, message.text) for message in prompt.messages] == [("system", "Be kind."), ("user", "<hi>")]
    assert (prompt.text, prompt.model_id, prompt.api_key) == ("<hi>", "[open_ai]m", "sk-1")
    assert (prompt.parameters, prompt.is_streamed) == ({"temperature": 0.5}, False)


def test_a_key_that_is_disabled_pays_for_nothing(server: Server) -> None:
    key = server.json("POST", "/ai/apikey", {"name": "k", "provider": "open_ai", "token": "sk-1", "enabled": True})
    server.json("PUT", f"/ai/apikey/disable/{key}")
    assert server.send("POST", "/prompt/send", {"prompt": "x", "params": {"apiKeyName": "k"}}).status == 403
    assert server.asked == []


def test_a_model_without_an_answer_is_a_429_that_says_the_prompt(server: Server) -> None:
    server.answer = lambda: Completion([], None)
    response = server.send("POST", "/prompt/send", {"prompt": "Anybody?", "params": {}})
    assert (response.status, json_of(response)["message"]) == (429, "Anybody?")


def test_a_prompt_without_text_is_not_sent(server: Server) -> None:
    assert server.send("POST", "/prompt/send", {"promptTemplate": {"format": "mustache"}, "params": {}}).status == 500
    assert server.send("POST", "/prompt/apply/template", {}).status == 500
    assert server.asked == []


def test_a_delta_that_is_blank_is_a_message_without_contents(server: Server) -> None:
    first, blank, last, _final = server.events({"prompt": "x", "params": {}})
    assert (first["message"]["contents"], last["message"]["contents"][0]["content"]) == (
        [{"type": "text", "content": "Yes"}],
        "sir",
    )
    assert (blank["text"], blank["message"]["contents"]) == (" ", None)


@pytest.mark.parametrize(("release", "seconds"), [("2.0.0", 30), ("2.9.0", 300)])
def test_a_stream_just_ends_at_the_time_limit_of_the_server(server: Server, release: str, seconds: int) -> None:
    def slow() -> Iterator[str]:
        yield "a"
        server.clock.sleep(seconds - 1)
        yield "b"
        server.clock.sleep(1)
        yield "c"

    server.use(release)
    server.answer = lambda: Completion(slow(), None)
    texts = [event["text"] for event in server.events({"prompt": "x", "params": {"apiKey": "k"}})]
    assert [text for text in texts if text] == ["a", "b"]


def test_a_stream_without_usage_is_cut_by_the_release_that_counts_on_it(server: Server) -> None:
    server.answer = lambda: Completion(["Yes"], None)
    counts = server.events({"prompt": "x", "params": {}})[-1]["tokenUsage"]
    assert set(counts.values()) == {None}
    server.use("2.6.0")
    with pytest.raises(CutError):
        server.events({"prompt": "x", "params": {}})
    server.use("2.6.0", faithful=False)
    assert server.events({"prompt": "x", "params": {}})[-1]["finishReason"] == "stop"


# Tasks


@pytest.mark.parametrize("is_draft", [True, False])
def test_tasks_of_drafts_read_back_as_sent_without_faults(server: Server, is_draft: bool) -> None:
    ref = {"promptId": server.create(template="t"), "draft": is_draft}
    task = server.text("/prompt/task", {"promptRef": ref})
    assert server.json("GET", f"/prompt/task/{task}")["promptRef"]["draft"] is not is_draft
    server.use("2.9.0", faithful=False)
    assert server.json("GET", f"/prompt/task/{task}")["promptRef"]["draft"] is is_draft


def test_a_task_keeps_what_an_update_does_not_give(server: Server) -> None:
    ref = {"promptId": server.create(template="t")}
    task = server.text("/prompt/task", {"promptRef": ref, "modelId": "[open_ai]m", "apiKeyValue": "sk"})
    assert server.json("PUT", f"/prompt/task/{task}", {"modelId": "[open_ai]n"})
    details = server.json("GET", f"/prompt/task/{task}")
    assert (details["modelId"], details["apiKeyValue"]) == ("[open_ai]n", "sk")


# Plugins


def test_a_public_plugin_is_found_at_once_and_has_tools_after_a_refresh(server: Server) -> None:
    plugin = server.json("POST", "/plugin", {"name": "pl", "visibility": "public"})
    assert [row["pluginId"] for row in server.json("POST", "/plugin/search", {"where": {"visibility": "public"}})] == [
        plugin
    ]
    server.json("PUT", f"/plugin/{plugin}", {"apiInfo": "{}"})
    assert server.json("GET", f"/plugin/details/{plugin}")["toolSpecFormat"] == "unknown"
    assert server.send("PUT", f"/plugin/refresh/{plugin}").status == 200
    assert server.json("GET", f"/plugin/details/{plugin}")["toolSpecFormat"] == "open_ai"
