# Undo the last turn, forget all, delete the chat (2.0.0).
import os
import sys

from freechat_sdk import ApiClient, ChatApi, Configuration
from freechat_sdk.exceptions import ServiceException
from freechat_sdk.models import ChatCreateDTO, ChatUpdateDTO

configuration = Configuration()
configuration.host = os.environ["SERVER"]
configuration.access_token = os.environ["TOKEN"]

with ApiClient(configuration=configuration) as client:
    chats = ChatApi(client)
    uid = "75629cd542784e12b9a19b50620c94c3"
    chat_id = chats.get_default_chat_id(1) or chats.start_chat(chat_create_dto=ChatCreateDTO(character_uid=uid))
    if not chat_id:
        sys.exit("no chat")
    removed = chats.rollback_messages(chat_id=chat_id, count=2)
    print("rolled back", removed, len(removed))
    last = chats.list_messages2(chat_id, 2)
    print([record.message.contents[0].content for record in last])
    page = chats.list_messages1(chat_id, limit=2, offset=1)
    print([record.message_id for record in page])
    print(chats.update_chat(chat_id, ChatUpdateDTO(character_uid=uid, user_nickname="Chief", about="on holiday")))
    try:
        chats.clear_memory("75f8136fefa3436f865a7a8f044ccf33")
    except ServiceException as e:
        print("forgotten all the same:", e.status)
    print("deleted:", chats.delete_chat("b2aeb769170a4887b7fd85671bf16d8a"))
