"""All rules about SEV and SEV-ES evidence: what SEV cannot prove, guest policy, reference values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from eaa.appraisal.finding import Finding, finding
from eaa.appraisal.measurements import compare
from eaa.appraisal.policy import Policy
from eaa.appraisal.rules_psp import guest_policy_findings
from eaa.verify.sev_result import SEV_LIMITS, VerifiedSevEvidence

__all__ = ["sev_findings"]

_KNOWN_VULNERABILITIES = 32  # hardware [AR4SI §2.3.4]


def sev_findings(verified: VerifiedSevEvidence, policy: Policy, now: datetime) -> Iterator[Finding]:
    """The outcomes, in the order of :mod:`eaa.appraisal.appraise`."""
    comparison = compare("sev", verified, policy.reference_values)
    yield _platform(verified)
    yield from guest_policy_findings(
        "sev", verified.report.policy, policy.sev, comparison, allow_debug=policy.allow_debug
    )
    yield from comparison.findings


def _platform(verified: VerifiedSevEvidence) -> Finding:
    """Genuine, and with the weaknesses that led to SEV-SNP: never better than a warning."""
    why = "; ".join(SEV_LIMITS[word] for word in verified.limits)
    return finding(
        "platform_limits", "not_established", "-", ", ".join(verified.limits), "note",
        f"what SEV cannot prove: {why}", ("hardware", _KNOWN_VULNERABILITIES),
    )  # fmt: skip
