# Try a prompt out without making a character: as text, as a template, by reference (2.10.0).
import json
import os

import freechat_sdk
from freechat_sdk.models.prompt_ai_param_dto import PromptAiParamDTO
from freechat_sdk.models.prompt_ref_dto import PromptRefDTO
from freechat_sdk.models.prompt_template_dto import PromptTemplateDTO

params = {"apiKey": "sk-test", "modelId": "[open_ai]gpt-4o", "temperature": 0.2, "maxTokens": 100}
configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    api = freechat_sdk.PromptApi(api_client)
    result = api.send_prompt(PromptAiParamDTO(prompt="Hello model", params=params))
    print(result.text, result.finish_reason)
    print(json.loads(result.to_json())["tokenUsage"])

    template = PromptTemplateDTO(template="Say {{word}} twice.", variables={"word": "hi"}, format="mustache")
    print(api.apply_prompt_template(template))
    print(api.send_prompt(PromptAiParamDTO(promptTemplate=template, params=params)).message.contents[0].content)

    reference = PromptRefDTO.from_json('{"promptId": 2, "variables": {"word": "hello"}, "draft": false}')
    print(api.apply_prompt_ref(reference))
    answer = api.send_prompt_with_http_info(PromptAiParamDTO(prompt_ref=reference, params=params), _request_timeout=30)
    print(answer.status_code, type(answer.data).__name__, answer.data.text)
    print(json.loads(answer.raw_data)["finishReason"])
    print(api.create_prompt(freechat_sdk.PromptCreateDTO(name="echo", template="{{word}}", inputs='{"word": "hi"}')))
    print(api.new_prompt_name("echo"), api.exists_prompt_name("echo"), api.delete_prompts([3, 4, 5]))
