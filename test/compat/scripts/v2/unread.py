# Which chats have something new? (2.10.0)
import os
from datetime import datetime, timedelta, timezone

import freechat_sdk

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    chats = freechat_sdk.ChatApi(api_client)
    utc_now = datetime.now(timezone.utc).replace(tzinfo=None)  # the server writes UTC without saying so
    for session in chats.list_chats():
        context, newest = session.context, session.latest_message_record
        uid = session.character.character_uid
        if newest is None:
            continue
        print(context.chat_id, context.gmt_modified.strftime("%Y-%m-%d %H:%M"))
        if context.gmt_read is None or context.gmt_modified > context.gmt_read:
            print("unread:", newest.message.contents[0].content)
            update = freechat_sdk.ChatUpdateDTO(character_uid=uid, gmt_read=context.gmt_modified)
            print(chats.update_chat(context.chat_id, update))
        if utc_now - context.gmt_modified > timedelta(days=36500):
            print("a century ago")
    for token in freechat_sdk.AccountApi(api_client).list_tokens():
        if token.expires_at is not None and token.expires_at < utc_now:
            print("expired:", token.id)
