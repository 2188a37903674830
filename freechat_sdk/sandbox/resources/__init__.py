"""The operations, one file a tag; `RESOURCES` are all classes, each named as its tag without `Api`."""

from freechat_sdk.sandbox.resources.account import Account
from freechat_sdk.sandbox.resources.account_manager_for_admin import AccountManagerForAdmin
from freechat_sdk.sandbox.resources.agent import Agent
from freechat_sdk.sandbox.resources.ai_service import AIService
from freechat_sdk.sandbox.resources.app_config_for_admin import AppConfigForAdmin
from freechat_sdk.sandbox.resources.app_meta_for_admin import AppMetaForAdmin
from freechat_sdk.sandbox.resources.character import Character
from freechat_sdk.sandbox.resources.chat import Chat
from freechat_sdk.sandbox.resources.encryption_manager_for_admin import EncryptionManagerForAdmin
from freechat_sdk.sandbox.resources.interactive_statistics import InteractiveStatistics
from freechat_sdk.sandbox.resources.organization import Organization
from freechat_sdk.sandbox.resources.plugin import Plugin
from freechat_sdk.sandbox.resources.prompt import Prompt
from freechat_sdk.sandbox.resources.prompt_task import PromptTask
from freechat_sdk.sandbox.resources.rag import Rag
from freechat_sdk.sandbox.resources.tag_manager_for_biz_admin import TagManagerForBizAdmin
from freechat_sdk.sandbox.resources.telegram_manager_for_admin import TelegramManagerForAdmin
from freechat_sdk.sandbox.resources.tts_service import TTSService

RESOURCES = (
    AIService,
    Account,
    AccountManagerForAdmin,
    Agent,
    AppConfigForAdmin,
    AppMetaForAdmin,
    Chat,
    Character,
    EncryptionManagerForAdmin,
    InteractiveStatistics,
    Organization,
    Plugin,
    Prompt,
    PromptTask,
    Rag,
    TTSService,
    TagManagerForBizAdmin,
    TelegramManagerForAdmin,
)
