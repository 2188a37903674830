"""Characters, their files and archives, and RAG tasks of the sandbox: what no recording shows."""

import gzip
import http.client
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from freechat_sdk.sandbox import Completion, Prompt, Sandbox
from freechat_sdk.sandbox._app import App
from freechat_sdk.sandbox._files import key_of
from freechat_sdk.sandbox._http import Request, Response
from freechat_sdk.sandbox._release import RELEASES
from freechat_sdk.sandbox._store import Store
from freechat_sdk.sandbox._users import Users
from test.sandbox.oracle import Clock
from test.server import MAX_WAIT

BOUNDARY = "b0undary"
LOCAL_PAGE, FAR_PAGE = "http://localhost:9/x", "https://example.com/tea"


def ask(prompt: Prompt) -> Completion:
    return Completion(["yes"], None)


class Server:
    """A sandbox without sockets, with an administrator and two plain users: `admin`, `ann` and `ben`."""

    def __init__(self, store: Store, release: str, *, faithful: bool) -> None:
        facts = RELEASES[release] if faithful else RELEASES[release].without_faults()
        self.clock = Clock()
        self.prefix = f"/api/{facts.generation}"
        self.app = App(store, facts, ask, clock=self.clock)
        users = Users(store)
        for name in ("admin", "ann", "ben"):
            users.add(name, 0, is_admin=name == "admin")
            users.add_token(name, 0, token=name)

    def send(self, user: str, method: str, path: str, body: Any = None) -> Response:
        headers = {"authorization": f"Bearer {user}", "content-type": "application/json"}
        data = b"" if body is None else json.dumps(body).encode()
        return self.app.respond(Request(method, self.prefix + path, "127.0.0.1", headers, data))

    def get(self, user: str, path: str) -> Any:
        return self.read(self.send(user, "GET", path))

    def post(self, user: str, path: str, body: Any = None) -> Any:
        return self.read(self.send(user, "POST", path, body))

    def put(self, user: str, path: str, body: Any = None) -> Any:
        return self.read(self.send(user, "PUT", path, body))

    def upload(self, user: str, path: str, data: bytes, name: str = "f.bin") -> Response:
        disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'
        body = f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
        headers = {"authorization": f"Bearer {user}", "content-type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self.app.respond(Request("POST", self.prefix + path, "127.0.0.1", headers, body))

    @staticmethod
    def read(response: Response) -> Any:
        assert response.status == 200
        body = response.body or b"".join(response.chunks or ())
        is_json = dict(response.headers).get("Content-Type") == "application/json"
        return json.loads(body) if is_json else body.decode()

    def character(self, **fields: Any) -> tuple[int, str]:
        """Add a character of ann's and return its id and uid."""
        row_id = self.post("ann", "/character", {"name": "ally", "visibility": "private", **fields})
        return row_id, self.get("ann", f"/character/summary/{row_id}")["characterUid"]

    def backend(self, uid: str, **fields: Any) -> str:
        """Add a backend of ann's with a prompt and a task, and return its id."""
        template = {"system": "Be kind.", "messageToSend": {"role": "user", "contents": [{"content": "{{{input}}}"}]}}
        prompt_id = self.post("ann", "/prompt", {"name": "p", "chatTemplate": template})
        body = {"promptRef": {"promptId": prompt_id}, "modelId": "[open_ai]gpt-4o", "apiKeyValue": "sk-secret"}
        task = self.post("ann", "/prompt/task", body)
        added: str = self.post("ann", f"/character/backend/{uid}", {"chatPromptTaskId": task, **fields})
        return added


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(Store()) as store:
        yield store


@pytest.fixture
def server(store: Store) -> Server:
    return Server(store, "2.9.0", faithful=True)


def archive_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(buffer.getvalue())


def files_of(response: Response) -> dict[str, bytes]:
    data = response.body or b"".join(response.chunks or ())
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        return {entry.name: file.read() for entry in archive if (file := archive.extractfile(entry))}


# Backends


@pytest.mark.parametrize("release", RELEASES)
def test_without_faults_there_is_always_one_default_backend(store: Store, release: str) -> None:
    server = Server(store, release, faithful=False)
    _, uid = server.character()
    first, second = server.backend(uid), server.backend(uid, isDefault=True)
    assert server.get("ann", f"/character/backend/default/{uid}")["backendId"] == second
    server.put("ann", f"/character/backend/default/{first}")
    assert server.get("ann", f"/character/backend/default/{uid}")["backendId"] == first
    server.read(server.send("ann", "DELETE", f"/character/backend/{first}"))
    assert server.get("ann", f"/character/backend/default/{uid}")["backendId"] == second


@pytest.mark.parametrize(("size", "status"), [(9, 400), (10, 200), (500, 200), (501, 400)])
def test_the_sizes_of_a_backend_have_limits(server: Server, size: int, status: int) -> None:
    _, uid = server.character()
    assert server.send("ann", "POST", f"/character/backend/{uid}", {"messageWindowSize": size}).status == status


def test_unknown_backends_are_errors_to_an_administrator_too(server: Server) -> None:
    assert server.send("admin", "PUT", "/character/backend/none", {"isDefault": True}).status == 404
    assert server.send("admin", "PUT", "/character/backend/default/none").status == 400
    assert server.send("admin", "DELETE", "/character/backend/none").status == 400


# Versions


def test_publishing_makes_a_draft_a_part_of_the_version(server: Server) -> None:
    row_id, _ = server.character(greeting="Hi!", draft=json.dumps({"greeting": "Hello!", "name": "other"}))
    published = server.get("ann", f"/character/details/{server.post('ann', f'/character/publish/{row_id}')}")
    assert (published["greeting"], published["name"], published["draft"]) == ("Hello!", "ally", None)


def test_the_latest_id_of_a_name_is_that_of_a_version_that_is_not_hidden(server: Server) -> None:
    row_id, _ = server.character()
    published = server.post("ann", f"/character/publish/{row_id}/private")
    assert server.post("ann", "/character/latest/ally") == published


@pytest.mark.parametrize("field", ["name", "description", "profile", "chatStyle"])
def test_a_text_is_looked_for_in_what_describes_a_character(server: Server, field: str) -> None:
    row_id, _ = server.character(**{field: "loves green tea"})
    found = server.post("ann", "/character/search", {"where": {"visibility": "private", "text": "green"}})
    assert [character["characterId"] for character in found] == [row_id]
    assert server.post("ann", "/character/count", {"where": {"visibility": "private", "text": "black"}}) == 0


def test_without_faults_nobody_sees_what_is_not_theirs(store: Store) -> None:
    server = Server(store, "2.9.0", faithful=False)
    row_id, _ = server.character()
    assert server.send("ann", "GET", f"/character/export/{row_id}").status == 200
    assert server.send("ben", "GET", f"/character/export/{row_id}").status == 500


def test_the_server_forgets_what_it_leaks_when_time_has_passed_or_the_character_changes(server: Server) -> None:
    row_id, _ = server.character()
    server.send("ann", "GET", f"/character/export/{row_id}")
    assert server.send("ben", "GET", f"/character/export/{row_id}").status == 200
    server.clock.sleep(3600)
    assert server.send("ben", "GET", f"/character/export/{row_id}").status == 500
    server.send("ann", "GET", f"/character/export/{row_id}")
    server.put("ann", f"/character/{row_id}", {"nickname": "Al"})
    assert server.send("ben", "GET", f"/character/export/{row_id}").status == 500


# Files


def test_documents_cannot_be_fetched_but_pictures_can(server: Server) -> None:
    _, uid = server.character()
    picture = server.read(server.upload("ann", f"/character/picture/{uid}", b"png"))
    document = server.read(server.upload("ann", f"/character/document/{uid}", b"text"))
    for address, status in ((picture, 200), (document.replace("/my/", "/public/"), 404)):
        path = "/" + address.split("/", 3)[3]
        assert server.app.respond(Request("GET", path, "127.0.0.1", {}, b"")).status == status


def test_a_backend_keeps_one_voice(server: Server) -> None:
    _, uid = server.character()
    backend = server.backend(uid)
    for name in ("old.wav", "new.wav"):
        server.read(server.upload("ann", f"/character/voice/{backend}", b"RIFF", name))
    (voice,) = server.get("ann", f"/character/voices/{backend}")
    assert voice.endswith("-new.wav")


@pytest.mark.parametrize(("kind", "limit"), [("avatar", 1), ("picture", 2)])
def test_a_file_above_its_limit_is_refused(server: Server, kind: str, limit: int) -> None:
    _, uid = server.character()
    assert server.upload("ann", f"/character/{kind}/{uid}", b"x" * limit * 2**20).status == 200
    assert server.upload("ann", f"/character/{kind}/{uid}", b"x" * (limit * 2**20 + 1)).status == 400


@pytest.mark.parametrize("user", ["admin", "ben"])
def test_only_the_owner_deletes_files(server: Server, user: str) -> None:
    _, uid = server.character()
    key = server.read(server.upload("ann", f"/character/document/{uid}", b"text")).rpartition("/")[2]
    response = server.send(user, "DELETE", f"/character/document/{key}")
    assert (response.status, b"Document doesn't belong to you" in b"".join(response.chunks or ())) == (403, True)
    assert len(server.get("ann", f"/character/documents/{uid}")) == 1


@pytest.mark.parametrize("key", ["%C3%B6", "AAAA", "a", key_of("no/uid")[:-2]])
def test_a_malformed_key_is_refused(server: Server, key: str) -> None:
    assert server.send("ann", "DELETE", f"/character/picture/{key}").status == 403


# Archives


def exported(server: Server) -> dict[str, bytes]:
    """Return the archive of a character of ann's that has a backend and files of each kind."""
    row_id, uid = server.character(nickname="Ally")
    backend = server.backend(uid, isDefault=True)
    avatar = server.read(server.upload("ann", f"/character/avatar/{uid}", b"face"))
    server.read(server.upload("ann", f"/character/avatar/{uid}", b"unused"))
    server.put("ann", f"/character/{row_id}", {"avatar": avatar})
    for kind in ("picture", "document", "video"):
        server.read(server.upload("ann", f"/character/{kind}/{uid}", kind.encode()))
    server.read(server.upload("ann", f"/character/voice/{backend}", b"voice"))
    return files_of(server.send("ann", "GET", f"/character/export/{row_id}"))


def test_an_export_holds_files_of_each_kind_prompts_and_keys_in_clear(server: Server) -> None:
    files = exported(server)
    assert sorted(path.partition("/")[0] for path in files) == (
        ["avatar", "character.json", "documents", "manifest.yml", "pictures", "videos", "voices"]
    )
    assert next(data for path, data in files.items() if path.startswith("avatar/")) == b"face"
    (backend,) = json.loads(files["character.json"])["backends"]
    assert backend["chatPromptTask"] == {"modelId": "[open_ai]gpt-4o", "apiKeyValue": "sk-secret"}
    assert backend["chatPrompt"]["chatTemplate"]["system"] == "Be kind."


def test_a_whole_export_can_be_imported(server: Server) -> None:
    row_id = server.read(server.upload("ben", "/character/import", archive_of(exported(server))))
    details = server.get("ben", f"/character/details/{row_id}")
    assert (details["name"], details["nickname"], details["visibility"]) == ("ally", "Ally", "private")
    (backend,) = details["backends"]
    task = server.get("ben", f"/prompt/task/{backend['chatPromptTaskId']}")
    prompt = server.get("ben", f"/prompt/details/{task['promptRef']['promptId']}")
    assert (backend["isDefault"], task["apiKeyValue"], prompt["username"]) == (True, "sk-secret", "ben")
    uid = details["characterUid"]
    assert [len(server.get("ben", f"/character/{kind}s/{uid}")) for kind in ("picture", "document", "video")] == [1] * 3
    (rag_task,) = server.get("ben", f"/rag/tasks/{uid}")
    assert (rag_task["status"], rag_task["sourceType"]) == ("pending", "file")
    face = server.app.respond(Request("GET", "/" + details["avatar"].split("/", 3)[3], "127.0.0.1", {}, b""))
    assert b"".join(face.chunks or ()) == b"face"


@pytest.mark.parametrize("release", RELEASES)
def test_without_faults_an_export_without_files_can_be_imported(store: Store, release: str) -> None:
    server = Server(store, release, faithful=False)
    row_id, _ = server.character()
    files = files_of(server.send("ann", "GET", f"/character/export/{row_id}"))
    server.read(server.upload("ann", "/character/import", archive_of(files)))
    assert server.get("ann", "/character/exists/name/ally-1") is True


def test_an_archive_of_another_generation_is_refused(server: Server) -> None:
    files = {"manifest.yml": b"apiVersion: v1\n", "character.json": b'{"character": {"name": "a"}, "backends": []}'}
    assert server.upload("ann", "/character/import", archive_of(files)).status == 400


@pytest.mark.parametrize("text", [b"[]", b"{", b'{"character": 1, "backends": []}', b'{"character": {"name": "a"}}'])
def test_an_unreadable_archive_leaves_nothing_behind(server: Server, text: bytes) -> None:
    files = {"manifest.yml": b"apiVersion: v2\n", "character.json": text}
    assert server.upload("ann", "/character/import", archive_of(files)).status == 500
    assert server.post("ann", "/character/count", {"where": {"visibility": "private"}}) == 0


# RAG


def rag_task(server: Server, source: str, kind: str = "url") -> int:
    _, uid = server.character()
    task: int = server.post("ann", f"/rag/task/{uid}", {"sourceType": kind, "source": source})
    return task


def test_a_task_ends_when_its_status_has_been_asked_for_often_enough(server: Server) -> None:
    task = rag_task(server, FAR_PAGE)
    server.post("ann", f"/rag/task/start/{task}")
    states = [server.get("ann", f"/rag/task/status/{task}") for _ in range(4)]
    assert states == ["pending", "running", "succeeded", "succeeded"]


def test_a_task_ends_when_time_has_passed(server: Server) -> None:
    task = rag_task(server, FAR_PAGE)
    server.post("ann", f"/rag/task/start/{task}")
    server.clock.sleep(2)
    details = server.get("ann", f"/rag/task/{task}")
    assert (details["status"], details["gmtEnd"]) == ("succeeded", "1970-01-01T00:00:02")


def test_a_task_that_is_under_way_can_be_canceled_and_started_again(server: Server) -> None:
    task = rag_task(server, FAR_PAGE)
    assert server.post("ann", f"/rag/task/cancel/{task}") is False
    server.post("ann", f"/rag/task/start/{task}")
    assert server.post("ann", f"/rag/task/cancel/{task}") is True
    assert server.get("ann", f"/rag/task/status/{task}") == "canceled"
    server.post("ann", f"/rag/task/start/{task}")
    assert server.get("ann", f"/rag/task/status/{task}") == "running"


@pytest.mark.parametrize(("kind", "source"), [("url", LOCAL_PAGE), ("url", "no address"), ("file", "none"), ("x", "y")])
def test_a_task_without_a_source_fails_and_says_why(server: Server, kind: str, source: str) -> None:
    task = rag_task(server, source, kind)
    assert server.post("ann", f"/rag/task/start/{task}") is True
    details = server.get("ann", f"/rag/task/{task}")
    assert (details["status"], json.loads(details["ext"])["message"].rpartition(" ")[2]) == (
        "failed",
        source.rpartition(" ")[2],
    )


def test_without_faults_a_task_is_updated(store: Store) -> None:
    server = Server(store, "2.9.0", faithful=False)
    task = rag_task(server, FAR_PAGE)
    assert server.put("ann", f"/rag/task/{task}", {"maxSegmentSize": 200}) is True
    assert server.get("ann", f"/rag/task/{task}")["maxSegmentSize"] == 200


def test_an_administrator_sees_that_there_is_no_task(server: Server) -> None:
    assert server.get("admin", "/rag/task/status/9") == "unknown"
    assert server.post("admin", "/rag/task/start/9") is False
    assert server.send("admin", "PUT", "/rag/task/9", {}).status == 404


# The built-in character


@pytest.mark.parametrize("release", RELEASES)
def test_everybody_finds_the_built_in_character_by_its_name(release: str) -> None:
    with Sandbox(release=release, faithful=True) as sandbox:
        path = f"/api/{RELEASES[release].generation}/character/details/search"
        connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=MAX_WAIT)
        headers = {"Authorization": f"Bearer {sandbox.add_user('ben')}", "Content-Type": "application/json"}
        with closing(connection):
            connection.request("POST", path, json.dumps({"where": {"visibility": "public", "name": "pip"}}), headers)
            (found,) = json.loads(connection.getresponse().read())
    assert (found["characterUid"], found["username"]) == (sandbox.character.uid, "sandbox")
    (backend,) = found["backends"]
    assert backend["isDefault"]
    assert backend["chatPromptTaskId"]
