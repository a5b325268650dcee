"""Verified SNP reports in the claim names of Trustee [COCO-CLAIMS].

The first block of names is Trustee's, with Trustee's types: numbers as numbers, flags as flags, bytes as
lower-case hex. The others are what its policies cannot see and owners ask for; no name of Trustee's is used
for them.
"""

from __future__ import annotations

from typing import Any

from eaa.appraisal.amd_advisories import Cpu, unmet_advisories
from eaa.evidence.snp import SnpReportBody
from eaa.verify.claims import rfc3339
from eaa.verify.snp_result import VerifiedSnpEvidence

__all__ = ["snp_policy_claims"]


def snp_policy_claims(verified: VerifiedSnpEvidence) -> dict[str, Any]:
    """The claims of a report, ``report_data`` and ``init_data`` among them.

    ``measurement`` is the launch digest, ``init_data`` is HOST_DATA; ``reported_tcb_fmc`` is ``None`` before
    Turin.
    """
    report, vek = verified.report, verified.vek
    body, policy, platform = report.body, report.policy, report.platform_info
    return {
        "policy_abi_major": policy.abi_major,
        "policy_abi_minor": policy.abi_minor,
        "policy_smt_allowed": policy.smt_allowed,
        "policy_migrate_ma": policy.migrate_ma_allowed,
        "policy_debug_allowed": policy.debug_allowed,
        "policy_single_socket": policy.single_socket_required,
        "reported_tcb_bootloader": report.reported_tcb.bootloader,
        "reported_tcb_tee": report.reported_tcb.tee,
        "reported_tcb_snp": report.reported_tcb.snp,
        "reported_tcb_microcode": report.reported_tcb.microcode,
        "platform_tsme_enabled": platform.tsme_enabled,
        "platform_smt_enabled": platform.smt_enabled,
        "measurement": body.measurement.hex(),
        "report_data": body.report_data.hex(),
        "init_data": body.host_data.hex(),
        "chip_id": body.chip_id.hex(),
        # What follows is ours.
        "report_version": body.version,
        "guest_svn": body.guest_svn,
        "vmpl": body.vmpl,
        "family_id": body.family_id.hex(),
        "image_id": body.image_id.hex(),
        "id_key_digest": body.id_key_digest.hex(),
        "author_key_digest": body.author_key_digest.hex() if report.key_info.author_key_enabled else None,
        "policy_names": list(policy.names),
        "platform_names": list(platform.names),
        "reported_tcb_fmc": report.reported_tcb.fmc,
        "committed_tcb": report.committed_tcb.members(),
        "current_tcb": report.current_tcb.members(),
        "launch_tcb": report.launch_tcb.members(),
        "provisional_firmware": report.provisional,
        "advisory_ids": [item.id for item in unmet_advisories(vek.product, _cpu(body), report.reported_tcb)],
        "product": str(vek.product),
        "signing_key": vek.kind.name,
        "csp_id": vek.csp_id,
        "chip_id_verified": verified.chip_id_verified,
        "revocation_checked": verified.revocation_checked,
        "earliest_expiration_date": rfc3339(verified.endorsements_expire),
    }


def _cpu(body: SnpReportBody) -> Cpu | None:
    return (body.cpuid_family, body.cpuid_model, body.cpuid_stepping) if body.version > 2 else None
