"""The few hand-written conveniences of models; `x-mixin` in codegen/openapi.yaml says which model gets which."""

from typing import TYPE_CHECKING

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from typing_extensions import Self

from freechat_sdk._model import Model

if TYPE_CHECKING:
    from freechat_sdk.models.chat_message_dto import ChatMessageDTO


class ChatMessageMixin(Model):
    """Makes messages out of plain text."""

    @classmethod
    def user(cls, text: str) -> Self:
        """Return a message from the user that says `text`."""
        return cls.model_validate({"role": "user", "contents": [{"type": "text", "content": text}]})

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take a str wherever a message is wanted; answers (JSON) are left to the faster schema."""
        schema = handler(source)
        return core_schema.json_or_python_schema(
            json_schema=schema,
            python_schema=core_schema.no_info_before_validator_function(cls._from_text, schema),
        )

    @classmethod
    def _from_text(cls, value: object) -> object:
        return cls.user(value) if isinstance(value, str) else value


class ChatMessageRecordMixin(Model):
    """Finds the id of a stored message."""

    if TYPE_CHECKING:
        message_id: int | None
        message: ChatMessageDTO | None

    @property
    def id(self) -> int | None:
        """The stored message's id, wherever the server's version puts it: on the record or on the message."""
        if self.message_id is not None or self.message is None:
            return self.message_id
        return self.message.message_id


class LlmResultMixin(Model):
    """Reads the answer out of a model's result."""

    if TYPE_CHECKING:
        text: str | None
        message: ChatMessageDTO | None

    @property
    def answer(self) -> str | None:
        """The text of the answer; of a stream's event, its part of it. `None` where there is none.

        A whole answer has it in `text` and in `message`, a stream's final event in `message` alone.
        """
        if self.text is not None or self.message is None:
            return self.text
        contents = self.message.contents or []
        return "".join(part.content or "" for part in contents if part.type in (None, "text"))
