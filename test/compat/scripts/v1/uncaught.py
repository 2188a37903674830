# No error handling at all: the traceback is the message (2.0.0).
import os

import freechat_sdk

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
client = freechat_sdk.ApiClient(configuration)
characters = freechat_sdk.CharacterApi(client)
for character_id in (1, 99999999, 2):
    print(characters.get_character_summary(character_id).nickname, flush=True)
