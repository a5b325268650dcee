"""What this machine can attest: devices, firmware tables and CPU flags below a file system root."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from eaa.attester.instances import probe_attesters
from eaa.attester.sources import SOURCES, Source, locate, may_open
from eaa.cli.doctor_item import Item, Status

__all__ = ["attesting"]

_SECTION = "Attesting"

_CPU_FLAGS = ("sgx", "sgx_lc", "tdx_guest", "tdx_host_platform", "sev", "sev_es", "sev_snp", "sme")
_MAX_CPUINFO_BYTES = 1 << 20


def attesting(root: Path) -> Iterator[Item]:
    """The sources of evidence below ``root``, which is ``/`` but for tests."""
    yield _cpu(root)
    for source in SOURCES:
        yield _source(root, source)
    yield _collecting(root)


def _source(root: Path, source: Source) -> Item:
    found = locate(root, source)
    if found is None:
        return Item(_SECTION, source.name, Status.SKIP, f"there is no {source.where}")
    if not may_open(root, found, source):
        return Item(_SECTION, source.name, Status.FAIL, f"/{found} is there, and this user may not open it")
    return Item(_SECTION, source.name, Status.PASS, f"/{found}")


def _collecting(root: Path) -> Item:
    """What automatic selection would take, by the same probes."""
    best = next((probe for probe in probe_attesters(root) if probe.available), None)
    if best is None:
        return Item(_SECTION, "collecting", Status.SKIP, "none of the attesters works here; simulated does")
    return Item(_SECTION, "collecting", Status.PASS, f"{best.name}, from {best.reason}")


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
