# Keep the keys of model providers on the server (2.10.0).
import os

import freechat_sdk
from freechat_sdk.api.ai_service_api import AIServiceApi
from freechat_sdk.models.ai_api_key_create_dto import AiApiKeyCreateDTO
from freechat_sdk.rest import ApiException

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    service = AIServiceApi(api_client)
    try:
        key_id = service.add_ai_api_key(
            AiApiKeyCreateDTO(name="work", provider="open_ai", token="sk-xxxxxxxxxxxxxxxxxxxx", enabled=True)
        )
        print("key", key_id)
        info = service.get_ai_api_key(key_id)
        print(info.name, info.provider, info.enabled, info.username)
        print(info.token)
        for key in service.list_ai_api_keys("open_ai"):
            print(key.id, key.token, "on" if key.enabled else "off", key.gmt_used)
        print(service.disable_ai_api_key(key_id), service.enable_ai_api_key(key_id), service.delete_ai_api_key(key_id))
    except ApiException as e:
        print("Exception when calling AIServiceApi: %s\n" % e)
