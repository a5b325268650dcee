"""The pages of an enclave file of the SGX SDK, as the SDK's loader builds them.

In order: the loadable segments of the ELF file, into which the metadata's patches have been written; then
the entries of the metadata's layout, which are heap, stacks, thread control structures and their like. A
group repeats the entries before it, each time further up. All numbers are little-endian [SGX-SDK Metadata]::

    directories, behind the SIGSTRUCT: offset and size of the patches, of the layout (4 bytes each)
    patch   offset in the file (8) ‖ offset in the metadata (4) ‖ size (4) ‖ reserved (16)
    entry   id (2) ‖ attributes (2) ‖ pages (4) ‖ offset (8) ‖ content size, offset (4, 4) ‖ flags (8)
    group   id with bit 12 (2) ‖ entries (2) ‖ times (4) ‖ step (8) ‖ reserved (16)

Offsets in the metadata count from its first byte. Of an entry without content offset, content size is the
word that its pages are filled with.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from eaa.errors import FormatError, UnsupportedError
from eaa.evidence.elf_segments import Segment, read_segments
from eaa.evidence.enclave_measurement import (
    ALL_CHUNKS,
    PAGE_BYTES,
    PT_REG,
    PT_TCS,
    EnclaveImage,
    Page,
    measure_enclave,
)
from eaa.evidence.signed_enclave import METADATA_HEADER_BYTES, SignedEnclave
from eaa.evidence.sigstruct import SIGSTRUCT_BYTES

__all__ = ["MAX_PAGES", "measure_sdk_enclave"]

#: Counts are numbers in the file: without a bound they would cost hours of hashing. 4 GiB.
MAX_PAGES = 1 << 20
#: Metadata of version 1.3 was loaded with one more page behind segments of a certain length.
_LEAST_VERSION = 0x1_0000_0004
_DIRECTORIES_AT = METADATA_HEADER_BYTES + SIGSTRUCT_BYTES
_DIRECTORIES = struct.Struct("<IIII")
_PATCH = struct.Struct("<QII16x")
_ENTRY, _GROUP = struct.Struct("<HHIQIIQ"), struct.Struct("<HHIQ16x")
_GROUP_BIT = 1 << 12
_EADD, _EEXTEND = 1, 2
#: Repetitions cost time even if they add no page.
_MAX_STEPS = 65536
#: Of a TCS, what counts from its own page: OSSA, OFSBASE, OGSBASE [SDM-3D §38.8].
_TCS_OFFSETS = (16, 48, 56)
_ZERO_PAGE = bytes(PAGE_BYTES)
_WHAT, _SPEC = "signed enclave", "[SGX-SDK Metadata]"


def measure_sdk_enclave(data: bytes, enclave: SignedEnclave) -> bytes:
    """MRENCLAVE of ``enclave``, 32 bytes: one of those that the ELF file ``data`` says it can be built as.

    It is the file's own if it is the ``enclave_hash`` of its SIGSTRUCT.

    Raises:
        FormatError: malformed, what is pointed at is not there, or no processor would build it.
        UnsupportedError: metadata of before version 1.4, relocations in code, or more than 4 GiB of pages.
    """
    if enclave.version < _LEAST_VERSION:
        major, minor = divmod(enclave.version, 1 << 32)
        raise _unsupported(f"metadata of version {major}.{minor} is older than 1.4")
    segments, text_relocations = read_segments(data)
    if text_relocations:
        raise _unsupported("code with relocations")
    pages = _bounded(_pages(data, segments, enclave.metadata))
    return measure_enclave(EnclaveImage(enclave.enclave_size, enclave.ssa_frame_pages, pages))


def _bounded(pages: Iterator[Page]) -> Iterator[Page]:
    for number, page in enumerate(pages):
        if number >= MAX_PAGES:
            raise _unsupported(f"more than {MAX_PAGES} pages")
        yield page


def _pages(data: bytes, segments: tuple[Segment, ...], metadata: bytes) -> Iterator[Page]:
    if len(metadata) < _DIRECTORIES_AT + _DIRECTORIES.size:
        raise _error("directories", "outside the metadata")
    patches_at, patches_size, layout_at, layout_size = _DIRECTORIES.unpack_from(metadata, _DIRECTORIES_AT)
    file = _patched(data, metadata, _records(metadata, patches_at, patches_size, "patches"))
    for segment in segments:
        content = file[segment.file_offset : segment.file_offset + segment.file_bytes]
        yield from _region(segment.address, content, segment.memory_bytes, PT_REG | segment.permissions)
    layout = _records(metadata, layout_at, layout_size, "layout")
    for number, (record, delta) in enumerate(_unrolled(layout)):
        if number >= _MAX_STEPS:
            raise _error("layout", f"more than {_MAX_STEPS} steps", "too_large")
        yield from _entry(record, delta, metadata)


def _records(metadata: bytes, at: int, size: int, field: str) -> list[bytes]:
    if size % _ENTRY.size or at + size > len(metadata):
        raise _error(field, f"{size} bytes at {at} are not whole records inside the metadata")
    return [metadata[start : start + _ENTRY.size] for start in range(at, at + size, _ENTRY.size)]


def _patched(data: bytes, metadata: bytes, patches: list[bytes]) -> bytes:
    file = bytearray(data)
    for patch in patches:
        to, start, size = _PATCH.unpack(patch)
        if to + size > len(file) or start + size > len(metadata):
            raise _error("patches", f"{size} bytes from {start:#x} to {to:#x} are not inside")
        file[to : to + size] = metadata[start : start + size]
    return bytes(file)


def _unrolled(layout: list[bytes]) -> Iterator[tuple[bytes, int]]:
    """Each entry, once for each time that it is loaded, and how far up."""
    for number, record in enumerate(layout):
        kind, count, times, step = _GROUP.unpack(record)
        if not kind & _GROUP_BIT:
            yield record, 0
            continue
        members = layout[number - count : number] if 0 < count <= number else []
        if not members or any(_GROUP.unpack(member)[0] & _GROUP_BIT for member in members):
            raise _error("layout", "a group of entries that are not there, or are groups")
        for repetition in range(1, times + 1):
            yield from ((member, repetition * step) for member in members)


def _entry(record: bytes, delta: int, metadata: bytes) -> Iterator[Page]:
    _, attributes, pages, offset, content_size, content_at, flags = _ENTRY.unpack(record)
    if not attributes & _EADD:
        return
    at, measured = offset + delta, ALL_CHUNKS if attributes & _EEXTEND else 0
    if content_at and content_at + content_size > len(metadata):
        raise _error(
            "layout", f"content of {content_size} bytes at {content_at:#x} is not inside the metadata"
        )
    content = metadata[content_at : content_at + content_size]
    if not content_at:
        filled = content_size.to_bytes(4, "little") * (PAGE_BYTES // 4)
    elif flags == PT_TCS:
        filled = _tcs(content, at)
    else:
        yield from _region(at, content, pages * PAGE_BYTES, flags)
        return
    for start in range(at, at + pages * PAGE_BYTES, PAGE_BYTES):
        yield Page(start, flags, filled, measured)


def _tcs(content: bytes, at: int) -> bytes:
    if len(content) > PAGE_BYTES:
        raise _error("layout", f"a thread control structure of {len(content)} bytes")
    page = bytearray(content.ljust(PAGE_BYTES, b"\x00"))
    for field in _TCS_OFFSETS:
        (value,) = struct.unpack_from("<Q", page, field)
        struct.pack_into("<Q", page, field, value + at & 0xFFFFFFFFFFFFFFFF)
    return bytes(page)


def _region(address: int, content: bytes, size: int, flags: int) -> Iterator[Page]:
    """``content`` from ``address`` on, then zeros up to ``size``, in measured pages."""
    lead = address % PAGE_BYTES
    base = address - lead
    filled = bytes(lead) + content if content else b""
    for start in range(0, len(filled), PAGE_BYTES):
        yield Page(base + start, flags, filled[start : start + PAGE_BYTES].ljust(PAGE_BYTES, b"\x00"))
    zeros = base + -(-len(filled) // PAGE_BYTES) * PAGE_BYTES if filled else address
    for start in range(zeros, address + size, PAGE_BYTES):
        yield Page(start, flags, _ZERO_PAGE)


def _unsupported(message: str) -> UnsupportedError:
    return UnsupportedError(f"{_WHAT}: its pages are not measured here: {message}", detail="enclave_image")


def _error(field: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec=_SPEC, detail=detail)
