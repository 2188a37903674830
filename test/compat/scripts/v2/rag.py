# Teach a character from a text file and wait until it knows (2.10.0).
import os
import sys
import time

import freechat_sdk

UID = "4e8ad5aa4e1748a2ab94fef02145da25"

with open("notes.txt", "w", encoding="utf-8") as notes:
    notes.write("Ally lives in a café. 朋友\n")

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
api_client = freechat_sdk.ApiClient(configuration)
characters = freechat_sdk.CharacterApi(api_client)
rag = freechat_sdk.RagApi(api_client)

url = characters.upload_character_document(UID, "notes.txt")
key = url.rsplit("/", 1)[-1]
print(key)
task = freechat_sdk.RagTaskDTO(source=key, sourceType="file", maxSegmentSize=300, maxOverlapSize=30)
task_id = rag.create_rag_task(UID, task)
print(task_id, rag.start_rag_task(task_id))
for _ in range(10):
    status = rag.get_rag_task_status(task_id)
    print(status)
    if status in ("succeeded", "failed", "canceled"):
        break
    time.sleep(0.01)
else:
    sys.exit("it takes too long")
details = rag.get_rag_task(task_id)
print(details.status, details.source_type, details.source == key, details.max_segment_size)
print([t.id for t in rag.list_rag_tasks(UID)])
print(rag.cancel_rag_task(task_id) is not None, rag.delete_rag_task(task_id))
print(len(characters.list_character_documents(UID)))
