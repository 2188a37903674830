# Show an answer while it is written: the generated method cannot, the raw response can (2.0.0).
import json
import os

import freechat_sdk

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])

message = freechat_sdk.ChatMessageDTO.from_dict({"role": "user", "contents": [{"type": "text", "content": "Hi"}]})
with freechat_sdk.ApiClient(configuration) as api_client:
    api = freechat_sdk.ChatApi(api_client)
    response = api.stream_send_message_without_preload_content("9d2e9cfb87034e379b0ad6e420e4fb20", message)
    print(response.status, response.headers["Content-Type"])
    words, last = [], {}
    for line in response:
        line = line.decode("utf-8").strip()
        if not line.startswith("data:"):
            continue
        last = json.loads(line[5:])
        if last.get("text"):
            words.append(last["text"])
    response.release_conn()

print(words)
result = freechat_sdk.LlmResultDTO.from_dict(last)
print(result.finish_reason, result.message.contents[0].content == "".join(words))
