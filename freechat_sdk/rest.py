"""The REST layer: sends requests over urllib3's pools and hands answers on.

It decides in one loop what is sent again, and turns what urllib3 raises into the errors of this package. Together with
`_pool` it is all that touches urllib3. Redirects are never followed.
"""

import http.client
import os
import sys
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol, TypeGuard, TypeVar
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

import urllib3
from pydantic_core import from_json, to_json
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import (
    DecodeError,
    EmptyPoolError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as UrllibTimeoutError
from urllib3.filepost import encode_multipart_formdata
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry, Timeout, make_headers

from freechat_sdk._limits import UNLIMITED, Durations, TimeLimit
from freechat_sdk._pool import Exchange, LimitedPool, LimitedTlsPool
from freechat_sdk._request import IDEMPOTENT, JSON, ONCE, ORDINARY, READ, Request
from freechat_sdk._response import Decoder
from freechat_sdk._retry import RetryBudget, RetryPolicy
from freechat_sdk.configuration import MEBIBYTE, Configuration, check_seconds
from freechat_sdk.exceptions import (
    ApiConnectionError,
    ApiDecodeError,
    ApiException,
    ApiTimeoutError,
    ApiTypeError,
    redacted,
)
from freechat_sdk.upload import Form

__all__ = ["ApiException", "BaseHTTPResponse", "RESTClientObject", "RESTResponse", "RetryPolicy", "Timeout"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=ApiException)

RETRIED_STATUSES: Final = frozenset({502, 503, 504})
READ_BYTES: Final = 65536
READ_AT_ONCE: Final = 4 * MEBIBYTE
"""The largest answer that memory is taken for because the server announces it."""
LARGEST_FILES: Final = "servers take up to 10 MiB, of some kinds less, and may hang up on more"

_LOWER_ERRORS: Final = (HTTPError, OSError, ValueError, http.client.HTTPException)
_NO_RETRIES: Final = Retry(False)
_SENT_AGAIN: Final = {READ, IDEMPOTENT}


class RESTResponse:
    """An answer whose body has not been read, as `ApiClient.call_api` gives it."""

    def __init__(self, resp: BaseHTTPResponse) -> None:
        self.response = resp
        self.status = resp.status
        self.reason = resp.reason
        self.headers = resp.headers
        self.data: bytes | None = None
        """The body, after `read()`."""

    def read(self) -> bytes:
        """Return the body, read once; the connection goes back to the pool."""
        if self.data is None:
            self.data = self.response.data
        return self.data

    def getheaders(self) -> Mapping[str, str]:
        """Return the headers; names are compared without regard to case."""
        return self.headers

    def getheader(self, name: str, default: str | None = None) -> str | None:
        """Return a header, or `default` where the answer has none of that name."""
        return self.headers.get(name, default)

    def close(self) -> None:
        """Give the connection back; what was not read is lost."""
        self.response.close()
        self.response.release_conn()


class Reply:
    """An answer as it comes in: status and headers are there, the body is read on demand."""

    def __init__(self, response: BaseHTTPResponse, exchange: Exchange) -> None:
        self.response = response
        self.exchange = exchange
        self.status = response.status
        self.reason = response.reason or ""
        self.headers: Mapping[str, str] = response.headers
        self.body = b""
        self._is_finished = False

    def read(self) -> bytes:
        """Read the whole body.

        Raises:
            ApiConnectionError, ApiTimeoutError: when it does not come to its end.
            ApiDecodeError: when it is larger than the configuration allows.
        """
        length = self.response.length_remaining
        self.check_size(length or 0)
        if length is None or length > READ_AT_ONCE or "Content-Encoding" in self.headers:
            self.body = b"".join(self.limited(self.chunks()))
            return self.body
        try:
            self.body = self.response.read()
        except _LOWER_ERRORS as error:
            self.close()  # urllib3 does not where it cannot unpack a body
            raise _translate(error, self.exchange) from _bare(error)
        return self.body

    def limited(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield chunks of the body as long as they fit into the largest answer for memory.

        Raises:
            ApiDecodeError: when they do not.
        """
        size = 0
        for chunk in chunks:
            size += len(chunk)
            self.check_size(size)
            yield chunk

    def check_size(self, size: int) -> None:
        """Refuse so many bytes of the body, if they are too many for memory.

        Raises:
            ApiDecodeError: in that case; the connection is closed.
        """
        largest = self.exchange.configuration.max_response_bytes
        if largest is not None and size > largest:
            self.close()
            message = f"the answer has more than {largest} bytes"
            raise self.error(ApiDecodeError, message=message, hint="Configuration(max_response_bytes=...) sets that.")

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes in.

        Raises:
            ApiConnectionError, ApiTimeoutError: when it does not come to its end.
        """
        try:
            if self.response.chunked and "Content-Encoding" not in self.headers:
                yield from self.response.read_chunked(READ_BYTES)  # a quarter of what read1 costs
                return
            is_empty = True
            while chunk := self.response.read1(READ_BYTES):
                is_empty = False
                yield chunk
            if not is_empty and not _is_unpacked_whole(self.response):
                raise DecodeError("the packed body is cut")
        except _LOWER_ERRORS as error:
            self.close()  # urllib3 does not where it cannot unpack a body
            raise _translate(error, self.exchange) from _bare(error)

    def close(self) -> None:
        """Close the connection unless all of the body has been read, and give its place back to the pool."""
        self.response.close()
        self.response.release_conn()

    def finish(self) -> None:
        """Close a streamed answer, and tell, once, that it has ended."""
        self.close()
        if self.exchange.watch is not None and not self._is_finished:
            self._is_finished = True
            self.exchange.watch.close()

    def error(self, kind: type[E], **about: Any) -> E:
        """Return an error with what this answer says: status, headers, the request it is for."""
        request = self.exchange.request
        return kind(
            self.status,
            self.reason,
            headers=self.headers,
            method=request.method,
            path=request.template,
            attempts=self.exchange.attempts,
            **about,
        )


def _is_unpacked_whole(response: BaseHTTPResponse) -> bool:
    """Tell whether a packed body came to its end, which urllib3 does not look at. Pinned by test_pool.py."""
    decoder: Any = getattr(response, "_decoder", None)
    unpackers = (getattr(part, "_obj", None) for part in getattr(decoder, "_decoders", [decoder]))
    return all(getattr(unpacker, "eof", True) for unpacker in unpackers)


class StreamDecoder(Decoder[T_co], Protocol[T_co]):
    """Opens an answer that is read while it comes in."""

    def takes(self, content_type: str) -> bool:
        """Tell whether an answer of a media type (in lower case) can be opened."""

    def open(self, reply: Reply) -> T_co:
        """Return what reads the answer."""


def opens_stream(decoder: Decoder[T]) -> TypeGuard[StreamDecoder[T]]:
    """Tell whether a decoder opens answers instead of reading them."""
    return decoder.is_streamed


def _translate(error: Exception, exchange: Exchange) -> ApiException:
    """Return the error of this package for one of urllib3, http.client or the operating system."""
    request = exchange.request
    about: dict[str, Any] = {"method": request.method, "path": request.template, "attempts": exchange.attempts}
    causes = list(_causes(error))
    if any(isinstance(cause, DecodeError) for cause in causes):
        return ApiDecodeError(message="the answer's Content-Encoding is broken", **about)
    about["request_sent"] = exchange.request_sent
    if isinstance(error, EmptyPoolError):
        most = exchange.configuration.connection_pool_maxsize
        return ApiTimeoutError(f"no connection became free in time (connection_pool_maxsize: {most})", **about)
    if any(_is_timeout(cause) for cause in causes):
        return ApiTimeoutError(_timeout_message(exchange), **about)
    message = _connection_message(causes)
    if isinstance(request.body, Form) and exchange.request_sent:
        message += f"; the file has {request.body.upload.size or 'an unknown number of'} bytes, and {LARGEST_FILES}"
    return ApiConnectionError(message, **about)


def _bare(error: Exception) -> Exception:
    """Return an error without its frames, and so all behind it: reports of faults may print their variables.

    Those of urllib3 and http.client hold the request's header, with the token.
    """
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop()
        if id(found) not in seen:
            seen.add(id(found))
            found.__traceback__ = None
            behind = (found.__cause__, found.__context__, *found.args)
            waiting += [other for other in behind if isinstance(other, BaseException)]
    return error


def _is_timeout(error: BaseException) -> bool:
    is_refused = isinstance(error, NewConnectionError)  # by inheritance a timeout, by meaning none
    return isinstance(error, (TimeoutError, UrllibTimeoutError)) and not is_refused


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what lies behind it: urllib3 keeps causes in `args` as well."""
    while error is not None:
        yield error
        inner = [arg for arg in error.args if isinstance(arg, BaseException)]
        error = inner[-1] if inner else error.__cause__


def _timeout_message(exchange: Exchange) -> str:
    limits = exchange.limit.durations
    if exchange.request_sent:
        return f"no complete answer in time (limits: {limits.total} s for the call, {limits.read} s for each wait)"
    return f"no connection in time (limits: {limits.total} s for the call, {limits.connect} s for each connect)"


def _connection_message(causes: list[BaseException]) -> str:
    """Say which step failed, and what the lowest layer said of it."""
    steps = (
        (NameResolutionError, "the host's name is not known"),
        (ProxyError, "the proxy failed"),
        (SSLError, "no secure connection (TLS)"),
        (NewConnectionError, "no connection: is the server running, and the host right?"),
    )
    step = next((text for kind, text in steps if isinstance(causes[0], kind)), "the connection was lost")
    last = causes[-1]
    return f"{step} ({type(last).__name__}: {last})"


_clients: "weakref.WeakSet[RESTClientObject]" = weakref.WeakSet()
_parents_pools: list[object] = []


def _start_afresh_after_fork() -> None:
    """Give the child pools of its own; the parent's are kept untouched: closing one could wait for a dead lock."""
    for client in _clients:
        _parents_pools.append(client.forget_connections())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh_after_fork)


class RESTClientObject:
    """Sends requests to the configured host, over connections that are kept and shared by all threads."""

    def __init__(self, configuration: Configuration, policy: RetryPolicy | None = None) -> None:
        """Make a client for `configuration`; connections are made on first use.

        `policy` stands in for `configuration.retries` (tests give one with a clock of their own).
        """
        self.configuration = configuration
        self.policy = RetryPolicy.of(configuration.retries) if policy is None else policy
        self._budget = RetryBudget(self.policy)
        self._manager: urllib3.PoolManager | None = None
        self._host_pool: HTTPConnectionPool | None = None
        self._base = ""
        _clients.add(self)

    def close(self) -> None:
        """Close all idle connections. A later call makes new ones."""
        manager = self.forget_connections()
        if manager is not None:
            manager.clear()

    def __del__(self) -> None:
        if getattr(self, "_manager", None) is not None and not sys.is_finalizing():
            warnings.warn(f"unclosed client of {self.configuration.host}", ResourceWarning, 2, self)

    def forget_connections(self) -> urllib3.PoolManager | None:
        """Let go of all connections without closing them, and return what holds them."""
        manager, self._manager, self._host_pool = self._manager, None, None
        return manager

    def send(self, request: Request, limit: TimeLimit, read: Callable[[int], bool], earlier: int = 0) -> Reply:
        """Send a request to the configured host, again where that is right, and return the answer.

        The body is read, within the limit, when `read` says so of the status. `earlier` requests have been made for
        the same call.

        Raises:
            ApiConnectionError: when there was no answer. `request_sent` tells whether the server may have acted.
            ApiTimeoutError: when the time was over before.
            ApiDecodeError: when the answer is larger than the configuration allows.
        """
        exchange = Exchange(request, limit, self.configuration, earlier)
        while True:
            try:
                pool = self._host_pool or self._connect_host()
                reply = self._attempt(exchange, pool, self._base + request.target, read)
            except ApiConnectionError as error:
                wait = self._granted(exchange, self._wait_after_error(exchange, error))
                if wait is None:
                    raise
            else:
                wait = self._granted(exchange, self._wait_after_status(exchange, reply))
                if wait is None:
                    return reply
                reply.close()
            if exchange.watch is not None:
                exchange.watch.retry(wait)
            self.policy.sleep(wait)
            exchange.attempt += 1

    def _attempt(self, exchange: Exchange, pool: HTTPConnectionPool, target: str, read: Callable[[int], bool]) -> Reply:
        watch = exchange.watch
        if watch is not None:
            watch.request(exchange.attempts)
        try:
            reply = _open(pool, target, exchange)
            is_read = read(reply.status)
            if is_read:
                reply.read()
        except ApiException as error:
            if watch is not None:
                watch.error(error)
            raise
        if watch is not None:
            watch.response(reply.status, reply.headers, reply.body if is_read else None)
        if reply.status not in RETRIED_STATUSES:
            self._budget.earn()
        return reply

    def _granted(self, exchange: Exchange, wait: float | None) -> float | None:
        """Return the wait before another attempt, if time and budget allow for one."""
        if wait is None or not exchange.limit.allows(wait) or not self._budget.spend():
            return None
        return wait

    def _wait_after_error(self, exchange: Exchange, error: ApiConnectionError) -> float | None:
        """Return the wait before the next attempt: what did not leave may always be sent again."""
        is_allowed = not error.request_sent or exchange.request.retry in _SENT_AGAIN
        is_hopeless = isinstance(error.__cause__, SSLError)
        return self.policy.wait(exchange.attempt) if is_allowed and not is_hopeless else None

    def _wait_after_status(self, exchange: Exchange, reply: Reply) -> float | None:
        if reply.status not in RETRIED_STATUSES:
            return None
        is_allowed = exchange.request.retry in _SENT_AGAIN or (exchange.request.retry_busy and _is_busy(reply))
        return self.policy.wait(exchange.attempt, _retry_after(reply.headers)) if is_allowed else None

    def _connect_host(self) -> HTTPConnectionPool:
        """Look the pool of the configured host up, once for all calls."""
        self._host_pool, self._base = self._route(self.configuration.host)
        return self._host_pool

    def _route(self, url: str) -> tuple[HTTPConnectionPool, str]:
        """Return the pool for an address, and what of it a request line holds."""
        if self._manager is None:
            self._manager = _make_manager(self.configuration)
        pool: Any = self._manager.connection_from_url(url)
        pool.clock = self.policy.clock
        parts = urlsplit(url)
        is_forwarded = pool.proxy is not None and parts.scheme == "http"
        return pool, url if is_forwarded else urlunsplit(("", "", parts.path, parts.query, ""))

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        post_params: Sequence[tuple[str, Any]] | None = None,
        _request_timeout: Any = None,
    ) -> RESTResponse:
        """Send one request to any address, once, and return the answer unread, whatever its status.

        `body` is sent as it is when it is bytes or str, else as JSON; `post_params` are the fields of a form.
        """
        own = dict(headers or {})
        payload = _payload(own, body, post_params)
        durations = durations_for(Durations.of(self.configuration, ORDINARY), _request_timeout)
        request = Request(method.upper(), redacted(urlsplit(url).path) or "/", url, own, payload, ONCE)
        exchange = Exchange(request, TimeLimit(durations, self.policy.clock), self.configuration)
        pool, target = self._route(url)
        return RESTResponse(self._attempt(exchange, pool, target or "/", reads_nothing).response)


