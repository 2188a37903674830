"""The events of a stream: their rows, and the chunks that a release sends them in."""

from collections.abc import Iterator

from freechat_sdk.sandbox import _wire
from freechat_sdk.sandbox._contract import Type
from freechat_sdk.sandbox._release import Release
from freechat_sdk.sandbox._resource import Call, Refused
from freechat_sdk.sandbox._store import Row
from freechat_sdk.sandbox.completions import Completion, ModelError, Prompt


class CutError(Exception):
    """Raised by the events of a stream: the connection is cut at this point."""


def spoken(text: str) -> Row:
    return {"role": "assistant", "contents": [{"type": "text", "content": text}] if text.strip() else None}


def delta(text: str, call: Call) -> Row:
    wanted = call.release.messages_in_deltas
    has_message = wanted == "all" or (wanted == "users" and not call.is_admin)
    return {"text": text, "message": spoken(text)} if has_message else {"text": text}


def result(text: str, completion: Completion) -> Row:
    """Return a final event: the whole answer with why it ended and what it cost."""
    usage = completion.usage
    counts = {"inputTokenCount": usage.input, "outputTokenCount": usage.output} if usage else {}
    total = {"totalTokenCount": usage.input + usage.output} if usage else {}
    return {"message": spoken(text), "finishReason": completion.finish_reason, "tokenUsage": {**counts, **total}}


def whole_answer(call: Call, prompt: Prompt) -> tuple[str, Completion]:
    """Ask a model for an answer that is not streamed; refuse if it fails."""
    try:
        completion = call.ask(prompt)
        return "".join(completion.tokens), completion
    except ModelError as error:
        raise Refused(500) from error


def prompt_events(call: Call, prompt: Prompt) -> Iterator[Row]:
    """Ask a model and yield the events of its answer to a prompt without a chat; a failure is one of them."""
    text = ""
    try:
        completion = call.ask(prompt)
        if call.release.opens_streams:
            yield delta("", call)
        for token in completion.tokens:
            if call.clock() >= call.now + call.release.prompt_stream_seconds:
                return
            text += token
            yield delta(token, call)
    except ModelError as error:
        yield {"text": str(error) or None, "finishReason": "other"}
        return
    if completion.finish_reason is None:
        yield {"text": call.release.ended_stream_text, "finishReason": "other"}
        return
    if completion.usage is None and call.release.needs_usage:
        raise CutError
    yield result(text, completion)


def chunks(type_: Type, row: Row, release: Release) -> Iterator[bytes]:
    text = _wire.dumps(_wire.write(type_, row, release), release)
    if release.splits_events:
        yield from (b"data:", text, b"\n\n")
    else:
        yield b"data:%b\n\n" % text
