"""What attesters can be told."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eaa.attester.device import Ioctl, kernel_ioctl
from eaa.attester.simulated_snp_attester import SimulatedSnpMachine
from eaa.attester.simulated_store import SimulatedStore, simulated_directory

__all__ = ["AttesterOptions", "utc_now"]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class AttesterOptions:
    """What single attesters can be told; each ignores what is not its own.

    ``privlevel`` is the VMPL of SEV-SNP reports, 0 to 3. ``simulated_directory`` is by default that of
    ``EAA_SIMULATED_DIR`` or of this user; ``simulated_fields`` are fields of the simulated report, and
    ``simulated_machine`` is what a simulated SNP guest runs on. ``ioctl`` and ``now`` are for emulations.
    """

    privlevel: int | None = None
    simulated_directory: Path | None = None
    simulated_fields: Mapping[str, Any] = field(default_factory=dict)
    simulated_debug: bool = False
    simulated_machine: SimulatedSnpMachine = field(default_factory=SimulatedSnpMachine)
    ioctl: Ioctl = kernel_ioctl
    now: Callable[[], datetime] = utc_now

    @property
    def store(self) -> SimulatedStore:
        return SimulatedStore(self.simulated_directory or simulated_directory(os.environ))
