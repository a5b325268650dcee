"""The certificate table: what hosts write, and what they might."""

from __future__ import annotations

import struct

import pytest

from eaa.errors import FormatError
from eaa.evidence.snp_certificates import (
    GUIDS,
    MAX_ENTRIES,
    MAX_TABLE_BYTES,
    TableEntry,
    TableName,
    encode_certificate_table,
    parse_certificate_table,
)

END = bytes(24)


def header(*entries: tuple[bytes, int, int]) -> bytes:
    return b"".join(struct.pack("<16sII", *entry) for entry in entries) + END


def refused(data: bytes, detail: str, field: str, offset: int) -> None:
    with pytest.raises(FormatError) as caught:
        parse_certificate_table(data)
    error = caught.value
    assert (error.code, error.field, error.offset) == (f"format.{detail}", field, offset)


def test_what_is_encoded_is_parsed() -> None:
    entries = [TableEntry(guid, name.encode() * 3) for name, guid in GUIDS.items()]
    entries.append(TableEntry(b"\x07" * 16, b""))
    table = parse_certificate_table(encode_certificate_table(entries) + bytes(100))
    assert list(table.entries) == entries
    assert [entry.name for entry in table.entries] == [*GUIDS, TableName.OTHER]
    assert table.get(TableName.VCEK) == b"VCEKVCEKVCEK"


def test_guids_are_in_the_order_of_their_text() -> None:
    assert GUIDS[TableName.VCEK].hex() == "63da758de6644564adc5f4b93be8accd"


def test_no_table_and_an_empty_one() -> None:
    assert parse_certificate_table(b"").entries == ()
    assert parse_certificate_table(END).entries == ()
    assert parse_certificate_table(END).get(TableName.ARK) is None
    assert encode_certificate_table([]) == b""


def test_entries_may_share_bytes() -> None:
    """Only what is outside of the data or inside of the header is refused."""
    table = parse_certificate_table(header((b"a" * 16, 72, 4), (b"b" * 16, 72, 4)) + b"data")
    assert [entry.data for entry in table.entries] == [b"data", b"data"]


def test_not_ended() -> None:
    refused(b"\x01" * 23, "truncated", "entries", 0)
    refused(header((b"a" * 16, 24, 0))[:24], "truncated", "entries", 24)


@pytest.mark.parametrize(("offset", "length"), [(47, 1), (0, 0), (48, 5), (52, 1), (0xFFFFFFFF, 0xFFFFFFFF)])
def test_outside_of_the_data(offset: int, length: int) -> None:
    refused(header((b"a" * 16, offset, length)) + b"data", "bad_value", "offset", 16)


def test_given_twice() -> None:
    refused(header((b"a" * 16, 72, 0), (b"a" * 16, 72, 0)), "duplicate_key", "guid", 24)


def test_bounds() -> None:
    refused(bytes(MAX_TABLE_BYTES + 1), "too_large", "length", 0)
    entries = [(bytes((n,)) * 16, 24 * (MAX_ENTRIES + 2), 0) for n in range(1, MAX_ENTRIES + 2)]
    assert len(parse_certificate_table(header(*entries[:MAX_ENTRIES]) + END).entries) == MAX_ENTRIES
    refused(header(*entries), "too_large", "entries", 24 * MAX_ENTRIES)
