"""The launch measurement of SEV and SEV-ES: what the guest's owner computes before, and is shown at launch.

LAUNCH_MEASURE gives the owner an HMAC-SHA-256 of the launch digest under a key (TIK) that only the owner and
the firmware know [SEV-API 6.5]. The digest is SHA-256 over all that the host put into the guest, in order:
firmware volume, table of hashes with which QEMU hands over a kernel, and for SEV-ES the register pages.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from eaa.errors import FormatError, UsageError
from eaa.evidence.layout import BytesField, Structure
from eaa.evidence.psp_policy import SevGuestPolicy

__all__ = [
    "SevFirmware",
    "SevLaunchMeasure",
    "kernel_hashes_table",
    "launch_digest",
    "launch_measurement",
    "parse_sev_launch_measure",
]

_MEASURE_BYTES, _TIK_BYTES, _VMSA_BYTES = 48, 16, 4096
#: GUIDs of QEMU's table and its entries, each in the byte order of the table [QEMU-SEV-HASHES].
_TABLE = bytes.fromhex("06d63894224fc94cb479a793d411fd21")
_CMDLINE = bytes.fromhex("d82dd09720bd944caa78e7714d36ab2a")
_INITRD = bytes.fromhex("31f7ba442f3ad74b9af141e29169781d")
_KERNEL = bytes.fromhex("3794e74dd2ab7f42b835d5b172d2045b")


@dataclass(frozen=True, slots=True)
class SevFirmware:
    """The version of the SEV firmware that launched the guest, each number 0 to 255."""

    api_major: int
    api_minor: int
    build: int


@dataclass(frozen=True, slots=True)
class SevLaunchMeasure(Structure):
    """What LAUNCH_MEASURE returns: the HMAC, and the nonce that the firmware put into it."""

    SIZE: ClassVar[int] = _MEASURE_BYTES

    measure = BytesField(0x00, 32)
    mnonce = BytesField(0x20, 16)


def parse_sev_launch_measure(data: bytes) -> SevLaunchMeasure:
    """The measurement in ``data``, exactly 48 bytes; raises FormatError for another length."""
    if len(data) != _MEASURE_BYTES:
        raise FormatError(
            f"expected {_MEASURE_BYTES} bytes, came {len(data)}", what="SEV launch measurement",
            field="length", offset=0, spec="[SEV-API 6.5]",
            detail="truncated" if len(data) < _MEASURE_BYTES else "trailing_bytes",
        )  # fmt: skip
    return SevLaunchMeasure(data)


def launch_measurement(
    tik: bytes, firmware: SevFirmware, policy: SevGuestPolicy, digest: bytes, mnonce: bytes
) -> bytes:
    """The HMAC, 32 bytes, that the firmware returns for this launch [SEV-API 6.5.1].

    Args:
        tik: transport integrity key, 16 bytes.
        digest: launch digest, 32 bytes.
        mnonce: nonce of the measurement, 16 bytes.

    Raises:
        UsageError: a value of another length.
    """
    for name, value, size in (("TIK", tik, _TIK_BYTES), ("launch digest", digest, 32), ("nonce", mnonce, 16)):
        if len(value) != size:
            raise UsageError(f"the {name} has {size} bytes, came {len(value)}", detail="launch_length")
    head = bytes((0x04, firmware.api_major, firmware.api_minor, firmware.build))
    return hmac.digest(tik, head + policy.value.to_bytes(4, "little") + digest + mnonce, "sha256")


def launch_digest(firmware: bytes, hashes: bytes = b"", vmsas: Iterable[bytes] = ()) -> bytes:
    """SHA-256, 32 bytes, over what the host loads.

    Args:
        firmware: the firmware volume, e.g. OVMF.
        hashes: :func:`kernel_hashes_table`, if the host hands over a kernel.
        vmsas: the register page of each virtual processor, 4096 bytes each, in order; SEV-ES only.

    Raises:
        UsageError: a register page of another length.
    """
    digest = hashlib.sha256(firmware + hashes)
    for vmsa in vmsas:
        if len(vmsa) != _VMSA_BYTES:
            raise UsageError(
                f"a register page has {_VMSA_BYTES} bytes, came {len(vmsa)}", detail="launch_length"
            )
        digest.update(vmsa)
    return digest.digest()


def kernel_hashes_table(kernel: bytes, initrd: bytes, cmdline: bytes) -> bytes:
    """The table of hashes that QEMU puts into the guest for a kernel that it loads [QEMU-SEV-HASHES].

    ``cmdline`` is without the zero byte at its end, which is hashed with it. 176 bytes.
    """
    entries = ((_CMDLINE, cmdline + b"\x00"), (_INITRD, initrd), (_KERNEL, kernel))
    table = _entry(_TABLE, b"".join(_entry(guid, hashlib.sha256(data).digest()) for guid, data in entries))
    return table + bytes(-len(table) % 16)


def _entry(guid: bytes, data: bytes) -> bytes:
    """GUID, length of the whole entry in two bytes, data."""
    return guid + (len(guid) + 2 + len(data)).to_bytes(2, "little") + data
