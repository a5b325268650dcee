"""Where this machine may have evidence: devices, firmware tables and runtimes, below a root.

The one table of paths: attesters open what it names, and ``shelter doctor`` shows the same.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "CONFIGFS_TSM",
    "CSV_GUEST",
    "GRAMINE",
    "OCCLUM",
    "SEV_GUEST",
    "SOURCES",
    "TDX_GUEST",
    "Source",
    "locate",
    "may_open",
    "why_not",
]


@dataclass(frozen=True, slots=True)
class Source:
    """What it is for, the paths under which kernels and runtimes have it, and whether it is written to.

    Paths have no leading slash: they are joined to a root.
    """

    name: str
    paths: tuple[str, ...]
    writes: bool

    @property
    def where(self) -> str:
        """All paths, for a reader."""
        return " or ".join(f"/{path}" for path in self.paths)


GRAMINE = Source("SGX under Gramine", ("dev/attestation/quote",), False)
OCCLUM = Source("SGX under Occlum", ("dev/sgx",), True)
#: The name since Linux 6.2, then those of kernels before it.
TDX_GUEST = Source("TDX guest", ("dev/tdx_guest", "dev/tdx-guest", "dev/tdx-attest"), True)
CONFIGFS_TSM = Source("configfs-tsm reports", ("sys/kernel/config/tsm/report",), True)
SEV_GUEST = Source("AMD SEV-SNP guest", ("dev/sev-guest",), True)
CSV_GUEST = Source("Hygon CSV guest", ("dev/csv-guest",), True)

SOURCES: tuple[Source, ...] = (
    Source("SGX enclaves", ("dev/sgx_enclave", "dev/sgx/enclave", "dev/isgx"), True),
    Source("SGX provisioning", ("dev/sgx_provision", "dev/sgx/provision"), True),
    GRAMINE,
    OCCLUM,
    TDX_GUEST,
    CONFIGFS_TSM,
    SEV_GUEST,
    CSV_GUEST,
    Source("TPM 2.0", ("dev/tpmrm0",), True),
    Source("CCEL table", ("sys/firmware/acpi/tables/CCEL",), False),
    Source("CCEL event log", ("sys/firmware/acpi/tables/data/CCEL",), False),
)
#: A folder of this name is the kernel's; Occlum has a device.
_NEVER_A_FOLDER = "dev/sgx"


def locate(root: Path, source: Source) -> str | None:
    """The first path of ``source`` that exists below ``root``, without a leading slash."""
    return next((path for path in source.paths if _exists(root, path)), None)


def may_open(root: Path, path: str, source: Source) -> bool:
    """Whether this user may open ``path`` as ``source`` needs it."""
    return os.access(root / path, os.R_OK | (os.W_OK if source.writes else 0))


def why_not(root: Path, source: Source) -> str | None:
    """Why ``source`` cannot be used below ``root``, or ``None`` if it is there and may be opened."""
    found = locate(root, source)
    if found is None:
        return f"there is no {source.where}"
    if not may_open(root, found, source):
        return f"/{found} is there, and this user may not open it"
    return None


def _exists(root: Path, path: str) -> bool:
    try:
        return (root / path).exists() and not (path == _NEVER_A_FOLDER and (root / path).is_dir())
    except OSError:
        return False
