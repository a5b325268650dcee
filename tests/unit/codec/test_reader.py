from __future__ import annotations

import pytest

from eaa.codec.reader import Reader
from eaa.errors import FormatError


def make(data: bytes, base: int = 0) -> Reader:
    return Reader(data, "thing", "[X690 §8]", base=base)


def test_reads_little_endian_front_to_back() -> None:
    reader = make(bytes(range(1, 18)), base=100)
    assert (reader.u8("a"), reader.u16("b"), reader.u32("c")) == (1, 0x0302, 0x07060504)
    assert (reader.offset, reader.remaining) == (107, 10)
    assert reader.u64("d") == 0x0F0E0D0C0B0A0908
    assert reader.take(2, "e") == b"\x10\x11"
    reader.end("f")


def test_reading_past_the_end_names_field_and_offset() -> None:
    reader = make(b"\x01\x02\x03", base=10)
    reader.u8("first")
    with pytest.raises(FormatError) as caught:
        reader.u32("second")
    error = caught.value
    assert (error.what, error.field, error.offset, error.spec) == ("thing", "second", 11, "[X690 §8]")
    assert error.code == "format.truncated"
    assert str(error) == "thing: second at offset 11: needs 4 bytes, 2 are left [X690 §8]"
    assert reader.take(2, "rest") == b"\x02\x03"


def test_nothing_may_follow_the_end() -> None:
    reader = make(b"\x01\x02")
    reader.u8("a")
    with pytest.raises(FormatError) as caught:
        reader.end("thing")
    assert caught.value.code == "format.trailing_bytes"


def test_errors_are_about_the_next_byte_unless_said_otherwise() -> None:
    reader = make(b"\x01\x02", base=5)
    reader.u8("a")
    assert reader.error("a", "wrong").offset == 6
    assert reader.error("a", "wrong", offset=0).offset == 0
    assert reader.error("a", "wrong").code == "format.bad_value"
