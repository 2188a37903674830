# A small conversation: the chat that exists or a new one, then page back through it (2.10.0).
import os

import freechat_sdk
from freechat_sdk import ChatContentDTO, ChatCreateDTO, ChatMessageDTO

uid = "4e8ad5aa4e1748a2ab94fef02145da25"
configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    chats = freechat_sdk.ChatApi(api_client)
    chat = chats.get_default_chat_id(uid) or chats.start_chat(ChatCreateDTO(character_uid=uid, user_nickname="Root"))
    print("chat", chat)
    for text in ["Hello Ally", "What do you see?"]:
        message = ChatMessageDTO()
        message.role = "user"
        message.contents = [ChatContentDTO(type="text", content=text)]
        result = chats.send_message(chat, message)
        print(result.text, result.message.message_id, result.token_usage.output_token_count)
    for record in chats.list_messages2(chat):
        content = record.message.contents[0]
        print(record.gmt_create.strftime("%H:%M:%S"), record.message.role, content.type, content.content)
    print(len(chats.list_messages(chat, 2)), len(chats.list_messages1(chat, 2, 1)))
    print(chats.rollback_messages(chat, 2))
    print([record.message.message_id for record in chats.clear_memory("1e4868fec99e4de4911a38990df25a9c")])
