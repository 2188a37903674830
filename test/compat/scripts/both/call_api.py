# What no method is there for: requests by hand (2.0.0 and 2.10.0).
import json
import os

import freechat_sdk

server = os.environ["SERVER"]
bearer = {"Authorization": "Bearer " + os.environ["TOKEN"], "Accept": "application/json"}
with freechat_sdk.ApiClient(freechat_sdk.Configuration(host=server)) as api_client:
    for generation in ("v1", "v2"):
        response = api_client.call_api("GET", f"{server}/api/{generation}/account/details", header_params=bearer)
        response.read()
        print(generation, response.status, response.getheader("Content-Type"))
        if response.status == 200:
            print(json.loads(response.data)["username"])
            break
    headers = {**bearer, "Content-Type": "application/json"}
    body = api_client.sanitize_for_serialization(freechat_sdk.PromptQueryDTO(where={"name": "chat"}, page_size=2))
    print(body)
    response = api_client.call_api(
        "POST", f"{server}/api/{generation}/prompt/count", header_params=headers, body=body, _request_timeout=10
    )
    print(response.status, response.reason == "", response.read())
