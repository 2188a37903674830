# Print an answer as it comes, from the raw response (2.10.0).
import json
import os

import freechat_sdk


def events(response):
    buffer = b""
    for chunk in response.stream(64):
        buffer += chunk
        while b"\n\n" in buffer:
            event, buffer = buffer.split(b"\n\n", 1)
            if event.startswith(b"data:"):
                yield json.loads(event[len(b"data:") :])


configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    prompts = freechat_sdk.PromptApi(api_client)
    request = freechat_sdk.PromptAiParamDTO(prompt="Tell me a story", params={"modelId": "[open_ai]gpt-4o"})
    response = prompts.stream_send_prompt_without_preload_content(request, _request_timeout=(5, 60))
    for event in events(response):
        if event["text"] is not None:
            print(event["text"], end="", flush=True)
        else:
            print()
            print(event["finishReason"], event["tokenUsage"])
    response.release_conn()

    message = freechat_sdk.ChatMessageDTO(
        contents=[freechat_sdk.ChatContentDTO(content="Hi", type="text")], role="user"
    )
    response = freechat_sdk.ChatApi(api_client).stream_send_message_without_preload_content(
        "3b8969c766e14018a99da089d0e856f7", message
    )
    print(len(response.read()), response.read())
