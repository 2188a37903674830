"""Pools of connections, with TLS and proxies.

A connection that was idle for 50 s is not used again, because servers close idle connections after 60 s.
"""

import os
import sys
import time
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from operator import methodcaller
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, ClassVar, Final
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import EmptyPoolError, LocationParseError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Url, make_headers, parse_url
from urllib3.util.connection import is_connection_dropped

from freechat_sdk._addresses import SUPPORTED_SOCKS_PROXIES, check_proxy, is_loopback
from freechat_sdk._connection import (
    Connection,
    HTTPConnection,
    HTTPSConnection,
    ShownTarget,
    TlsConnection,
    as_unread,
)
from freechat_sdk._exchange import Exchange
from freechat_sdk._headers import checked_headers
from freechat_sdk._timeouts import Deadline, shortest
from freechat_sdk.configuration import Configuration
from freechat_sdk.exceptions import ApiValueError, ForeignConnectionWarning

MAX_IDLE_SECONDS: Final = 50.0
"""How long a connection may be idle and still be used again."""


RECHECK_SECONDS: Final = 1.0
"""How often a call that waits for a place looks for itself: an interrupt can lose the news of a free one."""


_FOREIGN: Final = (
    "{tool} has replaced the connections of urllib3. Calls use them with urllib3's timeouts instead of the client's "
    "deadlines. If this is intended, ignore freechat_sdk.ForeignConnectionWarning."
)

_REFERENT: Final = methodcaller("__call__")
"""What a weak reference refers to, or None."""


class _Place:
    """The right to one connection of a pool with a fixed number of them. It is free again when it is dropped."""

    __slots__ = ("__weakref__",)