def reads_nothing(status: int) -> bool:
    """Leave every answer unread."""
    return False


def _open(pool: HTTPConnectionPool, target: str, exchange: Exchange) -> Reply:
    """Send a request over a pool, once, and return the answer unread."""
    request = exchange.request
    place: Any = exchange  # the pool asks it how long to wait for a connection
    try:
        response = pool.urlopen(
            request.method,
            target,
            request.body,
            headers=request.headers,
            retries=_NO_RETRIES,
            redirect=False,
            assert_same_host=False,
            timeout=exchange,
            pool_timeout=place,
            preload_content=False,
        )
    except _LOWER_ERRORS as error:
        raise _translate(error, exchange) from _bare(error)
    return Reply(response, exchange)


def durations_for(defaults: Durations, timeout: object) -> Durations:
    """Return the limits that a `_request_timeout` asks for.

    A number is the limit for the whole call; a pair (connect, read) or a urllib3 Timeout limits the steps within the
    default; None takes every limit away.

    Raises:
        ApiTypeError, ApiValueError: for anything else, zero and negative numbers included.
    """
    if timeout is None:
        return UNLIMITED
    if isinstance(timeout, Timeout):
        running = timeout.clone()
        running.start_connect()
        connect = Timeout.resolve_default_timeout(running.connect_timeout)
        read = Timeout.resolve_default_timeout(running.read_timeout)
        return defaults.with_steps(timeout.total if isinstance(timeout.total, (int, float)) else None, connect, read)
    if isinstance(timeout, tuple):
        if len(timeout) != 2:
            raise ApiTypeError(f"_request_timeout takes a pair (connect, read), not a tuple of {len(timeout)}")
        return defaults.with_steps(None, *(check_seconds("_request_timeout", part) for part in timeout))
    return defaults.within(check_seconds("_request_timeout", timeout))


