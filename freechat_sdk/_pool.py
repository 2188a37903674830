"""Pools of connections, with TLS and proxies.

A connection that was idle for 50 s is not used again, because servers close idle connections after 60 s.
"""

import os
import sys
import time
import warnings
from collections.abc import Callable
from threading import Lock
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import urllib3
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse
from urllib3.util import make_headers

from freechat_sdk._connection import Connection, Exchange, ShownTarget, TlsConnection
from freechat_sdk.configuration import SUPPORTED_SOCKS_PROXIES, Configuration, check_proxy
from freechat_sdk.exceptions import ApiValueError

MAX_IDLE_SECONDS: Final = 50.0
"""How long a connection may be idle and still be used again."""


class Pool(HTTPConnectionPool):
    """A pool that passes the exchange to its connections, and replaces those that were idle for too long."""

    ConnectionCls: type[Connection] = Connection
    clock: Callable[[], float] = staticmethod(time.monotonic)

    def _get_conn(self, timeout: Any = None) -> Any:
        exchange: Exchange = timeout  # given to `urlopen` as `pool_timeout`
        connection: Any = super()._get_conn(self._max_wait(exchange) if self.block else None)
        if self.clock() - connection.idle_since > MAX_IDLE_SECONDS:
            connection.close()  # it connects again when it is used
        connection.exchange = exchange
        return connection

    def _max_wait(self, exchange: Exchange) -> float | None:
        """Return how long a call may wait for a free connection. A call past its deadline does not wait."""
        try:
            return exchange.deadline.for_read()
        except TimeoutError:
            return 0.0

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = self.clock()
            conn.exchange = None
            if conn.has_surplus_bytes:
                conn.close()
        super()._put_conn(conn)

    def _make_request(self, conn: Any, method: str, url: str, *args: Any, **kwargs: Any) -> BaseHTTPResponse:
        exchange: Exchange = kwargs["timeout"]
        exchange.request_sent = False
        shown = ShownTarget(exchange.request.template)
        shown.sent = url
        response = super()._make_request(conn, method, shown, *args, **kwargs)
        response.url = url
        return response


class TlsPool(Pool, HTTPSConnectionPool):
    """A `Pool` over TLS."""

    ConnectionCls: type[TlsConnection] = TlsConnection


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
                    pool, self._base = self._route(self._configuration.host)
                    self._host_pool = pool
        return pool, self._base

    def route(self, url: str) -> tuple[HTTPConnectionPool, str]:
        """Return the pool for an address, and the target of a request to it."""
        with self._lock:
            return self._route(url)

    def _route(self, url: str) -> tuple[HTTPConnectionPool, str]:
        if self._manager is None:
            self._manager = _manager_for(self._configuration)
        pool: Any = self._manager.connection_from_url(url)
        pool.clock = self._clock
        parts = urlsplit(url)
        is_forwarded = pool.proxy is not None and parts.scheme == "http"
        return pool, url if is_forwarded else urlunsplit(("", "", parts.path, parts.query, ""))

    def close(self) -> None:
        """Close all idle connections. A later call opens new ones."""
        manager = self._forget()
        if manager is not None:
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
    proxy = configuration.proxy or _proxy_from_environment(configuration.host)
    if is_socks_proxy_url(proxy):
        return _socks_manager(str(proxy), given)
    if proxy is None:
        manager = urllib3.PoolManager(**given)
    else:
        headers = {**_proxy_credentials(proxy), **(configuration.proxy_headers or {})}
        manager = urllib3.ProxyManager(proxy, proxy_headers=headers, **given)
    manager.pool_classes_by_scheme = {"http": Pool, "https": TlsPool}
    return manager


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
        from freechat_sdk._socks import SocksConnection, SocksTlsConnection, make_socks_manager
    except ImportError as error:
        raise ApiValueError("A SOCKS proxy needs PySocks, which is not installed. Run: pip install PySocks") from error

    class SocksPool(Pool):
        ConnectionCls = SocksConnection

    class SocksTlsPool(TlsPool):
        ConnectionCls = SocksTlsConnection

    manager = make_socks_manager(proxy, options)
    manager.pool_classes_by_scheme = {"http": SocksPool, "https": SocksTlsPool}
    return manager


def _proxy_from_environment(host: str) -> str | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for a host.

    Raises:
        ApiValueError: if its address cannot be used. The message does not show it.
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
    """Return the header for the user name and password in the address of a proxy."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    return make_headers(proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
