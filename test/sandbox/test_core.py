"""What every resource of the sandbox stands on: contract, wire, store, routes, application."""

import http.client
import json
import logging
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from freechat_sdk.sandbox import Completion, Prompt, Sandbox
from freechat_sdk.sandbox._app import App
from freechat_sdk.sandbox._contract import OPERATIONS, SCHEMAS
from freechat_sdk.sandbox._http import Request, Response
from freechat_sdk.sandbox._release import RELEASES
from freechat_sdk.sandbox._routes import NoRouteError, Routes, WrongMethodError
from freechat_sdk.sandbox._store import Store
from freechat_sdk.sandbox._users import Users
from freechat_sdk.sandbox._wire import UnreadableError, dumps, read, write
from freechat_sdk.sandbox.resources import RESOURCES
from test.facts import MODELS
from test.facts import OPERATIONS as FACTS
from test.server import MAX_WAIT

NEWEST, V2_6, V1 = RELEASES["2.9.0"], RELEASES["2.6.0"], RELEASES["2.0.0"]
TOKEN = "fc-" + "1" * 32


def ask(prompt: Prompt) -> Completion:
    return Completion(["yes"], None)


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(Store()) as store:
        yield store


def app_with_admin(store: Store, release: str = "2.9.0") -> App:
    users = Users(store)
    users.add("admin", 0, is_admin=True)
    users.add_token("admin", 0, token=TOKEN)
    return App(store, RELEASES[release], ask)


def send(app: App, method: str, path: str, body: Any = None, **headers: str) -> Response:
    given = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json", **headers}
    return app.respond(Request(method, path, "127.0.0.1", given, b"" if body is None else json.dumps(body).encode()))


def json_of(response: Response) -> Any:
    return json.loads(response.body or b"".join(response.chunks or ()))


# The contract


def test_the_contract_has_the_operations_and_fields_of_the_facts() -> None:
    known = {(operation.tag, operation.name): operation for operation in OPERATIONS}
    assert known.keys() == {(fact["api"], fact["method_name"]) for fact in FACTS}
    for fact in FACTS:
        operation = known[fact["api"], fact["method_name"]]
        assert re.sub("{.*?}", "{}", f"{operation.method} {operation.path}") == re.sub("{.*?}", "{}", fact["http"])
    for name, model in MODELS.items():
        names = {field.get("json", attribute) for attribute, field in model["fields"].items()}
        assert {field.name for field in SCHEMAS[name]} == names


def test_each_method_of_a_resource_is_an_operation() -> None:
    names = {f"{operation.tag}": set[str]() for operation in OPERATIONS}
    for operation in OPERATIONS:
        names[operation.tag] |= {operation.name, operation.group}
    for resource in RESOURCES:
        public = {name for name in vars(resource) if not name.startswith("_")}
        assert public <= names[f"{resource.__name__}Api"], resource


NOT_THERE = {"ConnectorApi", "SkillApi"}
"""No recorded server has their operations."""


def test_each_operation_of_the_contract_has_a_method(store: Store) -> None:
    resources = {f"{kind.__name__}Api": kind(store) for kind in RESOURCES}
    missing = [
        operation
        for operation in OPERATIONS
        if not any(hasattr(resources.get(operation.tag), name) for name in (operation.name, operation.group))
    ]
    assert {operation.tag for operation in missing} == NOT_THERE
    assert len(missing) == 13


# The wire


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (NEWEST, {"gmtCreate": "1970-01-01T00:00:05", "expiresAt": None, "id": 7}),
        (V2_6, {"gmtCreate": 5000, "id": 7}),
        (V1, {"gmtCreate": "1970-01-01T00:00:05.000+00:00", "id": 7}),
    ],
)
def test_a_row_is_written_as_a_release_writes_it(release: Any, expected: dict[str, Any]) -> None:
    written = write("ApiTokenInfoDTO", {"id": 7, "gmtCreate": 5, "colour": "red"}, release)
    names = {"gmtCreate", "expiresAt", "id", "colour"}
    assert {name: value for name, value in written.items() if name in names} == expected


