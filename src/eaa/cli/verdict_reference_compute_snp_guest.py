"""An SEV-SNP guest before its start, and who computes its launch digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["LaunchDigests", "SnpGuest"]


@dataclass(frozen=True, slots=True)
class SnpGuest:
    """What QEMU starts: names of files, and of the processor's model as QEMU has them."""

    firmware: str
    vcpus: int
    vcpu_type: str
    monitor: str
    guest_features: int
    kernel: str | None
    initrd: str | None
    command_line: str


class LaunchDigests(Protocol):
    """Who computes the launch digest of an SNP guest [SNP-ABI 8.17]."""

    def launch_digest(self, guest: SnpGuest) -> bytes:
        """48 bytes.

        Raises:
            UsageError: no such model of processor, or a file that cannot be read.
            FormatError: the firmware is none that can be measured.
        """
        ...
