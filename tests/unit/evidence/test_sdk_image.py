"""MRENCLAVE of an enclave file of the SGX SDK: against records written here, and what is refused."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import Any

import pytest

from eaa.errors import EAAError, FormatError, UnsupportedError
from eaa.evidence import sdk_image
from eaa.evidence.elf_segments import Segment, read_segments
from eaa.evidence.sdk_image import measure_sdk_enclave
from eaa.evidence.signed_enclave import parse_signed_enclave
from tests.fakes.enclave_signer import signed_sigstruct
from tests.fakes.sdk_enclave import (
    LAYOUT,
    METADATA_DATA_AT,
    PATCH_AT,
    SIZE,
    TCS,
    Load,
    entry,
    group,
    sdk_enclave,
    sdk_metadata,
)

SIGSTRUCT = signed_sigstruct()
WHOLE = sdk_enclave(sdk_metadata(SIGSTRUCT))


def measured(data: bytes) -> bytes:
    (enclave,) = parse_signed_enclave(data)
    return measure_sdk_enclave(data, enclave)


class Records:
    """What the processor hashes, record by record."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256(b"ECREATE\0" + struct.pack("<IQ44x", 1, SIZE))

    def page(self, at: int, flags: int, content: bytes | None) -> None:
        self.hash.update(b"EADD\0\0\0\0" + struct.pack("<QQ40x", at, flags))
        for start in range(0, 4096 if content is not None else 0, 256):
            assert content is not None
            self.hash.update(b"EEXTEND\0" + struct.pack("<Q48x", at + start))
            self.hash.update(content.ljust(4096, b"\0")[start : start + 256])


def test_segments_then_layout_as_the_loader_builds_them() -> None:
    data = sdk_enclave(sdk_metadata(SIGSTRUCT))
    patched = data[:PATCH_AT] + b"PTCH" + data[PATCH_AT + 4 :]
    records = Records()
    records.page(0, 0x205, patched[:0x1000])
    records.page(0x1000, 0x205, patched[0x1000:0x1100])
    records.page(0x3000, 0x203, bytes(0x10) + patched[0x1010:0x1030])
    records.page(0x4000, 0x203, b"")
    records.page(0x5000, 0x203, b"")
    records.page(0x6000, 0x203, None)
    records.page(0x7000, 0x203, None)
    for up in (0, 0x14000):
        records.page(0x8000 + up, 0x203, b"\xcc" * 4096)
        at = 0x19000 + up
        tcs = struct.pack("<16xQ8xQ8xQQ8x", 0x2000 + at, 0x30, 0x1000 + at, 0x1000 + at).ljust(72, b"\xff")
        records.page(at, 0x100, tcs)
        records.page(0x1A000 + up, 0x203, TCS[:8])
        records.page(0x1B000 + up, 0x203, b"")
    assert measured(data) == records.hash.digest()


@pytest.mark.parametrize("position", [0x400, 0x100F, 0x1020, 0x10FF])
def test_any_byte_that_is_loaded_counts(position: int) -> None:
    data = bytearray(sdk_enclave(sdk_metadata(SIGSTRUCT)))
    before = measured(bytes(data))
    data[position] ^= 1
    assert measured(bytes(data)) != before


def test_what_a_patch_replaces_does_not_count() -> None:
    data = bytearray(sdk_enclave(sdk_metadata(SIGSTRUCT)))
    before = measured(bytes(data))
    data[PATCH_AT] ^= 1
    assert measured(bytes(data)) == before


def patch(to: int, start: int, size: int) -> tuple[bytes, ...]:
    return (struct.pack("<QII16x", to, start, size),)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"patches": patch(1 << 40, METADATA_DATA_AT, 4)}, "patches"),
        ({"patches": patch(0, METADATA_DATA_AT, 1 << 30)}, "patches"),
        ({"layout": (group(1, 1, 4096),)}, "layout"),
        ({"layout": (LAYOUT[0], group(0, 1, 4096))}, "layout"),
        ({"layout": (LAYOUT[0], group(1, 1, 8192), group(1, 1, 8192))}, "layout"),
        ({"layout": (LAYOUT[2], group(1, 0xFFFFFFFF, 0))}, "layout"),
        ({"layout": (entry(4, 3, 1, 0x8000, size=8, content=1 << 20),)}, "layout"),
        ({"layout": (entry(4, 3, 1, 0x8000, size=4097, content=1, flags=0x100),) * 160}, "layout"),
        ({"layout": (entry(1, 3, 1, SIZE),)}, "page"),
        ({"layout": (entry(1, 3, 0xFFFFFFFF, 0x8000),)}, "page"),
        ({"layout": (entry(1, 3, 1, 0x8001),)}, "page"),
        ({"layout": (entry(1, 3, 1, 0x1000),)}, "page"),
        ({"layout": (entry(1, 3, 1, 0x8000, flags=0),)}, "secinfo"),
        ({"size": SIZE - 4096}, "size"),
    ],
)
def test_what_cannot_be_built(options: dict[str, Any], field: str) -> None:
    with pytest.raises(FormatError) as caught:
        measured(sdk_enclave(sdk_metadata(SIGSTRUCT, **options)))
    assert caught.value.field == field


