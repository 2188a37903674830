"""What a sandbox was asked: the requests that reached an operation, and all requests as the sockets saw them."""

import selectors
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from freechat_sdk.sandbox._contract import Operation
from freechat_sdk.sandbox._faults import Fault
from freechat_sdk.sandbox._http import Request


@dataclass(frozen=True)
class JournalEntry:
    """A request that reached an operation, and the status of the response."""

    operation: str
    """Such as `ChatApi.send_message`."""
    user: str
    """The caller's username; empty without a token."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The values of the path and the query, by the names that the client's methods have for them."""
    body: Any = None
    """The JSON that was sent, without nulls and unknown fields; dates are epoch seconds."""
    status: int = 200


@dataclass(eq=False)
class Exchange:
    """A request as the sockets saw it, and how it ended."""

    request: Request
    operation: Operation | None
    """None if the path leads to none."""
    values: Mapping[str, str]
    """The values of the path."""
    fault: Fault
    sock: socket.socket
    count: int
    """Which request of its connection it is; the first is 1."""
    began: float
    status: int | None = None
    """None until a response to a client that is still there begins."""
    is_over: bool = False
    """Whether the whole response has been written."""
    is_last: bool = False
    """Whether the server closes the connection after it."""
    overlaps: bool = False
    """Whether another message to the same chat was under way when it came."""
    reconnects: bool = False
    """Whether its connection is new although the client could have kept the one before."""

    @property
    def token(self) -> str:
        """The token of the caller."""
        return self.request.headers.get("authorization", "").removeprefix("Bearer ")

    @property
    def name(self) -> str:
        """Such as `ChatApi.send_message`."""
        return f"{self.operation.tag}.{self.operation.name}" if self.operation else self.request.path

    @property
    def key(self) -> tuple[object, ...]:
        """What is the same if the request is sent again."""
        return self.request.method, self.request.target, self.request.body, self.token

    @property
    def chat(self) -> str | None:
        """The chat that it sends a message to."""
        sends = self.operation is not None and self.operation.group.endswith("send_message")
        return self.values.get("chatId") if sends else None

    @property
    def is_left(self) -> bool:
        """Whether the client has closed the connection."""
        return has_left(self.sock)

    def is_under_way(self, patience: float) -> bool:
        """Return whether the response has not ended and the client still waits for it, or ends within some seconds.

        What a program has done may arrive a little later, since processors carry on connections independently.
        """
        return not self.is_over and not has_left(self.sock, patience) and not self.is_over

    @property
    def is_doubtful(self) -> bool:
        """Whether the client cannot know if it was carried out."""
        return self.fault.leaves_doubt or (self.status is None and self.is_left)


PATIENCE = 0.05
"""How long to wait for the end of a connection that a client may have closed already, in seconds."""


def has_left(sock: socket.socket, patience: float = 0.0) -> bool:
    """Return whether the peer has closed a connection, or the server has, or does within some seconds."""
    if sock.fileno() < 0:
        return True
    with selectors.DefaultSelector() as selector:
        try:
            selector.register(sock, selectors.EVENT_READ)
            return bool(selector.select(patience)) and not sock.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True


class Journal:
    """All requests in the order in which they came. What each means beside the others is noted as it comes."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._sends: list[Exchange] = []
        self._latest: dict[str, Exchange] = {}
        self._lock = threading.Lock()

    def note(self, exchange: Exchange) -> None:
        """Add a request."""
        with self._lock:
            self._sends = [send for send in self._sends if not send.is_over and not send.is_left]
            exchange.overlaps = any(send.chat == exchange.chat and send.is_under_way(PATIENCE) for send in self._sends)
            latest = self._latest.get(exchange.token)
            exchange.reconnects = exchange.count == 1 and latest is not None and _could_be_kept(latest)
            if exchange.chat is not None:
                self._sends.append(exchange)
            self._latest[exchange.token] = exchange
            self.exchanges.append(exchange)

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self.exchanges.clear()
            self._sends.clear()
            self._latest.clear()


def _could_be_kept(exchange: Exchange) -> bool:
    """Return whether the client has closed the connection of a request for no reason."""
    is_read = exchange.operation is not None and exchange.operation.kind not in ("events", "download")
    return is_read and exchange.is_over and not exchange.is_last and exchange.is_left
