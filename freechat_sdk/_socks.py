"""Connections through a SOCKS proxy. Importing this module needs PySocks."""

import socket
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import socks  # first: without PySocks, urllib3 would warn before it fails
from urllib3.contrib.socks import (
    SOCKSConnection,
    SOCKSHTTPConnectionPool,
    SOCKSHTTPSConnection,
    SOCKSHTTPSConnectionPool,
    SOCKSProxyManager,
)
from urllib3.exceptions import NameResolutionError, ProxyError
from urllib3.util import parse_url

from freechat_sdk._connection import Connection, TlsConnection
from freechat_sdk._secrets import Credential
from freechat_sdk._timeouts import CallTimeouts, Deadline
from freechat_sdk.exceptions import ApiValueError

REPLACEABLE: Final = SOCKSHTTPConnectionPool, SOCKSConnection
TLS_REPLACEABLE: Final = SOCKSHTTPSConnectionPool, SOCKSHTTPSConnection
"""As `Pool.replaceable`: where tools replace the class of connections through a SOCKS proxy."""
DEFAULT_PORT: Final = 1080
"""The port of a SOCKS proxy if its address does not name one."""
MAX_CREDENTIAL_BYTES: Final = 127
"""RFC 1929 allows 255, but PySocks writes the length as a UTF-8 character, which takes two bytes above 127."""


def make_socks_manager(proxy: str, options: dict[str, Any]) -> SOCKSProxyManager:
    """Return urllib3's manager of the pools for hosts behind a SOCKS proxy, with `options` for these pools.

    Raises:
        ApiValueError: if PySocks cannot send the credentials. The message does not show them.
    """
    user, password = _credentials(proxy)
    address = parse_url(proxy)._replace(auth=None).url  # without the password, which the manager would keep
    return SOCKSProxyManager(address, user, password, **options)


def _credentials(proxy: str) -> tuple[str, str]:
    """Return the user name and the password in a proxy's address, decoded. Not every urllib3 decodes them."""
    parts = urlsplit(proxy)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme.startswith("socks5") and max(len(user.encode()), len(password.encode())) > MAX_CREDENTIAL_BYTES:
        raise ApiValueError(
            f"The user name or the password of the SOCKS proxy has more than {MAX_CREDENTIAL_BYTES} bytes, "
            "which PySocks cannot send. Use shorter ones."
        )
    return Credential(user), Credential(password)


class _HandshakeSocket(socks.socksocket):
    """A socket of PySocks that limits the time of the whole handshake, not of each read."""

    deadline: Deadline

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.deadline.for_read())
        return super().recv_into(*args, **kwargs)


class SocksConnection(Connection, SOCKSConnection):
    """A connection through a SOCKS proxy."""

    def _new_conn(self) -> socket.socket:  # type: ignore[override]
        """Connect to the proxy and have it connect to the host, both within the limit for one connect."""
        deadline = Deadline(CallTimeouts(self.exchange.deadline.for_connect(), None), self.exchange.deadline.clock)
        try:
            return self._connect_through_proxy(deadline)
        except OSError as error:
            cause = error.socket_err if isinstance(error, socks.ProxyError) else None
            if isinstance(cause, socket.gaierror):  # with socks4 and socks5, the client resolves the host
                raise NameResolutionError(self.host, self, cause) from error
            raise ProxyError("no connection through the SOCKS proxy", cause or error) from error

    def _connect_through_proxy(self, deadline: Deadline) -> socket.socket:
        """Try the addresses of the proxy, in order, until one can be reached, and connect to the host.

        Raises:
            OSError: if no address can be reached, or if the proxy does not connect to the host.
        """
        options = self._socks_options
        host, port = (options["proxy_host"] or "").strip("[]"), options["proxy_port"] or DEFAULT_PORT
        failure: OSError = OSError("the proxy has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with _HandshakeSocket(family, kind, protocol) as sock:
                sock.deadline = deadline
                try:
                    self._shake_hands(sock, address)
                except socks.ProxyConnectionError as error:
                    failure = error
                else:
                    return _plain(sock)
        raise failure

    def _shake_hands(self, sock: _HandshakeSocket, address: Any) -> None:
        options = self._socks_options
        for option in self.socket_options or ():
            sock.setsockopt(*option)
        sock.settimeout(sock.deadline.for_read())
        user, password = options["username"], options["password"]
        sock.set_proxy(options["socks_version"], address[0], address[1], options["rdns"], user, password)
        sock.connect((self.host.strip("[]"), self.port))


def _plain(sock: _HandshakeSocket) -> socket.socket:
    """Return an ordinary socket for the connection. The time limit of the connect does not apply to its reads."""
    seconds = sock.deadline.for_read()
    plain = socket.socket(sock.family, sock.type, sock.proto, sock.detach())
    plain.settimeout(seconds)
    return plain


class SocksTlsConnection(SocksConnection, TlsConnection):
    """A `SocksConnection` over TLS."""