@pytest.mark.parametrize(("directory", "value"), [(0, 1 << 20), (1, 31), (2, 1 << 20), (3, 31)])
def test_directories_that_lead_nowhere(directory: int, value: int) -> None:
    raw = bytearray(sdk_metadata(SIGSTRUCT))
    struct.pack_into("<I", raw, 64 + 1808 + 4 * directory, value)
    with pytest.raises(FormatError) as caught:
        measured(sdk_enclave(bytes(raw)))
    assert caught.value.field == ("patches" if directory < 2 else "layout")


def test_metadata_without_directories() -> None:
    raw = bytearray(sdk_metadata(SIGSTRUCT)[: 64 + 1808 + 8])
    struct.pack_into("<I", raw, 16, len(raw))
    with pytest.raises(FormatError) as caught:
        measured(sdk_enclave(bytes(raw)))
    assert caught.value.field == "directories"


def test_metadata_that_ends_before_its_size() -> None:
    raw = bytearray(sdk_metadata(SIGSTRUCT))
    struct.pack_into("<I", raw, 16, len(raw) + 64)
    with pytest.raises(FormatError) as caught:
        parse_signed_enclave(sdk_enclave(bytes(raw)))
    assert caught.value.field == "metadata.size"


def test_before_version_1_4() -> None:
    assert unsupported(sdk_enclave(sdk_metadata(SIGSTRUCT, version=0x0000000100000003))).endswith(
        "metadata of version 1.3 is older than 1.4"
    )


def test_relocations_in_code() -> None:
    entries = struct.pack("<qQ", 5, 0) + struct.pack("<qQ", 22, 0)
    assert "relocations" in unsupported(sdk_enclave(sdk_metadata(SIGSTRUCT), dynamic=entries))
    ended = bytes(16) + struct.pack("<qQ", 22, 0)
    measured(sdk_enclave(sdk_metadata(SIGSTRUCT), dynamic=ended))
    measured(sdk_enclave(sdk_metadata(SIGSTRUCT), dynamic=struct.pack("<qQ", 5, 0)))


def test_more_pages_than_are_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk_image, "MAX_PAGES", 4)
    assert "more than 4 pages" in unsupported(sdk_enclave(sdk_metadata(SIGSTRUCT)))


def unsupported(data: bytes) -> str:
    with pytest.raises(UnsupportedError) as caught:
        measured(data)
    assert caught.value.code == "unsupported.enclave_image"
    return str(caught.value)


# ── segments ──


def test_segments() -> None:
    loads: Sequence[Load] = ((0x5000, 0x1000, 0x10, 0x20, 7), (0, 0, 0x1000, 0x1000, 4))
    found, relocated = read_segments(sdk_enclave(sdk_metadata(SIGSTRUCT), loads=loads))
    assert found == (Segment(0x5000, 0x1000, 0x10, 0x20, 7), Segment(0, 0, 0x1000, 0x1000, 1))
    assert not relocated


def test_a_segment_of_zeros_only() -> None:
    data = sdk_enclave(sdk_metadata(SIGSTRUCT, layout=()), loads=((0x1000, 0, 0, 0x1800, 6),))
    records = Records()
    records.page(0x1000, 0x203, b"")
    records.page(0x2000, 0x203, b"")
    assert measured(data) == records.hash.digest()


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"\x7fELF", "header"),
        (sdk_enclave(sdk_metadata(SIGSTRUCT), loads=()), "segment"),
        (sdk_enclave(sdk_metadata(SIGSTRUCT), loads=((0, 1 << 40, 1, 1, 5),)), "segment"),
        (WHOLE[:100], "program_headers"),
        (WHOLE.replace(struct.pack("<HH", 64, 56), struct.pack("<HH", 64, 55), 1), "program_headers"),
    ],
)
def test_segments_that_cannot_be_read(data: bytes, field: str) -> None:
    with pytest.raises(EAAError) as caught:
        read_segments(data)
    assert isinstance(caught.value, FormatError)
    assert caught.value.field == field
