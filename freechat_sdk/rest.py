"""The REST layer: the loop that sends requests and repeats them, and the official names of the layer.

Redirects are never followed.
"""

import os
import ssl
import time
import weakref
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlencode

import urllib3
from pydantic_core import from_json
from typing_extensions import Self
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import SSLError
from urllib3.filepost import encode_multipart_formdata
from urllib3.response import BaseHTTPResponse, HTTPResponse
from urllib3.util import Retry, Timeout

from freechat_sdk._addresses import SUPPORTED_SOCKS_PROXIES
from freechat_sdk._connection import as_unread
from freechat_sdk._exchange import BodyError, BodyTimeoutError, Exchange
from freechat_sdk._generation import Generation
from freechat_sdk._headers import is_token
from freechat_sdk._operation import IDEMPOTENT, ONCE, ORDINARY, READ
from freechat_sdk._pool import Pools, is_socks_proxy_url, parsed_address
from freechat_sdk._request import JSON, Request, json_bytes
from freechat_sdk._response import TRANSPORT_ERRORS, Preload, Response, translate
from freechat_sdk._retry import RetryBudget, RetryPolicy
from freechat_sdk._secrets import mask, sealed, without_frames
from freechat_sdk._timeouts import UNLIMITED, CallTimeouts, Deadline
from freechat_sdk.configuration import Configuration, check_seconds
from freechat_sdk.exceptions import ApiConnectionError, ApiException, ApiTypeError, ApiValueError
from freechat_sdk.upload import FileChangedError

__all__ = [
    "SUPPORTED_SOCKS_PROXIES",
    "ApiException",
    "ApiValueError",
    "BaseHTTPResponse",
    "RESTClientObject",
    "RESTResponse",
    "RESTResponseType",
    "RetryPolicy",
    "Timeout",
    "is_socks_proxy_url",
]

RESTResponseType = HTTPResponse
"""The class of the unread responses that the `..._without_preload_content` methods return."""

RETRIED_STATUSES: Final = frozenset({502, 503, 504})

_NO_RETRIES: Final = Retry(False)
_REPEATABLE: Final = {READ, IDEMPOTENT}


class RESTResponse:
    """A response whose body has not been read, as `ApiClient.call_api` returns it."""

    def __init__(self, resp: BaseHTTPResponse, response: Response | None = None) -> None:
        self.response = resp
        self._response = response
        self.status = resp.status
        self.reason = resp.reason
        self.headers = resp.headers
        self.data: bytes | None = None
        """The body, after `read()`."""

    @sealed
    def read(self) -> bytes:
        """Return the body, and give the connection back. A second call returns the body again.

        Raises:
            ApiConnectionError, ApiTimeoutError: if the body does not come to its end.
            ApiDecodeError: if it is larger than the configuration allows.
            ApiException: if an earlier call failed, or the response has been closed.
        """
        if self._response is not None:
            self.data = self._response.read()
        elif self.data is None:
            self.data = self.response.data
        return self.data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def getheaders(self) -> Mapping[str, str]:
        """Return the headers; names are compared without regard to case."""
        return self.headers

    def getheader(self, name: str, default: str | None = None) -> str | None:
        """Return a header, or `default` if the response does not have it."""
        return self.headers.get(name, default)

    def close(self) -> None:
        """Give the connection back; the rest of the body is lost."""
        if self._response is not None:
            self._response.release()
        else:
            self.response.close()
            self.response.release_conn()


class Transport:
    """What clients can share: the connection pools, the generation of the server, and the retry budget."""

    def __init__(self, configuration: Configuration) -> None:
        self.policy = RetryPolicy.of(configuration.retries)
        self.pools = Pools(configuration, self.policy.clock)
        self.generation = Generation()
        self.budget = RetryBudget(self.policy)
        self._streams = weakref.WeakValueDictionary[int, Response]()
        self.has_checked_host = False
        """Whether it has been checked that nobody on the way to the host can read the token."""
        _transports.add(self)

    def note_stream(self, response: Response) -> None:
        """End a response with the transport, if it is still open then."""
        self._streams[id(response)] = response

    def close(self) -> None:
        """End the streams and downloads, and close the connections."""
        streams, self._streams = self._streams, weakref.WeakValueDictionary()
        for reference in streams.valuerefs():
            response = reference()
            if response is not None:
                response.interrupt()
        self.pools.close()

    def start_afresh(self) -> object:
        """After a fork, forget the connections and the locks of the parent, and return the object that holds them."""
        self.budget = RetryBudget(self.policy)
        self._streams = weakref.WeakValueDictionary()  # those of the parent go on
        return self.pools.start_afresh()


_transports: "weakref.WeakSet[Transport]" = weakref.WeakSet()
_pools_of_parents: list[object] = []


def _start_afresh_after_fork() -> None:
    """Give a forked child its own pools.

    Those of the parent are kept, because closing a connection could wait for a lock that no thread of the child will
    release.
    """
    for transport in _transports:
        _pools_of_parents.append(transport.start_afresh())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh_after_fork)


