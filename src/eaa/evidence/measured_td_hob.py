"""The hand-off block of a TD: the list of memory that QEMU writes and the firmware measures into RTMR0.

A list of hand-off blocks [UEFI-PI HOB], little-endian: the first, of 56 bytes, says where the list ends; then
one of 48 bytes for each range of memory; then the mark of the end, 8 bytes, which the firmware does not
measure [EDK2 TdxHelperMeasureTdHob]. Which ranges there are follows from the size of memory and from the
sections that the firmware wants accepted before it runs [QEMU tdvf_hob_create].
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator

from eaa.errors import FormatError, UsageError
from eaa.evidence.measured_tdvf import SectionType, TdFirmware, TdvfSection

__all__ = ["td_hob_digest"]

#: Header (type, length, reserved), version, boot mode, four addresses that are zero, the list's end.
_HANDOFF = struct.Struct("<HHIII32xQ")
#: Header, owner (zero), type of memory, attributes, start, length.
_RESOURCE = struct.Struct("<HHI16xIIQQ")
_END_BYTES = 8
_TYPE_HANDOFF, _TYPE_RESOURCE = 1, 3
_VERSION = 9
#: EFI_RESOURCE_SYSTEM_MEMORY and EFI_RESOURCE_MEMORY_UNACCEPTED; present, initialised and tested.
_SYSTEM_MEMORY, _UNACCEPTED, _ATTRIBUTES = 0, 7, 7

_MIB = 1 << 20
#: QEMU's q35 keeps 2 GiB below 4 GiB, or all if it is less than 2.75 GiB [QEMU pc_q35_init].
_LOW_LIMIT, _LOW_ABOVE_LIMIT, _HIGH_START = 0xB000_0000, 0x8000_0000, 1 << 32
MAX_MEMORY_MIB = 1 << 26


def td_hob_digest(firmware: TdFirmware, memory_mib: int) -> bytes:
    """SHA-384, 48 bytes, of the hand-off block that QEMU's ``q35`` writes for ``memory_mib`` MiB of memory.

    Memory in one node and nothing hot-plugged; other machine monitors write other lists.

    Raises:
        UsageError: no such size.
        FormatError: the firmware has not exactly one section for the block, or sections outside memory.
    """
    if not 1 <= memory_mib <= MAX_MEMORY_MIB:
        raise UsageError(f"memory: expected 1 to {MAX_MEMORY_MIB} MiB, came {memory_mib}", detail="memory")
    hobs = firmware.of(SectionType.TD_HOB)
    if len(hobs) != 1:
        raise _error("sections", f"expected one for the hand-off block, came {len(hobs)}")
    accepted = sorted((*hobs, *firmware.of(SectionType.TEMP_MEM)), key=lambda section: section.address)
    resources = b"".join(
        _RESOURCE.pack(
            _TYPE_RESOURCE, _RESOURCE.size, 0, kind, _ATTRIBUTES, start, end - start,
        )
        for kind, start, end in _ranges(memory_mib * _MIB, accepted)
    )  # fmt: skip
    end = hobs[0].address + _HANDOFF.size + len(resources) + _END_BYTES
    if end > hobs[0].end:
        raise _error("sections", "the hand-off block does not fit into its section")
    handoff = _HANDOFF.pack(_TYPE_HANDOFF, _HANDOFF.size, 0, _VERSION, 0, end)
    return hashlib.sha384(handoff + resources).digest()


def _ranges(memory: int, accepted: Iterable[TdvfSection]) -> Iterator[tuple[int, int, int]]:
    """Kind, start and end of each range, by address; adjacent ones stay apart, as QEMU leaves them."""
    low = memory if memory < _LOW_LIMIT else _LOW_ABOVE_LIMIT
    at = 0
    for section in accepted:
        if section.address < at or section.end > low:
            raise _error("sections", f"{section.size} bytes at {section.address:#x}: overlap, or no memory")
        if section.address > at:
            yield _UNACCEPTED, at, section.address
        if section.size:
            yield _SYSTEM_MEMORY, section.address, section.end
        at = section.end
    if at < low:
        yield _UNACCEPTED, at, low
    if memory > low:
        yield _UNACCEPTED, _HIGH_START, _HIGH_START + memory - low


def _error(field: str, message: str) -> FormatError:
    return FormatError(message, what="TDX firmware", field=field, spec="[QEMU tdvf_hob_create]")