def test_only_objects_at_the_top_get_the_id_of_the_request() -> None:
    row = {"text": "", "message": {}, "tokenUsage": {"inputTokenCount": 1}}
    written = write(("array", "LlmResultDTO"), [row], NEWEST, "a1")
    assert written[0]["requestId"] == "a1"
    written = write("ChatSessionDTO", {"context": {"chatId": "c"}, "character": {"requestId": "b2"}}, NEWEST, "a1")
    assert (written["context"]["requestId"], written["character"]["requestId"]) == (None, "b2")


def test_old_releases_keep_the_nulls_of_token_counts_and_escape_astral_letters() -> None:
    assert write("LlmResultDTO", {"tokenUsage": {}}, V1)["tokenUsage"] == {
        "inputTokenCount": None,
        "outputTokenCount": None,
        "totalTokenCount": None,
    }
    assert dumps(["朋友😀"], V2_6) == '["朋友\\uD83D\\uDE00"]'.encode()
    assert dumps(["😀"], NEWEST) == '["😀"]'.encode()


def test_a_body_is_read_without_nulls_and_unknown_fields() -> None:
    body = {"username": 7, "enabled": "true", "birthdate": "1970-01-01T00:00:05Z", "nickname": None, "colour": "red"}
    assert read("UserFullDetailsDTO", body, NEWEST) == {"username": "7", "enabled": True, "birthdate": 5}


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("integer", "1.5"),
        ("integer", True),
        ("integer", "9" * 19),
        ("number", "x"),
        ("boolean", "yes"),
        ("string", []),
        ("datetime", "yesterday"),
        ("datetime", 5000),
        ("datetime", "1970-01-01T00:00:05+00:00"),
        (("array", "integer"), {}),
        (("map", "any"), []),
        ("UserFullDetailsDTO", []),
    ],
)
def test_a_value_of_another_type_is_refused(type_: Any, value: Any) -> None:
    with pytest.raises(UnreadableError):
        read(type_, value, NEWEST)


def test_old_releases_take_every_form_of_a_date() -> None:
    assert [read("datetime", date, V2_6) for date in (5000, "1970-01-01T00:00:05+00:00")] == [5, 5]


# Releases


def test_a_release_without_faults_is_otherwise_the_same() -> None:
    for release in RELEASES.values():
        assert release.without_faults().headers == release.headers
        assert release.without_faults() == release.without_faults().without_faults()


# The store


def test_rows_are_found_by_the_values_of_fields(store: Store) -> None:
    table = store.table("things", "name")
    first, second = table.add(name="a", tags=["x"]), table.add(name="b")
    assert table.get(first) == {"id": first, "name": "a", "tags": ["x"]}
    assert (table.first(name="b"), table.first(name="c")) == ({"id": second, "name": "b"}, None)
    assert [row["id"] for row in table.find(colour=None)] == [first, second]
    assert (table.update(first, name="c"), table.update(99, name="c"), table.count(name="c")) == (True, False, 1)
    assert (table.delete(first), table.delete(first), table.get(first)) == (True, False, None)
    assert table.deleted(name="c") is not None
    assert (table.delete_where(name="b"), table.find()) == ([second], [])
    assert table.add(name="d") > second


def test_a_transaction_that_fails_changes_nothing(store: Store) -> None:
    table = store.table("things")

    def change() -> None:
        with store.transaction():
            table.add(name="a")
            with store.transaction():
                table.add(name=1 / 0)

    with pytest.raises(ZeroDivisionError):
        change()
    assert table.count() == 0


def test_a_sandbox_can_be_taken_back_to_a_snapshot() -> None:
    with Sandbox() as sandbox:
        snapshot = sandbox.snapshot()
        for _ in range(2):
            token = sandbox.add_user("bob")
            sandbox.restore(snapshot)
        assert sandbox.add_user("bob") != token


