# An administrator walks through the users, a page at a time (2.0.0).
import os

import freechat_sdk
from freechat_sdk.api.account_manager_for_admin_api import AccountManagerForAdminApi
from freechat_sdk.api.ai_service_api import AIServiceApi

configuration = freechat_sdk.Configuration(host=os.environ["SERVER"])
configuration.access_token = os.environ["TOKEN"]

with freechat_sdk.ApiClient(configuration) as client:
    admin = AccountManagerForAdminApi(client)
    total = len(admin.list_users2())
    for page in range(total):
        for user in admin.list_users(1, page):
            print(page, user.username, user.nickname, user.picture)
    print(len(admin.list_users1(1)))
    print(sorted(admin.list_authorities_of_user("bob1b7263")))
    token = admin.create_token_for_user("bob1b7263", 3600)
    owner = admin.get_user_by_token("fc-00000000000000000000000000000006")
    print(token, owner.username)

    service = AIServiceApi(client)
    models = service.list_ai_model_info2()
    print(len(models), [model.name for model in service.list_ai_model_info(2, 1)])
    print(service.get_ai_model_info("[open_ai]gpt-3.5-turbo").to_dict())
