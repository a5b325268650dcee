"""TDX virtual firmware: which parts of the image are loaded where, and which are measured [TDVF Metadata].

OVMF keeps a table of blocks that GUIDs name, which ends 32 bytes before the end of the image and is read
from its end to its start. One block says how far before the image's end the descriptor lies::

    "TDVF" ‖ length (4) ‖ version, 1 (4) ‖ number of sections (4)
    then each section: data offset (4) ‖ data size (4) ‖ memory address (8) ‖ memory size (8)
    ‖ type (4) ‖ attributes (4)

Little-endian throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from eaa.codec.reader import Reader
from eaa.errors import FormatError

__all__ = ["PAGE_BYTES", "SectionType", "TdFirmware", "TdvfSection", "parse_td_firmware"]

PAGE_BYTES = 4096
#: Four times the largest build seen. Sections are bounded by it too, so that measuring ends soon.
MAX_FIRMWARE_BYTES = 64 << 20
#: EDK II has nine.
MAX_SECTIONS = 64

#: 96b582de-1fb2-45f7-baea-a366c55a082d and e47a6535-984a-4798-865e-4685a7bf8ec2, as EFI_GUID.
_TABLE_FOOTER = bytes.fromhex("de82b596b21ff745baeaa366c55a082d")
_METADATA_OFFSET = bytes.fromhex("35657ae44a989847865e4685a7bf8ec2")
_AFTER_TABLE = 32
_ENTRY_BYTES = 18
_DESCRIPTOR_BYTES = 16
_SECTION_BYTES = 32
_VERSION = 1
_EXTEND, _AUG = 1, 2
_WHAT = "TDX firmware"
_SPEC = "[TDVF Metadata]"


class SectionType(IntEnum):
    """What a section is for [TDVF Metadata]."""

    #: The boot firmware volume: the code.
    BFV = 0
    #: The configuration firmware volume: the variable store.
    CFV = 1
    #: Where the machine monitor puts the hand-off block, the list of memory.
    TD_HOB = 2
    #: Memory that the firmware's first instructions need: zeros.
    TEMP_MEM = 3
    #: Pages that are added after the start.
    PERM_MEM = 4


@dataclass(frozen=True, slots=True)
class TdvfSection:
    """``data`` is loaded at ``address``, page-aligned; ``size``, whole pages, is no less than its length.

    ``extended`` says that the content is measured, ``added`` that the pages are.
    """

    kind: SectionType
    address: int
    size: int
    data: bytes
    extended: bool
    added: bool

    @property
    def end(self) -> int:
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class TdFirmware:
    """The sections in the order of the descriptor. One at least is code."""

    sections: tuple[TdvfSection, ...]

    def of(self, kind: SectionType) -> tuple[TdvfSection, ...]:
        return tuple(section for section in self.sections if section.kind is kind)


def parse_td_firmware(data: bytes) -> TdFirmware:
    """The sections that the firmware image ``data``, such as ``OVMF.fd``, declares for TDX.

    Nothing is established about who built it.

    Raises:
        FormatError: no OVMF image, one without TDX (``format.not_tdx_firmware``), or malformed: what
            QEMU refuses is refused.
    """
    least = _AFTER_TABLE + _ENTRY_BYTES
    if not least <= len(data) <= MAX_FIRMWARE_BYTES:
        raise _error("length", f"expected {least} to {MAX_FIRMWARE_BYTES} bytes, came {len(data)}", 0)
    at = _descriptor(data)
    reader = Reader(data[at:], _WHAT, _SPEC, base=at)
    if reader.take(4, "descriptor.signature") != b"TDVF":
        raise _error("descriptor.signature", "expected TDVF", at)
    length, version = reader.u32("descriptor.length"), reader.u32("descriptor.version")
    if version != _VERSION:
        raise _error("descriptor.version", f"expected {_VERSION}, came {version}", at + 8)
    count = reader.u32("descriptor.number_of_sections")
    whole = length == _DESCRIPTOR_BYTES + count * _SECTION_BYTES and at + length <= len(data)
    if not 2 <= count <= MAX_SECTIONS or not whole:
        raise _error("descriptor.length", f"{length} bytes for {count} sections", at + 4)
    sections = tuple(_section(reader, data, number) for number in range(count))
    if not any(section.kind is SectionType.BFV and section.extended for section in sections):
        raise _error("sections", "none is measured code", at)
    return TdFirmware(sections)


def _descriptor(data: bytes) -> int:
    """Where the descriptor lies: the table is walked from its end."""
    end = len(data) - _AFTER_TABLE
    if data[end - 16 : end] != _TABLE_FOOTER:
        raise _error("table.footer", "not OVMF's table of GUIDs", end - 16, "not_tdx_firmware")
    length = int.from_bytes(data[end - 18 : end - 16], "little")
    start = end - length
    if length < _ENTRY_BYTES or start < 0:
        raise _error("table.length", f"{length} bytes", end - 18)
    at = end - _ENTRY_BYTES
    while at > start:
        size = int.from_bytes(data[at - 18 : at - 16], "little")
        if size < _ENTRY_BYTES or at - size < start:
            raise _error("table.entry", f"{size} bytes", at - 18)
        if data[at - 16 : at] == _METADATA_OFFSET:
            return _located(data, at - size, size)
        at -= size
    raise _error("table", "no entry for TDX: is it built with TDX?", start, "not_tdx_firmware")


def _located(data: bytes, at: int, size: int) -> int:
    offset = int.from_bytes(data[at : at + 4], "little")
    if size < _ENTRY_BYTES + 4 or not _DESCRIPTOR_BYTES <= offset <= len(data):
        raise _error("table.tdx_metadata_offset", f"{offset} bytes before the end", at)
    return len(data) - offset


def _section(reader: Reader, image: bytes, number: int) -> TdvfSection:
    field, at = f"sections[{number}]", reader.offset
    offset, length = reader.u32(f"{field}.data_offset"), reader.u32(f"{field}.data_size")
    address, size = reader.u64(f"{field}.memory_address"), reader.u64(f"{field}.memory_size")
    kind, attributes = _kind(reader.u32(f"{field}.type"), field, at), reader.u32(f"{field}.attributes")
    if attributes & ~(_EXTEND | _AUG):
        raise _error(f"{field}.attributes", f"unknown: {attributes:#x}", at + 28)
    if address % PAGE_BYTES or size % PAGE_BYTES or not length <= size <= MAX_FIRMWARE_BYTES:
        raise _error(f"{field}.memory", f"{length} bytes in {size} at {address:#x}", at + 4)
    if address + size > 1 << 52 or offset + length > len(image):
        message = f"{length} bytes at {offset}, of {len(image)}: is it code without its variable store?"
        raise _error(f"{field}.data", message, at)
    if (length == 0) == (kind in (SectionType.BFV, SectionType.CFV)):
        raise _error(f"{field}.data_size", f"{length} bytes in a section of {kind.name}", at + 4)
    extended = bool(attributes & _EXTEND)
    if extended and length != size:
        raise _error(f"{field}.memory_size", f"{size} bytes are measured, {length} are there", at + 16)
    return TdvfSection(kind, address, size, image[offset : offset + length], extended, not attributes & _AUG)


def _kind(value: int, field: str, at: int) -> SectionType:
    try:
        return SectionType(value)
    except ValueError:
        raise _error(f"{field}.type", f"unknown: {value}", at + 24) from None


def _error(field: str, message: str, offset: int, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, offset=offset, spec=_SPEC, detail=detail)
