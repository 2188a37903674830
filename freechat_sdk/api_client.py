"""ApiClient: one configuration, its connections, and the one way in for every call."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Final, TypeVar

from pydantic_core import from_json, to_json
from typing_extensions import Self

from freechat_sdk import __version__
from freechat_sdk._decoders import Decoder, decode, is_html, undecodable
from freechat_sdk._headers import bearer, build_headers, checked_headers, merge_headers
from freechat_sdk._operation import READ, Operation
from freechat_sdk._request import build_request, is_same_origin
from freechat_sdk._response import LARGEST_FILES, Reply, byte_count, opens_stream
from freechat_sdk._secrets import Credential
from freechat_sdk._timeouts import Durations, TimeLimit
from freechat_sdk.api_response import ApiResponse
from freechat_sdk.configuration import Configuration, is_private
from freechat_sdk.exceptions import (
    ApiException,
    ApiVersionError,
    InsecureTransportWarning,
    is_login_redirect,
    kind_for,
)
from freechat_sdk.rest import BaseHTTPResponse, RESTClientObject, RESTResponse, durations_for, reads_nothing
from freechat_sdk.upload import Form

T = TypeVar("T")

PREFIX: Final = "/api/"

_INSECURE: Final = (
    "the token goes to {host} unencrypted, and anybody between can read it: use https or an SSH tunnel; where the "
    "network is your own, warnings.simplefilter('ignore', freechat_sdk.InsecureTransportWarning)"
)


class ApiClient:
    """Calls a FreeChat server: holds the configuration and the connections; one serves many threads.

    Use it as a context manager, or `close()` it: that closes its connections. A call after that opens new ones.
    It pickles and copies with its configuration, token included, and without its connections.
    """

    _default: ClassVar["ApiClient | None"] = None

    def __init__(
        self,
        configuration: Configuration | None = None,
        header_name: str | None = None,
        header_value: str | None = None,
        cookie: str | None = None,
    ) -> None:
        """Make a client; without a configuration for the default one.

        A header given by name and value, and a cookie, are sent with every request.
        """
        self.configuration = Configuration.get_default() if configuration is None else configuration
        self.default_headers: dict[str, str] = {}
        self.cookie: str | None = None if cookie is None else Credential(cookie)
        self.client_side_validation = self.configuration.client_side_validation
        suffix = self.configuration.user_agent_suffix
        self.user_agent = f"freechat-sdk/{__version__}/python" + (f" {suffix}" if suffix else "")
        if header_name is not None:
            self.set_default_header(header_name, header_value or "")
        self.rest_client = RESTClientObject(self.configuration)
        self._has_looked_at_host = False
        self._settled: str | None = None
        """The generation that the server turned out to be, where the configuration leaves it open."""

    def run(self, operation: Operation[T]) -> T:
        """Make the call of an operation and return its value."""
        return self._value(operation, self._exchange(operation, _reads_errors(operation.answer)))

    def run_with_http_info(self, operation: Operation[T]) -> ApiResponse[T]:
        """Make the call of an operation and return its value with status, headers and raw body."""
        reply = self._exchange(operation, _reads_errors(operation.answer))
        value = self._value(operation, reply)
        raw = None if opens_stream(operation.answer) else reply.body
        return ApiResponse(reply.status, reply.headers, value, raw, reply.exchange.attempts)

    def run_without_preload_content(self, operation: Operation[T]) -> BaseHTTPResponse:
        """Make the call of an operation and return urllib3's response, unread and whatever its status.

        Read it or call its `release_conn()`: its connection serves nobody else before.
        """
        return self._exchange(operation, reads_nothing).response

    def _exchange(self, operation: Operation[T], read: Callable[[int], bool]) -> Reply:
        """Send an operation and return the answer; with a fresh token where the first was refused."""
        limit = self._limit(operation)
        if operation.options.get("_request_auth"):  # it stands in for the token
            return self._send(operation, None, limit, read)
        token = self._token()
        reply = self._send(operation, token, limit, read)
        if reply.status == 401 and operation.retry is READ and callable(self.configuration.access_token):
            fresh = self._token()
            if fresh != token:
                reply.close()
                return self._send(operation, fresh, limit, read, reply.exchange.attempts)
        return reply

    def _send(
        self,
        operation: Operation[T],
        token: str | None,
        limit: TimeLimit,
        read: Callable[[int], bool],
        earlier: int = 0,
    ) -> Reply:
        """Send an operation and return the answer, to the other generation too where the first is not the server's."""
        headers = build_headers(operation.answer.accept, operation.body, token, self._defaults(), operation.options)
        generations = self._generations(operation)
        for generation in generations:
            request = build_request(operation, PREFIX + generation, headers)
            reply = self.rest_client.send(request, limit, read, earlier)
            if not _may_be_elsewhere(reply):
                self._settle(generation, reply)
                break
            if generation is not generations[-1]:
                reply.close()
                earlier = reply.exchange.attempts
        return reply

    def _limit(self, operation: Operation[T]) -> TimeLimit:
        """Return the time for a call, which begins now."""
        durations = Durations.of(self.configuration, operation.time, operation.answer.is_streamed)
        if "_request_timeout" in operation.options:
            durations = durations_for(durations, operation.options["_request_timeout"])
        return TimeLimit(durations, self.rest_client.policy.clock)

    def _token(self) -> str | None:
        """Return the token for a request, and warn, once, where others could read it on its way."""
        token = self.configuration.bearer_token()
        if token is not None and not self._has_looked_at_host:
            self._has_looked_at_host = True
            if not is_private(self.configuration.host):
                warnings.warn(_INSECURE.format(host=self.configuration.host), InsecureTransportWarning, stacklevel=5)
        return token

    def _generations(self, operation: Operation[T]) -> tuple[str, ...]:
        """Return the generations to try, in order: one, unless it is still open which one the server is.

        Raises:
            ApiVersionError: when the server's generation does not have the operation.
        """
        known = self.generation
        if known is None:
            return operation.generations
        if known not in operation.generations:
            raise ApiVersionError(
                f"{operation.method} {operation.template} exists in {', '.join(operation.generations)} only, "
                f"and this client speaks to a {known} server"
            )
        return (known,)

    @property
    def generation(self) -> str | None:
        """The generation of the server, "v1" or "v2"; None while that is open."""
        chosen = self.configuration.api_version
        return self._settled if chosen == "auto" else chosen

    def _settle(self, generation: str, reply: Reply) -> None:
        """Note the generation after an answer that only the right one gives: a success, and no web page."""
        if self.generation is None and reply.status < 300 and not is_html(reply.headers):
            self._settled = generation

    def _value(self, operation: Operation[T], reply: Reply) -> T:
        """Return the value of an answer, or raise the error that it reports."""
        decoder = operation.answer
        if _is_error(reply.status):
            raise self._error(reply)
        if not opens_stream(decoder):
            return decode(decoder, reply)
        if decoder.takes(reply.headers.get("Content-Type", "").lower()):
            return decoder.open(reply)
        reply.read()
        raise undecodable(reply, decoder.accept)

    def _error(self, reply: Reply) -> ApiException:
        """Return the error for an answer that is no success."""
        hint = _size_hint(reply)
        if _may_be_elsewhere(reply) and self._settled is None:
            hint = "Or is the server of another generation? See Configuration(api_version=...)."
        return reply.error(kind_for(reply.status, reply.headers), body=reply.body, hint=hint)

    def _defaults(self) -> Mapping[str, str]:
        if self.cookie is None:
            return self.default_headers
        return {**self.default_headers, "Cookie": self.cookie}

    def call_api(
        self,
        method: str,
        url: str,
        header_params: Mapping[str, str] | None = None,
        body: object = None,
        post_params: Sequence[tuple[str, Any]] | None = None,
        _request_timeout: Any = None,
    ) -> RESTResponse:
        """Send a request of your own and return the answer, unread and whatever its status.

        `url` is absolute, or a path below the configured host. The token is sent to the configured host only.
        `body` is sent as it is when it is bytes or str, else as JSON; `post_params` are the fields of a form.
        Nothing is sent a second time, and without `_request_timeout` nothing limits the time.
        """
        configuration = self.configuration
        address = configuration.host + url if url.startswith("/") else url
        own = {"Accept": "*/*"}
        token = self._token() if is_same_origin(address, configuration.host) else None
        if token is not None:
            own["Authorization"] = bearer(token)
        headers = merge_headers(own, self._defaults(), checked_headers("header_params", header_params))
        return self.rest_client.request(method, address, headers, body, post_params, _request_timeout)

    def sanitize_for_serialization(self, obj: object) -> Any:
        """Return models and dates in `obj` as plain JSON values: what a request's body would hold."""
        return from_json(to_json(obj, by_alias=True, exclude_none=True))

    @property
    def user_agent(self) -> str:
        """The `User-Agent` header of every request."""
        return self.default_headers["User-Agent"]

    @user_agent.setter
    def user_agent(self, value: str) -> None:
        self.set_default_header("User-Agent", value)

    def set_default_header(self, header_name: str, header_value: str) -> None:
        """Send a header with every request; one of the same name in another case is replaced.

        Raises:
            ApiTypeError, ApiValueError: for a header that cannot be sent.
        """
        given = checked_headers("set_default_header", {header_name: header_value})
        self.default_headers = merge_headers(self.default_headers, given)

    @classmethod
    def get_default(cls) -> "ApiClient":
        """Return the client that API classes use when they are given none, made on first need."""
        if ApiClient._default is None:
            ApiClient._default = ApiClient()
        return ApiClient._default

    @classmethod
    def set_default(cls, default: "ApiClient | None") -> None:
        """Set the client that API classes use when they are given none; None goes back to a new one."""
        ApiClient._default = default

    def close(self) -> None:
        """Close the connections. A second time does nothing; a later call opens new ones."""
        self.rest_client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ApiClient({self.configuration!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "rest_client": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.rest_client = RESTClientObject(self.configuration)


def _reads_errors(decoder: Decoder[T]) -> Callable[[int], bool]:
    """Return which answers are read at once: all, or of streams those that report an error."""
    return _is_error if decoder.is_streamed else _reads_everything


def _is_error(status: int) -> bool:
    return not 200 <= status < 300


def _reads_everything(status: int) -> bool:
    return True


def _may_be_elsewhere(reply: Reply) -> bool:
    """Tell whether an answer may mean that the server is of the other generation, and so did nothing."""
    return reply.status == 404 or is_login_redirect(reply.status, reply.headers)


def _size_hint(reply: Reply) -> str | None:
    """Return what to say of a file that may be too large, where the answer does not."""
    body = reply.exchange.request.body
    if not isinstance(body, Form) or reply.status not in (400, 413):
        return None
    return f"The file has {byte_count(body)}; {LARGEST_FILES}."
