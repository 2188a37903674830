# No error handling at all: the traceback is the message (2.0.0).
import os

import freechat_sdk

client = freechat_sdk.ApiClient(freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"]))
characters = freechat_sdk.CharacterApi(client)
for character_id in (1, 99999999, 2):
    print(characters.get_character_summary(character_id).nickname, flush=True)
