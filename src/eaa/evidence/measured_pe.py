"""The digest of a PE/COFF image, such as a kernel: what firmware measures, and signatures cover [PE-COFF].

All of the file but its checksum, the entry that points to the signatures, and the signatures. The order is
that of EDK II, whose firmware measures [EDK2 MeasurePeImage]: the headers, each section by its place in the
file, and what follows the last section.
"""

from __future__ import annotations

from collections.abc import Iterator

from eaa.codec.reader import Reader
from eaa.errors import FormatError
from eaa.evidence.event_hash import HashAlgorithm

__all__ = ["is_pe", "pe_image_digest"]

_WHAT = "PE image"
_SPEC = "[PE-COFF]"
_NEW_HEADER_AT = 0x3C
_PE32, _PE32_PLUS = 0x10B, 0x20B
#: In the optional header: SizeOfHeaders, CheckSum; and NumberOfRvaAndSizes, then the directories, by magic.
_SIZE_OF_HEADERS, _CHECKSUM = 60, 64
_DIRECTORIES = {_PE32: 92, _PE32_PLUS: 108}
_SECURITY_DIRECTORY = 4
_SECTION_BYTES = 40
#: The loaders' own limit.
_MAX_SECTIONS = 96


def is_pe(data: bytes) -> bool:
    """Whether ``data`` begins as a PE image does."""
    at = int.from_bytes(data[_NEW_HEADER_AT : _NEW_HEADER_AT + 4], "little")
    return data[:2] == b"MZ" and data[at : at + 4] == b"PE\0\0"


def pe_image_digest(data: bytes, algorithm: HashAlgorithm) -> bytes:
    """The Authenticode digest of the image file ``data``. It is the same with other signatures or none.

    Raises:
        FormatError: no PE image, or one whose sections or signatures do not lie in the file.
    """
    return algorithm.hash(b"".join(_hashed(data)))


def _hashed(data: bytes) -> Iterator[bytes]:
    optional, sections = _headers(data)
    headers = _number(data, optional + _SIZE_OF_HEADERS, 4)
    checksum = optional + _CHECKSUM
    directories = optional + _DIRECTORIES[_number(data, optional, 2)]
    security = directories + 4 + 8 * _SECURITY_DIRECTORY
    has_security = _number(data, directories, 4) > _SECURITY_DIRECTORY
    signatures = _number(data, security + 4, 4) if has_security else 0
    if not (security + 8 if has_security else checksum + 4) <= headers <= len(data):
        raise _error("size_of_headers", f"{headers} bytes", optional + _SIZE_OF_HEADERS)
    yield data[:checksum]
    yield data[checksum + 4 : security if has_security else headers]
    if has_security:
        yield data[security + 8 : headers]
    hashed = headers
    for start, size in sections:
        yield data[start : start + size]
        hashed += size
    if hashed + signatures > len(data):
        raise _error("certificate_table", f"{signatures} bytes of signatures", security)
    yield data[hashed : len(data) - signatures]


def _headers(data: bytes) -> tuple[int, list[tuple[int, int]]]:
    """Where the optional header begins; start and size of each section in the file, by its start."""
    if not is_pe(data):
        raise _error("signature", "no PE image: is a kernel compressed on its own?", 0, "not_pe")
    at = _number(data, _NEW_HEADER_AT, 4)
    count, size, optional = _number(data, at + 6, 2), _number(data, at + 20, 2), at + 24
    if _number(data, optional, 2) not in _DIRECTORIES:
        raise _error("optional_header.magic", "neither PE32 nor PE32+", optional)
    if count > _MAX_SECTIONS:
        raise _error("number_of_sections", f"{count}", at + 6)
    reader = Reader(data[optional + size : optional + size + count * _SECTION_BYTES], _WHAT, _SPEC)
    sections = []
    for number in range(count):
        header = reader.take(_SECTION_BYTES, f"sections[{number}]")
        length, start = (int.from_bytes(header[i : i + 4], "little") for i in (16, 20))
        if start + length > len(data):
            raise _error(f"sections[{number}]", f"{length} bytes at {start}", optional + size)
        if length:
            sections.append((start, length))
    return optional, sorted(sections)


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise _error("header", f"needs {size} bytes", at, "truncated")
    return int.from_bytes(data[at : at + size], "little")


def _error(field: str, message: str, offset: int, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, offset=offset, spec=_SPEC, detail=detail)
