# Save a character to a file, and look into it (2.0.0).
import os
import tarfile

import freechat_sdk

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])

with freechat_sdk.ApiClient(configuration) as api_client:
    api = freechat_sdk.CharacterApi(api_client)
    data = api.export_character_without_preload_content(1).data  # export_character itself returns None
    with open("character.tar.gz", "wb") as f:
        f.write(data)

print(os.path.getsize("character.tar.gz"))
with open("character.tar.gz", "rb") as f:
    print(f.read(2))
with tarfile.open("character.tar.gz") as archive:
    for member in archive.getmembers():
        print(member.name, member.size)
