from __future__ import annotations

import hashlib
import struct

import pytest

from eaa.errors import FormatError
from eaa.evidence.enclave_image import MAX_MAPPING_BYTES, is_sgxs, parse_sgxs, parse_skeleton
from eaa.evidence.enclave_measurement import ALL_CHUNKS, Page, measure_enclave

TCS = bytes(16) + struct.pack("<Q8xQ", 0, 0x1000) + bytes(4056)
CODE = b"\x90" * 100


def skeleton(mapping: int = 0, guarded: int = 0, least: int = 0, code: bytes = CODE) -> bytes:
    return TCS + code + struct.pack("<QBQ", mapping, guarded, least)


def pages_of(data: bytes, ssa: int = 1) -> tuple[int, list[Page]]:
    image = parse_skeleton(data, ssa)
    return image.size, list(image.pages)


# ── encl.bin ──


def test_the_skeletons_layout() -> None:
    """A TCS, the file's pages, and the SSA frame behind them; all but the first have all permissions."""
    size, pages = pages_of(skeleton(), ssa=2)
    assert size == 0x4000
    assert [(page.offset, page.flags, page.measured) for page in pages] == [
        (0, 0x100, ALL_CHUNKS), (0x1000, 0x207, ALL_CHUNKS), (0x2000, 0x207, ALL_CHUNKS),
        (0x3000, 0x207, ALL_CHUNKS),
    ]  # fmt: skip
    assert struct.unpack_from("<Q8xQ", pages[0].data, 16) == (0x2000, 0x1000)
    assert pages[1].data == (CODE + bytes(17)).ljust(4096, b"\x00")
    assert pages[2].data == pages[3].data == bytes(4096)


def test_the_skeletons_measurement_by_hand() -> None:
    records = b"ECREATE\x00" + struct.pack("<IQ", 1, 0x4000) + bytes(44)
    tcs = bytearray(TCS)
    tcs[16:24] = (0x2000).to_bytes(8, "little")
    contents = (bytes(tcs), (CODE + bytes(17)).ljust(4096, b"\x00"), bytes(4096))
    for number, content in enumerate(contents):
        flags = 0x207 if number else 0x100
        records += b"EADD\x00\x00\x00\x00" + struct.pack("<QQ", number * 4096, flags) + bytes(40)
        for start in range(0, 4096, 256):
            records += b"EEXTEND\x00" + struct.pack("<Q", number * 4096 + start) + bytes(48)
            records += content[start : start + 256]
    assert measure_enclave(parse_skeleton(skeleton(), 1)) == hashlib.sha256(records).digest()


@pytest.mark.parametrize(
    ("mapping", "guarded", "least", "size", "first", "last"),
    [
        (0x8000, 0, 0x1000, 0x8000, 0, 0x7000),
        (0x7001, 0, 0, 0x8000, 0, 0x7000),
        (0, 1, 0x10000, 0x20000, 0x10000, 0x12000),
        (0, 1, 0, 0x2000000, 0x1000000, 0x1002000),
    ],
)
def test_what_the_trailer_says(
    mapping: int, guarded: int, least: int, size: int, first: int, last: int
) -> None:
    came, pages = pages_of(skeleton(mapping, guarded, least))
    assert (came, pages[0].offset, pages[-1].offset) == (size, first, last)
    ssa, entry = struct.unpack_from("<Q8xQ", pages[0].data, 16)
    assert (ssa, entry) == (first + 0x2000, first + 0x1000)


def test_an_entry_at_the_end_of_the_address_space_wraps() -> None:
    data = bytearray(skeleton(guarded=1, least=0x10000))
    data[32:40] = b"\xff" * 8
    assert struct.unpack_from("<Q", pages_of(bytes(data))[1][0].data, 32) == (0xFFFF,)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "length"),
        (TCS + bytes(16), "length"),
        (skeleton(guarded=2), "null_dereference_protection"),
        (skeleton(mapping=0x1000), "max_mmap_size"),
        (skeleton(mapping=MAX_MAPPING_BYTES + 1), "max_mmap_size"),
        (skeleton(mapping=(1 << 64) - 1), "max_mmap_size"),
        (skeleton(guarded=1, least=1), "mmap_min_addr"),
        (skeleton(guarded=1, least=1 << 40), "mmap_min_addr"),
    ],
)
def test_a_skeleton_that_is_none(data: bytes, field: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_skeleton(data, 1)
    assert caught.value.field == field


def test_an_ssa_frame_that_is_too_large() -> None:
    with pytest.raises(FormatError, match="max_mmap_size"):
        parse_skeleton(skeleton(), 1 << 20)


# ── SGXS ──


def create(size: int = 0x4000, ssa: int = 1) -> bytes:
    return b"ECREATE\x00" + struct.pack("<IQ44x", ssa, size)


def add(offset: int, flags: int = 0x203) -> bytes:
    return b"EADD\x00\x00\x00\x00" + struct.pack("<QQ40x", offset, flags)


def chunk(offset: int, content: bytes = b"\x01" * 256, tag: bytes = b"EEXTEND\x00") -> bytes:
    return tag + struct.pack("<Q48x", offset) + content


def test_a_stream_of_measured_records_is_what_is_hashed() -> None:
    """The format's definition: its SHA-256 is MRENCLAVE if all chunks are measured."""
    stream = (
        create() + add(0, 0x100) + b"".join(chunk(n * 256) for n in range(16)) + add(0x1000) + chunk(0x1100)
    )
    assert is_sgxs(stream)
    assert measure_enclave(parse_sgxs(stream)) == hashlib.sha256(stream).digest()


def test_chunks_that_are_loaded_and_not_measured() -> None:
    measured = create() + add(0) + chunk(256)
    stream = create() + add(0) + chunk(0, tag=b"UNMEASRD") + chunk(256) + chunk(512, tag=b"UNMEASRD")
    image = parse_sgxs(stream)
    assert measure_enclave(image) == hashlib.sha256(measured).digest()
    (page,) = image.pages
    assert (page.data, page.measured) == (b"\x01" * 768 + bytes(3328), 0b10)


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"UNSIZED\x00" + create()[8:],
        create()[:-1] + b"\x01",
        create() + b"ECREATE",
        create() + create(),
        create() + chunk(0),
        create() + add(0)[:-1] + b"\x01",
        create() + add(0) + chunk(1),
        create() + add(0x1000) + chunk(0),
        create() + add(0) + chunk(0x1000),
        create() + add(0) + chunk(256) + chunk(0),
        create() + add(0) + chunk(0) + chunk(0),
        create() + add(0) + chunk(0)[:63] + b"\x01" + bytes(256),
        create() + add(0) + chunk(0)[:-1],
        create() + add(0) + b"SOMETHNG",
    ],
)
def test_a_stream_that_is_none(stream: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        parse_sgxs(stream)
    assert caught.value.what == "SGXS"