def test_an_administrator_may_do_what_others_may_not() -> None:
    with Sandbox() as sandbox:
        statuses = []
        for token in (sandbox.add_user("root", admin=True), sandbox.add_user("bob")):
            connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=MAX_WAIT)
            connection.request("GET", "/api/v2/admin/app/meta", headers={"Authorization": f"Bearer {token}"})
            statuses.append(connection.getresponse().status)
            connection.close()
        assert statuses == [200, 403]
        assert [(entry.user, entry.status) for entry in sandbox.requests] == [("root", 200)]


# Routes


def test_a_known_segment_comes_before_a_parameter() -> None:
    routes = Routes[str]()
    for path in ("/a/{id}", "/a/b", "/a/b/c/{id}", "/a/{id}/d"):
        routes.add("GET", path, path)
    assert routes.match("GET", "/a/b") == ("/a/b", {})
    assert routes.match("GET", "/a/x") == ("/a/{id}", {"id": "x"})
    assert routes.match("GET", "/a/b/d") == ("/a/{id}/d", {"id": "b"})
    with pytest.raises(WrongMethodError) as caught:
        routes.match("PUT", "/a/b")
    assert caught.value.allowed == ["GET"]
    for path in ("/a", "/a/", "/a/b/", "/b"):
        with pytest.raises(NoRouteError):
            routes.match("GET", path)


# The application


@pytest.mark.parametrize("release", ["2.6.0", "2.9.0"])
def test_an_operation_that_is_not_there_names_itself(store: Store, release: str) -> None:
    response = send(app_with_admin(store, release), "GET", "/api/v2/connector")
    message = "ConnectorApi.list_connectors is not in the sandbox."
    assert (response.status, json_of(response)["message"]) == (501, message)


def test_a_bug_in_a_resource_is_logged_and_a_500(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    app = app_with_admin(store)
    store.run("DROP TABLE api_keys")
    with caplog.at_level(logging.ERROR):
        response = send(app, "GET", "/api/v2/ai/apikeys/open_ai")
    assert (response.status, json_of(response)["error"]) == (500, "Internal Server Error")
    assert "no such table: api_keys" in caplog.text


def test_what_a_refused_request_has_changed_is_undone(store: Store) -> None:
    app = app_with_admin(store)
    send(app, "POST", "/api/v2/admin/user", {"username": "bob"})
    token = send(app, "POST", "/api/v2/admin/token/bob/60").body.decode()
    agents = [{"name": "a"}, {"name": "b", "visibility": "public_org"}]
    bob = {"authorization": f"Bearer {token}"}
    assert send(app, "POST", "/api/v2/agent/batch", agents, **bob).status == 403
    assert json_of(send(app, "POST", "/api/v2/agent/count", {"where": {"name": "a"}}, **bob)) == 0


def test_the_journal_tells_what_was_asked(store: Store) -> None:
    app = app_with_admin(store)
    journal = app.journal
    send(app, "POST", "/api/v2/account/token/60")
    send(app, "PUT", "/api/v2/agent/7", {"name": "x"})
    send(app, "GET", "/api/v2/agent/summary/7")
    assert [(entry.operation, entry.user, entry.arguments, entry.body, entry.status) for entry in journal] == [
        ("AccountApi.create_token1", "admin", {"duration": 60}, None, 200),
        ("AgentApi.update_agent", "admin", {"agent_id": 7}, {"name": "x"}, 200),
        ("AgentApi.get_agent_summary", "admin", {"agent_id": 7}, None, 404),
    ]


def test_an_address_that_looks_like_a_program_is_not_opened_by_browsers(store: Store) -> None:
    app = app_with_admin(store)
    header = ("Content-Disposition", "inline;filename=f.txt")
    assert header in send(app, "POST", "/api/v2/agent/versions/a.exe").headers
    assert header not in send(app, "POST", "/api/v2/agent/versions/a.txt").headers
