# One JSON line for each call, for the archive (2.0.0).
import json
import os

import freechat_sdk

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])


def log(name, response):
    entry = {"call": name, "status": response.status_code, "headers": response.headers, "data": response.data}
    print(json.dumps(entry, default=lambda value: value.to_dict(), sort_keys=True))


with freechat_sdk.ApiClient(configuration) as api_client:
    account = freechat_sdk.AccountApi(api_client)
    log("basic", account.get_user_basic_with_http_info())
    log("create_token", account.create_token_with_http_info())
    log("count", freechat_sdk.PromptApi(api_client).count_prompts_with_http_info({"where": {"name": "chat"}}))
