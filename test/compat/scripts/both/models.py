# Models without a server: by name, by alias, to and from dicts and JSON (2.0.0 and 2.10.0).
import json

from freechat_sdk import CharacterCreateDTO, ChatContentDTO, ChatMessageDTO, PromptTaskDTO, RagTaskDTO

by_name = CharacterCreateDTO(name="Ally", chat_style="short", default_scene="a café", tags=["a", "b"])
by_alias = CharacterCreateDTO(name="Ally", chatStyle="short", defaultScene="a café", tags=["a", "b"])
print(by_name == by_alias, by_name.to_dict() == by_alias.to_dict())
print(by_name.to_dict())
print(json.loads(by_name.to_json()))
print(by_alias.chat_style, by_alias.greeting, hasattr(by_alias, "nothing"))

again = CharacterCreateDTO.from_json(by_name.to_json())
print(again == by_name, again is by_name)
copy = again.model_copy(update={"name": "Bob"})
print(copy.name, again.name)

message = ChatMessageDTO.from_dict({"role": "user", "contents": [{"type": "text", "content": "Hi"}]})
message.contents.append(ChatContentDTO(type="text", content="there"))
print([content.content for content in message.contents], type(message.contents[0]).__name__)
print(message.to_dict())
print(ChatMessageDTO.from_dict(None), RagTaskDTO.from_dict({"source": "key", "maxSegmentSize": 300}).max_segment_size)

task = PromptTaskDTO.from_dict({"modelId": "[open_ai]gpt-4o", "promptRef": {"promptId": 1}, "newField": [1]})
print(task.prompt_ref.prompt_id, task.additional_properties)
print(json.dumps(task.to_dict(), sort_keys=True))
try:
    CharacterCreateDTO(nickname="no name")
except ValueError as e:
    print(type(e).__name__, "name" in str(e))
