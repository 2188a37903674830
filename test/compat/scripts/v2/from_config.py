# Everything from a configuration file, as for a nightly job (2.10.0).
import json
import os

import freechat_sdk

with open("job.json", "w") as file:
    json.dump({"timeout": [3.05, 27], "headers": {"X-Job": "nightly"}, "tags": ["friend"], "page": 2}, file)

with open("job.json") as file:
    job = json.load(file)

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    for name, value in job["headers"].items():
        api_client.set_default_header(name, value)
    api = freechat_sdk.CharacterApi(api_client)
    query = {"where": {"tags": job["tags"], "visibility": "private"}, "pageSize": job["page"]}
    print(api.count_characters(query))
    for character in api.search_character_summary(query, _request_timeout=job["timeout"]):
        print(character.name, character.tags)
