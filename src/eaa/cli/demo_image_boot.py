"""The demo's measured boot: two kernels, and the registers of a TD whose simulated firmware starts one."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from eaa.evidence.event_hash import HashAlgorithm
from eaa.evidence.measured_pe import pe_image_digest
from eaa.evidence.measured_td_boot import (
    InitrdArgument,
    SeparatorRegister,
    boot_events,
    command_line_events,
    extend_all,
    load_options,
)

__all__ = ["COMMAND_LINE", "Boot", "demo_kernel"]

COMMAND_LINE = "console=hvc0 root=/dev/vda1"
_HEADERS, _OPTIONAL = 0x200, 240  # bytes
_PE_AT = 0x40


@dataclass(frozen=True, slots=True)
class Boot:
    """A TD that boots ``kernel`` with :data:`COMMAND_LINE`."""

    kernel: bytes

    @property
    def rtmr_1(self) -> bytes:
        """What the firmware extends for the kernel, 48 bytes."""
        digest = pe_image_digest(self.kernel, HashAlgorithm.SHA384)
        return extend_all(boot_events(digest, SeparatorRegister.RTMR1))

    @property
    def rtmr_2(self) -> bytes:
        """What the kernel's stub extends for the command line, 48 bytes."""
        passed = load_options(COMMAND_LINE, initrd=False, argument=InitrdArgument.LAST)
        return extend_all(command_line_events(passed, None))


def demo_kernel(name: str) -> bytes:
    """A file that is measured as a kernel is, a PE32+ image [PE-COFF]. It does not run."""
    text = name.encode().ljust(_HEADERS, b"\0")
    dos = b"MZ".ljust(_PE_AT - 4, b"\0") + struct.pack("<I", _PE_AT)
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, _OPTIONAL, 0x22)
    optional = bytearray(_OPTIONAL)
    struct.pack_into("<H", optional, 0, 0x20B)
    struct.pack_into("<I", optional, 60, _HEADERS)
    struct.pack_into("<I", optional, 108, 16)
    section = struct.pack("<8sIIII16x", b".text", len(text), 0x1000, len(text), _HEADERS)
    return (dos + coff + bytes(optional) + section).ljust(_HEADERS, b"\0") + text
