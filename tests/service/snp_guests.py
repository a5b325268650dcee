"""Simulated SNP guests of today for a verdictd in this process, and what they send."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from eaa.appraisal.policy import Policy
from eaa.attester.simulated.amd_guest import SimulatedSnpGuest, SimulatedSnpPlatform
from eaa.attester.simulated.amd_keys import AmdKeys
from eaa.attester.simulated.amd_vendor import SimulatedAmdVendor
from eaa.endorsements.pool import CrlRole, EndorsementPool, PooledCrl
from eaa.evidence.snp import parse_snp_report
from eaa.evidence.snp_certificates import TableName
from eaa.evidence.snp_tcb import SnpProduct
from eaa.services.verdictd.config import Snp
from eaa.services.verdictd.core import EvidenceSource
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.tls.verifiers import EvidenceVerifier, make_verifier
from eaa.verify.dcap import Memo
from tests.fakes.amd_vendor import rsa_key
from tests.fakes.snp_json import current_json, old_json

__all__ = ["SnpEnclave", "SnpHardware"]


class SnpHardware:
    """An SNP platform with a guest on it; change it before its first use."""

    def __init__(self, product: SnpProduct = SnpProduct.MILAN) -> None:
        keys = AmdKeys(rsa_key("ark"), rsa_key("ask"), rsa_key("asvk"))
        self.vendor = SimulatedAmdVendor(now=datetime.now(UTC), product=product, keys=keys)
        self.platform = SimulatedSnpPlatform(self.vendor)
        self.guest = SimulatedSnpGuest(self.platform)

    def source(self, *, crl: bool = True, **snp: Any) -> EvidenceSource:
        """Verifies reports under this vendor's ARK, with its list if ``crl``; ``snp`` is configuration."""
        ark, rules = self.vendor.trust_anchor, Snp(**snp)
        pooled = PooledCrl(CrlRole.ARK, ark.subject, self.vendor.crl.this_update, self.vendor.crl.der)
        verifier = make_verifier(
            "",
            policy=Policy(allow_debug=True, snp=rules.policy),
            pool=EndorsementPool(crls=(pooled,) if crl else ()),
            trust_anchors=(ark,),
            memo=Memo(1),
            allow_null=False,
            allow_missing_crl=rules.allow_missing_crl,
        )
        assert isinstance(verifier, EvidenceVerifier)
        return EvidenceSource(verifier, lambda kind: None)

    def references(self, guest: SimulatedSnpGuest | None = None) -> dict[str, Any]:
        """Reference values that make ``guest`` affirming under Trustee's names."""
        report = parse_snp_report((guest or self.guest).collect(bytes(64)))
        tcb = report.reported_tcb
        return {
            "snp_launch_measurement": [report.body.measurement.hex()],
            "snp_bootloader": [tcb.bootloader],
            "snp_microcode": [tcb.microcode],
            "snp_snp_svn": [tcb.snp],
            "snp_tee_svn": [tcb.tee],
            "snp_smt_enabled": report.platform_info.smt_enabled,
            "snp_tsme_enabled": report.platform_info.tsme_enabled,
            "snp_guest_abi_major": report.policy.abi_major,
            "snp_guest_abi_minor": report.policy.abi_minor,
            "snp_single_socket": report.policy.single_socket_required,
            "snp_smt_allowed": report.policy.smt_allowed,
        }

    @staticmethod
    def document(guest: SimulatedSnpGuest, *, old: bool = False) -> Callable[[bytes], dict[str, Any]]:
        """What ``guest`` sends for report data, its host's certificates with it; ``old`` as before v0.14."""

        def collect(report_data: bytes) -> dict[str, Any]:
            extended = guest.collect_extended(report_data)
            report = parse_snp_report(extended.report)
            chain = [
                {"cert_type": str(entry.name), "data": list(entry.data)}
                for entry in extended.certificates
                if entry.name is not TableName.OTHER
            ]
            written = old_json(report) if old else current_json(report)
            return {"attestation_report": written, "cert_chain": chain}

        return collect


class SnpEnclave:
    """Attests for ``guest``, with its endorsements attached."""

    name = "simulated-snp"

    def __init__(self, guest: SimulatedSnpGuest) -> None:
        self.guest = guest

    def collect(self, report_data: bytes) -> AttachedEvidence:
        return AttachedEvidence(
            EvidenceKind.SNP_REPORT, self.guest.collect(report_data), self.guest.endorsements()
        )
