# Save a character under the name that the server gives it (2.10.0).
import os
import urllib.parse

import freechat_sdk

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
with freechat_sdk.ApiClient(configuration) as api_client:
    api = freechat_sdk.CharacterApi(api_client)
    response = api.export_character_with_http_info(1)
    print(response.status_code, response.headers["Content-Type"])
    disposition = response.headers["Content-Disposition"]
    name = urllib.parse.unquote_plus(disposition.rpartition("''")[2])
    with open(name, "wb") as file:
        file.write(response.raw_data)
    print(name, os.stat(name).st_size, len(response.raw_data))

    raw = api.export_character_without_preload_content(1, _request_timeout=(3.05, 60))
    with open("again.tar.gz", "wb") as file:
        for chunk in raw.stream(1024):
            file.write(chunk)
    raw.release_conn()
print(open(name, "rb").read() == open("again.tar.gz", "rb").read())
