"""Counts, tags, organisations and speech, in what no recording shows."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from freechat_sdk.sandbox import Completion, Prompt
from freechat_sdk.sandbox._app import App
from freechat_sdk.sandbox._http import Request, Response
from freechat_sdk.sandbox._release import RELEASES
from freechat_sdk.sandbox._store import Store
from freechat_sdk.sandbox._users import Users
from test.sandbox.test_core import json_of, send

UID = "0" * 32
MP3_FRAME = b"\xff\xfb"


def ask(prompt: Prompt) -> Completion:
    return Completion(["yes"], None)


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(Store()) as store:
        users = Users(store)
        for name in ("admin", "ann", "ben", "cat"):
            users.add(name, 0, is_admin=name == "admin")
            users.add_token(name, 0, token=name)
        yield store


@pytest.fixture
def app(store: Store) -> App:
    return App(store, RELEASES["2.9.0"].without_faults(), ask)


def by(app: App, user: str, method: str, path: str, body: Any = None) -> Response:
    return send(app, method, f"/api/v2{path}", body, authorization=f"Bearer {user}")


def of(app: App, user: str, method: str, path: str, body: Any = None) -> Any:
    return json_of(by(app, user, method, path, body))


# Counts


def test_a_score_is_the_mean_of_the_users_last_scores(app: App) -> None:
    for user, score in (("ann", 1), ("ben", 4), ("ann", 8)):
        of(app, user, "POST", f"/stats/agent/{UID}/score/{score}")
    counts = of(app, "cat", "GET", f"/public/stats/agent/{UID}")
    assert (counts["score"], counts["scoreCount"]) == (6, 2)
    assert of(app, "ann", "GET", f"/public/score/agent/{UID}") == 8


def test_what_was_never_counted_is_below_no_number(app: App) -> None:
    assert by(app, "ann", "POST", f"/stats/agent/{UID}/view_count/-1").status == 500
    assert of(app, "ann", "GET", f"/public/stats/agent/{UID}/view_count") == 0


def test_a_clone_counts_for_its_original_which_lists_of_versions_show(app: App) -> None:
    prompt = of(app, "ann", "POST", "/prompt", {"name": "p", "template": "t"})
    by(app, "ben", "POST", f"/prompt/clone/{prompt}")
    assert of(app, "ann", "POST", "/prompt/versions/p")[0]["stats"]["referCount"] == 1


def test_lists_by_a_statistic_hold_the_callers_public_things_with_their_counts(app: App) -> None:
    prompts = {name: of(app, "ann", "POST", "/prompt", {"name": name, "template": "t"}) for name in "pq"}
    private = of(app, "ann", "POST", "/prompt", {"name": "r", "template": "t", "visibility": "private"})
    for views, prompt in enumerate((*prompts.values(), private), start=1):
        uid = of(app, "ann", "GET", f"/prompt/summary/{prompt}")["promptUid"]
        of(app, "ben", "POST", f"/stats/prompt/{uid}/view_count/{views}")
    listed = of(app, "ann", "GET", "/public/stats/prompts/by/view_count")
    assert [(row["name"], row["viewCount"]) for row in listed] == [("p", 1), ("q", 2)]
    assert of(app, "ann", "GET", "/public/stats/prompts/by/view_count/1") == []
    assert [row["name"] for row in of(app, "ann", "GET", "/public/stats/prompts/by/view_count/1/1")] == ["q"]
    assert [row["name"] for row in of(app, "ann", "GET", "/public/stats/prompts/by/view_count/1?asc=1")] == ["p"]


# Tags


def test_hot_tags_are_those_of_public_things_the_most_frequent_first(app: App) -> None:
    for tags, visibility in ((["tea"], "public"), (["tea", "art"], "public"), (["art", "x"], "private")):
        of(app, "ann", "POST", "/prompt", {"name": "p", "template": "t", "tags": tags, "visibility": visibility})
    assert of(app, "ben", "GET", "/public/tags/hot/prompt/5") == [
        {"content": "tea", "count": 2},
        {"content": "art", "count": 1},
    ]
    assert of(app, "ben", "GET", "/public/tags/hot/prompt/1?text=a") == [{"content": "tea", "count": 2}]


def test_a_tag_is_there_once_and_needs_something_to_be_on(app: App) -> None:
    prompt = of(app, "ann", "POST", "/prompt", {"name": "p", "template": "t", "tags": ["a"]})
    uid = of(app, "ann", "GET", f"/prompt/summary/{prompt}")["promptUid"]
    assert [of(app, "ben", "POST", f"/biz/admin/tag/prompt/{uid}/{tag}") for tag in "abb"] == [True] * 3
    assert of(app, "ann", "GET", f"/prompt/summary/{prompt}")["tags"] == ["a", "b"]
    assert of(app, "ben", "POST", f"/biz/admin/tag/prompt/{UID}/a") is False
    assert of(app, "ben", "DELETE", f"/biz/admin/tag/dragon/{uid}/a") is False


# Organisations


def test_who_has_subordinates_manages_their_whole_tree(app: App) -> None:
    assert of(app, "admin", "PUT", "/org/manage/ann/subordinates", ["ben", "nobody"]) is True
    assert of(app, "ann", "PUT", "/org/manage/ben/subordinates", ["ben"]) is False
    assert of(app, "admin", "PUT", "/org/manage/cat/owners", ["ben"]) is True
    assert of(app, "ann", "GET", "/org/subordinates") == ["ann", "ben"]
    assert of(app, "ann", "GET", "/org/subordinates?all=1") == ["ann", "ben", "cat"]
    assert of(app, "cat", "GET", "/org/owners?all=1") == ["cat", "ben", "ann"]
    assert of(app, "ann", "GET", "/org/authority/cat") == ["ROLE_USER"]
    refused = by(app, "ann", "PUT", "/org/manage/ben/subordinates", ["admin"])
    assert (refused.status, json_of(refused)["message"]) == (403, "No permission to manage user admin")
    assert of(app, "ann", "DELETE", "/org/manage/ann/subordinates") is True
    assert of(app, "ann", "DELETE", "/org/manage/ann/subordinates") is False
    assert of(app, "cat", "GET", "/org/owners?all=1") == ["cat"]


def test_nobody_gives_an_authority_to_others_that_it_lacks(app: App) -> None:
    of(app, "admin", "PUT", "/org/manage/ann/subordinates", ["ben"])
    refused = by(app, "ann", "PUT", "/org/authority/ben", ["ROLE_USER", "ROLE_ADMIN"])
    assert (refused.status, json_of(refused)["message"]) == (403, "No permission to set authority ROLE_ADMIN")
    assert of(app, "ann", "PUT", "/org/authority/ben", ["ROLE_USER"]) is True
    assert of(app, "admin", "PUT", "/org/authority/nobody", ["ROLE_USER"]) is False


def test_a_graph_is_text_whatever_it_is_labelled(app: App) -> None:
    for accept, label in (("text/html", "text/html;charset=UTF-8"), ("*/*", "text/plain;charset=UTF-8")):
        response = send(app, "GET", "/api/v2/org/owners/dot", authorization="Bearer ann", accept=accept)
        assert (dict(response.headers)["Content-Type"], response.body) == (label, b"digraph{\nann;\n}\n")


# Speech


def test_a_sample_is_an_mp3_file(app: App) -> None:
    request = Request("GET", "/api/v2/public/tts/play/sample/idx/Whoever", "127.0.0.1", {}, b"")
    response = app.respond(request)
    data = b"".join(response.chunks or ())
    assert dict(response.headers)["Content-Type"] == "audio/mpeg"
    assert {data[start : start + 2] for start in range(0, len(data), 104)} == {MP3_FRAME}


def test_a_message_that_was_asked_for_without_a_speaker_stays_silent(store: Store, app: App) -> None:
    backend = store.table("backends").add(backendId="b", username="ann")
    store.table("chats").add(chatId="c", username="ann", backendId="b")
    first, second = (store.table("messages").add(chatId="c") for _ in range(2))
    assert by(app, "ann", "GET", f"/tts/speak/{first}").status == 500
    store.table("backends").update(backend, ttsSpeakerWav="voice.wav")
    statuses = [by(app, "ann", "GET", f"/tts/speak/{message}").status for message in (first, second, second)]
    assert statuses == [500, 200, 200]
    store.table("backends").update(backend, ttsSpeakerWav=None)
    assert by(app, "ann", "GET", f"/tts/speak/{second}").status == 500
    assert [by(app, user, "GET", f"/tts/speak/{second}").status for user in ("ben", "admin")] == [403, 500]
