"""Release: what a release of the server does, as facts and faults. Resources ask only it; nobody compares versions.

Each fact was seen in the recordings. A fault is what a release gets wrong; `without_faults()` is the same release
without them, which is what a sandbox is that is not `faithful`.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any

Headers = tuple[tuple[str, str], ...]

_SECURITY_HEADERS: Headers = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-XSS-Protection", "0"),
    ("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate"),
    ("Pragma", "no-cache"),
    ("Expires", "0"),
    ("X-Frame-Options", "DENY"),
)
_VARY_HEADERS: Headers = (
    ("Vary", "Origin"),
    ("Vary", "Access-Control-Request-Method"),
    ("Vary", "Access-Control-Request-Headers"),
)


def _fault(*, default: bool = False) -> Any:
    """Return a field for a fault; `default` is whether 2.9.0 has it."""
    return field(default=default, metadata={"is_fault": True})


@dataclass(frozen=True)
class Release:
    """A release of the server; the defaults are 2.9.0's."""

    name: str = "2.9.0"
    generation: str = "v2"
    headers: Headers = _SECURITY_HEADERS
    stream_headers: Headers = (("X-Accel-Buffering", "no"),)
    date_form: str = "local"
    """How a date is written: `local` (no zone, meaning UTC), `millis` (since the epoch) or `offset` (with `+00:00`)."""
    takes_strict_dates: bool = True
    """Whether a date in a request may have no zone but `Z`, and not be a number."""
    writes_nulls: bool = True
    escapes_astral: bool = False
    """Whether characters beyond U+FFFF are written as pairs of escapes."""
    has_error_messages: bool = True
    """Whether an error is `code, error, message, path`; else it is `timestamp, status, error, path`."""
    has_error_pages: bool = False
    """Whether an error is a page for a client that accepts HTML."""
    empties_errors: bool = False
    """Whether an error has no body for a client that does not accept JSON."""
    has_length: bool = True
    """Whether JSON that fits in the servlet container's buffer has a Content-Length; else it comes in chunks."""
    downloads_have_length: bool = False
    splits_events: bool = False
    """Whether an event of a stream comes in three chunks."""
    leaves_two_defaults: bool = _fault()
    """Whether a backend that is made the default leaves the other one the default too."""
    needs_is_default: bool = _fault()
    """Whether adding a backend tells its id only if the request says whether it is the default."""
    refuses_avatars: bool = _fault()
    """Whether only administrators may upload pictures as avatars."""
    keeps_one_more_file: bool = _fault()
    """Whether a character may have one file more than the limit says."""
    leaks_details: bool = _fault(default=True)
    """Whether who may not see a character gets it all the same while the server remembers it from who may."""
    needs_archive_folders: bool = _fault(default=True)
    """Whether an import fails half-way if one of `archive_folders` is missing, and leaves what it has made."""
    archive_folders: tuple[str, ...] = ("avatar", "pictures", "documents", "videos", "voices")
    """The folders of a character's archive, in the order in which they are imported."""
    ignores_rag_updates: bool = _fault(default=True)
    """Whether an update of a RAG task changes nothing."""
    messages_in_deltas: str = "all"
    """Whether the event of a token holds it as a message too, for whom: `all`, `users` (not administrators) or `none`.

    2.6.0 was recorded with them for plain users and without them for administrators; nobody knows why.
    """
    opens_streams: bool = False
    """Whether a stream begins with an event without text."""
    prompt_stream_seconds: int = 300
    """How long a stream of a prompt may last; then it just ends."""
    ended_stream_text: str | None = "closed"
    """What a stream of a prompt says if the model just ends."""
    needs_usage: bool = _fault()
    """Whether a stream is cut if the model does not say what its answer cost."""
    demands_api_key: bool = False
    """Whether a prompt is sent only if somebody pays for it."""
    applies_raw_messages: bool = _fault(default=True)
    """Whether the message of a stored chat prompt is filled in as the JSON text of another schema."""
    inverts_drafts: bool = _fault(default=True)
    """Whether tasks of drafts read back as tasks of prompts, and the other way round."""
    hides_version_statistics: bool = _fault(default=True)
    """Whether lists of versions show no counts."""
    fails_to_rank_characters: bool = _fault(default=True)
    """Whether lists of characters by a statistic fail."""
    fails_to_rank_nothing: bool = _fault(default=True)
    """Whether lists by a statistic fail if nothing has been counted."""
    json_types: tuple[str, ...] = ("application/json", "application/*+json", "application/yaml")
    """The media types in which JSON is read and written."""
    unwritten_fields: frozenset[tuple[str, str]] = frozenset({("ChatMessageRecordDTO", "messageId")})
    """The fields, with their schemas, that only other releases of the generations write."""
    null_schemas: frozenset[str] = frozenset({"TokenUsageDTO"})
    """The schemas whose nulls are written even if `writes_nulls` is false."""
    has_zero_statistics: bool = False
    """Whether what was never counted has zeros; else it has nulls."""
    bare_operations: frozenset[str] = frozenset({"get_default_config"})
    """The operations whose responses lack `headers`."""
    lacks: frozenset[str] = frozenset()
    """The operations of the generation that came after the release."""

    chat_stream_seconds: int = 600
    """How long a stream of a chat may last from its first event on; a longer answer is stored once it is whole."""
    refuses_when_busy: bool = False
    """Whether a send to a chat that is busy is refused; else it waits."""
    keeps_partial_answers: bool = True
    """Whether the part of an answer that came before the model failed is stored."""
    cuts_early_ends: bool = False
    """Whether a stream whose model just ends is cut; else it ends well, without its final event."""
    loading_shows_failures: bool = False
    """Whether a list fails if the model does when it is asked for the answer to the newest message."""
    shows_deleted_chats: bool = False
    """Whether the messages of a chat can be listed after it was deleted."""
    omits_unknown_usage: bool = False
    """Whether nothing is noted with an answer whose model does not tell its usage."""
    clearing_fails: bool = _fault()
    """Clearing a memory fails after the work is done, and sends fail until the chat's session is dropped."""
    rollback_breaks: bool = _fault(default=True)
    """After the greeting has been rolled back, sends fail until the chat's session is dropped."""
    needs_backends: bool = _fault(default=True)
    """A chat that has lost its backend makes the list of chats fail."""

    def without_faults(self) -> "Release":
        """Return the release as it was meant to be."""
        faults: dict[str, Any] = {fault.name: False for fault in fields(self) if fault.metadata.get("is_fault")}
        return replace(self, **faults)


