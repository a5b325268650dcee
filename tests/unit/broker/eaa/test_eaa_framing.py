from __future__ import annotations

import time

import pytest

from eaa.broker.eaa.framing import MAX_DEPTH, MAX_REQUEST_BYTES, JsonFramer
from eaa.errors import RemoteProtocolError


def frames(*chunks: bytes) -> list[bytes]:
    framer = JsonFramer()
    found = [text for chunk in chunks for text in framer.feed(chunk)]
    framer.finish()
    return found


def refused(*chunks: bytes, before: int = 0) -> str:
    """The code of the error that comes after ``before`` objects, and again whatever follows."""
    framer = JsonFramer()
    found: list[bytes] = []

    def take() -> None:
        for chunk in chunks:
            found.extend(framer.feed(chunk))
        framer.finish()

    with pytest.raises(RemoteProtocolError) as caught:
        take()
    assert len(found) == before
    if caught.value.code != "remote_protocol.truncated":
        with pytest.raises(RemoteProtocolError):
            next(framer.feed(b"{}"))
    with pytest.raises(RemoteProtocolError):
        framer.finish()
    return caught.value.code


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b'{"command":"version"}',
        b'{"a":{"b":[{}, [1, {"c": []}]]}}',
        b'{"a":"}"}',
        b'{"a":"]["}',
        b'{"a":"\\""}',
        b'{"a":"\\\\"}',
        b'{"a":"\\\\\\"}{"}',
        '{"é{":"\u2028}"}'.encode(),
        b'{"a":"\\u007d"}',
        b'{"a":"\xff}"}',
        b"{ \n }",
        b"{" + b'"a":{' * 31 + b"}" * 32,
        b'{"a":' + b"[" * 31 + b"]" * 31 + b"}",
        b'{"a":"' + b"{" * 100_000 + b'"}',
        b'{"a":"' + b"x" * (MAX_REQUEST_BYTES - 8) + b'"}',
    ],
    ids=lambda text: repr(text[:24]),
)
def test_one_object_however_it_comes(text: bytes) -> None:
    assert frames(text) == [text]
    assert frames(text[:1], text[1:]) == [text]
    assert frames(text[:-1], text[-1:]) == [text]
    assert frames(text, text) == [text, text]
    if len(text) < 1000:
        assert frames(*(text[index : index + 1] for index in range(len(text)))) == [text]


def test_white_space_lies_between_objects() -> None:
    assert frames(b" \r\n\t{}  ", b" {}", b"{} ", b"\n") == [b"{}"] * 3


@pytest.mark.parametrize("chunks", [(), (b"",), (b"", b" ", b"")])
def test_nothing(chunks: tuple[bytes, ...]) -> None:
    assert frames(*chunks) == []


@pytest.mark.parametrize(
    "text", [b"1", b"[]", b'"a"', b"null", b"}", b"\x00{}", b"\xef\xbb\xbf{}", b"\x0b{}", b","]
)
def test_anything_but_an_object_is_refused(text: bytes) -> None:
    assert refused(text) == "remote_protocol.not_an_object"
    assert refused(b" ", text) == "remote_protocol.not_an_object"
    assert refused(b"{}" + text, before=1) == "remote_protocol.not_an_object"
    assert refused(b"{}", text, before=1) == "remote_protocol.not_an_object"


def test_too_deep() -> None:
    assert MAX_DEPTH == 32
    assert refused(b'{"a":' + b"[" * 32) == "remote_protocol.too_deep"
    assert refused(*[b'{"a":'] * 33) == "remote_protocol.too_deep"


def test_too_large() -> None:
    fits = b'{"a":"' + b"x" * (MAX_REQUEST_BYTES - 8) + b'"}'
    assert len(fits) == MAX_REQUEST_BYTES
    assert refused(fits.replace(b"x", b"xx", 1)) == "remote_protocol.too_large"
    assert refused(fits[:-2] + b"xxx") == "remote_protocol.too_large"
    assert refused(b"{", *[b" " * 4096] * 256) == "remote_protocol.too_large"
    assert refused(b"{}" + fits + fits + b" " + fits[:-1] + b" }", before=3) == "remote_protocol.too_large"


def test_white_space_between_objects_is_not_kept() -> None:
    assert frames(*[b" " * 65536] * 40, b"{}") == [b"{}"]


@pytest.mark.parametrize("text", [b"{", b'{"', b'{"\\', b'{"a":[', b'{"a":"}'])
def test_the_end_within_an_object(text: bytes) -> None:
    assert refused(text) == "remote_protocol.truncated"
    assert refused(b"{}" + text, before=1) == "remote_protocol.truncated"


def test_what_was_fed_is_taken_in_though_nobody_iterates() -> None:
    framer = JsonFramer()
    framer.feed(b'{"a":')
    assert list(framer.feed(b"1}")) == [b'{"a":1}']


def test_brackets_that_do_not_match_are_for_the_parser() -> None:
    assert frames(b"{]{}") == [b"{]", b"{}"]


def test_many_small_pieces_cost_as_much_as_they_have_bytes() -> None:
    def seconds(size: int) -> float:
        text, framer = b'{"a":"' + b'\\"' * (size // 2), JsonFramer()
        begin = time.process_time()
        for start in range(0, len(text), 64):
            framer.feed(text[start : start + 64])
        return time.process_time() - begin

    small = min(seconds(64 * 1024) for _ in range(5))
    large = min(seconds(960 * 1024) for _ in range(3))
    assert large < small * 60  # 15 times the bytes; were it quadratic, 225 times the work
