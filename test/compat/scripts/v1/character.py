# Make a character, change it, publish it, clone it and throw it away (2.0.0).
import json
import os

import freechat_sdk
from freechat_sdk import CharacterApi, CharacterCreateDTO, CharacterUpdateDTO

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    characters = CharacterApi(api_client)
    name = characters.new_character_name("ally1b7263")
    create = CharacterCreateDTO(
        name=name,
        nickname="Ally",
        visibility="private",
        gender="female",
        lang="en",
        tags=["friend", "demo"],
        greeting="Hello, I am Ally!",
        defaultScene="a café",
        ext=json.dumps({"made": "by script"}),
    )
    character_id = characters.create_character(create)
    print("created", name, character_id)

    summary = characters.get_character_summary(character_id)
    update = CharacterUpdateDTO.from_dict(
        {key: value for key, value in summary.to_dict().items() if key in ("name", "nickname", "gender", "tags")}
    )
    update.description = "updated"
    update.chat_style = "short sentences"
    print("updated", characters.update_character(character_id, update))

    details = characters.get_character_details(character_id)
    print(details.character_uid, details.description, details.tags, details.version, details.visibility)
    for backend in details.backends or []:
        print(backend.backend_id, backend.is_default, backend.quota_type)
    print("published", characters.publish_character(6), characters.publish_character1(4, "public"))
    print("cloned", characters.clone_character(character_id), characters.exists_character_name(name))
    print("deleted", characters.delete_character(4), characters.delete_character_by_name("spare1b7263"))
