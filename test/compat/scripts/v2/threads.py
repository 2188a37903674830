# Many questions at once through one client (2.10.0).
import os
from concurrent.futures import ThreadPoolExecutor

import freechat_sdk

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"], access_token=os.environ["TOKEN"])
configuration.connection_pool_maxsize = 4
api_client = freechat_sdk.ApiClient(configuration)
characters = freechat_sdk.CharacterApi(api_client)
accounts = freechat_sdk.AccountApi(api_client)


def ask(number):
    if number % 2:
        return accounts.get_user_basic("admin").username
    return characters.get_character_summary(1).nickname


with ThreadPoolExecutor(max_workers=4) as pool:
    for number, answer in enumerate(pool.map(ask, range(12))):
        print(number, answer)
