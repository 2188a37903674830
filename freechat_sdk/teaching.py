"""teach: let a character learn from a file or a web page (retrieval-augmented generation)."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from urllib.parse import unquote, urlsplit

from freechat_sdk.api import CharacterApi, RagApi
from freechat_sdk.api_client import ApiClient
from freechat_sdk.characters import uid_of
from freechat_sdk.exceptions import ApiException, ApiTimeoutError, ApiValueError, RagTaskFailedError
from freechat_sdk.models import RagTaskDetailsDTO, RagTaskDTO
from freechat_sdk.upload import FileInput, Upload

Progress = Callable[[str], object]

_SEGMENT_TOKENS: Final = 300
_OVERLAP_TOKENS: Final = 30
_FIRST_PAUSE: Final = 1.0
_MAX_PAUSE: Final = 8.0
_BACKOFF: Final = 1.5
"""The wait between two looks at a task: 1 s at first, half as much again each time, at most 8 s."""


def teach(
    client: ApiClient,
    character: str,
    source: FileInput | Upload,
    *,
    timeout: float = 300.0,
    progress: Progress | None = None,
    max_segment_size: int = _SEGMENT_TOKENS,
    max_overlap_size: int = _OVERLAP_TOKENS,
) -> RagTaskDetailsDTO:
    """Let a character learn from a document, and wait until it has.

        teach(client, "pip", "notes.txt")
        teach(client, "pip", "https://example.com/faq.html", progress=print)

    A file is uploaded; a web page is fetched by the server. If the wait ends early, because of Ctrl-C or `timeout`, the
    task is cancelled.

    Args:
        client: the client to use.
        character: the uid of a character of the caller's, or its name.
        source: what to learn from: an address that begins with `http://` or `https://`, or a file as uploads take it.
        timeout: the longest wait for the task, in seconds. Default 300.
        progress: called with each new status: `pending`, `running`, `succeeded`, ...
        max_segment_size: the longest part that the document is cut into, in tokens. Default 300.
        max_overlap_size: how many tokens neighbouring parts share. Default 30.

    Returns:
        The task, as it succeeded.

    Raises:
        RagTaskFailedError: if the task failed or was cancelled.
        ApiTimeoutError: if the task has not ended within `timeout`.
    """
    uid = uid_of(client, character)
    tasks = RagApi(client)
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        task = RagTaskDTO(source_type="url", source=source)
    else:
        key = document_key(CharacterApi(client).upload_character_document(uid, source))
        task = RagTaskDTO(source_type="file", source=key)
    task.max_segment_size, task.max_overlap_size = max_segment_size, max_overlap_size
    task_id = tasks.create_rag_task(uid, task)
    try:
        tasks.start_rag_task(task_id)
        return wait_for_rag_task(client, task_id, timeout=timeout, progress=progress)
    except RagTaskFailedError:
        raise
    except BaseException:
        with suppress(ApiException):
            tasks.cancel_rag_task(task_id)
        raise


def document_key(url: str) -> str:
    """Return the key of an uploaded file from its address: what RAG tasks take as source, and deletions as key."""
    key = unquote(urlsplit(url).path.rpartition("/")[2])
    if not key:
        raise ApiValueError(f"{url!r} is not the address of an uploaded file: it has no last path segment")
    return key


def wait_for_rag_task(
    client: ApiClient, task_id: int, *, timeout: float = 300.0, progress: Progress | None = None
) -> RagTaskDetailsDTO:
    """Wait until a task that has been started succeeds, and return it.

    Raises:
        RagTaskFailedError: if the task failed or was cancelled.
        ApiTimeoutError: if the task has not ended within `timeout` seconds.
    """
    tasks, policy = RagApi(client), client.rest_client.policy
    end, pause, known = policy.clock() + timeout, _FIRST_PAUSE, ""
    while True:
        status = tasks.get_rag_task_status(task_id)
        if status != known and progress is not None:
            progress(status)
        known = status
        if status == "succeeded":
            return _details(tasks, task_id)
        if status in ("failed", "canceled"):
            raise _failed(_details(tasks, task_id))
        left = end - policy.clock()
        if left <= 0:
            raise ApiTimeoutError(message=f"RAG task {task_id} is still {status} after {timeout:g} s")
        policy.sleep(min(pause, left))
        pause = min(pause * _BACKOFF, _MAX_PAUSE)


def _details(tasks: RagApi, task_id: int) -> RagTaskDetailsDTO:
    return tasks.get_rag_task(task_id) or RagTaskDetailsDTO(id=task_id)


def _failed(task: RagTaskDetailsDTO) -> RagTaskFailedError:
    if task.status == "canceled":
        return RagTaskFailedError(f"RAG task {task.id} was cancelled", task)
    reason = _reason(task.ext) or "The server gives no reason"
    advice = "Check that the server can reach and read the source."
    return RagTaskFailedError(f"RAG task {task.id} ({task.source_type} {task.source}) failed. {reason}. {advice}", task)


def _reason(ext: str | None) -> str | None:
    """Return the message in the details of a failed task, which are JSON and hold a Java stack trace too."""
    try:
        details = json.loads(ext or "")
    except ValueError:
        return ext
    return str(details["message"]) if isinstance(details, dict) and details.get("message") else ext
