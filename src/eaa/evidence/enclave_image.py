"""Files that describe an enclave page by page: the skeleton runtime's ``encl.bin``, and SGXS.

``encl.bin`` is the enclave's memory: a TCS page, then pages that are readable, writable and
executable. Its last 17 bytes say how it is to be mapped: size of the mapping (8), whether the first
addresses stay free (1), and how many (8). Behind the memory come the SSA frame and zero pages up to
that size. The SSA frame size is not in the file: it follows from the processor's XSAVE area.

An SGXS stream holds the measured records themselves, and each chunk that is loaded without being
measured after a record ``UNMEASRD``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from eaa.codec.reader import Reader
from eaa.errors import FormatError
from eaa.evidence.enclave_measurement import (
    ADD_TAG,
    CHUNK_BYTES,
    CREATE_TAG,
    EXTEND_TAG,
    PAGE_BYTES,
    PT_REG,
    PT_TCS,
    EnclaveImage,
    Page,
)

__all__ = ["MAX_MAPPING_BYTES", "is_sgxs", "parse_sgxs", "parse_skeleton"]

#: A mapping is a number in the file: without a bound 17 bytes would cost years of hashing.
MAX_MAPPING_BYTES = 256 * 1024 * 1024
_TRAILER = struct.Struct("<QBQ")
#: What stays free below an enclave whose trailer asks for it and does not say how much.
_GUARD_BYTES = 16 * 1024 * 1024
#: In the TCS, OSSA and OENTRY [SDM-3D §38.8].
_OSSA, _OENTRY = 16, 32
_UNMEASURED_TAG = b"UNMEASRD"
_ZERO_PAGE = bytes(PAGE_BYTES)
_RWX = PT_REG | 7


def parse_skeleton(data: bytes, ssa_frame_pages: int) -> EnclaveImage:
    """The image that the skeleton runtime's signing tool measures for ``encl.bin``.

    Raises:
        FormatError: shorter than a TCS and its trailer, or a mapping that is smaller than the file, not
            of whole pages, or larger than 256 MiB.
    """
    if len(data) < PAGE_BYTES + _TRAILER.size:
        raise _skeleton_error("length", 0, f"needs {PAGE_BYTES + _TRAILER.size} bytes, came {len(data)}")
    at = len(data) - _TRAILER.size
    mapping, guarded, least_address = _TRAILER.unpack_from(data, at)
    if guarded > 1:
        raise _skeleton_error("null_dereference_protection", at + 8, f"expected 0 or 1, came {guarded}")
    base = (least_address or _GUARD_BYTES) if guarded else 0
    needed = len(data) + ssa_frame_pages * PAGE_BYTES
    if not (needed <= mapping <= MAX_MAPPING_BYTES or (mapping == 0 and needed <= MAX_MAPPING_BYTES)):
        raise _skeleton_error("max_mmap_size", at, f"{mapping:#x} is below {needed:#x} or too large")
    if base > MAX_MAPPING_BYTES or base % PAGE_BYTES:
        raise _skeleton_error("mmap_min_addr", at + 9, f"{base:#x} is not of whole pages, or too large")
    end = base + _round_up(mapping or needed)
    return EnclaveImage(
        1 << (end - 1).bit_length(), ssa_frame_pages, tuple(_skeleton_pages(data, base, end))
    )  # fmt: skip


def _skeleton_pages(data: bytes, base: int, end: int) -> Iterator[Page]:
    """The file's pages, the first with its SSA behind the file and its entry moved; then zero pages."""
    length = _round_up(len(data))
    tcs = bytearray(data[:PAGE_BYTES])
    struct.pack_into("<Q", tcs, _OSSA, base + length)
    (entry,) = struct.unpack_from("<Q", tcs, _OENTRY)
    struct.pack_into("<Q", tcs, _OENTRY, entry + base & 0xFFFFFFFFFFFFFFFF)
    yield Page(base, PT_TCS, bytes(tcs))
    for start in range(PAGE_BYTES, length, PAGE_BYTES):
        yield Page(base + start, _RWX, data[start : start + PAGE_BYTES].ljust(PAGE_BYTES, b"\x00"))
    for offset in range(base + length, end, PAGE_BYTES):
        yield Page(offset, _RWX, _ZERO_PAGE)


def is_sgxs(data: bytes) -> bool:
    """Whether ``data`` begins as an SGXS stream does."""
    return data.startswith(CREATE_TAG)


def parse_sgxs(data: bytes) -> EnclaveImage:
    """The image in an SGXS stream in canonical order: each page followed by its chunks, ascending.

    Raises:
        FormatError: truncated, another record or order, or bytes that are not zero where they must be.
    """
    reader = Reader(data, "SGXS", "[SDM-3D §41.3]")
    if _tag(reader, CREATE_TAG) != CREATE_TAG:
        raise reader.error("tag", "expected ECREATE", offset=0)
    ssa_frame_pages, size = reader.u32("ssa_frame_pages"), reader.u64("size")
    _zeros(reader, 44)
    pages = []
    tag = _tag(reader, ADD_TAG)
    while tag:
        if tag != ADD_TAG:
            raise reader.error("tag", f"expected EADD, came {tag!r}", offset=reader.offset - 8)
        offset, flags = reader.u64("offset"), reader.u64("flags")
        _zeros(reader, 40)
        content, measured, tag = _chunks(reader, offset)
        pages.append(Page(offset, flags, content, measured))
    return EnclaveImage(size, ssa_frame_pages, tuple(pages))


def _chunks(reader: Reader, page: int) -> tuple[bytes, int, bytes]:
    """Content of a page, which of its chunks are measured, and the tag that follows."""
    content, measured, least = bytearray(PAGE_BYTES), 0, 0
    tag = _tag(reader, EXTEND_TAG)
    while tag in (EXTEND_TAG, _UNMEASURED_TAG):
        at = reader.offset
        start = reader.u64("offset") - page
        if start % CHUNK_BYTES or not least <= start < PAGE_BYTES:
            raise reader.error("offset", "a chunk outside its page, or out of order", offset=at)
        _zeros(reader, 48)
        content[start : start + CHUNK_BYTES] = reader.take(CHUNK_BYTES, "chunk")
        measured |= (tag == EXTEND_TAG) << start // CHUNK_BYTES
        least = start + CHUNK_BYTES
        tag = _tag(reader, EXTEND_TAG)
    return bytes(content), measured, tag


def _tag(reader: Reader, wanted: bytes) -> bytes:
    """The next tag, of eight bytes; empty at the end."""
    return reader.take(len(wanted), "tag") if reader.remaining else b""


def _zeros(reader: Reader, length: int) -> None:
    at = reader.offset
    if any(reader.take(length, "padding")):
        raise reader.error("padding", "must be zero", offset=at)


def _round_up(length: int) -> int:
    return -(-length // PAGE_BYTES) * PAGE_BYTES


def _skeleton_error(field: str, offset: int, message: str) -> FormatError:
    return FormatError(message, what="encl.bin", field=field, offset=offset)