class RESTClientObject:
    """Sends requests to the configured host, over connections that all threads share."""

    def __init__(self, configuration: Configuration, transport: Transport | None = None) -> None:
        """Make a client with a transport of its own, or one that shares `transport`. Connections open on first use."""
        self.configuration = configuration
        self.transport = Transport(configuration) if transport is None else transport
        self.policy = RetryPolicy.of(configuration.retries)
        self._owns_transport = transport is None

    @property
    def pool_manager(self) -> urllib3.PoolManager:
        """The pool manager of urllib3, under its name in the official client."""
        return self.transport.pools.manager

    def close(self) -> None:
        """End streams and downloads, and close all idle connections, unless they belong to another client.

        A later call opens new ones.
        """
        if self._owns_transport:
            self.transport.close()

    def send(self, request: Request, deadline: Deadline, preload: Preload, previous_attempts: int = 0) -> Response:
        """Send a request to the configured host and return the response. Repeat the request if that is safe and helps.

        `preload` decides which bodies are read, within the deadline. `previous_attempts` is the number of requests
        already made for the same call.

        Raises:
            ApiConnectionError: if there was no complete response.
            ApiTimeoutError: if the deadline passed.
            ApiDecodeError: if the body is larger than `Configuration.max_response_bytes`, or cannot be decompressed.
        """
        exchange = Exchange(request, deadline, self.configuration, previous_attempts)
        while True:
            try:
                pool, base = self.transport.pools.host()
                response = self._attempt(exchange, pool, base + request.target, preload)
            except ApiConnectionError as error:
                wait = self._granted(exchange, self._wait_after_error(exchange, error))
                if wait is None:
                    raise
            else:
                wait = self._wait_after_status(exchange, response)
                if wait is None:
                    return response
                response.release()
            if exchange.observer is not None:
                exchange.observer.retry(wait)
            self.policy.sleep(wait)
            exchange.begin_attempt()

    def _attempt(self, exchange: Exchange, pool: HTTPConnectionPool, target: str, preload: Preload) -> Response:
        observer = exchange.observer
        if observer is not None:
            observer.request(exchange.attempts)
        try:
            response = _open(pool, target, exchange)
            is_read = preload.includes(response.status)
            if is_read:
                response.read()
        except ApiException as error:
            if observer is not None:
                observer.error(error)
            raise
        if observer is not None:
            observer.response(response.status, response.headers, response.body if is_read else None)
        if response.status not in RETRIED_STATUSES:
            self.transport.budget.earn()
        return response

    def _granted(self, exchange: Exchange, wait: float | None) -> float | None:
        """Return the wait before another attempt, or None if the deadline or the budget does not allow one."""
        if wait is None or not exchange.deadline.allows(wait) or not self.transport.budget.spend():
            return None
        return wait

    def _wait_after_error(self, exchange: Exchange, error: ApiConnectionError) -> float | None:
        """Return the wait before the next attempt, if one is allowed. A request that was not sent may be repeated."""
        is_allowed = not exchange.request_sent or exchange.request.retry in _REPEATABLE
        is_hopeless = isinstance(error.__cause__, SSLError) and not _ended_early(error.__cause__)
        return self.policy.wait(exchange.failures) if is_allowed and not is_hopeless else None

    def _wait_after_status(self, exchange: Exchange, response: Response) -> float | None:
        """Return the wait before the next attempt, if one is allowed."""
        if response.status not in RETRIED_STATUSES:
            return None
        if exchange.request.retry_busy and _is_busy(response):
            return self._wait_while_busy(exchange)
        if exchange.request.retry not in _REPEATABLE:
            return None
        return self._granted(exchange, self.policy.wait(exchange.failures, _retry_after(response.headers)))

    def _wait_while_busy(self, exchange: Exchange) -> float | None:
        """Return the wait for a busy chat. It is not a retry: the server is well, and has stored nothing."""
        wait = self.policy.wait_while_busy(exchange.busy_attempts + 1, exchange.busy_seconds)
        if wait is None or not exchange.deadline.allows(wait):
            return None
        exchange.note_busy(wait)
        return wait

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        post_params: Sequence[tuple[str, Any]] | None = None,
        _request_timeout: Any = None,
    ) -> RESTResponse:
        """Send a request to any address, once, and return the response unread, whatever its status.

        A `body` of bytes is sent as it is, and a str too unless its Content-Type is JSON, which is the default; any
        other is sent as JSON. `post_params` are the fields of a form.

        Raises:
            ApiValueError: if both are given, or the address or the body cannot be sent.
        """
        own = dict(headers or {})
        try:
            payload = _payload(own, body, post_params)
        except UnicodeEncodeError:
            raise ApiValueError("the body holds a lone surrogate, which cannot be sent") from None
        if not is_token(method):
            raise ApiValueError(f"invalid method {method!r}")
        timeouts = timeouts_for(CallTimeouts.of(self.configuration, ORDINARY), _request_timeout)
        address = parsed_address(url)
        origin = f"{address.scheme}://{address.netloc}"
        request = Request(method.upper(), mask(address.path or "/"), url, own, payload, ONCE, origin=origin)
        exchange = Exchange(request, Deadline(timeouts, self.policy.clock), self.configuration)
        pool, target = self.transport.pools.route(url)
        response = self._attempt(exchange, pool, target or "/", Preload.NONE)
        return RESTResponse(response.raw, response)


