"""Enclave files of the SGX SDK with pages: loadable segments, patches and a layout in the metadata."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from eaa.evidence.sigstruct import Sigstruct

__all__ = ["LAYOUT", "METADATA_DATA_AT", "PATCH_AT", "Load", "entry", "group", "sdk_enclave", "sdk_metadata"]

SIZE = 0x40000
METADATA_DATA_AT = 64 + 1808 + 16
#: Of the file's text, which a patch replaces.
PATCH_AT = 0x1008
_HEADER = struct.Struct("<IIQQQQQQ")
TCS = struct.pack("<16xQ8xQ8xQQ8x", 0x2000, 0x30, 0x1000, 0x1000).ljust(72, b"\xff")
#: (address, offset in the file, bytes in the file, bytes in memory, flags of ELF: X 1, W 2, R 4)
Load = tuple[int, int, int, int, int]
LOADS: tuple[Load, ...] = ((0, 0, 0x1100, 0x1100, 5), (0x3010, 0x1010, 0x20, 0x2000, 6))


def entry(
    kind: int, attributes: int, pages: int, at: int, *, size: int = 0, content: int = 0, flags: int = 0x203
) -> bytes:
    return struct.pack("<HHIQIIQ", kind, attributes, pages, at, size, content, flags)


def group(entries: int, times: int, step: int) -> bytes:
    return struct.pack("<HHIQ16x", 1 << 12 | 9, entries, times, step)


#: Heap that is not measured, and twice: a stack, a guard page, a TCS, and data of the metadata.
LAYOUT = (
    entry(1, 1, 2, 0x6000),
    entry(8, 3, 1, 0x8000, size=0xCCCCCCCC),
    entry(10, 0, 16, 0x9000, flags=0),
    entry(4, 3, 1, 0x19000, size=len(TCS), content=METADATA_DATA_AT, flags=0x100),
    entry(5, 3, 2, 0x1A000, size=8, content=METADATA_DATA_AT),
    group(4, 1, 0x14000),
)


def sdk_metadata(
    sigstruct: Sigstruct,
    *,
    version: int = 0x0000000200000004,
    layout: Sequence[bytes] = LAYOUT,
    patches: Sequence[bytes] | None = None,
    size: int = SIZE,
) -> bytes:
    """The SDK's metadata, whole: its data are a TCS, four bytes for a patch, the patches and the layout."""
    patch_at = METADATA_DATA_AT + len(TCS)
    if patches is None:
        patches = (struct.pack("<QII16x", PATCH_AT, patch_at, 4),)
    patches_at = patch_at + 4
    layout_at = patches_at + 32 * len(patches)
    total = layout_at + 32 * len(layout)
    head = struct.pack("<QQIIIIIIQ16x", 0x86A80294635D0E4C, version, total, 1, 1, 2632, 0, 1, size)
    directories = struct.pack("<IIII", patches_at, 32 * len(patches), layout_at, 32 * len(layout))
    return head + sigstruct.raw + directories + TCS + b"PTCH" + b"".join(patches) + b"".join(layout)


def sdk_enclave(*metadata: bytes, loads: Sequence[Load] = LOADS, dynamic: bytes = bytes(16)) -> bytes:
    """An ELF file of two pages of text and data, with a note that has ``metadata``."""
    names = b"\x00.note.sgxmeta\x00.shstrtab\x00"
    block = b"".join(metadata) + bytes(16)
    note = struct.pack("<III", 13, len(block), 1) + b"sgx_metadata\x00" + block
    note_at = 0x2000
    names_at, dynamic_at = note_at + len(note), note_at + len(note) + len(names)
    headers_at = dynamic_at + len(dynamic)
    programs = [
        _HEADER.pack(1, flags, off, at, at, size, memory, 4096) for at, off, size, memory, flags in loads
    ]
    programs.append(_HEADER.pack(2, 6, dynamic_at, 0, 0, len(dynamic), len(dynamic), 8))
    programs.append(_HEADER.pack(7, 4, 0xFFFFFFFF, 0, 0, 0, 0, 8))  # of no kind that is read
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, headers_at, 0, 64, 56, len(programs), 64, 3, 2
    )
    text = (header + b"".join(programs)).ljust(0x1000, b"\x90") + bytes(range(256)) * 16
    sections = (
        bytes(64),
        struct.pack("<IIQQQQIIQQ", 1, 7, 0, 0, note_at, len(note), 0, 0, 4, 0),
        struct.pack("<IIQQQQIIQQ", 15, 3, 0, 0, names_at, len(names), 0, 0, 1, 0),
    )
    return text + note + names + dynamic + b"".join(sections)
