"""The few hand-written conveniences of models; `x-mixin` in codegen/openapi.yaml says which model gets which."""

from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from typing_extensions import Self

from freechat_sdk._model import Model

if TYPE_CHECKING:
    from freechat_sdk.models.chat_message_dto import ChatMessageDTO

T = TypeVar("T")


class ChatMessageMixin(Model):
    """Makes messages out of plain text."""

    @classmethod
    def user(cls, text: str) -> Self:
        """Return a message from the user that says `text`."""
        return cls.model_validate({"role": "user", "contents": [{"type": "text", "content": text}]})


class _TextAsMessage:
    """Schema of a message for which callers (Python input) may give its text; responses (JSON input) hold objects."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        message: type[ChatMessageMixin] = get_args(source)[0] if get_args(source) else source
        schema = handler.generate_schema(message)

        def from_text(value: object) -> object:
            return message.user(value) if isinstance(value, str) else value

        return core_schema.json_or_python_schema(
            json_schema=schema, python_schema=core_schema.no_info_before_validator_function(from_text, schema)
        )


FromText = Annotated[T, _TextAsMessage()]
"""A field that holds a message, and that takes its text in its place."""
OrText = Annotated[T | str, _TextAsMessage()]
"""A parameter that is a message or its text."""


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
