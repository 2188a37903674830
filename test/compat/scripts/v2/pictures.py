# Upload pictures: from a path, from bytes, from bytes with a name (2.10.0).
import base64
import os

import freechat_sdk
from freechat_sdk.rest import ApiException

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
uid = "4e8ad5aa4e1748a2ab94fef02145da25"
with open("ally.png", "wb") as f:
    f.write(PIXEL)

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    api = freechat_sdk.CharacterApi(api_client)
    try:
        print(api.upload_character_picture(uid, "ally.png"))
        print(api.upload_character_picture(uid, PIXEL))
        print(api.upload_character_picture(uid, ("ally smiles.png", PIXEL)))
        print(api.upload_character_avatar(character_uid=uid, file=os.path.abspath("ally.png")))
        print(freechat_sdk.AccountApi(api_client).upload_user_picture("ally.png"))
        pictures = api.list_character_pictures(uid)
        print(len(pictures))
        for picture in pictures:
            print(picture, api.delete_character_picture(picture.split("/")[-1]))
    except ApiException as e:
        print("Exception: %s\n" % e)
