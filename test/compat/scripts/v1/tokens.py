# Token housekeeping with the default client, never closed (2.0.0).
import os

import freechat_sdk
from freechat_sdk import AccountApi, Configuration
from freechat_sdk.exceptions import BadRequestException

config = Configuration()
config.host = os.environ["SERVER"]
config.access_token = os.environ["TOKEN"]
Configuration.set_default(config)

account = AccountApi()


def show():
    for info in account.list_tokens():
        expires = info.expires_at.strftime("%Y-%m-%d") if info.expires_at else "never"
        print(info.id, info.type, info.token, info.issued_at.isoformat(), expires)


show()
forever = account.create_token()
hour = account.create_token1(3600)
print("made", forever, hour)
print(type(forever).__name__, forever.startswith("fc-"))
print("disabled", account.disable_token(forever))
print("deleted", account.delete_token(hour))
print("by id", account.get_token_by_id(267), account.disable_token_by_id(267), account.delete_token_by_id(269))
try:
    account.delete_token(token="fc-unknown")
except BadRequestException as e:
    print("no such token:", e.status)
show()
print(freechat_sdk.ApiClient.get_default() is account.api_client)
