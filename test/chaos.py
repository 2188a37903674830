"""A TCP proxy on loopback that harms connections and never changes a byte.

It passes bytes on late, in other pieces, or no longer; it cuts, resets and half-closes. What becomes of a connection,
its fate, depends on the seed and the connection's number only. TLS passes through as bytes.

    with RecordingServer(handler) as server, ChaosProxy(server.port, seed=7) as proxy:
        with chat_api_at(f"http://127.0.0.1:{proxy.port}") as api:
            ...
"""

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from random import Random
from types import TracebackType

from test.server import MAX_WAIT

CLOG_SECONDS = 1.0
"""How long a clogged direction is not read at all; then its bytes are lost."""
MAX_DELAY = 0.002
MAX_PIECES = 200
"""How many pieces of a connection may be small: single bytes of large bodies take too long."""


class Ending(Enum):
    """What happens to a connection after a number of bytes in one direction."""

    NONE = "none"
    CUT = "cut"
    """Both peers see the end of the connection."""
    RESET = "reset"
    HALF_CLOSE = "half-close"
    """The receiver sees the end; the other direction goes on."""
    STALL = "stall"
    """No further byte arrives, on a connection that stays open."""
    CLOG = "clog"
    """As STALL; besides, the bytes are not taken from the sender at first."""


WEIGHTS = {
    Ending.NONE: 30,
    Ending.CUT: 25,
    Ending.RESET: 25,
    Ending.HALF_CLOSE: 10,
    Ending.STALL: 6,
    Ending.CLOG: 4,
}


@dataclass(frozen=True)
class Fate:
    """What becomes of a connection."""

    ending: Ending
    is_request: bool
    """Whether the bytes of requests are counted, or those of responses."""
    after: int
    """The number of bytes that pass before the end."""
    largest_piece: int
    delay: float
    """The longest delay of a piece, in seconds."""

    @classmethod
    def of(cls, seed: object, number: int) -> "Fate":
        """Draw the fate of a connection."""
        draw = Random(f"{seed}/{number}")
        return cls(
            draw.choices(list(WEIGHTS), list(WEIGHTS.values()))[0],
            draw.random() < 0.5,
            int(10 ** draw.uniform(0, 4.7)) - 1,
            draw.choice([1, 7, 100, 1460, 16384]),
            draw.choice([0, 0, MAX_DELAY]),
        )


class _Link:
    """One connection through the proxy: a thread passes on the requests, another the responses."""

    def __init__(self, client: socket.socket, port: int, fate: Fate, seed: object, stop: threading.Event) -> None:
        self._client = client
        self._fate = fate
        self._stop = stop
        self._seed = seed
        self._is_reset = False
        self._server = socket.create_connection(("127.0.0.1", port), MAX_WAIT)
        for sock in (client, self._server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(None)

    def run(self) -> None:
        """Pass bytes on until both directions have ended."""
        back = threading.Thread(target=self._pump, args=(self._server, self._client, False))
        back.start()
        self._pump(self._client, self._server, True)
        back.join()
        self._client.close()
        self._server.close()

    def end(self) -> None:
        """Let both peers see the end of the connection."""
        for sock in (self._client, self._server):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _pump(self, source: socket.socket, target: socket.socket, is_request: bool) -> None:
        draw = Random(f"{self._seed}/{is_request}")
        fate = self._fate
        left = fate.after if is_request == fate.is_request and fate.ending is not Ending.NONE else None
        passed = 0
        try:
            if left == 0:
                self._finish(source, target)
                return
            while data := self._received(source, draw):
                for piece in self._pieces(data if left is None else data[: left - passed], draw):
                    target.sendall(piece)
                passed += len(data)
                if left is not None and passed >= left:
                    self._finish(source, target)
                    return
            if not self._is_reset:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            self.end()

    def _received(self, source: socket.socket, draw: Random) -> bytes:
        """Return what the sender has written, several writes in one at times."""
        data = source.recv(65536)
        if data and self._fate.delay and draw.random() < 0.2:
            self._wait(draw)
            with suppress(BlockingIOError):
                data += source.recv(65536, socket.MSG_DONTWAIT)
        return data

    def _pieces(self, data: bytes, draw: Random) -> Iterator[bytes]:
        start = 0
        for _ in range(MAX_PIECES):
            if start >= len(data):
                return
            size = draw.randint(1, self._fate.largest_piece)
            yield data[start : start + size]
            start += size
            if self._fate.delay and draw.random() < 0.1:
                self._wait(draw)
        yield data[start:]

    def _wait(self, draw: Random) -> None:
        self._stop.wait(draw.uniform(0, self._fate.delay))

    def _finish(self, source: socket.socket, target: socket.socket) -> None:
        ending = self._fate.ending
        if ending is Ending.CUT:
            self.end()
        elif ending is Ending.RESET:
            self._reset()
        elif ending is Ending.HALF_CLOSE:
            target.shutdown(socket.SHUT_WR)
            _discard(source)
        else:
            if ending is Ending.CLOG:
                self._stop.wait(CLOG_SECONDS)
            _discard(source)
            self.end()  # the sender has gone

    def _reset(self) -> None:
        """Let `run` close both sockets with a reset, once the other thread has stopped reading one of them."""
        self._is_reset = True
        for sock in (self._client, self._server):
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.shutdown(socket.SHUT_RD)  # wakes that thread; the peers see nothing


def _discard(source: socket.socket) -> None:
    with suppress(OSError):
        while source.recv(65536):
            pass


class ChaosProxy:
    """Passes connections on to a port of 127.0.0.1, each until its fate, until the `with` block ends."""

    def __init__(self, port: int, seed: object) -> None:
        self._to = port
        self._seed = seed
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._links: list[_Link] = []
        self.fates: Counter[Ending] = Counter()
        """How many connections were to end in each way."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> "ChaosProxy":
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(MAX_WAIT)  # no link is added any more
        for link in self._links:
            link.end()
        for thread in self._threads:
            thread.join(MAX_WAIT)
            assert not thread.is_alive(), "a thread of the proxy hangs"

    def _start(self, function: Callable[[], None]) -> None:
        thread = threading.Thread(target=function)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            fate = Fate.of(self._seed, number)
            self.fates[fate.ending] += 1
            link = _Link(client, self._to, fate, f"{self._seed}/{number}", self._stop)
            self._links.append(link)
            self._start(link.run)
            number += 1
