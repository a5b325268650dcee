"""TDX firmware, MRTD and the hand-off block, of images that are built here field by field."""

from __future__ import annotations

import hashlib
import struct
import uuid

import pytest

from eaa.errors import FormatError, UsageError
from eaa.evidence import measured_tdvf
from eaa.evidence.measured_td_build import PageOrder, measure_td
from eaa.evidence.measured_td_hob import td_hob_digest
from eaa.evidence.measured_tdvf import SectionType, TdFirmware, TdvfSection, parse_td_firmware

FOOTER = uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d").bytes_le
METADATA = uuid.UUID("e47a6535-984a-4798-865e-4685a7bf8ec2").bytes_le
OTHER = uuid.UUID("dc886566-984a-4798-a75e-5585a7bf67cc").bytes_le
CODE, STORE = bytes(range(256)) * 32, b"store".ljust(4096, b"\xff")
#: data offset, data size, memory address, memory size, type, attributes
BFV = (0x1000, 0x2000, 0xFFFFD000, 0x2000, 0, 1)
CFV = (0, 0x1000, 0xFFFFC000, 0x1000, 1, 0)
STACK = (0, 0, 0x810000, 0x1000, 3, 0)
HOB = (0, 0, 0x809000, 0x2000, 2, 0)
Fields = tuple[int, int, int, int, int, int]


def descriptor(
    *sections: Fields, signature: bytes = b"TDVF", version: int = 1, extra: int = 0, count: int | None = None
) -> bytes:
    packed = b"".join(struct.pack("<IIQQII", *section) for section in sections)
    number = len(sections) if count is None else count
    return signature + struct.pack("<III", 16 + len(packed) + extra, version, number) + packed


def entry(guid: bytes, data: bytes) -> bytes:
    return data + struct.pack("<H", len(data) + 18) + guid


def firmware(
    *sections: Fields, metadata: bytes | None = None, offset: int | None = None, entries: bytes | None = None,
    footer: bytes = FOOTER, table_bytes: int | None = None,
) -> bytes:  # fmt: skip
    """Store, code, descriptor, table, and the 32 bytes after it."""
    described = descriptor(*sections) if metadata is None else metadata
    after = 32 + 18 + 22 + 20
    at = after + len(described) if offset is None else offset
    if entries is None:
        entries = entry(METADATA, struct.pack("<I", at)) + entry(OTHER, b"xx")
    length = len(entries) + 18 if table_bytes is None else table_bytes
    return STORE + CODE + described + entries + struct.pack("<H", length) + footer + bytes(32)


GOOD = firmware(BFV, CFV, STACK, HOB)


def record(name: bytes, address: int) -> bytes:
    return name.ljust(16, b"\0") + address.to_bytes(8, "little") + bytes(104)


def test_sections_in_their_order() -> None:
    sections = parse_td_firmware(GOOD).sections
    assert sections == (
        TdvfSection(SectionType.BFV, 0xFFFFD000, 0x2000, CODE, True, True),
        TdvfSection(SectionType.CFV, 0xFFFFC000, 0x1000, STORE, False, True),
        TdvfSection(SectionType.TEMP_MEM, 0x810000, 0x1000, b"", False, True),
        TdvfSection(SectionType.TD_HOB, 0x809000, 0x2000, b"", False, True),
    )
    assert sections[0].end == 0xFFFFF000


