"""Verified SNP evidence that every rule accepts, to be changed in one place at a time."""

from __future__ import annotations

from eaa.attester.simulated.amd_guest import SimulatedSnpGuest
from eaa.evidence.snp_tcb import TcbVersion
from eaa.verify.snp_result import VerifiedSnpEvidence
from tests.fakes.amd_vendor import NOW, SnpKind, make_snp_guest, verify_snp

__all__ = ["NOW", "snp_evidence", "with_tcb"]


def snp_evidence(
    kind: SnpKind = "milan-v5", *, tcb: TcbVersion | None = None, **fields: bytes | int
) -> VerifiedSnpEvidence:
    """Of a guest whose reports say ``fields``, on a platform that runs ``tcb``."""
    guest = make_snp_guest(kind, **fields)
    if tcb is not None:
        guest.platform.use_tcb(tcb)
    return verify_snp(guest, allow_missing_crl=True)


def with_tcb(guest: SimulatedSnpGuest, **levels: int) -> TcbVersion:
    """The platform's TCB, with other ``levels``."""
    tcb = guest.platform.tcb
    known = {name: getattr(tcb, name) for name in ("bootloader", "tee", "snp", "microcode", "fmc")}
    return TcbVersion(**known | levels)