class _Places:
    """A fixed number of places, which are not lost, whatever is raised and wherever.

    An interrupt can come between any two instructions of Python, also in `finally` and `__del__`. So a place is taken
    as long as the object lives, and no code of ours gives it back: the news that it is free comes from a callback in C.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken: list[weakref.ref[_Place]] = []
        self._lock = Lock()
        self._news: SimpleQueue[object] = SimpleQueue()
        """One object for each place that has become free, unless a call has taken it without waiting."""

    def take(self, deadline: Deadline) -> _Place:
        """Return a free place, and wait for one within the deadline. One that is free at once is returned in any case.

        Raises:
            Empty, TimeoutError: if none becomes free.
        """
        place = self._take_free()
        if place is not None:
            with suppress(Empty):
                self._news.get_nowait()
        seconds: float | None = None
        while place is None:
            seconds = shortest(seconds, deadline.for_read())
            wait = RECHECK_SECONDS if seconds is None else min(seconds, RECHECK_SECONDS)
            try:
                self._news.get(timeout=wait)
            except Empty:
                if seconds == wait:
                    raise
                seconds = None if seconds is None else seconds - wait
            place = self._take_free()
        return place

    def _take_free(self) -> _Place | None:
        with self._lock:
            self._taken = list(filter(_REFERENT, self._taken))  # in C: no interrupt comes while the lock is held
            if len(self._taken) >= self._count:
                return None
            place = _Place()
            self._taken.append(weakref.ref(place, self._news.put))
            return place


class Pool(HTTPConnectionPool):
    """A pool with places and idle connections of its own, which hands the exchange to its connections.

    The queue of urllib3 is not used: it holds connections and free places alike, and an interrupt loses them.
    """

    ConnectionCls: type[Connection] = Connection
    replaceable: ClassVar[tuple[type[HTTPConnectionPool], type]] = HTTPConnectionPool, HTTPConnection
    """The pool of urllib3 in which tools replace the class of connections, and that class."""
    clock: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(self, host: str, port: int | None = None, *, maxsize: int = 1, **kwargs: Any) -> None:
        super().__init__(host, port, maxsize=maxsize, **kwargs)
        self._maxsize = maxsize
        self._idle: deque[Connection] = deque()
        self._places = _Places(maxsize)
        self._is_closed = False
        self._has_warned = False
        weakref.finalize(self, _close_all, self._idle)

    def _get_conn(self, timeout: Any = None) -> Any:
        exchange: Exchange = timeout  # given to `urlopen` as `pool_timeout`
        if self.block:
            try:
                exchange.place = self._places.take(exchange.deadline)
            except (Empty, TimeoutError):
                raise EmptyPoolError(self, "no place became free") from None
        connection: Any = self._idle_connection() or self._new_conn()
        connection.exchange = exchange
        exchange.proxy_headers = self.proxy_headers
        return connection

    def _new_conn(self) -> Any:
        """Return a new connection: of our class, or of the one that a tool such as vcrpy uses in place of urllib3's."""
        pool, original = self.replaceable
        kind: Any = pool.ConnectionCls
        if kind is not original:
            self._warn_of(kind)
        self.ConnectionCls = type(self).ConnectionCls if kind is original else kind
        return super()._new_conn()

    def _warn_of(self, kind: type) -> None:
        """Warn once of a class that has replaced urllib3's."""
        if not self._has_warned:
            self._has_warned = True
            tool = kind.__module__.partition(".")[0]
            warnings.warn(_FOREIGN.format(tool=tool), ForeignConnectionWarning, stacklevel=2)

    def _idle_connection(self) -> Connection | None:
        """Return the connection that was used last, closed if its peer has closed it or is about to.

        There is none to use while a tool has replaced urllib3's connections.
        """
        pool, original = self.replaceable
        if pool.ConnectionCls is not original:
            return None
        try:
            connection = self._idle.pop()
        except IndexError:
            return None
        if self.clock() - connection.idle_since > MAX_IDLE_SECONDS or is_connection_dropped(connection):
            connection.close()  # it connects again when it is used
        return connection

    def _put_conn(self, conn: Any) -> None:
        if conn is None:
            return
        exchange: Exchange | None = conn.exchange
        conn.exchange = None
        if exchange is None:  # it is back already
            return
        exchange.forget_socket()
        if not isinstance(conn, Connection) or conn.has_surplus_bytes or len(self._idle) >= self._maxsize:
            conn.close()
        else:
            conn.idle_since = self.clock()
            self._idle.append(conn)
        if self._is_closed:
            _close_all(self._idle)
        exchange.place = None

    def close(self) -> None:
        """Close the idle connections now, and each one that is in use when it comes back."""
        self._is_closed = True
        _close_all(self._idle)

    def _make_request(self, conn: Any, method: str, url: str, *args: Any, **kwargs: Any) -> BaseHTTPResponse:
        exchange: Exchange = kwargs["timeout"]
        if not isinstance(conn, Connection):
            return self._make_foreign_request(conn, method, url, *args, **kwargs)
        exchange.request_sent = False
        shown = ShownTarget(exchange.request.template)
        shown.sent = url
        response = super()._make_request(conn, method, shown, *args, **kwargs)
        response.url = url
        return response

    def _make_foreign_request(self, conn: Any, method: str, url: str, *args: Any, **kwargs: Any) -> BaseHTTPResponse:
        """Make a request over a connection of another class, which gets the plain target and plain headers."""
        exchange: Exchange = kwargs["timeout"]
        exchange.request_sent = True  # such a connection does not note it
        kwargs["headers"] = {name: str.__str__(value) for name, value in kwargs["headers"].items()}
        given = super()._make_request(conn, method, url, *args, **kwargs)
        response = as_unread(given)
        if response is not given:
            self._put_conn(conn)
        return response


class TlsPool(Pool, HTTPSConnectionPool):
    """A `Pool` over TLS."""

    ConnectionCls: type[TlsConnection] = TlsConnection
    replaceable: ClassVar[tuple[type[HTTPConnectionPool], type]] = HTTPSConnectionPool, HTTPSConnection


def _close_all(connections: "deque[Connection]") -> None:
    with suppress(IndexError):
        while True:
            connections.pop().close()


def parsed_address(url: str) -> Url:
    """Return an address as urllib3 reads it, whose parser decides where a request goes.

    Raises:
        ApiValueError: if it is not an http or https address, or holds characters that parsers read differently.
    """
    if any(letter == "\\" or letter.isspace() or not letter.isprintable() for letter in url):
        raise ApiValueError("an address must not hold backslashes, blanks or control characters")
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise ApiValueError("an address must be like https://chat.example.com/path") from None
    if parts.scheme not in ("http", "https") or not parts.host:
        raise ApiValueError("an address must begin with http:// or https:// and a host")
    return parts


