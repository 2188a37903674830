"""The private names of urllib3 that the pool relies on: a release without them must fail here first."""

import inspect
import io

import pytest
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.response import DeflateDecoder, GzipDecoder, HTTPResponse, MultiDecoder

from freechat_sdk._pool import Pool, TlsPool


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)


def test_urllib3_has_the_private_methods_that_the_pool_overrides() -> None:
    assert parameters(HTTPConnectionPool._get_conn) == ["self", "timeout"]
    assert parameters(HTTPConnectionPool._put_conn) == ["self", "conn"]
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
