# Configurations, headers and time limits (2.10.0).
import copy
import os

import freechat_sdk
from freechat_sdk.configuration import Configuration

base = Configuration(host="http://127.0.0.1:1", access_token=os.environ["TOKEN"], retries=3)
mine = copy.deepcopy(base)
mine.host = os.environ["SERVER"]
mine.verify_ssl = False
print(base.host, mine.host != base.host, mine.access_token == base.access_token, base.verify_ssl)
print(Configuration().get_host_settings()[0]["url"], Configuration().host)
print(mine.get_host_from_settings(0), mine.debug, mine.auth_settings()["bearerAuth"]["key"])

with freechat_sdk.ApiClient(mine, header_name="X-Team", header_value="red") as api_client:
    api_client.set_default_header("X-Tool", "nightly")
    api_client.user_agent = "my-script/1.0"
    print(api_client.user_agent, api_client.default_headers["X-Team"], api_client.default_headers["X-Tool"])
    api = freechat_sdk.CharacterApi(api_client)
    print(api.get_character_summary(1, _request_timeout=10).nickname)
    print(api.get_character_summary(1, _request_timeout=(3.05, 27)).nickname)
    print(api.get_character_summary(character_id=1, _headers={"X-Trace": "abc"}).nickname)
    print(api.api_client is api_client, api_client.configuration.host == mine.host)

Configuration.set_default(mine)
print(Configuration.get_default_copy().host == mine.host)
print(freechat_sdk.CharacterApi(freechat_sdk.ApiClient()).get_character_summary(1).name)
