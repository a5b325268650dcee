"""A Linux kernel image as some releases of QEMU hand it to firmware: with a boot loader's fields filled in.

Those fields lie inside the PE image, so that its digest is another than that of the file. QEMU writes them
unless it knows that the guest is confidential, and newer firmware asks for the image without them
[QEMU x86_load_linux]. The offsets are those of the setup header [LINUX-BOOT].
"""

from __future__ import annotations

from eaa.errors import FormatError, UnsupportedError

__all__ = ["fill_setup_header"]

_WHAT = "Linux kernel"
_SPEC = "[LINUX-BOOT]"
_MAGIC_AT, _MAGIC = 0x202, b"HdrS"
_VERSION_AT, _LOADER_AT, _FLAGS_AT = 0x206, 0x210, 0x211
_INITRD_AT, _INITRD_SIZE_AT, _HEAP_AT, _CMDLINE_AT = 0x218, 0x21C, 0x224, 0x228
_INITRD_MAX_AT, _XLOADFLAGS_AT = 0x22C, 0x236
_HEADER_BYTES = 0x238
#: 2.12, of 2012: has ``xloadflags``.
_LEAST_VERSION = 0x20C
_LOADED_HIGH, _CAN_USE_HEAP, _ABOVE_4G = 0x01, 0x80, 0x02
_QEMU, _SETUP_ADDRESS, _CMDLINE_ADDRESS = 0xB0, 0x10000, 0x20000

_MIB = 1 << 20
#: Of QEMU's q35: how much memory is below 4 GiB, and what is kept for ACPI tables.
_LOW_LIMIT, _LOW_ABOVE_LIMIT, _ACPI_BYTES = 0xB000_0000, 0x8000_0000, 0x28000


def fill_setup_header(kernel: bytes, *, memory_mib: int, initrd_bytes: int) -> bytes:
    """``kernel`` with the fields that QEMU's ``q35`` writes for this memory and size of the initrd (0: none).

    Raises:
        FormatError: no bzImage.
        UnsupportedError: ``unsupported.linux_boot_protocol``: before 2.12, or loaded low;
            ``unsupported.initrd_size``: it does not fit, QEMU would refuse.
    """
    if len(kernel) < _HEADER_BYTES or kernel[_MAGIC_AT : _MAGIC_AT + 4] != _MAGIC:
        raise FormatError("expected a bzImage", what=_WHAT, field="header", offset=_MAGIC_AT, spec=_SPEC)
    version = _number(kernel, _VERSION_AT, 2)
    if version < _LEAST_VERSION or not kernel[_FLAGS_AT] & _LOADED_HIGH:
        raise UnsupportedError(
            f"boot protocol {version >> 8}.{version & 0xFF:02}, expected 2.12 or later, loaded high",
            detail="linux_boot_protocol",
        )
    image = bytearray(kernel)
    image[_LOADER_AT] = _QEMU
    image[_FLAGS_AT] |= _CAN_USE_HEAP
    image[_HEAP_AT : _HEAP_AT + 2] = (_CMDLINE_ADDRESS - _SETUP_ADDRESS - 0x200).to_bytes(2, "little")
    image[_CMDLINE_AT : _CMDLINE_AT + 4] = _CMDLINE_ADDRESS.to_bytes(4, "little")
    if initrd_bytes:
        address = _initrd_address(kernel, memory_mib * _MIB, initrd_bytes)
        image[_INITRD_AT : _INITRD_AT + 4] = address.to_bytes(4, "little")
        image[_INITRD_SIZE_AT : _INITRD_SIZE_AT + 4] = initrd_bytes.to_bytes(4, "little")
    return bytes(image)


def _initrd_address(kernel: bytes, memory: int, size: int) -> int:
    """As high as the kernel and the memory below 4 GiB let it lie, on a page."""
    above_4g = _number(kernel, _XLOADFLAGS_AT, 2) & _ABOVE_4G
    highest = 0xFFFF_FFFF if above_4g else _number(kernel, _INITRD_MAX_AT, 4)
    low = memory if memory < _LOW_LIMIT else _LOW_ABOVE_LIMIT
    highest = min(highest, low - _ACPI_BYTES - 1)
    if size >= highest:
        raise UnsupportedError(
            f"an initrd of {size} bytes does not fit below {highest:#x}", detail="initrd_size"
        )
    return highest - size & ~0xFFF


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
