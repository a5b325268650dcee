"""MRENCLAVE: what the processor measures while an enclave is built [SDM-3D §39.4.1], [SDM-3D §41.3].

A SHA-256 over one record of 64 bytes for each step, little-endian::

    ECREATE   "ECREATE\\0" ‖ SSA frame size, pages (4) ‖ enclave size, bytes (8) ‖ zero (44)
    EADD      "EADD\\0\\0\\0\\0" ‖ offset of the page (8) ‖ SECINFO.FLAGS (8) ‖ zero (40)
    EEXTEND   "EEXTEND\\0" ‖ offset of the chunk (8) ‖ zero (48), then the 256 bytes of the chunk

A page that is added but whose chunks are not extended has no content in the measurement: whoever
builds the enclave can put anything there.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eaa.errors import FormatError

__all__ = [
    "ADD_TAG",
    "ALL_CHUNKS",
    "CHUNK_BYTES",
    "CREATE_TAG",
    "EXTEND_TAG",
    "PAGE_BYTES",
    "PT_REG",
    "PT_TCS",
    "EnclaveImage",
    "Page",
    "measure_enclave",
]

PAGE_BYTES = 4096
CHUNK_BYTES = 256
#: ``Page.measured`` of a page of which everything is measured.
ALL_CHUNKS = (1 << PAGE_BYTES // CHUNK_BYTES) - 1
#: SECINFO.FLAGS: permissions, and the types of page that can be added before EINIT [SDM-3D §38.11].
READ, WRITE, EXECUTE = 1, 2, 4
PT_TCS, PT_REG = 0x100, 0x200
#: SECS.SSAFRAMESIZE has 32 bits.
MAX_SSA_FRAME_PAGES = 0xFFFFFFFF

CREATE_TAG, ADD_TAG, EXTEND_TAG = b"ECREATE\x00", b"EADD\x00\x00\x00\x00", b"EEXTEND\x00"
_CREATE = struct.Struct("<8sIQ44x")
_ADD = struct.Struct("<8sQQ40x")
_EXTEND = struct.Struct("<8sQ48x")
_WHAT = "enclave image"
_SPEC = "[SDM-3D §41.3]"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of 4096 bytes at ``offset`` from the enclave's base.

    ``flags`` is SECINFO.FLAGS: ``PT_TCS``, or ``PT_REG`` with permissions R 1, W 2, X 4. Bit *n* of
    ``measured`` says that chunk *n*, of 256 bytes, is extended.
    """

    offset: int
    flags: int
    data: bytes
    measured: int = ALL_CHUNKS


@dataclass(frozen=True, slots=True)
class EnclaveImage:
    """An enclave before it is built: ``size`` in bytes is SECS.SIZE; ``pages`` in the order of EADD."""

    size: int
    ssa_frame_pages: int
    pages: Iterable[Page]


def measure_enclave(image: EnclaveImage) -> bytes:
    """MRENCLAVE of ``image``, 32 bytes, as the processor would have it after EINIT.

    Nothing is established about who wrote the image; compare the result with a SIGSTRUCT or a quote.

    Raises:
        FormatError: the processor would refuse to build it: a size that is no power of two, a page
            outside, added twice, of another length or with flags that EADD refuses.
    """
    _require_size(image)
    digest = hashlib.sha256(_CREATE.pack(CREATE_TAG, image.ssa_frame_pages, image.size))
    for page in _distinct(image):
        digest.update(_ADD.pack(ADD_TAG, page.offset, page.flags))
        for chunk in range(PAGE_BYTES // CHUNK_BYTES):
            if page.measured >> chunk & 1:
                start = chunk * CHUNK_BYTES
                digest.update(_EXTEND.pack(EXTEND_TAG, page.offset + start))
                digest.update(page.data[start : start + CHUNK_BYTES])
    return digest.digest()


def _distinct(image: EnclaveImage) -> Iterator[Page]:
    seen: set[int] = set()
    for page in image.pages:
        _require_page(page, image.size)
        if page.offset in seen:
            raise _error("page", f"the page at {page.offset:#x} is added twice", page.offset)
        seen.add(page.offset)
        yield page


def _require_size(image: EnclaveImage) -> None:
    size = image.size
    if not 2 * PAGE_BYTES <= size < 1 << 64 or size & (size - 1):
        raise _error("size", f"{size:#x} is no power of two of at least two pages")
    if not 1 <= image.ssa_frame_pages <= MAX_SSA_FRAME_PAGES:
        raise _error("ssa_frame_pages", f"expected 1 to {MAX_SSA_FRAME_PAGES}, came {image.ssa_frame_pages}")


def _require_page(page: Page, size: int) -> None:
    if page.offset % PAGE_BYTES or not 0 <= page.offset < size:
        raise _error("page", f"a page at {page.offset:#x} is not inside or not aligned", page.offset)
    if len(page.data) != PAGE_BYTES:
        raise _error("page", f"expected {PAGE_BYTES} bytes, came {len(page.data)}", page.offset)
    if not 0 <= page.measured <= ALL_CHUNKS:
        raise _error("page", f"a page has no chunks {page.measured:#x}", page.offset)
    # EADD refuses a page that can be written and not read, and clears the permissions of a TCS.
    permissions = page.flags & (READ | WRITE | EXECUTE)
    if page.flags - permissions == PT_REG:
        known = permissions & (READ | WRITE) != WRITE
    else:
        known = page.flags == PT_TCS
    if not known:
        raise _error("secinfo", f"EADD refuses flags {page.flags:#x}", page.offset)


def _error(field: str, message: str, offset: int | None = None) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, offset=offset, spec=_SPEC)
