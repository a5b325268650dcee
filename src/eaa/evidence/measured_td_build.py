"""MRTD: what the TDX module measures while a trust domain is built [TDX-BASE MRTD].

A SHA-384 over records of 128 bytes, in the order of the calls [TDX-ABI TDH.MEM.PAGE.ADD],
[TDX-ABI TDH.MR.EXTEND]::

    "MEM.PAGE.ADD" ‖ zero (4) ‖ address of the page (8) ‖ zero (104)
    "MR.EXTEND" ‖ zero (7) ‖ address of the chunk (8) ‖ zero (104), then the 256 bytes of the chunk

The machine monitor calls in the order of the firmware's sections [QEMU tdx_finalize_vm]. Within a section two
orders are in use: :class:`PageOrder`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from enum import StrEnum

from eaa.evidence.measured_tdvf import PAGE_BYTES, TdFirmware, TdvfSection

__all__ = ["CHUNK_BYTES", "PageOrder", "measure_td"]

CHUNK_BYTES = 256
_ADD = struct.Struct("<12s4xQ104x")
_EXTEND = struct.Struct("<9s7xQ104x")


class PageOrder(StrEnum):
    """In which order a section's pages are added and measured."""

    #: Each page is added and measured before the next: KVM as it is in Linux, and Google's machine monitor
    #: [LINUX-TDX tdx_gmem_post_populate], [GCE-TCB tdx/measurement.go].
    EACH_PAGE = "each-page"
    #: All pages of the section are added, then all are measured: QEMU 8 with a KVM patched for TDX
    #: [DSTACK-MR two_pass_add_pages].
    EACH_SECTION = "each-section"


def measure_td(firmware: TdFirmware, order: PageOrder) -> bytes:
    """MRTD of a TD that is built from ``firmware``, 48 bytes. Number and kind of processors do not enter.

    Of the configuration volume and of memory only the addresses are measured here; of the hand-off block too.
    """
    digest = hashlib.sha384()
    for section in firmware.sections:
        for record in _records(section, order):
            digest.update(record)
    return digest.digest()


def _records(section: TdvfSection, order: PageOrder) -> Iterator[bytes]:
    pages = range(section.address, section.end, PAGE_BYTES)
    if order is PageOrder.EACH_SECTION:
        for page in pages:
            yield from _added(section, page)
        for page in pages:
            yield from _extended(section, page)
        return
    for page in pages:
        yield from _added(section, page)
        yield from _extended(section, page)


def _added(section: TdvfSection, page: int) -> Iterator[bytes]:
    if section.added:
        yield _ADD.pack(b"MEM.PAGE.ADD", page)


def _extended(section: TdvfSection, page: int) -> Iterator[bytes]:
    if not section.extended:
        return
    for chunk in range(page, page + PAGE_BYTES, CHUNK_BYTES):
        start = chunk - section.address
        yield _EXTEND.pack(b"MR.EXTEND", chunk)
        yield section.data[start : start + CHUNK_BYTES]
