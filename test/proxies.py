"""Proxies on loopback for tests: a tunnel, and a SOCKS proxy of versions 4, 4a and 5.

The SOCKS proxy reaches every host at 127.0.0.1, whatever its name:

    with SocksProxy() as proxy:
        with chat_api_at(f"http://chat.example.com:{server.port}", proxy=proxy.address("socks5h")) as api:
            ...
    assert proxy.requests[0].host == "chat.example.com"
"""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import pytest

from test.server import MAX_WAIT, Connection, RecordingServer, Request

in_clear = pytest.mark.filterwarnings("ignore::freechat_sdk.InsecureTransportWarning")
"""For hosts that no test really reaches over plain HTTP: a proxy of the test stands in for them."""


def tunnel(connection: Connection, address: tuple[str, int], established: bytes) -> None:
    """Connect to an address, say so, and pass bytes on in both directions up to the end of both."""
    with socket.create_connection(address, MAX_WAIT) as beyond:
        connection.send(established)
        back = threading.Thread(target=_pump, args=(beyond, connection.sock))
        back.start()
        _pump(connection.sock, beyond)
        back.join(MAX_WAIT)
    connection.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes, up to the end."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@dataclass(frozen=True)
class SocksRequest:
    """What a client asked a SOCKS proxy for, and as whom."""

    version: int
    host: str
    """As the client sent it: an address, or a name that the proxy is to look up."""
    port: int
    user: str = ""


class _RefusedError(Exception):
    """The proxy's last bytes on a connection."""


class SocksProxy:
    """Serves on a free port of 127.0.0.1, a thread for each connection, until the `with` block ends."""

    def __init__(self, user: str = "", password: str = "", *, refuses: bool = False) -> None:
        """Make a proxy that lets in `user`, and that refuses to connect to any host if `refuses` is set."""
        self.requests: list[SocksRequest] = []
        self._user, self._password = user, password
        self._refuses = refuses
        self._server = RecordingServer(_speaks_http, greet=self._serve)

    def __enter__(self) -> "SocksProxy":
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, traceback)

    def address(self, scheme: str, credentials: str = "") -> str:
        """Return the proxy's address, with `credentials` like `ada:secret@`."""
        return f"{scheme}://{credentials}127.0.0.1:{self._server.port}"

    def _serve(self, connection: Connection) -> None:
        reads: dict[bytes, Callable[[Connection], SocksRequest]] = {b"\x04": self._read_4, b"\x05": self._read_5}
        try:
            request = reads[connection.read(1)](connection)
            self.requests.append(request)
            granted, refused = _OUTCOMES[request.version]
            if self._refuses:
                raise _RefusedError(refused)
            tunnel(connection, ("127.0.0.1", request.port), granted)
        except _RefusedError as error:
            connection.send(error.args[0])
            connection.close()

    def _read_4(self, connection: Connection) -> SocksRequest:
        command, port, address = struct.unpack(">BH4s", connection.read(7))
        assert command == 1, "not CONNECT"
        user = _read_to_zero(connection)
        if user != self._user:
            raise _RefusedError(b"\x00\x5d" + bytes(6))
        is_name = address[:3] == bytes(3) and address[3] != 0  # 4a
        return SocksRequest(4, _read_to_zero(connection) if is_name else socket.inet_ntoa(address), port, user)

    def _read_5(self, connection: Connection) -> SocksRequest:
        """Read the messages of RFC 1928 and RFC 1929."""
        methods = _read_counted(connection)
        method = b"\x02" if self._user else b"\x00"
        if method not in methods:
            raise _RefusedError(b"\x05\xff")
        connection.send(b"\x05" + method)
        user = self._read_user(connection) if self._user else ""
        version, command, _, kind = connection.read(4)
        assert (version, command) == (5, 1), "not CONNECT"
        if kind == 3:
            host = _read_counted(connection).decode()
        else:
            family, size = {1: (socket.AF_INET, 4), 4: (socket.AF_INET6, 16)}[kind]
            host = socket.inet_ntop(family, connection.read(size))
        (port,) = struct.unpack(">H", connection.read(2))
        return SocksRequest(5, host, port, user)

    def _read_user(self, connection: Connection) -> str:
        assert connection.read(1) == b"\x01"
        user, password = _read_counted(connection).decode(), _read_counted(connection).decode()
        if (user, password) != (self._user, self._password):
            raise _RefusedError(b"\x01\x01")
        connection.send(b"\x01\x00")
        return user


_OUTCOMES = {
    4: (b"\x00\x5a" + bytes(6), b"\x00\x5b" + bytes(6)),
    5: (b"\x05\x00\x00\x01" + bytes(6), b"\x05\x05\x00\x01" + bytes(6)),
}
"""How each version says that it is connected, and that it is not."""


def _speaks_http(request: Request, _: Connection) -> None:
    raise AssertionError(f"{request.method} to a SOCKS proxy")


def _read_counted(connection: Connection) -> bytes:
    return connection.read(connection.read(1)[0])


def _read_to_zero(connection: Connection) -> str:
    return b"".join(iter(lambda: connection.read(1), b"\x00")).decode()
