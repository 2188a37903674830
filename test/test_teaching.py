"""teach and its parts, against the sandbox as each release with its faults, without waits."""

from collections.abc import Callable, Iterator

import pytest

from freechat_sdk import (
    ApiClient,
    ApiTimeoutError,
    ApiValueError,
    RagApi,
    RagTaskDetailsDTO,
    RagTaskDTO,
    RagTaskFailedError,
    create_character_with_prompt,
    document_key,
    teach,
    wait_for_rag_task,
)
from freechat_sdk.sandbox import Sandbox
from test.clients import Clock, at_once, configured, each_release

NOTES = ("notes.txt", b"The library opens at nine.")


class Naps(Clock):
    """A clock that goes on when somebody sleeps, and what it does then."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []
        self.then: Callable[[], object] = int

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.then()


pytestmark = pytest.mark.freechat(faithful=True, verdict=False)  # to the sandbox, naps are no time at all


@pytest.fixture(params=each_release())
def sandbox(freechat_sandbox: Sandbox) -> Sandbox:
    return freechat_sandbox


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def client(sandbox: Sandbox, naps: Naps) -> Iterator[ApiClient]:
    retries = at_once(clock=naps, sleep=naps.sleep)
    configuration = configured(sandbox.host, access_token=sandbox.token, api_version="auto", retries=retries)
    with ApiClient(configuration) as client:
        yield client


@pytest.fixture
def uid(client: ApiClient) -> str:
    return create_character_with_prompt(client, "librarian").character_uid


def status_of_the_only_task(client: ApiClient, uid: str) -> str | None:
    (task,) = RagApi(client).list_rag_tasks(uid)
    return task.status


def test_a_character_learns_from_a_file(client: ApiClient, uid: str, naps: Naps) -> None:
    statuses: list[str] = []
    task = teach(client, uid, NOTES, progress=statuses.append)
    assert statuses == ["pending", "running", "succeeded"]
    assert (task.status, task.source_type, task.character_uid) == ("succeeded", "file", uid)
    assert (task.max_segment_size, task.max_overlap_size) == (300, 30)
    assert task.source is not None
    assert "/" not in task.source
    assert naps.slept == [1.0, 1.5]


def test_a_character_learns_from_a_web_page(client: ApiClient, uid: str) -> None:
    address = "https://example.com/faq.html"
    task = teach(client, "librarian", address, max_segment_size=200, max_overlap_size=0)
    assert (task.source_type, task.source, task.status) == ("url", address, "succeeded")
    assert (task.character_uid, task.max_segment_size, task.max_overlap_size) == (uid, 200, 0)


def test_a_page_that_cannot_be_read_fails_with_the_reason_of_the_server(client: ApiClient, uid: str) -> None:
    with pytest.raises(RagTaskFailedError, match=r"http://127.0.0.1:9/x\) failed\. .*Illegal url") as caught:
        teach(client, uid, "http://127.0.0.1:9/x")
    assert caught.value.task.status == "failed"
    assert str(caught.value).endswith("Check that the server can reach and read the source.")
    assert "{" not in str(caught.value)


def test_the_reason_of_a_failure_may_be_plain_or_missing(client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for ext, reason in (("out of paper", "out of paper"), (None, "gives no reason"), ('{"n": 1}', '{"n": 1}')):
        task = RagTaskDetailsDTO(id=1, status="failed", ext=ext)
        monkeypatch.setattr(RagApi, "get_rag_task_status", lambda self, task_id: "failed")
        monkeypatch.setattr(RagApi, "get_rag_task", lambda self, task_id, task=task: task)
        with pytest.raises(RagTaskFailedError, match=reason):
            wait_for_rag_task(client, 1)


def test_a_task_that_somebody_cancels_says_so(client: ApiClient, uid: str, naps: Naps) -> None:
    def cancel() -> None:
        (task,) = RagApi(client).list_rag_tasks(uid)
        assert task.id is not None
        RagApi(client).cancel_rag_task(task.id)

    naps.then = cancel
    with pytest.raises(RagTaskFailedError, match="was cancelled"):
        teach(client, uid, NOTES)


def test_ctrl_c_cancels_the_task(client: ApiClient, uid: str, naps: Naps) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    naps.then = interrupt
    with pytest.raises(KeyboardInterrupt):
        teach(client, uid, NOTES)
    assert status_of_the_only_task(client, uid) == "canceled"


def test_an_error_of_the_progress_function_cancels_the_task(client: ApiClient, uid: str) -> None:
    def fail(status: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        teach(client, uid, NOTES, progress=fail)
    assert status_of_the_only_task(client, uid) == "canceled"


def test_the_time_limit_cancels_the_task(client: ApiClient, uid: str, naps: Naps) -> None:
    with pytest.raises(ApiTimeoutError, match="still pending after 0 s"):
        teach(client, uid, NOTES, timeout=0)
    assert naps.slept == []
    assert status_of_the_only_task(client, uid) == "canceled"


def test_waits_grow_to_a_limit(client: ApiClient, uid: str, naps: Naps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RagApi, "get_rag_task_status", lambda self, task_id: "running")
    statuses: list[str] = []
    with pytest.raises(ApiTimeoutError):
        wait_for_rag_task(client, 1, timeout=30.0, progress=statuses.append)
    assert naps.slept == pytest.approx([1.0, 1.5, 2.25, 3.375, 5.0625, 7.59375, 8.0, 1.21875])
    assert statuses == ["running"]


def test_waiting_alone_does_not_cancel(client: ApiClient, uid: str) -> None:
    task_id = RagApi(client).create_rag_task(uid, RagTaskDTO(source_type="url", source="https://example.com"))
    RagApi(client).start_rag_task(task_id)
    with pytest.raises(ApiTimeoutError):
        wait_for_rag_task(client, task_id, timeout=0)
    assert wait_for_rag_task(client, task_id).status == "succeeded"


def test_a_file_that_does_not_exist_makes_no_task(client: ApiClient, uid: str) -> None:
    with pytest.raises(FileNotFoundError):
        teach(client, uid, "no such file.txt")
    assert RagApi(client).list_rag_tasks(uid) == []


def test_the_character_must_exist(client: ApiClient) -> None:
    with pytest.raises(ApiValueError, match="no character is named 'nobody'"):
        teach(client, "nobody", NOTES)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://127.0.0.1:8080/public/document/abc.txt", "abc.txt"),
        ("https://example.com/a/b%20c.pdf?x=1#y", "b c.pdf"),
        ("abc.txt", "abc.txt"),
    ],
)
def test_the_key_of_a_document_is_the_end_of_its_address(url: str, key: str) -> None:
    assert document_key(url) == key


def test_an_address_without_a_key_is_refused() -> None:
    with pytest.raises(ApiValueError, match="no last path segment"):
        document_key("https://example.com/documents/")
