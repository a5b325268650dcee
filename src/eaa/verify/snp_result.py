"""What SNP verification establishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eaa.endorsements.amd_vek import VekExtensions
from eaa.evidence.snp import SnpReport
from eaa.evidence.snp_tcb import TcbVersion
from eaa.verify.claims import structure_claims
from eaa.verify.result import VerifiedEvidence

__all__ = ["VerifiedSnpEvidence", "snp_report_claims", "vek_claims"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSnpEvidence(VerifiedEvidence):
    """A genuine report: constructed only inside ``eaa.verify``, after its last check.

    Established: firmware of an AMD processor signed the report with a key that AMD certified, up to
    ``trust_anchor``, for exactly ``report.reported_tcb`` and, with a VCEK whose chip id is not masked, for
    exactly that chip; what :attr:`bound` names was equal to what the caller expected. Where
    ``revocation_checked``, no key of the chain was revoked.
    Not established: that the TCB is good enough, that guest policy and platform are acceptable, that the
    code is the expected one, which VMPL asked, or, where ``bound`` lacks ``report_data``, that the evidence
    is fresh. That is appraisal's.
    """

    report: SnpReport
    vek: VekExtensions
    revocation_checked: bool
    endorsements_issued: datetime  # the later of the VEK's first day and the list's
    endorsements_expire: datetime

    @property
    def evidence(self) -> bytes:
        return self.report.encode()

    @property
    def measurement(self) -> bytes:
        return self.report.body.measurement

    @property
    def chip_id_verified(self) -> bool:
        """Whether the report's chip id is the certificate's: not under a VLEK, nor where it is masked."""
        return self.vek.chip_id == self.report.body.chip_id

    def own_claims(self) -> dict[str, Any]:
        return {
            **snp_report_claims(self.report),
            "vek": vek_claims(self.vek),
            "chip_id_verified": self.chip_id_verified,
            "revocation_checked": self.revocation_checked,
        }


def vek_claims(vek: VekExtensions) -> dict[str, Any]:
    """What a VEK certificate says of its key."""
    return {
        "kind": vek.kind.name,
        "product_name": vek.product_name,
        "product": str(vek.product),
        "hwid": None if vek.hwid is None else vek.hwid.hex(),
        "csp_id": vek.csp_id,
        "tcb": _tcb_claims(vek.tcb),
    }


def snp_report_claims(report: SnpReport) -> dict[str, Any]:
    """All fields of ``report``, its bit fields by name. These are its words, verified or not."""
    claims = structure_claims(report.body)
    for name in ("current", "committed"):
        for part in ("major", "minor", "build"):
            del claims[f"{name}_{part}"]
    if report.body.version == 2:
        for name in ("cpuid_family", "cpuid_model", "cpuid_stepping"):
            claims[name] = None
    if report.body.version < 5:
        claims["launch_mit_vector"] = claims["current_mit_vector"] = None
    del claims["signature_r"], claims["signature_s"]
    return claims | {
        "policy_abi_major": report.policy.abi_major,
        "policy_abi_minor": report.policy.abi_minor,
        "policy_names": list(report.policy.names),
        "platform_info_names": list(report.platform_info.names),
        "author_key_enabled": report.key_info.author_key_enabled,
        "mask_chip_key": report.key_info.mask_chip_key,
        "signing_key": report.key_info.signing_key.name,
        "reported_tcb": _tcb_claims(report.reported_tcb),
        "committed_tcb": _tcb_claims(report.committed_tcb),
        "current_tcb": _tcb_claims(report.current_tcb),
        "launch_tcb": _tcb_claims(report.launch_tcb),
        "current_version": _version(report.current_version),
        "committed_version": _version(report.committed_version),
        "provisional_firmware": report.provisional,
        "chip_id_masked": report.chip_id_masked,
        "debug": report.policy.debug_allowed,
    }


def _tcb_claims(tcb: TcbVersion) -> dict[str, int | None]:
    return {
        "fmc": tcb.fmc,
        "bootloader": tcb.bootloader,
        "tee": tcb.tee,
        "snp": tcb.snp,
        "microcode": tcb.microcode,
    }


def _version(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
