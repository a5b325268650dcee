"""What this machine can attest: devices, firmware tables and CPU flags below a file system root."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from eaa.cli.doctor_item import Item, Status

__all__ = ["attesting"]

_SECTION = "Attesting"

#: What it is for, the paths under which kernels and runtimes have it, and whether it is opened for writing.
_SOURCES: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("SGX enclaves", ("dev/sgx_enclave", "dev/sgx/enclave", "dev/isgx"), True),
    ("SGX provisioning", ("dev/sgx_provision", "dev/sgx/provision"), True),
    ("SGX under Gramine", ("dev/attestation/quote",), False),
    ("SGX under Occlum", ("dev/sgx",), True),
    ("TDX guest", ("dev/tdx_guest", "dev/tdx-guest", "dev/tdx-attest"), True),
    ("configfs-tsm reports", ("sys/kernel/config/tsm/report",), True),
    ("AMD SEV-SNP guest", ("dev/sev-guest",), True),
    ("Hygon CSV guest", ("dev/csv-guest",), True),
    ("TPM 2.0", ("dev/tpmrm0",), True),
    ("CCEL table", ("sys/firmware/acpi/tables/CCEL",), False),
    ("CCEL event log", ("sys/firmware/acpi/tables/data/CCEL",), False),
)
#: A folder of this name is the kernel's; Occlum has a device.
_NEVER_A_FOLDER = "dev/sgx"
_CPU_FLAGS = ("sgx", "sgx_lc", "tdx_guest", "tdx_host_platform", "sev", "sev_es", "sev_snp", "sme")
_MAX_CPUINFO_BYTES = 1 << 20


def attesting(root: Path) -> Iterator[Item]:
    """The sources of evidence below ``root``, which is ``/`` but for tests."""
    yield _cpu(root)
    for name, paths, writes in _SOURCES:
        yield _source(root, name, paths, writes)
    yield Item(
        _SECTION, "collecting", Status.SKIP,
        "this release verifies; it does not yet collect evidence from hardware",
    )  # fmt: skip


def _source(root: Path, name: str, paths: tuple[str, ...], writes: bool) -> Item:
    found = next((path for path in paths if _exists(root, path)), None)
    if found is None:
        return Item(_SECTION, name, Status.SKIP, f"there is no /{' or /'.join(paths)}")
    mode = os.R_OK | (os.W_OK if writes else 0)
    if not os.access(root / found, mode):
        return Item(_SECTION, name, Status.FAIL, f"/{found} is there, and this user may not open it")
    return Item(_SECTION, name, Status.PASS, f"/{found}")


def _exists(root: Path, path: str) -> bool:
    try:
        return (root / path).exists() and not (path == _NEVER_A_FOLDER and (root / path).is_dir())
    except OSError:
        return False


def _cpu(root: Path) -> Item:
    name = "CPU flags"
    try:
        with (root / "proc/cpuinfo").open("rb") as stream:
            text = stream.read(_MAX_CPUINFO_BYTES).decode("ascii", "replace")
    except OSError as error:
        return Item(_SECTION, name, Status.SKIP, f"/proc/cpuinfo: {error.strerror}")
    match = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    flags = set(match[1].split()) if match else set()
    known = [flag for flag in _CPU_FLAGS if flag in flags]
    vendor = re.search(r"^vendor_id\s*:\s*(\S+)", text, re.MULTILINE)
    who = f"{vendor[1]}: " if vendor else ""
    if not known:
        return Item(_SECTION, name, Status.SKIP, f"{who}none of {', '.join(_CPU_FLAGS)}")
    return Item(_SECTION, name, Status.PASS, f"{who}{', '.join(known)}")
