"""The REST layer: sends requests over urllib3's pools and hands answers on.

It decides in one loop what is sent again. Together with `_pool` and `_reply` it is all that touches urllib3. Redirects
are never followed.
"""

import os
import sys
import time
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any, Final
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

import urllib3
from pydantic_core import from_json, to_json
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import SSLError
from urllib3.filepost import encode_multipart_formdata
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry, Timeout, make_headers

from freechat_sdk._limits import UNLIMITED, Durations, TimeLimit
from freechat_sdk._pool import Exchange, LimitedPool, LimitedTlsPool
from freechat_sdk._reply import LOWER_ERRORS, Reply, bare, translate
from freechat_sdk._request import IDEMPOTENT, JSON, ONCE, ORDINARY, READ, Request
from freechat_sdk._retry import RetryBudget, RetryPolicy
from freechat_sdk.configuration import SUPPORTED_SOCKS_PROXIES, Configuration, check_proxy, check_seconds
from freechat_sdk.exceptions import (
    ApiConnectionError,
    ApiException,
    ApiTypeError,
    ApiValueError,
    redacted,
)

__all__ = [
    "SUPPORTED_SOCKS_PROXIES",
    "ApiException",
    "BaseHTTPResponse",
    "RESTClientObject",
    "RESTResponse",
    "RESTResponseType",
    "RetryPolicy",
    "Timeout",
    "is_socks_proxy_url",
]

RESTResponseType = urllib3.HTTPResponse
"""The class of the unread responses that the `..._without_preload_content` methods return."""

RETRIED_STATUSES: Final = frozenset({502, 503, 504})

_NO_RETRIES: Final = Retry(False)
_SENT_AGAIN: Final = {READ, IDEMPOTENT}


def is_socks_proxy_url(url: str | None) -> bool:
    """Return whether the scheme of an address is one of `SUPPORTED_SOCKS_PROXIES`, in upper or lower case."""
    if url is None:
        return False
    scheme, separator, _ = url.partition("://")
    return bool(separator) and scheme.lower() in SUPPORTED_SOCKS_PROXIES


class RESTResponse:
    """An answer whose body has not been read, as `ApiClient.call_api` gives it."""

    def __init__(self, resp: BaseHTTPResponse, reply: Reply | None = None) -> None:
        self.response = resp
        self._reply = reply
        self.status = resp.status
        self.reason = resp.reason
        self.headers = resp.headers
        self.data: bytes | None = None
        """The body, after `read()`."""

    def read(self) -> bytes:
        """Return the body, read once; the connection goes back to the pool.

        Raises:
            ApiConnectionError, ApiTimeoutError: when it does not come to its end.
            ApiDecodeError: when it is larger than the configuration allows.
        """
        if self.data is None:
            self.data = self.response.data if self._reply is None else self._reply.read()
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


_clients: "weakref.WeakSet[RESTClientObject]" = weakref.WeakSet()
_parents_pools: list[object] = []


def _start_afresh_after_fork() -> None:
    """Give the child pools of its own; the parent's are kept untouched: closing one could wait for a dead lock."""
    for client in _clients:
        _parents_pools.append(client.start_afresh())


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
        self._manager: urllib3.PoolManager | None = None
        self._host_pool: HTTPConnectionPool | None = None
        self._base = ""
        self.start_afresh()
        _clients.add(self)

    def start_afresh(self) -> object:
        """Forget connections and locks, and return what holds them: after a fork they are the parent's."""
        self._lock = Lock()
        self._budget = RetryBudget(self.policy)
        return self.forget_connections()

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
        with self._lock:
            if self._host_pool is None:
                pool, self._base = self._route(self.configuration.host)
                self._host_pool = pool
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
        with self._lock:
            pool, target = self._route(url)
        reply = self._attempt(exchange, pool, target or "/", reads_nothing)
        return RESTResponse(reply.response, reply)


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
    except LOWER_ERRORS as error:
        raise translate(error, exchange) from bare(error)
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
    if proxy is not None and is_socks_proxy_url(proxy):
        return _make_socks_manager(proxy, given)
    if proxy is None:
        manager = urllib3.PoolManager(**given)
    else:
        headers = {**_proxy_credentials(proxy), **(configuration.proxy_headers or {})}
        manager = urllib3.ProxyManager(proxy, proxy_headers=headers, **given)
    manager.pool_classes_by_scheme = {"http": LimitedPool, "https": LimitedTlsPool}
    return manager


def _make_socks_manager(proxy: str, options: dict[str, Any]) -> urllib3.PoolManager:
    """Return the pools for hosts behind a SOCKS proxy.

    Raises:
        ApiValueError: if PySocks is not installed, or cannot send the credentials; they are not shown.
    """
    try:
        from freechat_sdk._socks import make_socks_manager
    except ImportError as error:
        raise ApiValueError("SOCKS proxies need PySocks 1.7 or later. Run: pip install PySocks") from error
    return make_socks_manager(proxy, options)


def _proxy_from_environment(host: str) -> str | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for a host.

    Raises:
        ApiValueError: if its address cannot be used; it is not shown.
    """
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies_environment, proxy_bypass

    parts = urlsplit(host)
    proxies = getproxies_environment()
    if proxy_bypass(parts.netloc):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy is None:
        return None
    return check_proxy("the environment's proxy", proxy if "://" in proxy else f"http://{proxy}")


def _proxy_credentials(proxy: str) -> dict[str, str]:
    """Return the header for the user name and password in a proxy's address."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    return make_headers(proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
