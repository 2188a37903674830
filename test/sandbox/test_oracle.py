"""The sandbox responds to the recorded requests as the recorded servers did: administrators' and plain users'."""

import http.client
import threading
from contextlib import closing

import pytest

from freechat_sdk.sandbox._http import Request
from freechat_sdk.sandbox._server import Server
from test.sandbox.oracle import RELEASE_OF, Replay
from test.server import MAX_WAIT

EXCEPTIONS = {
    ("v2.6", "stream, model resets the connection after 3 tokens"): "how much arrives before a reset is chance",
    ("v2", "stream, model resets the connection after 3 tokens"): "how much arrives before a reset is chance",
    ("v2", "prompt stream, model resets the connection after 3 tokens"): "how much arrives before a reset is chance",
    ("user-v1", "list_ai_model_info without a token"): "the second 2.0.0 server was set up without a list of models",
}


@pytest.mark.parametrize("file", RELEASE_OF)
def test_each_recorded_request_gets_what_was_recorded(file: str) -> None:
    with closing(Replay(file)) as replay:
        differences = [
            difference for difference in replay.differences() if (file, difference.exchange.name) not in EXCEPTIONS
        ]
    assert "\n".join(map(str, differences)) == ""


@pytest.mark.parametrize("file", ["v1", "v2.6", "v2"])
def test_connections_are_closed_as_the_servers_closed_theirs(file: str) -> None:
    differences = []
    with closing(Replay(file)) as replay:
        server = Server(replay.app, 0)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            for exchange, _ in replay.sent():
                request = replay.request(exchange)
                if exchange.status in (400, 403, 404, 405, 406, 500, 503) and request.body is not None:
                    got = connection_header(server.port, request)
                    recorded = dict(exchange.response["headers"]).get("Connection")
                    if got[0] == exchange.status and got[1] != recorded:
                        differences.append((exchange.name, exchange.status, got, recorded))
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
    assert differences == []


def connection_header(port: int, request: Request) -> tuple[int, str | None]:
    """Return the status of a response, and what it says of its connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=MAX_WAIT)
    with closing(connection):
        connection.putrequest(request.method, request.target, skip_accept_encoding=True)
        for name, value in request.headers.items():
            if name not in ("host", "connection", "content-length", "transfer-encoding"):
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(request.body or b"")))
        connection.endheaders(request.body)
        response = connection.getresponse()
        return response.status, response.getheader("Connection")
