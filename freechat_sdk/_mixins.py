"""The hand-written methods of models. `x-mixin` in codegen/openapi.yaml says which model gets which mixin."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from typing_extensions import Self

from freechat_sdk._model import Model
from freechat_sdk._thinking import split_thinking

if TYPE_CHECKING:
    from freechat_sdk.models.chat_content_dto import ChatContentDTO
    from freechat_sdk.models.chat_context_dto import ChatContextDTO
    from freechat_sdk.models.chat_message_dto import ChatMessageDTO

T = TypeVar("T")


class ChatMessageMixin(Model):
    """Builds messages from plain text, and returns the text of one."""

    if TYPE_CHECKING:
        contents: list[ChatContentDTO] | None

    @classmethod
    def user(cls, text: str) -> Self:
        """Return a user message with this text."""
        return cls.model_validate({"role": "user", "contents": [{"type": "text", "content": text}]})

    @property
    def text(self) -> str:
        """The text of all parts; empty if there is none, as in a message that only calls tools."""
        return "".join(part.content or "" for part in self.contents or [] if part.type in (None, "text"))


class _TextAsMessage:
    """Schema of a message: a caller (Python input) may pass its text, a response (JSON input) holds an object."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        message: type[ChatMessageMixin] = get_args(source)[0] if get_args(source) else source
        schema = handler.generate_schema(message)

        def from_text(value: object) -> object:
            return message.user(value) if isinstance(value, str) else value

        return core_schema.json_or_python_schema(
            json_schema=schema, python_schema=core_schema.no_info_before_validator_function(from_text, schema)
        )


FromText = Annotated[T, _TextAsMessage()]
"""A field that holds a message. A caller may set it to the text of one."""
OrText = Annotated[T | str, _TextAsMessage()]
"""A parameter that is a message, or the text of one."""


class ChatSessionMixin(Model):
    """Names the chat."""

    if TYPE_CHECKING:
        context: ChatContextDTO | None

    @property
    def chat_id(self) -> str:
        """The id of the chat, which other calls take. Servers always send it; without it, the text is empty."""
        return "" if self.context is None else self.context.chat_id or ""


class ChatMessageRecordMixin(Model):
    """Finds the id, the text and the role of a stored message. In a notebook it is shown as Markdown."""

    if TYPE_CHECKING:
        message_id: int | None
        message: ChatMessageDTO | None

    @property
    def id(self) -> int | None:
        """The id of the stored message. Some versions of the server put it on the record, others on the message."""
        if self.message_id is not None or self.message is None:
            return self.message_id
        return self.message.message_id

    @property
    def text(self) -> str:
        """The text of the message."""
        return "" if self.message is None else self.message.text

    @property
    def role(self) -> str:
        """Who said it: `user`, `assistant`, ... Servers always send it; without it, the text is empty."""
        return "" if self.message is None else self.message.role or ""

    def _repr_markdown_(self) -> str:
        return f"**{self.role}**\n\n{self.text}"


class LlmResultMixin(Model):
    """Tells the answer and the thinking in the result of a language model apart. Notebooks show the answer."""

    if TYPE_CHECKING:
        text: str | None
        message: ChatMessageDTO | None

    _splits_thinking: ClassVar[bool] = True

    @property
    def answer(self) -> str | None:
        """The text of the answer without the model's thinking, or `None` if there is no text.

        In an event of a stream it is the next part of the text, judged by itself; `SseEmitter.text_deltas()` knows what
        came before it.
        """
        text = self._whole_text
        return split_thinking(text)[0] if text and self._splits_thinking else text

    @property
    def thinking(self) -> str | None:
        """The model's thinking: what the server marks as such, else what stands between `<think>` and `</think>`.

        `None` if there is none.
        """
        if self.message is not None and self.message.thinking:
            return self.message.thinking
        return split_thinking(self._whole_text or "")[1] or None

    @property
    def _whole_text(self) -> str | None:
        """The text as it came. The final event of a stream has it only in `message`, other results in both."""
        return self.message.text if self.text is None and self.message is not None else self.text

    def _repr_markdown_(self) -> str | None:
        return self.answer
