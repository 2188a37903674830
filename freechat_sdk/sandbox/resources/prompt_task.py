"""PromptTaskApi: tasks, each of which asks one model with one prompt."""

from freechat_sdk.sandbox._resource import Call, Refused, new_uid, own
from freechat_sdk.sandbox._store import Row, Store
from freechat_sdk.sandbox.resources.prompt import Prompt


class PromptTask:
    """Tasks of the caller's; servers remember whose a deleted one was."""

    def __init__(self, store: Store) -> None:
        self._tasks = store.table("prompt_tasks", "promptTaskId", "username")
        self._prompts = Prompt(store)

    def create_prompt_task(self, call: Call) -> str:
        if "promptRef" not in call.body:
            raise Refused(500)
        self._refuse_others_prompt(call)
        uid = new_uid()
        self._tasks.add(**call.body, promptTaskId=uid, username=call.user, **call.dates)
        return uid

    def get_prompt_task(self, call: Call, prompt_task_id: str) -> Row | None:
        task = self._own(call, prompt_task_id)
        if task is None:
            return None
        ref = task["promptRef"]
        ref["draft"] = ref.get("draft", False) is not call.release.inverts_drafts
        return {**task, "taskId": task["promptTaskId"]}

    def update_prompt_task(self, call: Call, prompt_task_id: str) -> bool:
        task = self._own(call, prompt_task_id)
        self._refuse_others_prompt(call)
        return task is not None and self._tasks.update(task["id"], **call.body, gmtModified=call.now)

    def delete_prompt_task(self, call: Call, prompt_task_id: str) -> bool:
        task = self._own(call, prompt_task_id)
        return task is not None and self._tasks.delete(task["id"])

    def _own(self, call: Call, uid: str) -> Row | None:
        return own(call, self._tasks, promptTaskId=uid)

    def _refuse_others_prompt(self, call: Call) -> None:
        if "promptRef" in call.body:
            self._prompts.own(call, call.body["promptRef"].get("promptId", 0))
