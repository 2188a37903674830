# Which chats have something new since the last report? (2.10.0)
import os
from datetime import datetime, timedelta

import freechat_sdk

SINCE = datetime(2026, 11, 1)  # UTC, like all dates of the server, which come without a zone

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    chats = freechat_sdk.ChatApi(api_client)
    for session in chats.list_chats():
        context, newest = session.context, session.latest_message_record
        print(context.chat_id, context.gmt_modified.strftime("%Y-%m-%d %H:%M"))
        if newest is None or context.gmt_modified <= SINCE:
            continue
        if context.gmt_read is None or context.gmt_modified > context.gmt_read:
            print("unread:", newest.message.contents[0].content)
            print((newest.gmt_create - SINCE) > timedelta(days=7))
            update = freechat_sdk.ChatUpdateDTO(
                character_uid=session.character.character_uid, gmt_read=context.gmt_modified
            )
            print(chats.update_chat(context.chat_id, update))
