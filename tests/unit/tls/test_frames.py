"""Frames out of bytes, and DATA frames handed on in the buffer that they came in."""

from __future__ import annotations

import random

import pytest

from eaa.errors import LocalProtocolError, RemoteProtocolError
from eaa.tls.frames import HEADER_BYTES, MAX_DATA_BYTES, Frame, FrameReader, FrameType, encode_frame

NONCE = bytes(range(32))
CLOSE = encode_frame(FrameType.CLOSE)
CHALLENGE = encode_frame(FrameType.CHALLENGE, NONCE)


def admit_all(kind: FrameType) -> None:
    pass


def data(body: bytes) -> bytes:
    return encode_frame(FrameType.DATA, body)


def frames(reader: FrameReader, came: bytes = b"") -> list[Frame]:
    reader.feed(came)
    return list(iter(reader.next, None))


def passed_on(reader: FrameReader, came: bytes) -> tuple[bytes, int, bytes]:
    buffer = memoryview(bytearray(bytes(HEADER_BYTES) + came))
    out, size, rest = reader.pass_on(buffer)
    return bytes(out), size, bytes(rest)


def bodies(reader: FrameReader, came: bytes) -> bytes:
    """Of DATA frames that are whole, and nothing besides."""
    found = frames(reader, came)
    assert reader.at_boundary
    assert {frame.type for frame in found} <= {FrameType.DATA}
    return b"".join(frame.body for frame in found)


def test_what_was_fed_and_not_used_comes_before_what_is_fed_next() -> None:
    reader = FrameReader(admit_all)
    reader.feed(CHALLENGE[:20])
    reader.feed(CHALLENGE[20:] + data(b"a"))
    assert not reader.at_boundary
    assert frames(reader) == [Frame(FrameType.CHALLENGE, NONCE), Frame(FrameType.DATA, b"a")]
    assert reader.at_boundary


def test_whole_frames_are_passed_on_as_they_are() -> None:
    reader = FrameReader(admit_all)
    assert passed_on(reader, data(b"one") + data(b"two!")) == (data(b"one") + data(b"two!"), 7, b"")
    assert reader.at_boundary


def test_a_frame_is_passed_on_in_parts_that_are_frames() -> None:
    reader, came = FrameReader(admit_all), data(b"abcdef")
    assert passed_on(reader, came[:7]) == (data(b"ab"), 2, b"")
    assert not reader.at_boundary
    assert passed_on(reader, b"") == (b"", 0, b"")
    assert passed_on(reader, came[7:9]) == (data(b"cd"), 2, b"")
    assert passed_on(reader, came[9:] + data(b"next")) == (data(b"ef") + data(b"next"), 6, b"")
    assert reader.at_boundary


@pytest.mark.parametrize("other", [CLOSE, CHALLENGE, b"\xee", b""])
def test_what_is_no_data_is_the_rest(other: bytes) -> None:
    reader = FrameReader(admit_all)
    follows = other + data(b"later") if other else data(b"x")[:HEADER_BYTES]
    assert passed_on(reader, data(b"first") + follows) == (data(b"first"), 5, follows)


@pytest.mark.parametrize("cut", [1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 3])
def test_nothing_is_passed_on_inside_what_is_collected(cut: int) -> None:
    reader = FrameReader(admit_all)
    assert passed_on(reader, CHALLENGE[:cut]) == (b"", 0, CHALLENGE[:cut])
    assert frames(reader, CHALLENGE[:cut]) == []
    came = CHALLENGE[cut:] + data(b"x")
    assert passed_on(reader, came) == (b"", 0, came)
    assert frames(reader, came) == [Frame(FrameType.CHALLENGE, NONCE), Frame(FrameType.DATA, b"x")]


@pytest.mark.parametrize("length", [0, MAX_DATA_BYTES + 1])
def test_a_length_out_of_bounds_is_refused_when_what_came_before_has_gone_on(length: int) -> None:
    reader = FrameReader(admit_all)
    follows = bytes((FrameType.DATA,)) + length.to_bytes(4, "big") + b"x"
    assert passed_on(reader, data(b"good") + follows) == (data(b"good"), 4, follows)
    with pytest.raises(RemoteProtocolError) as caught:
        frames(reader, follows)
    assert caught.value.code == "remote_protocol.frame_length"


def test_nothing_is_passed_on_before_what_was_fed() -> None:
    reader = FrameReader(admit_all)
    reader.feed(data(b"first"))
    assert passed_on(reader, data(b"second")) == (b"", 0, data(b"second"))
    assert bodies(reader, data(b"second")) == b"firstsecond"


def test_each_frame_that_is_passed_on_is_admitted_first() -> None:
    def refuse(kind: FrameType) -> None:
        asked.append(kind)
        if len(asked) > 1:
            raise LocalProtocolError("not now", detail="not_now")

    asked: list[FrameType] = []
    reader = FrameReader(refuse)
    assert passed_on(reader, data(b"ab")[:6])[1] == 1
    assert passed_on(reader, b"b" + data(b"cd")) == (data(b"b"), 1, data(b"cd"))
    assert asked == [FrameType.DATA] * 2
    with pytest.raises(LocalProtocolError):
        frames(reader, data(b"cd"))


def test_any_cut_of_any_frames_passes_the_same_bytes_on() -> None:
    choose = random.Random(1)  # noqa: S311 - repeatable
    for _ in range(300):
        sent = [choose.randbytes(choose.randrange(1, 30)) for _ in range(choose.randrange(1, 8))]
        came = b"".join(map(data, sent))
        reader, sink, out = FrameReader(admit_all), FrameReader(admit_all), b""
        while came:
            count = choose.randrange(1, 24)
            part, came = came[:count], came[count:]
            whole, size, rest = passed_on(reader, part)
            got = bodies(sink, whole)
            assert len(got) == size
            out += got + b"".join(frame.body for frame in frames(reader, rest))
        assert out == b"".join(sent)
        assert reader.at_boundary
