"""The strict reader against cbor2, which reads all of CBOR and more than the subset."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eaa.codec.cbor import CborValue, Tag, decode_cbor, encode_cbor
from eaa.errors import FormatError

#: Tags from 60000 on, to which cbor2 gives no meaning of its own.
TAGS = st.integers(60000, 1 << 33)
UINTS = st.integers(0, (1 << 64) - 1) | st.integers(0, 300)
VALUES: st.SearchStrategy[CborValue] = st.recursive(
    UINTS | st.binary(max_size=40) | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        | st.builds(Tag, TAGS, inner)
    ),
    max_leaves=5,
).filter(lambda value: depth(value) < 8)
#: Heads of every major type and length, and what makes them begin a value.
PIECES = st.sampled_from(
    [bytes((major << 5 | info,)) for major in range(8) for info in (0, 1, 2, 23, 24, 25, 26, 27, 28, 31)]
    + [b"a", b"\x00", b"\x01\x00", b"\xff"]
)


def depth(value: Any) -> int:
    match value:
        case Tag(_, inner):
            return 1 + depth(inner)
        case dict():
            return 1 + max(map(depth, value.values()), default=0)
        case tuple():
            return 1 + max(map(depth, value), default=0)
        case _:
            return 0


def as_theirs(value: Any) -> Any:
    match value:
        case Tag(number, inner):
            return cbor2.CBORTag(number, as_theirs(inner))
        case dict():
            return {key: as_theirs(item) for key, item in value.items()}
        case tuple():
            return [as_theirs(item) for item in value]
        case _:
            return value


@given(value=VALUES)
def test_read_as_written(value: CborValue) -> None:
    assert decode_cbor(encode_cbor(value), "thing") == value


@given(value=VALUES)
def test_written_as_theirs(value: CborValue) -> None:
    """Canonical in cbor2 sorts keys by length first, which for text is the order of the encoded bytes."""
    assert encode_cbor(value) == cbor2.dumps(as_theirs(value), canonical=True)


@given(value=VALUES)
def test_theirs_is_read(value: CborValue) -> None:
    """Written without sorting."""
    assert decode_cbor(cbor2.dumps(as_theirs(value)), "thing") == value


@given(data=st.binary(max_size=60) | st.lists(PIECES, max_size=12).map(b"".join))
@example(data=bytes.fromhex("a2616101616102"))
@example(data=bytes.fromhex("5f4101ff"))
def test_what_is_read_means_the_same_to_them(data: bytes) -> None:
    """And is read or refused; but for the order of keys, only their canonical bytes are read."""
    try:
        value = decode_cbor(data, "thing")
    except FormatError:
        return
    if all(number >= 60000 for number in tags(value)):
        assert cbor2.loads(data) == as_theirs(value)
    assert len(encode_cbor(value)) == len(data)


def tags(value: Any) -> list[int]:
    match value:
        case Tag(number, inner):
            return [number, *tags(inner)]
        case dict():
            return [number for item in value.values() for number in tags(item)]
        case tuple():
            return [number for item in value for number in tags(item)]
        case _:
            return []


@given(value=VALUES, tail=st.binary(min_size=1, max_size=8))
def test_nothing_follows(value: CborValue, tail: bytes) -> None:
    with pytest.raises(FormatError) as raised:
        decode_cbor(encode_cbor(value) + tail, "thing")
    assert raised.value.code == "format.trailing_bytes"


@given(value=VALUES, data=st.data())
def test_the_end_is_missed(value: CborValue, data: st.DataObject) -> None:
    encoded = encode_cbor(value)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    with pytest.raises(FormatError) as raised:
        decode_cbor(cut, "thing")
    assert raised.value.code == "format.truncated"