def _payload(headers: dict[str, str], body: object, fields: Sequence[tuple[str, Any]] | None) -> bytes | None:
    """Return the body of a hand-made request; a Content-Type that is not given is added to `headers`."""
    given = next((value for name, value in headers.items() if name.lower() == "content-type"), None)
    if body is not None:
        if given is None:
            headers["Content-Type"] = JSON
        return body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else to_json(body)
    if not fields:
        return None
    if given is not None and given.startswith("multipart/form-data"):
        payload, content_type = encode_multipart_formdata(fields)
        for name in [name for name in headers if name.lower() == "content-type"]:
            del headers[name]
        headers["Content-Type"] = content_type  # with the boundary
        return payload
    headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    return urlencode(fields).encode()


def _is_busy(reply: Reply) -> bool:
    """Tell whether a 503 says that the chat is busy and nothing was stored (servers up to 2.6)."""
    try:
        said = from_json(reply.body)
    except ValueError:
        return False
    return reply.status == 503 and isinstance(said, dict) and "timestamp" in said


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a `Retry-After` (RFC 9110, 10.2.3), given as a number or a date; None without one."""
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


def _make_manager(configuration: Configuration) -> urllib3.PoolManager:
    """Return the pools for a configuration: TLS, proxy and sizes."""
    options: dict[str, Any] = {
        "cert_reqs": "CERT_REQUIRED" if configuration.verify_ssl else "CERT_NONE",
        "ca_certs": configuration.ssl_ca_cert,
        "ca_cert_data": configuration.ca_cert_data,
        "cert_file": configuration.cert_file,
        "key_file": configuration.key_file,
        "assert_hostname": configuration.assert_hostname,
        "server_hostname": configuration.tls_server_name,
        "socket_options": configuration.socket_options,
        "maxsize": configuration.connection_pool_maxsize,
        "block": configuration.connection_pool_block,
    }
    given = {name: value for name, value in options.items() if value is not None}
    proxy = configuration.proxy or _proxy_from_environment(configuration.host)
    if proxy is None:
        manager = urllib3.PoolManager(**given)
    else:
        headers = {**_proxy_credentials(proxy), **(configuration.proxy_headers or {})}
        manager = urllib3.ProxyManager(proxy, proxy_headers=headers, **given)
    manager.pool_classes_by_scheme = {"http": LimitedPool, "https": LimitedTlsPool}
    return manager


def _proxy_from_environment(host: str) -> str | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for a host."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies_environment, proxy_bypass

    parts = urlsplit(host)
    proxies = getproxies_environment()
    if proxy_bypass(parts.netloc):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _proxy_credentials(proxy: str) -> dict[str, str]:
    """Return the header for the user name and password in a proxy's address."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    return make_headers(proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
