# A chat prompt from scratch, and the task that runs it (2.0.0).
import os
from pprint import pprint

import freechat_sdk
from freechat_sdk.models import *
from freechat_sdk.rest import ApiException

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])

template = ChatPromptContentDTO(
    system="You are {{CHARACTER_NICKNAME}}. {{mood}}",
    message_to_send=ChatMessageDTO(role="user", contents=[ChatContentDTO(type="text", content="{{{input}}}")]),
    messages=[],
)
with freechat_sdk.ApiClient(configuration) as api_client:
    prompts = freechat_sdk.PromptApi(api_client)
    tasks = freechat_sdk.PromptTaskApi(api_client)
    try:
        prompt_id = prompts.create_prompt(
            PromptCreateDTO(
                name="greeter", chat_template=template, format="mustache", tags=["chat"], visibility="private"
            )
        )
        details = prompts.get_prompt_details(prompt_id)
        print(prompt_id, details.type, details.chat_template.system)
        print(details.chat_template.message_to_send.contents[0].content)
        task = PromptTaskDTO(
            prompt_ref=PromptRefDTO(prompt_id=prompt_id, variables={"mood": {"value": "kind"}}, draft=False),
            model_id="[open_ai]gpt-3.5-turbo",
            api_key_value="sk-test",
            params={"temperature": {"value": 0.3}, "stop": {"sequences": ["\n"]}},
        )
        task_id = tasks.create_prompt_task(task)
        print("task", task_id, task.params["temperature"])
        pprint(task.to_dict())
        print(tasks.update_prompt_task(task_id, task), tasks.delete_prompt_task("97f915fb135a4996aab563722f288790"))
    except ApiException as e:
        print("Exception: %s\n" % e)
