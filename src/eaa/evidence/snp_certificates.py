"""The certificate table of an extended report [GHCB SNP Extended Guest Request]."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from eaa.errors import FormatError

__all__ = [
    "MAX_TABLE_BYTES",
    "CertificateTable",
    "TableEntry",
    "TableName",
    "encode_certificate_table",
    "parse_certificate_table",
]

#: Linux lends the host 16 KiB for the table; more than that is for what hosts may add.
MAX_TABLE_BYTES = 64 * 1024
MAX_ENTRIES = 16
_ENTRY = struct.Struct("<16sII")
_END = bytes(_ENTRY.size)
_WHAT, _SPEC = "SNP certificate table", "[GHCB SNP Extended Guest Request]"


class TableName(StrEnum):
    """What the entries with a known GUID hold. The ASVK has the ASK's."""

    ARK = "ARK"
    ASK = "ASK"
    VCEK = "VCEK"
    VLEK = "VLEK"
    CRL = "CRL"
    OTHER = "OTHER"


GUIDS: Mapping[TableName, bytes] = {
    TableName.ARK: bytes.fromhex("c0b406a4a803495297433fb6014cd0ae"),
    TableName.ASK: bytes.fromhex("4ab7b379bbac4fe4a02f05aef327c782"),
    TableName.VCEK: bytes.fromhex("63da758de6644564adc5f4b93be8accd"),
    TableName.VLEK: bytes.fromhex("a8074bc2a25a483eaae639c045a0b8a1"),
    TableName.CRL: bytes.fromhex("92f81bc358114d3d97ffd19f88dc67ea"),
}
_NAMES = {guid: name for name, guid in GUIDS.items()}


@dataclass(frozen=True, slots=True)
class TableEntry:
    """One entry: ``guid`` in the order of its text, and what the host put there, DER or PEM as a rule."""

    guid: bytes  # 16
    data: bytes

    @property
    def name(self) -> TableName:
        return _NAMES.get(self.guid, TableName.OTHER)


@dataclass(frozen=True, slots=True)
class CertificateTable:
    """A well-formed table, in its order. The host wrote it: nothing in it has been verified."""

    entries: tuple[TableEntry, ...]

    def get(self, name: TableName) -> bytes | None:
        """What the entry of ``name`` holds, or ``None`` if there is none."""
        return next((entry.data for entry in self.entries if entry.name is name), None)


def parse_certificate_table(data: bytes) -> CertificateTable:
    """The table at the start of ``data``; no bytes at all are an empty table.

    Raises:
        FormatError: not ended by an entry of zeros, an entry that is outside of ``data`` or inside the
            header, a GUID given twice, or more than 64 KiB or 16 entries.
    """
    if len(data) > MAX_TABLE_BYTES:
        raise _error("length", 0, f"{len(data)} bytes exceed {MAX_TABLE_BYTES}", "too_large")
    if not data:
        return CertificateTable(())
    header = _header(data)
    first = (len(header) + 1) * _ENTRY.size
    entries: dict[bytes, TableEntry] = {}
    for index, (guid, offset, length) in enumerate(header):
        place = index * _ENTRY.size
        if guid in entries:
            raise _error("guid", place, "the GUID is given twice", "duplicate_key")
        if offset < first or offset + length > len(data):
            raise _error(
                "offset", place + 16, f"{length} bytes at {offset} are not between {first} and {len(data)}"
            )
        entries[guid] = TableEntry(guid, data[offset : offset + length])
    return CertificateTable(tuple(entries.values()))


def _header(data: bytes) -> list[tuple[bytes, int, int]]:
    header: list[tuple[bytes, int, int]] = []
    for start in range(0, _ENTRY.size * (MAX_ENTRIES + 1), _ENTRY.size):
        raw = data[start : start + _ENTRY.size]
        if len(raw) < _ENTRY.size:
            raise _error("entries", start, "the table has no entry of zeros at its end", "truncated")
        if raw == _END:
            return header
        header.append(_ENTRY.unpack(raw))
    raise _error("entries", start, f"more than {MAX_ENTRIES} entries", "too_large")


def encode_certificate_table(entries: Sequence[TableEntry]) -> bytes:
    """The bytes that parse to ``entries``; none for no entries."""
    if not entries:
        return b""
    at = (len(entries) + 1) * _ENTRY.size
    header, contents = bytearray(), bytearray()
    for entry in entries:
        header += _ENTRY.pack(entry.guid, at + len(contents), len(entry.data))
        contents += entry.data
    return bytes(header + _END + contents)


def _error(field: str, offset: int, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, offset=offset, spec=_SPEC, detail=detail)