def is_same_origin(url: str, other: str) -> bool:
    """Return whether two addresses have the same scheme, host and port (RFC 6454).

    Raises:
        ApiValueError: if one is not an address.
    """
    return _origin(parsed_address(url)) == _origin(parsed_address(other))


def _origin(parts: Url) -> tuple[str | None, str | None, int | None]:
    return parts.scheme, parts.host, parts.port or {"http": 80, "https": 443}[parts.scheme or "http"]


class Pools:
    """The pools of a client, made on first use. Threads share them."""

    def __init__(self, configuration: Configuration, clock: Callable[[], float]) -> None:
        self._configuration = configuration
        self._clock = clock
        self._manager: urllib3.PoolManager | None = None
        self._host_pool: HTTPConnectionPool | None = None
        self._base = ""
        self._lock = Lock()

    def host(self) -> tuple[HTTPConnectionPool, str]:
        """Return the pool for the configured host, and the start of the target of each request to it."""
        pool = self._host_pool
        if pool is None:
            with self._lock:
                pool = self._host_pool
                if pool is None:
                    pool, base = self._route(self._configuration.host)
                    self._base = base.rstrip("/")
                    self._host_pool = pool
        return pool, self._base

    def route(self, url: str) -> tuple[HTTPConnectionPool, str]:
        """Return the pool for an address, and the target of a request to it."""
        with self._lock:
            return self._route(url)

    def _route(self, url: str) -> tuple[HTTPConnectionPool, str]:
        parts = parsed_address(url)
        pool: Any = self.manager.connection_from_url(url)
        pool.clock = self._clock
        is_forwarded = pool.proxy is not None and parts.scheme == "http"
        return pool, parts._replace(auth=None, fragment=None).url if is_forwarded else parts.request_uri

    @property
    def manager(self) -> urllib3.PoolManager:
        """The pool manager of urllib3."""
        if self._manager is None:
            self._manager = _manager_for(self._configuration)
        return self._manager

    def close(self) -> None:
        """Close all idle connections, and those in use when their calls end. A later call makes new ones."""
        with self._lock:
            manager = self._forget()
        if manager is not None:
            for pool in [manager.pools[key] for key in manager.pools.keys()]:  # noqa: SIM118 - it cannot be iterated
                pool.close()
            manager.clear()

    def start_afresh(self) -> object:
        """After a fork, forget the connections and the lock of the parent, and return the object that holds them."""
        self._lock = Lock()
        return self._forget()

    def _forget(self) -> urllib3.PoolManager | None:
        manager, self._manager, self._host_pool = self._manager, None, None
        return manager

    def __del__(self) -> None:
        if getattr(self, "_manager", None) is not None and not sys.is_finalizing():
            warnings.warn(f"unclosed client of {self._configuration.host}", ResourceWarning, 2, self)


def _manager_for(configuration: Configuration) -> urllib3.PoolManager:
    """Return urllib3's manager for a configuration: TLS, proxy and sizes."""
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
    _check_files(given)
    proxy = proxy_for(configuration)
    if proxy is not None:
        _check_proxy_address(proxy)
    if is_socks_proxy_url(proxy):
        return _socks_manager(str(proxy), given)
    if proxy is None:
        manager = urllib3.PoolManager(**given)
    else:
        own = checked_headers("proxy", _proxy_credentials(proxy))
        headers = {**own, **(configuration.proxy_headers or {})}
        context = configuration.proxy_ssl_context
        address = parse_url(proxy)._replace(auth=None).url  # without the password, which the manager would keep
        manager = urllib3.ProxyManager(address, proxy_headers=headers, proxy_ssl_context=context, **given)
    manager.pool_classes_by_scheme = {"http": Pool, "https": TlsPool}
    return manager


def _check_files(options: Mapping[str, Any]) -> None:
    """Check that the files of TLS settings can be read: when a connection is made, this would look like its failure.

    Raises:
        ApiValueError: if one cannot be read.
    """
    for option, setting in (("ca_certs", "ssl_ca_cert"), ("cert_file", "cert_file"), ("key_file", "key_file")):
        try:
            if option in options:
                Path(options[option]).open("rb").close()
        except OSError as error:
            raise ApiValueError(f"{setting}={str(options[option])!r} cannot be read ({error.strerror})") from None


