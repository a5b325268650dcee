from __future__ import annotations

import pytest
from cryptography.hazmat import asn1

from eaa.codec.der import decode_der, parse_tlv, tlv_bytes, wrap_sequence
from eaa.errors import FormatError


@asn1.sequence
class Pair:
    number: int
    rest: asn1.TLV


@asn1.sequence
class Inner:
    data: bytes


RAW = bytes.fromhex("3007 0201 05 3002 0400")


def test_decodes_a_sequence_and_what_is_inside() -> None:
    pair = decode_der(Pair, RAW, "thing", "outer", "[X690 §8]")
    assert pair.number == 5
    assert tlv_bytes(pair.rest) == bytes.fromhex("30020400")
    assert parse_tlv(pair.rest, Inner, "thing", "inner", "[X690 §8]").data == b""


@pytest.mark.parametrize(
    "der", [b"", RAW[:-1], RAW + b"\x00", b"\x31" + RAW[1:], bytes.fromhex("308107") + RAW[2:]],
    ids=["empty", "truncated", "trailing", "tag", "length not minimal"],
)  # fmt: skip
def test_anything_else_is_refused(der: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        decode_der(Pair, der, "thing", "outer", "[X690 §8]")
    error = caught.value
    assert (error.code, error.what, error.field, error.spec) == (
        "format.not_der",
        "thing",
        "outer",
        "[X690 §8]",
    )


def test_another_inner_type_is_refused() -> None:
    pair = decode_der(Pair, RAW, "thing", "outer", "")
    with pytest.raises(FormatError, match="thing: inner"):
        parse_tlv(pair.rest, Pair, "thing", "inner", "")


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65535, 65536])
def test_sequences_have_the_shortest_length(size: int) -> None:
    wrapped = wrap_sequence(bytes(size))
    header = {1: b"", 2: b"\x81", 3: b"\x82", 4: b"\x83"}[len(wrapped) - size - 1]
    assert wrapped[1 : len(wrapped) - size] == header + size.to_bytes(max(1, (size.bit_length() + 7) // 8))
    assert wrapped[:1] == b"\x30"
