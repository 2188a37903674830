"""The private names of urllib3 that the pool relies on: a release without them must fail here first."""

import inspect
import io
import threading
from queue import Empty

import pytest
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.response import DeflateDecoder, GzipDecoder, HTTPResponse, MultiDecoder

from freechat_sdk import _pool
from freechat_sdk._pool import Pool, TlsPool, _Places
from freechat_sdk._timeouts import CallTimeouts, Deadline
from test.clients import Clock
from test.server import MAX_WAIT


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)


def test_urllib3_has_the_private_methods_that_the_pool_overrides() -> None:
    assert parameters(HTTPConnectionPool._get_conn) == ["self", "timeout"]
    assert parameters(HTTPConnectionPool._put_conn) == ["self", "conn"]
    assert parameters(HTTPConnectionPool._new_conn) == ["self"]
    assert parameters(HTTPConnectionPool._make_request)[:4] == ["self", "conn", "method", "url"]
    assert "timeout" in parameters(HTTPConnectionPool._make_request)


def test_urllib3_calls_what_the_connection_overrides() -> None:
    for kind in (HTTPConnection, HTTPSConnection):
        assert callable(kind.connect)
        assert callable(kind.send)
        assert isinstance(kind.response_class, type)


def test_urllib3_reads_in_the_two_ways_that_streams_need() -> None:
    assert callable(HTTPResponse.read1)
    assert callable(HTTPResponse.read_chunked)


@pytest.mark.parametrize("kind", [GzipDecoder, DeflateDecoder])
def test_urllib3_keeps_what_unpacks_a_body_where_its_end_is_looked_for(
    kind: type[GzipDecoder | DeflateDecoder],
) -> None:
    assert kind()._obj.eof is False
    response = HTTPResponse(io.BytesIO(b"x"), {"Content-Encoding": "gzip"}, preload_content=False)
    response._init_decoder()
    assert isinstance(response._decoder, GzipDecoder)
    assert len(MultiDecoder("gzip, deflate")._decoders) == 2


def test_the_pools_use_connections_with_a_deadline() -> None:
    assert issubclass(Pool.ConnectionCls, HTTPConnection)
    assert issubclass(TlsPool.ConnectionCls, HTTPSConnection)


# Places


def within(seconds: float) -> Deadline:
    return Deadline(CallTimeouts(seconds, None), Clock())


def test_a_place_is_free_as_soon_as_it_is_dropped() -> None:
    places = _Places(2)
    first, second = places.take(within(1)), places.take(within(1))
    with pytest.raises(Empty):
        places.take(within(0.01))
    assert first is not second
    del first
    assert places.take(within(1)) is not None


def test_news_of_a_free_place_reaches_a_thread_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pool, "RECHECK_SECONDS", 100 * MAX_WAIT)
    places = _Places(1)
    held = [places.take(within(1))]
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(bool(places.take(within(MAX_WAIT))))) for _ in range(8)]
    for thread in threads:
        thread.start()
    held.clear()
    for thread in threads:
        thread.join(MAX_WAIT)
    assert found == [True] * 8


def test_news_does_not_pile_up() -> None:
    places = _Places(1)
    for _ in range(100):
        places.take(within(1))
    assert places._news.qsize() <= 1


def test_a_place_is_found_even_if_the_news_of_it_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pool, "RECHECK_SECONDS", 0.001)
    places = _Places(1)
    held = [places.take(within(1))]
    places._taken.clear()  # with the callback
    found: list[object] = []
    is_waiting = threading.Event()

    class Waited(Deadline):
        def for_read(self) -> float | None:
            is_waiting.set()
            return super().for_read()

    places._count = 0
    waiter = threading.Thread(
        target=lambda: found.append(places.take(Waited(CallTimeouts(MAX_WAIT, None), Clock()))),
    )
    waiter.start()
    assert is_waiting.wait(MAX_WAIT)
    places._count = 1
    held.clear()
    waiter.join(MAX_WAIT)
    assert len(found) == 1
