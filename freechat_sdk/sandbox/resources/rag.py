"""RagApi: tasks that teach a character documents and web pages."""

import json
from typing import Any
from urllib.parse import urlsplit

from freechat_sdk.sandbox._files import Files
from freechat_sdk.sandbox._resource import Call, Refused, check_ranges, own_or_refuse
from freechat_sdk.sandbox._store import Row, Store

RUN_SECONDS, RUN_POLLS = 2, 2
"""A task that runs is done after a while, or when its status has been asked for often enough."""
_RANGES = {"maxSegmentSize": ("Max segment size", 0, 1000), "maxOverlapSize": ("Max overlap size", 0, 100)}


class Rag:
    """Tasks of characters; they teach nothing here, but run through their states.

    A task on a file ends well if there is the file. One on a web page ends well unless the page is this machine's:
    nothing is fetched.
    """

    def __init__(self, store: Store) -> None:
        self._tasks = store.table("rag_tasks", "characterUid")
        self._characters = store.table("characters", "uid")
        self._files = Files(store)

    def create_rag_task(self, call: Call, character_uid: str) -> int:
        self._refuse_others(call, character_uid)
        check_ranges(call.body, _RANGES)
        return self._tasks.add(**new_task(call, character_uid, call.body))

    def list_rag_tasks(self, call: Call, character_uid: str) -> list[Row]:
        self._refuse_others(call, character_uid)
        return [self._settled(call, task) for task in self._tasks.find(characterUid=character_uid)]

    def update_rag_task(self, call: Call, task_id: int) -> bool:
        """Change what is given, unless the server forgets which task it is."""
        if self._own(call, task_id) is None:
            raise Refused(404, "No task found.")
        check_ranges(call.body, _RANGES)
        if call.release.ignores_rag_updates:
            return False
        return self._tasks.update(task_id, **call.body, gmtModified=call.now)

    def delete_rag_task(self, call: Call, task_id: int) -> bool:
        self._own(call, task_id)
        return self._tasks.delete(task_id)

    def get_rag_task_status(self, call: Call, task_id: int) -> str:
        """Return the state of a task, and count that it was asked for: nobody has to wait for the clock."""
        task = self._own(call, task_id)
        if task is None:
            return "unknown"
        self._tasks.update(task_id, polls=task["polls"] + 1)
        return str(task["status"])

    def start_rag_task(self, call: Call, task_id: int) -> bool:
        task = self._own(call, task_id)
        if task is None or task["isStarted"]:
            return task is not None
        state = {"status": "pending", "isStarted": True, "gmtStart": call.now, "gmtEnd": None, "ext": None}
        self._tasks.update(task_id, **state, polls=min(task["polls"], 1), gmtModified=call.now)
        if (fault := self._fault(task)) is not None:
            failure = {"message": fault, "ex": f"java.lang.IllegalArgumentException: {fault}"}
            self._end(call, task_id, "failed", ext=json.dumps(failure))
        return True

    def cancel_rag_task(self, call: Call, task_id: int) -> bool:
        task = self._own(call, task_id)
        return task is not None and task["isStarted"] and self._end(call, task_id, "canceled")

    def _end(self, call: Call, task_id: int, status: str, **fields: Any) -> bool:
        ended = {"status": status, "isStarted": False, "gmtEnd": call.now, "gmtModified": call.now}
        return self._tasks.update(task_id, **ended, **fields)

    def _own(self, call: Call, task_id: int) -> Row | None:
        """Return a task of a character of the caller's as it is now; None if it was one."""
        task = self._tasks.get(task_id)
        known = task or self._tasks.deleted(id=task_id) or {"characterUid": ""}
        self._refuse_others(call, known["characterUid"])
        return self._settled(call, task) if task else None

    get_rag_task = _own

    def _refuse_others(self, call: Call, uid: str) -> None:
        own_or_refuse(call, self._characters.first(uid=uid))

    def _settled(self, call: Call, task: Row) -> Row:
        if not task["isStarted"]:
            return task
        if call.now - task["gmtStart"] >= RUN_SECONDS or task["polls"] >= RUN_POLLS:
            self._end(call, task["id"], "succeeded")
            return self._tasks.get(task["id"]) or task
        return {**task, "status": "running" if task["polls"] else "pending"}

    def _fault(self, task: Row) -> str | None:
        """Return why a task cannot be done."""
        source = task.get("source", "")
        if task.get("sourceType") == "url":
            return None if _is_elsewhere(source) else f"Illegal url: {source}"
        is_known = task.get("sourceType") == "file" and self._files.get(source) is not None
        return None if is_known else f"Illegal file: {source}"


def new_task(call: Call, character_uid: str, fields: Row) -> Row:
    """Return the row of a new task."""
    sizes = {"maxSegmentSize": 300, "maxOverlapSize": 30}
    state = {"status": "pending", "isStarted": False, "polls": 0, **call.dates}
    return {**sizes, **fields, **state, "characterUid": character_uid}


def _is_elsewhere(address: str) -> bool:
    """Return whether a web address leads away from this machine."""
    parts = urlsplit(address)
    return parts.scheme in ("http", "https") and parts.hostname not in (None, "localhost", "127.0.0.1", "::1")
