from __future__ import annotations

import pytest

from eaa.endorsements.http_response import is_http_response, parse_http_response
from eaa.errors import FormatError

DUMP = b"HTTP/1.1 200 OK\r\nServer: x\r\nX-A: \t one two \r\nx-a: three\r\nEmpty:\r\n\r\n\x00body\r\n\r\n"


@pytest.mark.parametrize("dump", [DUMP, DUMP.replace(b"\r\n", b"\n")], ids=["crlf", "lf"])
def test_headers_and_body(dump: bytes) -> None:
    response = parse_http_response(dump, "thing")
    assert response.status == 200
    assert response.headers == {"server": b"x", "x-a": b"one two", "empty": b""}
    assert response.body == dump[dump.index(b"\x00") :]


@pytest.mark.parametrize("line", [b"HTTP/2 404 \r\n", b"HTTP/2 404\n", b"HTTP/1.0 404 Not Found\r\n"])
def test_status_lines(line: bytes) -> None:
    assert parse_http_response(line + b"\r\n", "thing").status == 404


def test_the_last_of_several_responses_counts() -> None:
    dump = b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 100 Continue\r\nA: 1\r\n\r\n" + DUMP
    assert parse_http_response(dump, "thing") == parse_http_response(DUMP, "thing")


@pytest.mark.parametrize(
    ("dump", "field"),
    [
        (b"", "status line"),
        (b"HTTP/1.1 OK\r\n\r\n", "status line"),
        (b"HTTP/1.1 200 OK", "status line"),
        (b"HTTP/1.1 200 OK\r\n", "headers"),
        (b"HTTP/1.1 200 OK\r\nA: 1\r\n", "headers"),
        (b"HTTP/1.1 200 OK\r\nA 1\r\n\r\n", "headers"),
        (b"HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\n\r\n", "headers"),
        (b"HTTP/1.1 200 OK\r\nA:" + b" " * 300_000 + b"\r\n\r\n", "headers"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: 1\r\n" * 60_000 + b"\r\n", "headers"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 9, "status line"),
    ],
)
def test_anything_else_is_refused(dump: bytes, field: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_http_response(dump, "thing")
    assert (caught.value.what, caught.value.field) == ("thing", field)


def test_recognition() -> None:
    assert is_http_response(DUMP)
    assert not is_http_response(b"http/1.1")
