"""ApiClient: a configuration and its transport. Every call goes through it."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from http import HTTPStatus
from types import TracebackType
from typing import Any, ClassVar, Final, TypeVar

from pydantic_core import from_json, to_json
from typing_extensions import Self, TypedDict, Unpack

from freechat_sdk import __version__
from freechat_sdk._decoders import Decoder, StreamOpener, decode, undecodable
from freechat_sdk._generation import Generation, may_be_other_generation
from freechat_sdk._headers import bearer, build_headers, checked_headers, merge_headers
from freechat_sdk._operation import READ, Operation
from freechat_sdk._pool import is_same_origin, proxy_for
from freechat_sdk._request import build_request, content_headers
from freechat_sdk._response import Preload, Response, size_advice
from freechat_sdk._secrets import sealed
from freechat_sdk._timeouts import CallTimeouts, Deadline
from freechat_sdk.api_response import ApiResponse, Headers
from freechat_sdk.configuration import Configuration
from freechat_sdk.exceptions import ApiDecodeError, ApiException, ApiTypeError, InsecureTransportWarning, kind_for
from freechat_sdk.hooks import Hooks
from freechat_sdk.rest import BaseHTTPResponse, RESTClientObject, RESTResponse, timeouts_for
from freechat_sdk.upload import MultipartBody

T = TypeVar("T")

PREFIX: Final = "/api/"

_INSECURE: Final = (
    "the token is sent to {host} unencrypted, so anybody on the way can read it. Use https or an SSH tunnel. If you "
    "trust the network, call warnings.simplefilter('ignore', freechat_sdk.InsecureTransportWarning)."
)


class ClientOptions(TypedDict, total=False):
    """What `ApiClient.with_options` can change for a client that shares the connections of another one."""

    access_token: str | Callable[[], str | None] | None
    """The bearer token, or a function that returns it. None means no token."""
    timeout: float | None
    """The time limit of a whole call in seconds. None means unlimited."""
    model_timeout: float | None
    """The time limit of a whole call that waits for a model, in seconds. None means unlimited."""
    retries: Any
    """The maximum number of retries of a request, with the waits of the other client; or a `RetryPolicy`."""
    headers: Mapping[str, str] | None
    """Headers to send with every request, besides those of the other client. They replace headers of the same name."""
    hooks: Hooks | Sequence[Hooks] | None
    """What observes every call, instead of the hooks of the other client."""


class ApiClient:
    """Calls a FreeChat server. One client serves many threads.

    Use it as a context manager, or call `close()`, which closes its connections. A later call opens new ones.
    A client can be pickled and copied, with its configuration (including the token) and without its connections.
    """

    _default: ClassVar["ApiClient | None"] = None

    @sealed
    def __init__(
        self,
        configuration: Configuration | None = None,
        header_name: str | None = None,
        header_value: str | None = None,
        cookie: str | None = None,
    ) -> None:
        """Make a client for a configuration, or for the default one.

        The header `header_name` with the value `header_value`, and `cookie`, are sent with every request.
        """
        self.configuration = Configuration.get_default() if configuration is None else configuration
        self.default_headers: dict[str, str] = {}
        self.cookie = cookie
        self.client_side_validation = self.configuration.client_side_validation
        suffix = self.configuration.user_agent_suffix
        self.user_agent = f"freechat-sdk/{__version__}/python" + (f" {suffix}" if suffix else "")
        if header_name is not None:
            self.set_default_header(header_name, header_value or "")
        self.rest_client = RESTClientObject(self.configuration)

    @sealed
    def with_options(self, **options: Unpack[ClientOptions]) -> Self:
        """Return a client for the same server with some options of its own, which shares this client's connections.

        In a service, make one client, and from it one for each user: this is cheap. Both share the connections, the
        generation of the server, once it is known, and the budget of retries. What is not given is the same as here;
        a later change of one client does not affect the other.

        Closing the returned client does nothing: close this one. A pickled copy has connections of its own.

        Raises:
            ApiTypeError: for any other setting, such as the host, TLS or the proxy, or if a value has a wrong type.
            ApiValueError: if a value cannot be used. The messages do not show a credential.
        """
        _check_names(options)
        given: dict[str, Any] = dict(options)
        headers = checked_headers("headers", given.pop("headers", None))
        if "retries" in given:
            given["retries"] = self.rest_client.policy.with_retries(given["retries"])
        client = type(self).__new__(type(self))
        client.__dict__.update(self.__dict__)
        client.configuration = deepcopy(self.configuration)
        for name, value in given.items():
            setattr(client.configuration, name, value)
        client.rest_client = RESTClientObject(client.configuration, self.rest_client.transport)
        client.default_headers = merge_headers(self.default_headers, headers)
        if any(name.lower() == "cookie" for name in headers):
            client.cookie = None
        return client

    def run(self, operation: Operation[T]) -> T:
        """Make the call of an operation and return its value."""
        return self._value(operation, self._exchange(operation, _preload(operation.decoder)))

    def run_with_http_info(self, operation: Operation[T]) -> ApiResponse[T]:
        """Make the call of an operation and return its value with status, headers and raw body."""
        response = self._exchange(operation, _preload(operation.decoder))
        value = self._value(operation, response)
        raw = getattr(value, "read", None) if operation.decoder.is_stream else response.body
        return ApiResponse(response.status, Headers(response.headers.items()), value, raw, response.exchange.attempts)

    def run_without_preload_content(self, operation: Operation[T]) -> BaseHTTPResponse:
        """Make the call of an operation and return urllib3's response, unread and whatever its status.

        Read it or call its `release_conn()`. Until then, no other call can use its connection.
        """
        return self._exchange(operation, Preload.NONE).raw

    def _exchange(self, operation: Operation[T], preload: Preload) -> Response:
        """Send an operation and return the response. After a 401, send a read again if a function has a new token."""
        deadline = self._deadline(operation)
        if operation.options.get("_request_auth"):  # it replaces the token
            return self._send(operation, None, deadline, preload)
        token = self._token()
        response = self._send(operation, token, deadline, preload)
        if response.status == 401 and operation.retry is READ and callable(self.configuration.access_token):
            fresh = self._token()
            if fresh != token:
                response.release()
                return self._send(operation, fresh, deadline, preload, response.exchange.attempts)
        return response

    def _send(
        self,
        operation: Operation[T],
        token: str | None,
        deadline: Deadline,
        preload: Preload,
        previous_attempts: int = 0,
    ) -> Response:
        """Send an operation and return the response. Try the other generation if the server is not of the first."""
        content = content_headers(operation.body, operation.options)
        headers = build_headers(operation.decoder.accept, content, token, self._defaults(), operation.options)
        generations = self._generation.to_try(operation, self.configuration.api_version)
        for generation in generations:
            request = build_request(operation, PREFIX + generation, headers)
            response = self.rest_client.send(request, deadline, preload, previous_attempts)
            if not may_be_other_generation(response.status, response.headers):
                self._generation.note(generation, response.status, response.headers)
                break
            if generation is not generations[-1]:
                response.release()
                previous_attempts = response.exchange.attempts
        return response

    def _deadline(self, operation: Operation[T]) -> Deadline:
        """Return the deadline of a call that starts now."""
        timeouts = CallTimeouts.of(self.configuration, operation.time, operation.decoder.is_stream)
        if "_request_timeout" in operation.options:
            timeouts = timeouts_for(timeouts, operation.options["_request_timeout"])
        return Deadline(timeouts, self.rest_client.policy.clock)

    def _token(self) -> str | None:
        """Return the token for a request. Warn once if others could read it on its way."""
        token = self.configuration.bearer_token()
        transport = self.rest_client.transport
        if token is not None and not transport.has_checked_host:
            transport.has_checked_host = True
            exposed = self.configuration.exposed_to(proxy_for(self.configuration))
            if exposed is not None:
                warnings.warn(_INSECURE.format(host=exposed), InsecureTransportWarning, stacklevel=6)
        return token

    @property
    def _generation(self) -> Generation:
        return self.rest_client.transport.generation

    @property
    def generation(self) -> str | None:
        """The generation of the server, "v1" or "v2", or None while it is not known."""
        return self._generation.known(self.configuration.api_version)

    def _value(self, operation: Operation[T], response: Response) -> T:
        """Return the value of a response.

        Raises:
            ApiException: the error that the response reports.
        """
        decoder = operation.decoder
        if not 200 <= response.status < 300:
            raise self._error(response)
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            _check_range(response)
        if decoder.is_stream is False:
            return decode(decoder if self.configuration.split_thinking else _unsplit(decoder), response)
        if decoder.takes(response.headers.get("Content-Type", "").lower()):
            self.rest_client.transport.note_stream(response)
            return decoder.open(response)
        response.read()
        raise undecodable(response, decoder.accept)

    def _error(self, response: Response) -> ApiException:
        """Return the error for a status other than 2xx."""
        hint = _size_hint(response)
        if may_be_other_generation(response.status, response.headers) and self._generation.known("auto") is None:
            hint = "The server may be of another generation. Check Configuration(api_version=...)."
        return response.error(kind_for(response.status, response.headers), body=response.body, hint=hint)

    def _defaults(self) -> Mapping[str, str]:
        if self.cookie is None:
            return self.default_headers
        return {**self.default_headers, "Cookie": self.cookie}

    @sealed
    def call_api(
        self,
        method: str,
        url: str,
        header_params: Mapping[str, str] | None = None,
        body: object = None,
        post_params: Sequence[tuple[str, Any]] | None = None,
        _request_timeout: Any = None,
    ) -> RESTResponse:
        """Send a request made by hand and return the response, unread and whatever its status.

        `url` is absolute, or a path below the configured host. The token, the default headers and the cookie are only
        sent to the configured host.
        A `body` of bytes is sent as it is, and a str too unless its Content-Type is JSON, which is the default; any
        other is sent as JSON. `post_params` are the fields of a form.
        Nothing is sent a second time, and without `_request_timeout` nothing limits the time.
        """
        configuration = self.configuration
        address = configuration.host + url if url.startswith("/") else url
        own: dict[str, str] = {"Accept": "*/*"}
        if is_same_origin(address, configuration.host):
            token = self._token()
            if token is not None:
                own["Authorization"] = bearer(token)
            own = merge_headers(own, self._defaults())
        headers = merge_headers(own, checked_headers("header_params", header_params))
        return self.rest_client.request(method, address, headers, body, post_params, _request_timeout)

    def sanitize_for_serialization(self, obj: object) -> Any:
        """Return `obj` as plain JSON values, with models and dates as the body of a request would hold them."""
        return from_json(to_json(obj, by_alias=True, exclude_none=True))

    @property
    def cookie(self) -> str | None:
        """The `Cookie` header of every request, or None.

        Raises, when it is set:
            ApiTypeError, ApiValueError: if it cannot be sent.
        """
        return self._cookie

    @cookie.setter
    @sealed
    def cookie(self, value: str | None) -> None:
        self._cookie = None if value is None else checked_headers("cookie", {"Cookie": value})["Cookie"]

    @property
    def user_agent(self) -> str:
        """The `User-Agent` header of every request."""
        return self.default_headers["User-Agent"]

    @user_agent.setter
    @sealed
    def user_agent(self, value: str) -> None:
        self.set_default_header("User-Agent", value)

    @sealed
    def set_default_header(self, header_name: str, header_value: str) -> None:
        """Send a header with every request. It replaces one whose name differs only in case.

        Raises:
            ApiTypeError, ApiValueError: if the header cannot be sent.
        """
        given = checked_headers("set_default_header", {header_name: header_value})
        self.default_headers = merge_headers(self.default_headers, given)

    @classmethod
    def get_default(cls) -> "ApiClient":
        """Return the client that API classes use by default. It is made on first use."""
        if ApiClient._default is None:
            ApiClient._default = ApiClient()
        return ApiClient._default

    @classmethod
    def set_default(cls, default: "ApiClient | None") -> None:
        """Set the client that API classes use by default. None means a new client, made on first use."""
        ApiClient._default = default

    def close(self) -> None:
        """Close the connections. Streams and downloads that are open end with an error; other calls run to their end.

        A second call does nothing; a later request opens new connections.
        """
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
        state = {name: value for name, value in self.__dict__.items() if name != "rest_client"}
        return {**state, "generation": self._generation}

    def __setstate__(self, state: dict[str, Any]) -> None:
        generation: Generation = state.pop("generation")
        self.__dict__.update(state)
        self.rest_client = RESTClientObject(self.configuration)
        self.rest_client.transport.generation = generation


def _check_names(options: Mapping[str, object]) -> None:
    """Check the names of options for `with_options`.

    Raises:
        ApiTypeError: if there is no such option.
    """
    for name in options:
        if name not in ClientOptions.__annotations__:
            raise ApiTypeError(
                f"with_options cannot set {name}, only {', '.join(ClientOptions.__annotations__)}. The clients share "
                "connections, so they have the same host, TLS and proxy. For other settings, make an ApiClient with a "
                "Configuration of its own."
            )


def _preload(decoder: Decoder[T] | StreamOpener[T]) -> Preload:
    return Preload.ERRORS if decoder.is_stream else Preload.ALL


def _unsplit(decoder: Decoder[T]) -> Decoder[T]:
    from freechat_sdk.streaming import unsplit  # it loads models, which few operations need

    return unsplit(decoder)


def _check_range(response: Response) -> None:
    """Refuse a part of a body that was not asked for (RFC 9110, 15.3.7): it would pass for the whole.

    Raises:
        ApiDecodeError: if the request has no Range header.
    """
    if not any(name.lower() == "range" for name in response.exchange.request.headers):
        response.release()
        raise response.error(ApiDecodeError, message="the server sent a part of the body without being asked for one")


def _size_hint(response: Response) -> str | None:
    """Return the advice for a file that may be too large, if the response may be about its size."""
    body = response.exchange.request.body
    if not isinstance(body, MultipartBody) or response.status not in (400, 413):
        return None
    advice = size_advice(body)
    return f"{advice[0].upper()}{advice[1:]}."
