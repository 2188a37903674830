# Who am I? The first thing one tries with a new token (2.0.0).
import json
import os
from pprint import pprint

import freechat_sdk
from freechat_sdk.rest import ApiException

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])

with freechat_sdk.ApiClient(configuration) as api_client:
    api_instance = freechat_sdk.AccountApi(api_client)
    try:
        details = api_instance.get_user_details()
        print("The response of AccountApi->get_user_details:")
        pprint(details.to_dict())
        basic = api_instance.get_user_basic()
        print(basic.username, basic.nickname, basic.picture)
        print(json.loads(api_instance.get_user_basic1("admin").to_json()))
        print(bool(api_instance.update_user_info({"nickname": "Root", "locale": "en"})))
    except ApiException as e:
        print("Exception when calling AccountApi: %s\n" % e)