def refused(data: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse_td_firmware(data)
    return caught.value


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "length"),
        (GOOD[-49:], "length"),
        (firmware(BFV, footer=METADATA), "table.footer"),
        (firmware(BFV, CFV, table_bytes=17), "table.length"),
        (firmware(BFV, CFV, table_bytes=0xFFFF), "table.length"),
        (firmware(BFV, CFV, entries=struct.pack("<H", 17) + METADATA), "table.entry"),
        (firmware(BFV, CFV, entries=struct.pack("<H", 19) + METADATA), "table.entry"),
        (firmware(BFV, CFV, entries=entry(OTHER, b"")), "table"),
        (firmware(BFV, CFV, entries=b""), "table"),
        (firmware(BFV, CFV, entries=entry(METADATA, b"abc")), "table.tdx_metadata_offset"),
        (firmware(BFV, CFV, offset=15), "table.tdx_metadata_offset"),
        (firmware(BFV, CFV, offset=1 << 20), "table.tdx_metadata_offset"),
        (firmware(metadata=descriptor(BFV, CFV, signature=b"TDVX")), "descriptor.signature"),
        (firmware(metadata=descriptor(BFV, CFV, version=2)), "descriptor.version"),
        (firmware(BFV), "descriptor.length"),
        (firmware(*[STACK] * 65), "descriptor.length"),
        (firmware(metadata=descriptor(BFV, CFV, extra=1)), "descriptor.length"),
        (firmware(CFV, STACK), "sections"),
        (firmware((*BFV[:5], 0), CFV), "sections"),
        (firmware(BFV, (*CFV[:5], 4)), "sections[1].attributes"),
        (firmware(BFV, (*CFV[:4], 5, 0)), "sections[1].type"),
        (firmware(BFV, (0, 0x1000, 0xFFFFC001, 0x1000, 1, 0)), "sections[1].memory"),
        (firmware(BFV, (0, 0x1000, 0xFFFFC000, 0x1800, 1, 0)), "sections[1].memory"),
        (firmware(BFV, (0, 0x1001, 0xFFFFC000, 0x1000, 1, 0)), "sections[1].memory"),
        (firmware(BFV, (0, 0, 0, 0x4001000, 3, 0)), "sections[1].memory"),
        (firmware(BFV, (0, 0, 1 << 52, 0x1000, 3, 0)), "sections[1].data"),
        (firmware(BFV, (0x10000, 0x1000, 0xFFFFC000, 0x1000, 1, 0)), "sections[1].data"),
        (firmware(BFV, (0, 0, 0xFFFFC000, 0x1000, 1, 0)), "sections[1].data_size"),
        (firmware(BFV, (0, 1, 0x810000, 0x1000, 3, 0)), "sections[1].data_size"),
        (firmware(BFV, (0, 0xFFF, 0xFFFFC000, 0x1000, 1, 1)), "sections[1].memory_size"),
        (firmware(BFV, (0, 0, 0x810000, 0x1000, 3, 1)), "sections[1].memory_size"),
    ],
)
def test_what_is_no_firmware_for_tdx(data: bytes, field: str) -> None:
    assert refused(data).fields["field"] == field


def test_firmware_without_tdx_is_told_apart() -> None:
    assert refused(firmware(BFV, CFV, entries=entry(OTHER, b""))).code == "format.not_tdx_firmware"
    assert refused(firmware(BFV, CFV, footer=METADATA)).code == "format.not_tdx_firmware"


def test_no_larger_image_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured_tdvf, "MAX_FIRMWARE_BYTES", len(GOOD) - 1)
    assert refused(GOOD).fields["field"] == "length"


def test_a_descriptor_ends_inside_the_image() -> None:
    data = firmware(metadata=b"TDVF" + struct.pack("<III", 16 + 64 * 32, 1, 64))
    assert refused(data).fields["field"] == "descriptor.length"


def test_each_page_is_added_and_measured_before_the_next() -> None:
    expected = b""
    for page in (0xFFFFD000, 0xFFFFE000):
        expected += record(b"MEM.PAGE.ADD", page)
        for chunk in range(16):
            start = page - 0xFFFFD000 + chunk * 256
            expected += record(b"MR.EXTEND", page + chunk * 256) + CODE[start : start + 256]
    for page in (0xFFFFC000, 0x810000, 0x809000, 0x80A000):
        expected += record(b"MEM.PAGE.ADD", page)
    came = measure_td(parse_td_firmware(GOOD), PageOrder.EACH_PAGE)
    assert came == hashlib.sha384(expected).digest()


def test_or_all_pages_of_a_section_are_added_first() -> None:
    expected = record(b"MEM.PAGE.ADD", 0xFFFFD000) + record(b"MEM.PAGE.ADD", 0xFFFFE000)
    for start in range(0, 0x2000, 256):
        expected += record(b"MR.EXTEND", 0xFFFFD000 + start) + CODE[start : start + 256]
    for page in (0xFFFFC000, 0x810000, 0x809000, 0x80A000):
        expected += record(b"MEM.PAGE.ADD", page)
    came = measure_td(parse_td_firmware(GOOD), PageOrder.EACH_SECTION)
    assert came == hashlib.sha384(expected).digest()


