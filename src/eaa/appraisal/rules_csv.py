"""All rules about Hygon CSV evidence: what CSV cannot prove, firmware, guest policy, reference values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from eaa.appraisal.finding import Finding, finding, judged
from eaa.appraisal.measurements import compare
from eaa.appraisal.policy import Policy
from eaa.appraisal.rules_psp import NO_KNOWN_VULNERABILITY, VULNERABLE, guest_policy_findings
from eaa.evidence.hygon_csv import CsvTeeInfoV2
from eaa.verify.hygon_csv_result import CSV_LIMITS, VerifiedCsvEvidence

__all__ = ["csv_findings"]

_GENUINE, _KNOWN_VULNERABILITIES = 2, 32  # hardware [AR4SI §2.3.4]
#: Limits that leave the guest's memory or registers to the host.
_WEAK = frozenset({"memory_integrity", "registers"})


def csv_findings(verified: VerifiedCsvEvidence, policy: Policy, now: datetime) -> Iterator[Finding]:
    """The outcomes, in the order of :mod:`eaa.appraisal.appraise`."""
    comparison = compare("csv", verified, policy.reference_values)
    yield _platform(verified)
    if policy.csv.minimum_build is not None:
        yield _build(verified, policy.csv.minimum_build)
    if policy.csv.require_signer_mac:
        yield _signer_mac(verified)
    yield from guest_policy_findings(
        "csv", verified.report.policy, policy.csv, comparison, allow_debug=policy.allow_debug
    )
    yield from comparison.findings


def _platform(verified: VerifiedCsvEvidence) -> Finding:
    limits = verified.limits
    why = "; ".join(CSV_LIMITS[word] for word in limits)
    return finding(
        "platform_limits", "not_established", "-", ", ".join(limits), "note",
        f"what CSV cannot prove: {why}",
        ("hardware", _KNOWN_VULNERABILITIES if _WEAK & set(limits) else _GENUINE),
    )  # fmt: skip


def _build(verified: VerifiedCsvEvidence, least: int) -> Finding:
    info = verified.report.tee_info
    build = info.fw_build if isinstance(info, CsvTeeInfoV2) else None
    came = "not in this report" if build is None else str(build)
    return judged(
        build is not None and build >= least,
        "minimum_build", "build", f"at least {least}", came,
        f"the firmware's build is {came}, at least {least} is required",
        "hardware", good=0, bad=_KNOWN_VULNERABILITIES,
    )  # fmt: skip


def _signer_mac(verified: VerifiedCsvEvidence) -> Finding:
    came = "verified" if not verified.report.restored else "not verified"
    return judged(
        not verified.report.restored,
        "signer_mac", "signer_mac_verified", "verified", came,
        CSV_LIMITS["signer_mac"],
        "configuration", good=NO_KNOWN_VULNERABILITY, bad=VULNERABLE,
    )  # fmt: skip
