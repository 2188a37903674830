# Find characters: by name, by tag, page after page, my own and public ones (2.10.0).
import math
import os

import freechat_sdk
from freechat_sdk.models.character_query_dto import CharacterQueryDTO
from freechat_sdk.models.character_query_where import CharacterQueryWhere

PAGE = 1

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    api = freechat_sdk.CharacterApi(api_client)
    where = CharacterQueryWhere(visibility="private", tags=["friend"], tags_op="or", lang="en")
    total = api.count_characters(CharacterQueryDTO(where=where))
    print("total", total)
    for page in range(math.ceil(total / PAGE)):
        query = CharacterQueryDTO(where=where, order_by=["modifyTime"], page_num=page, page_size=PAGE)
        for character in api.search_character_summary(query):
            print(page, character.character_id, character.name, character.tags, character.priority)

    query = CharacterQueryDTO.from_dict({"where": {"name": "ally", "tagsOp": "and"}, "pageSize": 5, "pageNum": 0})
    query.where.high_priority = True
    for found in api.search_character_details(query):
        print(found.nickname, found.gender, found.gmt_create.year, found.username)
    print(api.search_public_character_summary(CharacterQueryDTO(where={"visibility": "public", "text": "朋友"})))
    print(api.count_public_characters(CharacterQueryDTO()))
    batches = api.batch_search_character_summary([query, CharacterQueryDTO(pageSize=1)])
    print([[character.character_id for character in batch] for batch in batches])
