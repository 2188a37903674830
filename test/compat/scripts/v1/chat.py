# Start a chat and say something (2.0.0).
import os

import freechat_sdk
from freechat_sdk.models.chat_content_dto import ChatContentDTO
from freechat_sdk.models.chat_message_dto import ChatMessageDTO
from freechat_sdk.rest import ApiException

CHARACTER = "75629cd542784e12b9a19b50620c94c3"

client = freechat_sdk.ApiClient(freechat_sdk.Configuration(os.environ["SERVER"], access_token=os.environ["TOKEN"]))
chat_api = freechat_sdk.ChatApi(client)


def say(chat_id, text):
    message = ChatMessageDTO(role="user", contents=[ChatContentDTO(type="text", content=text)])
    try:
        result = chat_api.send_message(chat_id, message)
    except ApiException as e:
        print("Exception when calling ChatApi->send_message: %s" % e.status)
        return None
    usage = result.token_usage
    print(">", text)
    print("<", result.message.contents[0].content, f"({result.finish_reason}, {usage.total_token_count} tokens)")
    return result


chat_id = chat_api.start_chat(freechat_sdk.ChatCreateDTO(characterUid=CHARACTER, userNickname="Root", about="testing"))
print("chat", chat_id)
say(chat_id, "Hello Ally")
answer = say(chat_id, "How are you?")
print(answer.text, answer.message.role)
print(answer.to_dict()["message"])

for record in chat_api.list_messages(chat_id):
    print(record.message_id, record.message.role, record.message.contents[0].content, record.gmt_create)
usage = chat_api.get_memory_usage(chat_id)
print(usage.message_usage, usage.token_usage)
for session in chat_api.list_chats():
    print(session.context.chat_id, session.character.nickname, session.provider, session.sender_status)
