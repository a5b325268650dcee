"""The digest of a PE image, of images built here; real ones are among the vectors."""

from __future__ import annotations

import hashlib
import struct

import pytest

from eaa.errors import FormatError
from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.measured_pe import is_pe, pe_image_digest

SHA384 = HashAlgorithm.SHA384
HEADERS = 0x200
PE_AT, OPTIONAL_AT = 0x40, 0x58


def image(
    *, magic: int = 0x20B, directories: int = 16, signatures: bytes = b"", checksum: int = 7,
    tail: bytes = b"", sections: tuple[tuple[int, int], ...] = ((0x300, 0x80), (0x200, 0x100), (0, 0)),
    headers: int = HEADERS, signature_bytes: int | None = None,
) -> bytes:  # fmt: skip
    """Headers of 0x200 bytes, sections as (start, size), up to 0x380, then ``tail`` and the signatures."""
    dos = b"MZ".ljust(0x3C, b"\x11") + PE_AT.to_bytes(4, "little")
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, 240, 0x22)
    optional = bytearray(b"\x22" * 240)
    optional[0:2] = magic.to_bytes(2, "little")
    optional[60:64] = headers.to_bytes(4, "little")
    optional[64:68] = checksum.to_bytes(4, "little")
    at = 92 if magic == 0x10B else 108
    optional[at : at + 4] = directories.to_bytes(4, "little")
    size = len(signatures) if signature_bytes is None else signature_bytes
    if directories > 4:
        optional[at + 36 : at + 44] = struct.pack("<II", 0x380 + len(tail), size)
    table = b"".join(
        b".section" + struct.pack("<IIII", 0, 0, size, start) + bytes(16) for start, size in sections
    )
    head = (dos + coff + bytes(optional) + table).ljust(HEADERS, b"\x33")
    return head + bytes(range(256)) + b"\x44" * 0x80 + tail + signatures


def digest(data: bytes) -> bytes:
    return pe_image_digest(data, SHA384)


@pytest.mark.parametrize(("magic", "directories_at"), [(0x20B, 108), (0x10B, 92)])
def test_all_but_checksum_directory_entry_and_signatures(magic: int, directories_at: int) -> None:
    data = image(magic=magic, tail=b"after", signatures=b"signed")
    entry = OPTIONAL_AT + directories_at + 36
    expected = data[: OPTIONAL_AT + 64] + data[OPTIONAL_AT + 68 : entry] + data[entry + 8 : -6]
    assert digest(data) == hashlib.sha384(expected).digest()
    assert pe_image_digest(data, HashAlgorithm.SHA256) == hashlib.sha256(expected).digest()


def test_signing_does_not_change_it() -> None:
    assert digest(image()) == digest(image(signatures=b"signed", checksum=8))


@pytest.mark.parametrize("directories", [0, 4])
def test_without_a_directory_of_signatures_all_headers_count(directories: int) -> None:
    data = image(directories=directories)
    expected = data[: OPTIONAL_AT + 64] + data[OPTIONAL_AT + 68 :]
    assert digest(data) == hashlib.sha384(expected).digest()


def test_sections_are_hashed_by_their_place_in_the_file() -> None:
    ordered = image(sections=((0x200, 0x100), (0x300, 0x80), (0, 0)))
    # The table differs, so that the digests do; the content after the headers is the same.
    entry = OPTIONAL_AT + 108 + 36
    expected = ordered[: OPTIONAL_AT + 64] + ordered[OPTIONAL_AT + 68 : entry] + ordered[entry + 8 :]
    assert digest(ordered) == hashlib.sha384(expected).digest()


@pytest.mark.parametrize(
    ("data", "field", "code"),
    [
        (b"", "signature", "format.not_pe"),
        (b"\x7fELF".ljust(256, b"\0"), "signature", "format.not_pe"),
        (image()[:PE_AT] + b"PE\0\1" + image()[PE_AT + 4 :], "signature", "format.not_pe"),
        (image()[: OPTIONAL_AT + 1], "header", "format.truncated"),
        (image(magic=0x107), "optional_header.magic", "format.bad_value"),
        (image(sections=((0, 0),) * 97), "number_of_sections", "format.bad_value"),
        (image(sections=((0x300, 0x81),)), "sections[0]", "format.bad_value"),
        (image()[:0x150], "sections[0]", "format.truncated"),
        (image(headers=0x381), "size_of_headers", "format.bad_value"),
        (image(headers=0xEB), "size_of_headers", "format.bad_value"),
        (image(directories=4, headers=0x9B), "size_of_headers", "format.bad_value"),
        (image(signature_bytes=1), "certificate_table", "format.bad_value"),
    ],
)
def test_what_is_no_image(data: bytes, field: str, code: str) -> None:
    with pytest.raises(FormatError) as caught:
        digest(data)
    assert (caught.value.fields["field"], caught.value.code) == (field, code)


def test_recognised() -> None:
    assert is_pe(image())
    assert not is_pe(b"MZ")
    assert not is_pe(image()[1:])
