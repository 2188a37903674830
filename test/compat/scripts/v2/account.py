# Who am I, and who is that? (2.10.0)
import os
from pprint import pprint

import freechat_sdk
from freechat_sdk.rest import ApiException

configuration = freechat_sdk.Configuration(host=os.environ.get("SERVER", "http://localhost:8080"))
configuration.access_token = os.environ["TOKEN"]


def main():
    with freechat_sdk.ApiClient(configuration) as api_client:
        account = freechat_sdk.AccountApi(api_client)
        try:
            me = account.get_user_basic1()
            print(me.username, me.nickname, me.picture)
            print(account.get_user_basic(me.username).to_dict())
            details = account.get_user_details()
            pprint(details.to_dict())
            details.nickname = "Root"
            details.birthdate = None
            print(account.update_user_info(details))
            print(account.create_token(duration=3600), account.create_token1())
            print(len(account.list_tokens()), account.list_tokens()[0].token)
        except ApiException as e:
            print(f"Exception when calling AccountApi: {e}")


if __name__ == "__main__":
    main()