def test_pages_that_are_added_later_are_not_measured() -> None:
    late = (0, 0, 0x900000, 0x1000, 4, 2)
    with_late = parse_td_firmware(firmware(BFV, CFV, STACK, HOB, late))
    assert not with_late.sections[-1].added
    for order in PageOrder:
        assert measure_td(with_late, order) == measure_td(parse_td_firmware(GOOD), order)


def test_every_byte_of_the_code_and_every_address_is_measured() -> None:
    good = measure_td(parse_td_firmware(GOOD), PageOrder.EACH_PAGE)
    changed = bytearray(GOOD)
    changed[0x2FFF] ^= 1
    moved = firmware(BFV, CFV, (*STACK[:2], 0x811000, *STACK[3:]), HOB)
    store = bytearray(GOOD)
    store[0] ^= 1
    assert measure_td(parse_td_firmware(bytes(changed)), PageOrder.EACH_PAGE) != good
    assert measure_td(parse_td_firmware(moved), PageOrder.EACH_PAGE) != good
    assert measure_td(parse_td_firmware(bytes(store)), PageOrder.EACH_PAGE) == good


# -- the hand-off block --------------------------------------------------------------------------------


def sections(*items: tuple[SectionType, int, int]) -> TdFirmware:
    return TdFirmware(tuple(TdvfSection(kind, at, size, b"", False, True) for kind, at, size in items))


def hob(*ranges: tuple[int, int, int], at: int = 0x9000) -> bytes:
    """SHA-384 of the block with ``ranges`` of type, start and length."""
    listed = b"".join(
        bytes.fromhex("0300300000000000") + bytes(16) + struct.pack("<IIQQ", kind, 7, start, length)
        for kind, start, length in ranges
    )
    end = at + 56 + len(listed) + 8
    head = bytes.fromhex("0100380000000000 09000000 00000000") + bytes(32) + end.to_bytes(8, "little")
    return hashlib.sha384(head + listed).digest()


BLOCK = (SectionType.TD_HOB, 0x9000, 0x1000)


def test_ranges_are_by_address_and_adjacent_ones_stay_apart() -> None:
    found = td_hob_digest(sections((SectionType.TEMP_MEM, 0xA000, 0x1000), BLOCK), 1)
    assert found == hob((7, 0, 0x9000), (0, 0x9000, 0x1000), (0, 0xA000, 0x1000), (7, 0xB000, 0xF5000))


def test_memory_that_begins_and_ends_with_a_section_and_an_empty_section() -> None:
    whole = sections(
        (SectionType.TD_HOB, 0, 0x1000),
        (SectionType.TEMP_MEM, 0x1000, 0),
        (SectionType.TEMP_MEM, 0x1000, 0xFF000),
    )
    assert td_hob_digest(whole, 1) == hob((0, 0, 0x1000), (0, 0x1000, 0xFF000), at=0)


def test_memory_above_four_gibibytes() -> None:
    low = ((7, 0, 0x9000), (0, 0x9000, 0x1000))
    assert td_hob_digest(sections(BLOCK), 2815) == hob(*low, (7, 0xA000, 0xAFF00000 - 0xA000))
    assert td_hob_digest(sections(BLOCK), 2816) == hob(
        *low, (7, 0xA000, 0x7FFF6000), (7, 1 << 32, 0x30000000)
    )


@pytest.mark.parametrize(
    "broken",
    [
        sections(),
        sections(BLOCK, (SectionType.TD_HOB, 0xB000, 0x1000)),
        sections(BLOCK, (SectionType.TEMP_MEM, 0x9000, 0x1000)),
        sections(BLOCK, (SectionType.TEMP_MEM, 0x100000, 0x1000)),
        sections((SectionType.TD_HOB, 0x9000, 0)),
    ],
)
def test_a_block_that_cannot_be_written(broken: TdFirmware) -> None:
    with pytest.raises(FormatError) as caught:
        td_hob_digest(broken, 1)
    assert caught.value.fields["field"] == "sections"


@pytest.mark.parametrize("memory_mib", [0, (1 << 26) + 1])
def test_no_such_memory(memory_mib: int) -> None:
    with pytest.raises(UsageError) as caught:
        td_hob_digest(sections(BLOCK), memory_mib)
    assert caught.value.code == "usage.memory"
