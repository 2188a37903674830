# Which chats have something new since it was read? (2.10.0)
import os

import freechat_sdk

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    chats = freechat_sdk.ChatApi(api_client)
    for session in chats.list_chats():
        context, newest = session.context, session.latest_message_record
        print(context.chat_id, context.gmt_modified.strftime("%Y-%m-%d %H:%M"))
        if newest is None:
            continue
        if context.gmt_read is None or context.gmt_modified > context.gmt_read:
            print("unread:", newest.message.contents[0].content)
            print(newest.gmt_create.year)
            update = freechat_sdk.ChatUpdateDTO(
                character_uid=session.character.character_uid, gmt_read=context.gmt_modified
            )
            print(chats.update_chat(context.chat_id, update))
