from __future__ import annotations

import pytest

from eaa.codec.cbor import CborValue, Tag, WideUint32, decode_cbor, encode_cbor
from eaa.errors import FormatError, UsageError


def decode(text: str, *, wide: tuple[str, ...] = (), padded: bool = False) -> CborValue:
    return decode_cbor(bytes.fromhex(text), "thing", wide=wide, padded=padded)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("00", 0),
        ("17", 23),
        ("1818", 24),
        ("18ff", 255),
        ("190100", 256),
        ("1a00010000", 65536),
        ("1b0000000100000000", 1 << 32),
        ("1bffffffffffffffff", (1 << 64) - 1),
        ("40", b""),
        ("420102", b"\x01\x02"),
        ("60", ""),
        ("62c3bc", "ü"),
        ("80", ()),
        ("820140", (1, b"")),
        ("a0", {}),
        ("a161610a", {"a": 10}),
        ("c101", Tag(1, 1)),
        ("d9ea6080", Tag(60000, ())),
        ("da001a750480", Tag(0x1A7504, ())),
    ],
)
def test_the_subset(text: str, value: CborValue) -> None:
    assert decode(text) == value
    assert encode_cbor(value).hex() == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "format.truncated"),
        ("18", "format.truncated"),
        ("4201", "format.truncated"),
        ("1b00", "format.truncated"),
        ("6161ff", "format.trailing_bytes"),
        ("0000", "format.trailing_bytes"),
        ("20", "format.bad_type"),
        ("3901", "format.bad_type"),
        ("f4", "format.bad_type"),
        ("f6", "format.bad_type"),
        ("fb", "format.bad_type"),
        ("ff", "format.bad_type"),
        ("5f4101ff", "format.indefinite_length"),
        ("7f6161ff", "format.indefinite_length"),
        ("9f01ff", "format.indefinite_length"),
        ("bf616101ff", "format.indefinite_length"),
        ("1c", "format.bad_value"),
        ("5e", "format.bad_value"),
        ("1817", "format.not_shortest"),
        ("1900ff", "format.not_shortest"),
        ("1a0000ffff", "format.not_shortest"),
        ("1b00000000ffffffff", "format.not_shortest"),
        ("580101", "format.not_shortest"),
        ("780161", "format.not_shortest"),
        ("980101", "format.not_shortest"),
        ("b801616101", "format.not_shortest"),
        ("d80101", "format.not_shortest"),
        ("b8018000", "format.not_shortest"),
        ("61ff", "format.not_utf8"),
        ("a161ff01", "format.not_utf8"),
        ("a10101", "format.map_key"),
        ("a1410101", "format.map_key"),
        ("a2616101616102", "format.duplicate_key"),
        ("a26161016162", "format.truncated"),
        ("a100", "format.truncated"),
        ("9affffffff", "format.truncated"),
        ("baffffffff", "format.truncated"),
        ("5affffffff", "format.truncated"),
        ("8181818181818181" "00", "format.too_deep"),
        ("c1c1c1c1c1c1c1c1" "00", "format.too_deep"),
    ],
)  # fmt: skip
def test_refused(text: str, code: str) -> None:
    with pytest.raises(FormatError) as raised:
        decode(text)
    assert raised.value.code == code


def test_as_deep_as_allowed() -> None:
    assert decode("81" * 7 + "00") == (((((((0,),),),),),),)


def test_more_than_64_kib() -> None:
    limit = 64 * 1024
    assert decode_cbor(encode_cbor(bytes(limit - 3)), "thing") == bytes(limit - 3)
    with pytest.raises(FormatError) as raised:
        decode_cbor(encode_cbor(bytes(limit - 2)), "thing")
    assert raised.value.code == "format.too_large"


@pytest.mark.parametrize(
    ("text", "field", "offset"),
    [
        ("820120", "[1]", 2),
        ("a16161820120", "a[1]", 5),
        ("c18120", "[0]", 2),
        ("a1616120", "a", 3),
        ("a1610a20", "value 0", 3),
        ("a16161a1616220", "a.b", 6),
        ("a10120", "key 0", 1),
        ("a2616101616120", "key 1", 4),
        ("0000", "item", 1),
        ("811817", "[0]", 1),
        ("8161ff", "[0]", 2),
    ],
)
def test_errors_name_the_place(text: str, field: str, offset: int) -> None:
    with pytest.raises(FormatError) as raised:
        decode_cbor(bytes.fromhex(text), "thing", spec="[RA-TLS Evidence]")
    error = raised.value
    assert (error.what, error.field, error.offset, error.spec) == (
        "thing",
        field,
        offset,
        "[RA-TLS Evidence]",
    )


def test_keys_of_others_are_not_repeated_in_full() -> None:
    with pytest.raises(FormatError) as raised:
        decode_cbor(encode_cbor({"k" * 33: 0})[:-1] + b"\x20", "thing")
    assert raised.value.field == "value 0"


class TestWide:
    """The one exception for integers, at places that the caller names."""

    def test_at_the_place(self) -> None:
        assert decode("811a00000003", wide=("[0]",)) == (3,)
        assert decode("c1811a00000003", wide=("[0]",)) == Tag(1, (3,))
        assert decode("8103", wide=("[0]",)) == (3,)

    @pytest.mark.parametrize("text", ["82001a00000003", "81190003", "811b0000000000000003", "815a0000000100"])
    def test_nowhere_else(self, text: str) -> None:
        with pytest.raises(FormatError) as raised:
            decode(text, wide=("[0]",))
        assert raised.value.code == "format.not_shortest"

    def test_written(self) -> None:
        assert encode_cbor([WideUint32(3)]).hex() == "811a00000003"


class TestPadded:
    """The one exception for what follows: the rest of a buffer that was doubled until the value fitted."""

    @pytest.mark.parametrize(("needed", "allocated"), [(2, 32), (32, 32), (33, 64), (64, 64), (65, 128)])
    def test_whole_buffers(self, needed: int, allocated: int) -> None:
        value = bytes(needed - (1 if needed < 25 else 2))
        data = encode_cbor(value)
        assert len(data) == needed
        assert decode_cbor(data.ljust(allocated, b"\x7f"), "thing", padded=True) == value
        assert decode_cbor(data, "thing", padded=True) == value

    @pytest.mark.parametrize("size", [3, 31, 33, 64])
    def test_nothing_else(self, size: int) -> None:
        with pytest.raises(FormatError) as raised:
            decode_cbor(b"\x41\x00".ljust(size, b"\x00"), "thing", padded=True)
        assert raised.value.code == "format.trailing_bytes"

    def test_not_unless_asked_for(self) -> None:
        with pytest.raises(FormatError) as raised:
            decode_cbor(b"\x41\x00".ljust(32, b"\x00"), "thing")
        assert raised.value.code == "format.trailing_bytes"


def test_keys_are_sorted_by_their_bytes() -> None:
    assert encode_cbor({"b": 1, "aa": 2, "a": 3}) == bytes.fromhex("a361610361620162616102")


@pytest.mark.parametrize(
    "value",
    [-1, 1 << 64, True, None, 1.0, {1: 2}, WideUint32(-1), WideUint32(1 << 32), Tag(-1, 0), "\ud800", {1, 2}],
)
def test_not_encoded(value: CborValue) -> None:
    with pytest.raises(UsageError) as raised:
        encode_cbor(value)
    assert raised.value.code == "usage.cbor_value"
