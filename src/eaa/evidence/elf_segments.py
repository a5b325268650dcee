"""What of a 64-bit little-endian ELF file is loaded, and where [ELF-64 Program Header]."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from eaa.errors import FormatError

__all__ = ["Segment", "read_segments"]

_HEADER_BYTES = 64
_PROGRAM_HEADERS_AT, _ENTRIES_AT = 32, 54
_HEADER = struct.Struct("<IIQQ8xQQ8x")
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DYNAMIC = struct.Struct("<qQ")
_DT_NULL, _DT_TEXTREL = 0, 22
_WHAT, _SPEC = "ELF file", "[ELF-64 Program Header]"
#: From p_flags, X 1, W 2, R 4, to those of SECINFO, R 1, W 2, X 4.
_PERMISSIONS = {1: 4, 2: 2, 4: 1}


@dataclass(frozen=True, slots=True)
class Segment:
    """``file_bytes`` from ``file_offset`` on go to ``address``, zeros behind them, to ``memory_bytes``.

    ``permissions`` are R 1, W 2, X 4.
    """

    address: int
    file_offset: int
    file_bytes: int
    memory_bytes: int
    permissions: int


def read_segments(data: bytes) -> tuple[tuple[Segment, ...], bool]:
    """The loadable segments of ``data`` in the file's order, and whether code has relocations in it.

    Raises:
        FormatError: headers or segments outside the file, or none that is loaded.
    """
    if len(data) < _HEADER_BYTES:
        raise _error("header", f"needs {_HEADER_BYTES} bytes, came {len(data)}")
    (at,) = struct.unpack_from("<Q", data, _PROGRAM_HEADERS_AT)
    size, count = struct.unpack_from("<HH", data, _ENTRIES_AT)
    if size != _HEADER.size or at + count * size > len(data):
        raise _error("program_headers", "outside the file, or not of 56 bytes each")
    segments, relocated = [], False
    for number in range(count):
        kind, flags, offset, address, file_bytes, memory_bytes = _HEADER.unpack_from(data, at + number * size)
        if kind not in (_PT_LOAD, _PT_DYNAMIC):
            continue
        if offset + file_bytes > len(data):
            raise _error("segment", f"{file_bytes} bytes at {offset:#x} are not inside the file")
        if kind == _PT_DYNAMIC:
            relocated = _has_text_relocations(data[offset : offset + file_bytes])
        else:
            permissions = sum(to for bit, to in _PERMISSIONS.items() if flags & bit)
            segments.append(Segment(address, offset, file_bytes, memory_bytes, permissions))
    if not segments:
        raise _error("segment", "none is loaded")
    return tuple(segments), relocated


def _has_text_relocations(dynamic: bytes) -> bool:
    for tag, _ in _DYNAMIC.iter_unpack(dynamic[: len(dynamic) // _DYNAMIC.size * _DYNAMIC.size]):
        if tag in (_DT_NULL, _DT_TEXTREL):
            return bool(tag == _DT_TEXTREL)
    return False


def _error(field: str, message: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec=_SPEC)
