"""How to collect for each instance that stands for a device, the best way first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from eaa.attester.configfs_tsm import ConfigfsTsmAttester
from eaa.attester.csv_guest import CsvGuestAttester
from eaa.attester.gramine import GramineAttester
from eaa.attester.occlum import OcclumAttester
from eaa.attester.options import AttesterOptions
from eaa.attester.sev_guest import SevGuestAttester
from eaa.attester.sources import TDX_GUEST, locate
from eaa.attester.tdx_guest import REPORT_ONLY
from eaa.tls.peer import Attester

__all__ = ["working"]


class _Device(Attester, Protocol):
    def probe(self) -> str | None: ...


def working(name: str, root: Path, options: AttesterOptions) -> tuple[Attester | None, str]:
    """The first way to collect that works, and by which device; else ``None`` and all reasons."""
    reasons = []
    for way, make in _WAYS[name]:
        attester = make(name, root, options)
        reason = attester.probe()
        if reason is None:
            return attester, way
        reasons.append(f"{way}: {reason}")
    if name == "tdx_ecdsa" and (found := locate(root, TDX_GUEST)):
        reasons.append(f"/{found}: {REPORT_ONLY}")
    return None, "; ".join(reasons)


_Make = Callable[[str, Path, AttesterOptions], _Device]


def _configfs(provider: str) -> _Make:
    return lambda name, root, options: ConfigfsTsmAttester(
        name, provider, root=root, privlevel=options.privlevel
    )


#: How to collect for each instance, the best way first.
_WAYS: Mapping[str, tuple[tuple[str, _Make], ...]] = {
    "sgx_ecdsa": (
        ("Gramine", lambda _, root, options: GramineAttester(root=root)),
        ("Occlum", lambda _, root, options: OcclumAttester(root=root, ioctl=options.ioctl)),
    ),
    "tdx_ecdsa": (("configfs-tsm", _configfs("tdx_guest")),),
    "sev_snp": (
        ("configfs-tsm", _configfs("sev_guest")),
        (
            "sev-guest",
            lambda _, root, options: SevGuestAttester(
                root=root, privlevel=options.privlevel, ioctl=options.ioctl
            ),
        ),
    ),
    "csv": (("csv-guest", lambda _, root, options: CsvGuestAttester(root=root, ioctl=options.ioctl)),),
}
