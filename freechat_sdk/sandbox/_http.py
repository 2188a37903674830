"""Request and Response, as the application and the sockets exchange them; media types, paths and forms."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from mimetypes import guess_type
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

from werkzeug.datastructures import MIMEAccept
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_accept_header, parse_options_header

from freechat_sdk.sandbox._release import Headers
from freechat_sdk.sandbox._resource import Refused, Upload

JSON = "application/json"
TEXT = "text/plain"
EVENTS = "text/event-stream"
_SAFE_EXTENSIONS = frozenset(["atom", "csv", "json", "properties", "rss", "text", "txt", "xml", "yml"])
MAX_BODY_BYTES = 10 * 1024 * 1024


class ContainerRefusedError(Exception):
    """The servlet container takes no such path."""


class BadPathError(Exception):
    """A path that is refused before anybody looks at the token."""


@dataclass(frozen=True)
class Request:
    """A request, whole."""

    method: str
    target: str
    host: str
    headers: dict[str, str]
    """By name in lower case."""
    body: bytes | None = b""
    """None if it is above the limit."""
    refusal: Refused | None = None
    """What the operation refuses it with, whatever it asks for."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The values of the query; the server reads them as Latin-1."""
        pairs = parse_qsl(self.target.partition("?")[2], keep_blank_values=True, encoding="latin-1")
        return dict(reversed(pairs))

    @property
    def media_type(self) -> str:
        return parse_options_header(self.headers.get("content-type"))[0]

    def accepts(self, *media_types: str) -> bool:
        """Return whether the client takes one of some media types (RFC 9110, 12.5.1)."""
        return self._accepted().best_match(media_types) is not None

    def preferred(self) -> str | None:
        """Return the media type that the client likes best; None if it names none."""
        return next((media_type for media_type in self._accepted().values() if "*" not in media_type), None)

    def _accepted(self) -> MIMEAccept:
        return parse_accept_header(self.headers.get("accept", "*/*"), MIMEAccept)

    def decoded_path(self) -> str:
        """Return the path without its percent-encoding.

        Raises:
            ContainerRefusedError, BadPathError: for characters that servers refuse in a path, even encoded ones.
        """
        if not self.path.isascii() or any(letter in "[]|\\" for letter in self.path):
            raise ContainerRefusedError
        segments = [unquote_to_bytes(segment).decode("utf-8", "replace") for segment in self.path.split("/")]
        for segment in segments:
            if any(letter in "/\\\0" for letter in segment):
                raise ContainerRefusedError
            if segment in (".", "..") or any(letter in "%;\r\n\u2028\u2029" for letter in segment):
                raise BadPathError
        return "/".join(segments)

    def upload(self) -> Upload:
        """Return the file in a form, or refuse."""
        media_type, options = parse_options_header(self.headers.get("content-type"))
        if media_type != "multipart/form-data":
            raise Refused(500)
        body = self.body or b""
        parser = FormDataParser(stream_factory=lambda *_, **__: BytesIO(), silent=False)
        files = parser.parse(BytesIO(body), media_type, len(body), options)[2]
        file = files.get("file")
        if file is None:
            raise Refused(400)
        return Upload(file.filename or "", file.mimetype, file.read())


def disposition(path: str) -> Headers:
    """Return the header that keeps a browser from opening a response whose address looks like a program's."""
    name = unquote(path).rpartition("/")[2]
    extension = name.rpartition(".")[2] if "." in name else ""
    kind = (guess_type(name)[0] or "").partition("/")[0]
    is_safe = not extension or extension.lower() in _SAFE_EXTENSIONS or kind in ("audio", "image", "video")
    return () if is_safe else (("Content-Disposition", "inline;filename=f.txt"),)


@dataclass(frozen=True)
class Response:
    """A response; a body in chunks may raise CutError, which cuts the connection."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    chunks: Iterator[bytes] | None = None

    @property
    def is_stream(self) -> bool:
        """Whether the body is a stream of events."""
        return ("Content-Type", EVENTS) in self.headers

    def pieces(self) -> Iterator[bytes]:
        """Return the body in pieces: its chunks, or all of it."""
        return iter([self.body]) if self.chunks is None else self.chunks