_V2_6 = Release(
    name="2.6.0",
    headers=(*_VARY_HEADERS, *_SECURITY_HEADERS),
    date_form="millis",
    takes_strict_dates=False,
    writes_nulls=False,
    escapes_astral=True,
    has_error_messages=False,
    has_error_pages=True,
    has_length=False,
    leaves_two_defaults=True,
    needs_is_default=True,
    messages_in_deltas="users",
    needs_usage=True,
    bare_operations=frozenset(),
    lacks=frozenset({"list_telegram_messages"}),
    refuses_when_busy=True,
    omits_unknown_usage=True,
    clearing_fails=True,
)
_V2_0 = replace(
    _V2_6,
    name="2.0.0",
    generation="v1",
    stream_headers=(),
    date_form="offset",
    empties_errors=True,
    splits_events=True,
    refuses_avatars=True,
    keeps_one_more_file=True,
    archive_folders=("avatar", "pictures", "documents"),
    messages_in_deltas="none",
    opens_streams=True,
    prompt_stream_seconds=30,
    ended_stream_text=None,
    needs_usage=False,
    fails_to_rank_nothing=False,
    demands_api_key=True,
    null_schemas=frozenset({"PromptRefDTO", "TokenUsageDTO"}),
    has_zero_statistics=True,
    downloads_have_length=True,
    json_types=("application/json", "application/*+json", "application/cbor"),
    unwritten_fields=frozenset(),
    lacks=frozenset(),
    chat_stream_seconds=30,
    omits_unknown_usage=False,
    keeps_partial_answers=False,
    cuts_early_ends=True,
    loading_shows_failures=True,
    shows_deleted_chats=True,
    needs_backends=False,
)

RELEASES = {release.name: release for release in (_V2_0, _V2_6, Release())}
"""The releases by name, the oldest first."""
