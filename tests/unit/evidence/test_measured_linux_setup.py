"""A kernel's setup header as QEMU fills it in."""

from __future__ import annotations

import pytest

from eaa.errors import FormatError, UnsupportedError
from eaa.evidence.measured_linux_setup import fill_setup_header

MIB = 1 << 20


def kernel(
    *, version: int = 0x20F, flags: int = 1, xloadflags: int = 0x7F, initrd_max: int = 0x7FFFFFFF
) -> bytes:
    image = bytearray(b"\xee" * 0x1000)
    image[0x202:0x206] = b"HdrS"
    image[0x206:0x208] = version.to_bytes(2, "little")
    image[0x211] = flags
    image[0x22C:0x230] = initrd_max.to_bytes(4, "little")
    image[0x236:0x238] = xloadflags.to_bytes(2, "little")
    return bytes(image)


def changed(before: bytes, after: bytes) -> dict[int, int]:
    return {at: new for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new}


def number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def test_without_initrd() -> None:
    before = kernel()
    after = fill_setup_header(before, memory_mib=1024, initrd_bytes=0)
    assert changed(before, after) == {
        0x210: 0xB0, 0x211: 0x81, 0x224: 0x00, 0x225: 0xFE, 0x228: 0, 0x229: 0, 0x22A: 2, 0x22B: 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("memory_mib", "given", "highest"),
    [
        (1024, {}, 1024 * MIB - 0x28000 - 1),
        (2815, {}, 2815 * MIB - 0x28000 - 1),
        (2816, {}, 2048 * MIB - 0x28000 - 1),
        (65536, {}, 2048 * MIB - 0x28000 - 1),
        (4096, {"xloadflags": 0x7D}, 0x7FFFFFFF - 0x28000),
        (4096, {"xloadflags": 0x7D, "initrd_max": 0x37FFFFFF}, 0x37FFFFFF),
    ],
)
def test_the_initrd_lies_as_high_as_it_may(memory_mib: int, given: dict[str, int], highest: int) -> None:
    size = 0x123456
    after = fill_setup_header(kernel(**given), memory_mib=memory_mib, initrd_bytes=size)
    assert number(after, 0x21C) == size
    at = number(after, 0x218)
    assert at % 4096 == 0
    assert highest - size - 4096 < at <= highest - size


@pytest.mark.parametrize("given", [{"version": 0x20B}, {"flags": 0x80}])
def test_an_ancient_kernel(given: dict[str, int]) -> None:
    with pytest.raises(UnsupportedError) as caught:
        fill_setup_header(kernel(**given), memory_mib=1024, initrd_bytes=0)
    assert caught.value.code == "unsupported.linux_boot_protocol"


def test_an_initrd_that_does_not_fit() -> None:
    highest = 16 * MIB - 0x28000 - 1
    fill_setup_header(kernel(), memory_mib=16, initrd_bytes=highest - 1)
    with pytest.raises(UnsupportedError) as caught:
        fill_setup_header(kernel(), memory_mib=16, initrd_bytes=highest)
    assert caught.value.code == "unsupported.initrd_size"


@pytest.mark.parametrize("data", [b"", kernel()[:0x237], kernel().replace(b"HdrS", b"HdrX")])
def test_no_kernel(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        fill_setup_header(data, memory_mib=1024, initrd_bytes=0)
    assert caught.value.fields["field"] == "header"