def _check_proxy_address(proxy: str) -> None:
    """Refuse an address of a proxy that urllib3 cannot read, or reads differently from us.

    Raises:
        ApiValueError: if it is one. The message does not show it.
    """
    try:
        host = parse_url(proxy).host
    except LocationParseError:
        host = None
    if host is None or host.strip("[]").lower() != urlsplit(proxy).hostname:
        raise ApiValueError("the address of the proxy cannot be used. Percent-encode its user name and password.")


def is_socks_proxy_url(url: str | None) -> bool:
    """Return whether the scheme of an address is one of `SUPPORTED_SOCKS_PROXIES`, in upper or lower case."""
    if url is None:
        return False
    scheme, separator, _ = url.partition("://")
    return bool(separator) and scheme.lower() in SUPPORTED_SOCKS_PROXIES


def _socks_manager(proxy: str, options: dict[str, Any]) -> urllib3.PoolManager:
    """Return urllib3's manager for hosts behind a SOCKS proxy.

    Raises:
        ApiValueError: if PySocks is not installed.
    """
    try:
        from freechat_sdk._socks import (
            REPLACEABLE,
            TLS_REPLACEABLE,
            SocksConnection,
            SocksTlsConnection,
            make_socks_manager,
        )
    except ImportError as error:
        raise ApiValueError("A SOCKS proxy needs PySocks, which is not installed. Run: pip install PySocks") from error

    class SocksPool(Pool):
        ConnectionCls = SocksConnection
        replaceable = REPLACEABLE

    class SocksTlsPool(TlsPool):
        ConnectionCls = SocksTlsConnection
        replaceable = TLS_REPLACEABLE

    manager = make_socks_manager(proxy, options)
    manager.pool_classes_by_scheme = {"http": SocksPool, "https": SocksTlsPool}
    return manager


def proxy_for(configuration: Configuration) -> str | None:
    """Return the address of the proxy to the configured host, or None.

    Raises:
        ApiValueError: if the environment's proxy cannot be used; it is not shown.
    """
    host = parsed_address(configuration.host)
    if configuration.no_proxy and _is_exempt(host, configuration.no_proxy):
        return None
    given: str | None = configuration.proxy
    return str.__str__(given) if given else _proxy_from_environment(host)


def _proxy_from_environment(parts: Url) -> str | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for a host.

    A proxy on another machine is not used for loopback: it would reach its own instead of this machine's.

    Raises:
        ApiValueError: if its address cannot be used. The message does not show it.
    """
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies_environment

    proxies = getproxies_environment()
    if _is_exempt(parts, proxies.get("no", "")):
        return None
    proxy = proxies.get(parts.scheme or "") or proxies.get("all")
    if proxy is None:
        return None
    address = check_proxy("the environment's proxy", proxy if "://" in proxy else f"http://{proxy}")
    is_beyond = _is_loopback(parts.host) and not _is_loopback(urlsplit(address).hostname)
    return None if is_beyond else address


def _is_loopback(host: str | None) -> bool:
    return is_loopback((host or "").strip("[]").lower())


def _is_exempt(parts: Url, no_proxy: str) -> bool:
    """Return whether NO_PROXY names a host: `*`, a name with its subdomains, an address, a block (`10.0.0.0/8`)."""
    from ipaddress import ip_address, ip_network

    host = (parts.host or "").strip("[]").rstrip(".").lower()
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    for entry in no_proxy.lower().replace(",", " ").split():
        name = entry.removesuffix(f":{_origin(parts)[2]}").strip("[]").lstrip("*.").rstrip(".")
        if entry == "*" or (name and (host == name or (address is None and host.endswith(f".{name}")))):
            return True
        with suppress(ValueError):
            if address is not None and address in ip_network(entry.strip("[]"), strict=False):
                return True
    return False


def _proxy_credentials(proxy: str) -> dict[str, str]:
    """Return the header for the user name and password in the address of a proxy."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    return make_headers(proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
