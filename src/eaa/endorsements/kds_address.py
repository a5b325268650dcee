"""Where AMD's Key Distribution Service has what [AMD-KDS 4.1]."""

from __future__ import annotations

from eaa.evidence.snp_tcb import SnpProduct, TcbVersion

__all__ = ["KDS_URL", "vcek_address", "vcek_levels"]

KDS_URL = "https://kdsintf.amd.com"


def vcek_address(product: SnpProduct, hwid: bytes) -> str:
    """Path of the VCEK of a chip; ``hwid`` is 64 bytes, 8 from Turin on."""
    return f"vcek/v1/{product}/{hwid.hex()}"


def vcek_levels(tcb: TcbVersion) -> dict[str, str]:
    """The query: patch levels as decimal numbers of at least two digits; with FMC from Turin on."""
    levels = {"blSPL": tcb.bootloader, "teeSPL": tcb.tee, "snpSPL": tcb.snp, "ucodeSPL": tcb.microcode}
    if tcb.fmc is not None:
        levels = {"fmcSPL": tcb.fmc, **levels}
    return {name: f"{level:02d}" for name, level in levels.items()}
