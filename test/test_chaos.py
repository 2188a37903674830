"""Mixed operations over harmed connections: each returns its own result or ends with the right error, in time."""

import select
import socket
import struct
import threading

import pytest
import trustme

from freechat_sdk import ApiConnectionError
from freechat_sdk._connection import Connection
from test.chaos import ChaosProxy, Ending, Fate
from test.clients import chat_api_at
from test.server import MAX_WAIT, RecordingServer, text_response
from test.soak import KINDS, run

OPERATIONS = 800
SEED = 2026


@pytest.mark.parametrize("block", [False, True], ids=["more connections than allowed", "waiting for a connection"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "TLS"])
def test_mixed_operations_over_harmed_connections(secure: bool, block: bool) -> None:
    """What must not happen: see `soak.Figures.failures`."""
    figures = run(OPERATIONS, SEED, trustme.CA() if secure else None, block=block)
    assert figures.failures == []
    assert figures.outcomes.total() == OPERATIONS
    assert figures.outcomes["succeeded"] > 0
    assert figures.outcomes.keys() >= {"ApiConnectionError", "ApiTimeoutError"}
    assert figures.succeeded.keys() == KINDS.keys()
    assert figures.endings.keys() == set(Ending)


def test_a_seed_repeats_the_fates() -> None:
    fates = [Fate.of(SEED, number) for number in range(500)]
    assert fates == [Fate.of(SEED, number) for number in range(500)]
    assert fates != [Fate.of(SEED + 1, number) for number in range(500)]
    assert {fate.ending for fate in fates} == set(Ending)


def test_the_proxy_changes_no_byte() -> None:
    """Each connection passes on a part of the response, which is its start."""
    text = "".join(f"{number}," for number in range(5000))
    whole = b""
    with RecordingServer(text_response(text)) as server, ChaosProxy(server.port, SEED) as proxy:
        received = [_response_of(proxy.port) for _ in range(40)]
        whole = max(received, key=len)
    assert whole.endswith(text.encode())
    assert all(whole.startswith(part) for part in received)
    assert len(set(received)) > 5


def _response_of(port: int) -> bytes:
    """Return what comes back for one request, up to the end of the connection or the first silence."""
    data = b""
    with socket.create_connection(("127.0.0.1", port), MAX_WAIT) as sock:
        sock.settimeout(0.1)
        try:
            sock.sendall(b"GET /text HTTP/1.1\r\n\r\n")
            while piece := sock.recv(65536):
                data += piece
        except OSError:
            pass
    return data


def test_the_proxy_leaves_no_thread() -> None:
    before = threading.active_count()
    with RecordingServer(text_response("")) as server, ChaosProxy(server.port, SEED) as proxy:
        held = [socket.create_connection(("127.0.0.1", proxy.port), MAX_WAIT) for _ in range(10)]
    for sock in held:
        sock.close()
    assert threading.active_count() == before


def test_a_reset_between_connect_and_handshake_leaves_no_socket_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """If it did, a ResourceWarning would fail the test."""
    connect = Connection._new_conn

    def connect_and_be_reset(connection: Connection) -> socket.socket:
        sock = connect(connection)
        accepted, _ = listener.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        assert select.select([sock], [], [], MAX_WAIT)[0]  # until the reset has arrived
        return sock

    monkeypatch.setattr(Connection, "_new_conn", connect_and_be_reset)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        chat_api_at(f"https://127.0.0.1:{listener.getsockname()[1]}") as api,
        pytest.raises(ApiConnectionError, match="ConnectionResetError") as caught,
    ):
        api.send_message("chat", "Hi")
    assert (caught.value.request_sent, caught.value.attempts) == (False, 3)
