# Status and headers beside the data, and the raw bytes alone (2.0.0).
import json
import os

import freechat_sdk
from freechat_sdk.api_response import ApiResponse

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    chats = freechat_sdk.ChatApi(api_client)
    response = chats.list_chats_with_http_info()
    print(response.status_code, isinstance(response, ApiResponse), type(response.data).__name__, len(response.data))
    print(response.headers["Content-Type"], response.headers.get("Cache-Control"), "X-Nothing" in response.headers)
    print(len(json.loads(response.raw_data)), type(response.raw_data).__name__)

    raw = freechat_sdk.AccountApi(api_client).get_user_details_without_preload_content()
    print(raw.status, raw.headers["content-type"])
    print(json.loads(raw.read())["username"])

    raw = freechat_sdk.CharacterApi(api_client).get_character_details_without_preload_content(1)
    print(json.loads(raw.data.decode("utf-8"))["nickname"])

    missing = freechat_sdk.PromptApi(api_client).get_prompt_summary_without_preload_content(99999999)
    print(missing.status, json.loads(missing.data)["error"])
    name = freechat_sdk.PromptApi(api_client).new_prompt_name_with_http_info("a name, 朋友")
    print(name.status_code, name.data == name.raw_data.decode())
