from __future__ import annotations

import pytest

from eaa.codec.cbor import CborValue, Tag, encode_cbor
from eaa.codec.cmw import CmwRecord, parse_cmw_cbor, parse_cmw_json
from eaa.errors import FormatError, UnsupportedError

FIRST_TAG = 1668546817


@pytest.mark.parametrize(
    ("item", "record"),
    [
        (("application/a", b"\x01"), CmwRecord("application/a", b"\x01")),
        ((30001, b"\x01", 4), CmwRecord(30001, b"\x01", 4)),
        ((0, b""), CmwRecord(0, b"")),
        (Tag(FIRST_TAG, b"\x01"), CmwRecord(0, b"\x01")),
        (Tag(FIRST_TAG + 30001, b"\x01"), CmwRecord(30001, b"\x01")),
        (Tag(1668612095, b"\x01"), CmwRecord(65278, b"\x01")),
    ],
)
def test_cbor(item: CborValue, record: CmwRecord) -> None:
    assert parse_cmw_cbor(encode_cbor(item)) == record


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (b"", "record"),
        ("text", "record"),
        (7, "record"),
        ((), "record"),
        (("a/b",), "record"),
        (("a/b", b"", 1, 1), "record"),
        (("", b""), "type"),
        ((b"a/b", b""), "type"),
        ((0x10000, b""), "type"),
        (("a/b", "text"), "value"),
        (("a/b", b"", 0), "ind"),
        (("a/b", b"", "1"), "ind"),
        (("a/b", b"", 1 << 32), "ind"),
        (Tag(FIRST_TAG - 1, b""), "tag"),
        (Tag(1668612096, b""), "tag"),
        (Tag(FIRST_TAG, "text"), "tag"),
    ],
)
def test_not_a_record_in_cbor(item: CborValue, field: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse_cmw_cbor(encode_cbor(item))
    assert raised.value.field == field


def test_empty_is_no_cbor() -> None:
    with pytest.raises(FormatError) as raised:
        parse_cmw_cbor(b"")
    assert raised.value.code == "format.truncated"


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ('["a/b", "AQ"]', CmwRecord("a/b", b"\x01")),
        ('["a/b", "_-8", 4]', CmwRecord("a/b", b"\xff\xef", 4)),
        ('[30001, ""]', CmwRecord(30001, b"")),
    ],
)
def test_json(text: str, record: CmwRecord) -> None:
    assert parse_cmw_json(text.encode()) == record


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('"text"', "record"),
        ("[]", "record"),
        ('[true, ""]', "type"),
        ('["a/b", 1]', "value"),
        ('["a/b", "AQ=="]', "value"),
        ('["a/b", "AR"]', "value"),
        ('["a/b", "A"]', "value"),
        ('["a/b", "/+8"]', "value"),
        ('["a/b", "ü"]', "value"),
        ('["a/b", "", true]', "ind"),
    ],
)
def test_not_a_record_in_json(text: str, field: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse_cmw_json(text.encode())
    assert raised.value.field == field


def test_collections_are_named() -> None:
    for parse, data in ((parse_cmw_cbor, b"\xa0"), (parse_cmw_json, b"{}")):
        with pytest.raises(UnsupportedError) as raised:
            parse(data)
        assert raised.value.code == "unsupported.cmw_collection"
