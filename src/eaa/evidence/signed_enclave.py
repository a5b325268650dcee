"""The SIGSTRUCTs inside an enclave file of the SGX SDK, ``enclave.signed.so``.

The SDK's signing tool writes its metadata into a note section, one after another for each version
of the runtime that shall be able to load the file, each with a SIGSTRUCT of its own: versions build
the enclave differently, so that its measurement may differ too. Only as much of ELF64 is read as leads there
[ELF-64 Section Header].
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from eaa.codec.reader import Reader
from eaa.errors import FormatError
from eaa.evidence.sigstruct import SIGSTRUCT_BYTES, Sigstruct, parse_sigstruct

__all__ = ["METADATA_HEADER_BYTES", "SignedEnclave", "is_elf", "parse_signed_enclave"]

_WHAT = "signed enclave"
_SPEC = "[SGX-SDK Metadata]"
_MAGIC = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian, version 1
_SECTION_HEADERS = struct.Struct("<Q10xHHH")
_SECTION_HEADERS_AT = 40
_SECTION = struct.Struct("<II16xQQ24x")
_SHT_NOTE = 7
_SECTION_NAME = b".note.sgxmeta\x00"
_OWNER = b"sgx_metadata\x00"
_METADATA_MAGIC = 0x86A80294635D0E4C
METADATA_HEADER_BYTES = 64


@dataclass(frozen=True, slots=True)
class SignedEnclave:
    """One metadata: ``version`` is of the metadata's format, major (4 bytes) and minor (4 bytes).

    ``metadata`` are its bytes, which what is inside counts its offsets from.
    """

    version: int
    enclave_size: int
    ssa_frame_pages: int
    sigstruct: Sigstruct
    metadata: bytes


def is_elf(data: bytes) -> bool:
    return data.startswith(_MAGIC[:4])


def parse_signed_enclave(data: bytes) -> tuple[SignedEnclave, ...]:
    """Each metadata of the SGX SDK in the ELF file ``data``, in the file's order; at least one.

    The pages have not been measured and no signature has been verified.

    Raises:
        FormatError: no 64-bit little-endian ELF file, no metadata (an unsigned enclave), or malformed.
    """
    offset, note = _note(data)
    reader = Reader(note, _WHAT, _SPEC, base=offset)
    name_length, length = reader.u32("note.namesz"), reader.u32("note.descsz")
    reader.u32("note.type")
    if name_length != len(_OWNER) or reader.take(name_length, "note.name") != _OWNER:
        raise reader.error("note.name", "expected sgx_metadata", offset=offset)
    start = reader.offset
    # The tool does not align what follows the name.
    found = tuple(_metadata(reader.take(length, "note.desc"), start))
    if not found:
        raise reader.error("metadata.magic", "there is no metadata: is the enclave signed?", offset=start)
    return found


def _metadata(block: bytes, base: int) -> Iterator[SignedEnclave]:
    at = 0
    while int.from_bytes(block[at : at + 8], "little") == _METADATA_MAGIC:
        reader = Reader(block[at:], _WHAT, _SPEC, base=base + at)
        reader.u64("metadata.magic")
        version, size = reader.u64("metadata.version"), reader.u32("metadata.size")
        if size < METADATA_HEADER_BYTES + SIGSTRUCT_BYTES:
            raise reader.error("metadata.size", f"{size} bytes", offset=base + at + 16)
        reader.u32("metadata.tcs_policy")
        ssa_frame_pages = reader.u32("metadata.ssa_frame_size")
        reader.take(12, "metadata.max_save_buffer_size")
        enclave_size = reader.u64("metadata.enclave_size")
        reader.take(16, "metadata.attributes")
        css = base + at + METADATA_HEADER_BYTES
        sigstruct = parse_sigstruct(reader.take(SIGSTRUCT_BYTES, "metadata.enclave_css"), base=css)
        if at + size > len(block):
            raise reader.error("metadata.size", f"{size} bytes are not there", offset=base + at + 16)
        yield SignedEnclave(version, enclave_size, ssa_frame_pages, sigstruct, block[at : at + size])
        at += size


def _note(data: bytes) -> tuple[int, bytes]:
    """Offset and bytes of the section with the SDK's note."""
    if not data.startswith(_MAGIC) or len(data) < 64:
        raise _error("ident", 0, "no 64-bit little-endian ELF file", "not_elf")
    at, size, count, names = _SECTION_HEADERS.unpack_from(data, _SECTION_HEADERS_AT)
    if size != _SECTION.size or at + count * size > len(data) or names >= count:
        raise _error("section_headers", _SECTION_HEADERS_AT, "outside the file", "truncated")
    sections = [_SECTION.unpack_from(data, at + number * size) for number in range(count)]
    text = _section_bytes(data, sections[names])
    for section in sections:
        name = text[section[0] : section[0] + len(_SECTION_NAME)]
        if section[1] == _SHT_NOTE and name == _SECTION_NAME:
            return section[2], _section_bytes(data, section)
    raise _error("section", at, "there is no section .note.sgxmeta", "not_signed_enclave")


def _section_bytes(data: bytes, section: tuple[int, ...]) -> bytes:
    start, length = section[2], section[3]
    if start + length > len(data):
        raise _error("section", start, f"needs {length} bytes", "truncated")
    return data[start : start + length]


def _error(field: str, offset: int, message: str, detail: str) -> FormatError:
    return FormatError(
        message, what=_WHAT, field=field, offset=offset, spec="[ELF-64 Section Header]", detail=detail
    )
