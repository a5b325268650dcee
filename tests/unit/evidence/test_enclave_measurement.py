"""MRENCLAVE, recomputed here from records written by hand."""

from __future__ import annotations

import hashlib

import pytest

from eaa.errors import FormatError
from eaa.evidence.enclave_measurement import ALL_CHUNKS, EnclaveImage, Page, measure_enclave

DATA = bytes(range(256)) * 16


def measured(*pages: Page, size: int = 0x4000, ssa: int = 1) -> bytes:
    return measure_enclave(EnclaveImage(size, ssa, pages))


def test_a_small_enclave_by_hand() -> None:
    """A TCS of which all is measured, and a page of which only the second chunk is."""
    records = bytes.fromhex(
        "4543524541544500" "02000000" "0040000000000000" + "00" * 44  # ECREATE, SSA frame, size
        + "4541444400000000" "0000000000000000" "0001000000000000" + "00" * 40  # EADD, offset, TCS
    )  # fmt: skip
    for chunk in range(16):
        records += b"EEXTEND\x00" + (chunk * 256).to_bytes(8, "little") + bytes(48)
        records += DATA[chunk * 256 : (chunk + 1) * 256]
    records += bytes.fromhex("454144440000000000300000000000000302000000000000" + "00" * 40)
    records += bytes.fromhex("45455854454e44000031000000000000" + "00" * 48) + b"\x55" * 256
    assert len(records) == 64 + 64 + 16 * 320 + 64 + 320
    second = Page(0x3000, 0x203, bytes(256) + b"\x55" * 256 + bytes(3584), measured=0b10)
    assert measured(Page(0, 0x100, DATA), second, ssa=2) == hashlib.sha256(records).digest()


def test_an_enclave_without_pages_is_its_creation() -> None:
    wanted = hashlib.sha256(b"ECREATE\x00\x01\x00\x00\x00\x00\x20" + bytes(50)).digest()
    assert measured(size=0x2000) == wanted


def test_each_input_is_measured() -> None:
    page = Page(0x1000, 0x205, DATA)
    values = [
        measured(page),
        measured(page, size=0x8000),
        measured(page, ssa=2),
        measured(Page(0x2000, 0x205, DATA)),
        measured(Page(0x1000, 0x207, DATA)),
        measured(Page(0x1000, 0x205, DATA[:-1] + b"\x00")),
        measured(Page(0x1000, 0x205, DATA, measured=ALL_CHUNKS >> 1)),
        measured(page, Page(0x2000, 0x205, DATA)),
        measured(Page(0x2000, 0x205, DATA), page),
    ]
    assert len(set(values)) == len(values)


def test_content_that_is_not_extended_is_not_measured() -> None:
    assert measured(Page(0, 0x203, DATA, measured=0)) == measured(Page(0, 0x203, bytes(4096), measured=0))


@pytest.mark.parametrize("size", [0, 1, 0x1000, 0x3000, 0x4001, 1 << 64])
def test_a_size_that_the_processor_refuses(size: int) -> None:
    with pytest.raises(FormatError, match="size"):
        measured(size=size)


@pytest.mark.parametrize("ssa", [0, -1, 1 << 32])
def test_an_ssa_frame_size_that_does_not_fit(ssa: int) -> None:
    with pytest.raises(FormatError, match="ssa_frame_pages"):
        measured(ssa=ssa)


@pytest.mark.parametrize("offset", [-4096, 1, 0x1800, 0x4000])
def test_a_page_outside_or_between(offset: int) -> None:
    with pytest.raises(FormatError, match="not inside or not aligned"):
        measured(Page(offset, 0x203, DATA))


@pytest.mark.parametrize("data", [b"", DATA[:-1], DATA + b"\x00"])
def test_a_page_of_another_length(data: bytes) -> None:
    with pytest.raises(FormatError, match="expected 4096 bytes"):
        measured(Page(0, 0x203, data))


@pytest.mark.parametrize("chunks", [-1, ALL_CHUNKS + 1])
def test_chunks_that_a_page_does_not_have(chunks: int) -> None:
    with pytest.raises(FormatError, match="no chunks"):
        measured(Page(0, 0x203, DATA, measured=chunks))


@pytest.mark.parametrize("flags", [0, 0x101, 0x107, 0x202, 0x206, 0x208, 0x300, 0x1203, -1])
def test_flags_that_eadd_refuses(flags: int) -> None:
    with pytest.raises(FormatError, match="EADD refuses"):
        measured(Page(0, flags, DATA))


@pytest.mark.parametrize("flags", [0x100, 0x200, 0x201, 0x203, 0x204, 0x205, 0x207])
def test_flags_that_eadd_takes(flags: int) -> None:
    assert len(measured(Page(0, flags, DATA))) == 32


def test_a_page_that_is_added_twice() -> None:
    with pytest.raises(FormatError, match="added twice"):
        measured(Page(0, 0x203, DATA), Page(0x1000, 0x203, DATA), Page(0, 0x203, DATA))
