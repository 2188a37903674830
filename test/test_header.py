"""The header of a response: read fast where it is well-formed, and as the standard library reads it in any case."""

import http.client
import inspect
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from freechat_sdk._connection import MAX_FIELDS, MAX_LINE_BYTES, _read_fields

PIECES = [
    b"X-A", b"a", b":", b": ", b":\t", b" ", b"\t", b"v", b"v, w", b"\r\n", b"\n", b"\r", b"\0", b"\xff",
    b"\x0b", b"\x1c", b"\x85", b"Content-Length: 2\r\n", b"From me\r\n", b'"', b"(", b"=?utf-8?q?x?=",
]  # fmt: skip
"""What headers are made of, and what they should not be."""


def as_read(message: http.client.HTTPMessage) -> tuple[list[tuple[str, str]], list[type]]:
    return list(message.raw_items()), [type(defect) for defect in message.defects]


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
@example(b"Vary: Origin\r\nContent-Type: application/json;charset=UTF-8\r\nX-Empty:\r\nVary: Accept\r\n")
def test_any_header_is_read_as_the_standard_library_reads_it(header: bytes) -> None:
    block = header + b"\r\n\r\nbody"
    fast, slow = io.BytesIO(block), io.BytesIO(block)
    assert as_read(_read_fields(fast.readline)) == as_read(http.client.parse_headers(slow))
    assert fast.read() == slow.read()


def test_a_well_formed_header_does_not_reach_the_parser_for_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("http.client.parse_headers")
    message = _read_fields(io.BytesIO(b"X-A: 1\r\nx-a:2 \r\n\r\n").readline)
    assert message.get_all("X-A") == ["1", "2 "]
    assert (message.defects, message.get_payload()) == ([], "")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"X: " + b"a" * MAX_LINE_BYTES + b"\r\n\r\n", "header line"),
        (b"X: 1\r\n" * (MAX_FIELDS + 1) + b"\r\n", "more than 100"),
    ],
)
def test_a_header_without_end_is_refused(header: bytes, said: str) -> None:
    with pytest.raises(http.client.HTTPException, match=said):
        _read_fields(io.BytesIO(header).readline)


def test_a_header_of_the_largest_size_is_taken() -> None:
    message = _read_fields(io.BytesIO(b"X: 1\r\n" * MAX_FIELDS + b"\r\n").readline)
    assert len(message) == MAX_FIELDS


def test_http_client_has_the_private_names_that_the_response_uses() -> None:
    response = http.client.HTTPResponse
    assert list(inspect.signature(vars(response)["_read_status"]).parameters) == ["self"]
    assert list(inspect.signature(vars(response)["_check_close"]).parameters) == ["self"]
    assert "self._method = method" in inspect.getsource(response.__init__)
