# What can go wrong, and how it looks (2.10.0).
import os

import freechat_sdk
from freechat_sdk.exceptions import ApiException, ForbiddenException, NotFoundException, UnauthorizedException

server = os.environ["SERVER"]
configuration = freechat_sdk.Configuration(host=server, access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    characters = freechat_sdk.CharacterApi(api_client)
    try:
        characters.get_character_summary(99999999)
    except NotFoundException as e:
        print("404:", e.status, e.body)
        print(e.headers["Content-Type"], isinstance(e, ApiException))
    chats = freechat_sdk.ChatApi(api_client)
    try:
        chats.list_messages2("0" * 32)
    except (ForbiddenException, UnauthorizedException) as e:
        print(type(e).__name__, e.status, e.body)

bad = freechat_sdk.Configuration(host=server, access_token="fc-wrong")
with freechat_sdk.ApiClient(bad) as api_client:
    for call in (freechat_sdk.AccountApi(api_client).get_user_basic1, freechat_sdk.ChatApi(api_client).list_chats):
        try:
            call()
        except UnauthorizedException as e:
            print("401:", e.status, repr(e.body))

try:
    freechat_sdk.CharacterApi().get_character_summary("one")
except ValueError as e:
    print("not a number:", type(e).__name__)
try:
    freechat_sdk.ChatMessageDTO(role=1)
except Exception as e:
    print("not a role:", type(e).__name__)