def _open(pool: HTTPConnectionPool, target: str, exchange: Exchange) -> Response:
    """Send a request over a pool, once, and return the response unread."""
    request = exchange.request
    pool_timeout: Any = exchange  # `Pool` asks it how long to wait for a free connection
    try:
        raw = pool.urlopen(
            request.method,
            target,
            exchange.body(),
            headers=request.headers,
            retries=_NO_RETRIES,
            redirect=False,
            assert_same_host=False,
            timeout=exchange,
            pool_timeout=pool_timeout,
            preload_content=False,
        )
    except BaseException as error:
        exchange.place = None  # the connection is closed
        if isinstance(error, BodyError):
            raise _body_error(exchange) from None
        if isinstance(error, TRANSPORT_ERRORS):
            raise translate(error, exchange) from without_frames(error, exchange.secrets)
        raise
    if not exchange.request_sent:  # no connection was used: a tool has replaced `urlopen`
        raw = as_unread(raw)
    return Response(raw, exchange)


def _body_error(exchange: Exchange) -> Exception:
    """Return why the body could not be produced: the caller's own error as it is, a file's or a timeout as ours."""
    error = exchange.body_error
    if isinstance(error, (FileChangedError, BodyTimeoutError)):
        return translate(error, exchange)
    return error or AssertionError("a body failed without an error")


def timeouts_for(defaults: CallTimeouts, timeout: object) -> CallTimeouts:
    """Return the limits that a `_request_timeout` sets.

    A number limits the whole call. A pair (connect, read) or a urllib3 Timeout limits each connect and each wait for
    bytes; the default limit of the whole call stays. None removes every limit.

    Raises:
        ApiTypeError, ApiValueError: if it is anything else, or a number that is not above 0.
    """
    if timeout is None:
        return UNLIMITED
    if isinstance(timeout, Timeout):
        running = timeout.clone()
        running.start_connect()
        total = timeout.total if isinstance(timeout.total, (int, float)) else None
        parts = (total, running.connect_timeout, running.read_timeout or total)
        return defaults.with_steps(*map(_seconds_of_part, parts))
    if isinstance(timeout, (tuple, list)):
        if len(timeout) != 2:
            raise ApiTypeError(f"_request_timeout takes a pair (connect, read), not {len(timeout)} values")
        return defaults.with_steps(None, *(check_seconds("_request_timeout", part) for part in timeout))
    return defaults.within(check_seconds("_request_timeout", timeout))


def _seconds_of_part(part: Any) -> float | None:
    """Return a part of a urllib3 Timeout in seconds; None means unlimited."""
    seconds = Timeout.resolve_default_timeout(part)
    return None if seconds is None else check_seconds("_request_timeout", seconds)


def _payload(headers: dict[str, str], body: object, fields: Sequence[tuple[str, Any]] | None) -> bytes | None:
    """Return the body of a request made by hand, and add its Content-Type to `headers` if it is missing."""
    given = next((value for name, value in headers.items() if name.lower() == "content-type"), None)
    if body is not None and fields:
        raise ApiValueError("a request has either a body or post_params")
    if body is not None:
        media_type = headers.setdefault("Content-Type", JSON) if given is None else given
        is_json = "json" in media_type.lower()
        return (
            body
            if isinstance(body, bytes)
            else json_bytes(body)
            if is_json or not isinstance(body, str)
            else body.encode()
        )
    if not fields:
        return None
    if given is not None and given.startswith("multipart/form-data"):
        parts = [(name, json_bytes(value) if isinstance(value, (dict, list)) else value) for name, value in fields]
        payload, content_type = encode_multipart_formdata(parts)
        for name in [name for name in headers if name.lower() == "content-type"]:
            del headers[name]
        headers["Content-Type"] = content_type  # with the boundary
        return payload
    headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    return urlencode(fields).encode()


def _ended_early(error: SSLError) -> bool:
    """Return whether the peer closed the connection within TLS, as a server does that restarts."""
    return any(isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) for cause in error.args)


def _is_busy(response: Response) -> bool:
    """Return whether a 503 says that the chat is busy and nothing was stored (servers up to 2.6)."""
    try:
        said = from_json(response.body)
    except ValueError:
        return False
    return response.status == 503 and isinstance(said, dict) and "timestamp" in said


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a `Retry-After` header (RFC 9110, 10.2.3), a number or a date, or None."""
    text = headers.get("Retry-After")
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
