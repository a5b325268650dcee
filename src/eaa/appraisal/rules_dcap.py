"""All rules about the evidence of Intel's quotes: platform, report, reference values."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from eaa.appraisal.finding import Finding
from eaa.appraisal.measurements import compare
from eaa.appraisal.policy import Policy
from eaa.appraisal.rules_sgx import sgx_findings
from eaa.appraisal.rules_tcb import tcb_findings
from eaa.appraisal.rules_tdx import tdx_findings
from eaa.evidence.sgx import EnclaveReport
from eaa.verify.dcap_result import VerifiedDcapEvidence

__all__ = ["dcap_findings"]


def dcap_findings(verified: VerifiedDcapEvidence, policy: Policy, now: datetime) -> Iterator[Finding]:
    """The outcomes, in the order of :mod:`eaa.appraisal.appraise`."""
    report = verified.quote.body
    comparison = compare(verified.tee, report, policy.reference_values)
    yield from tcb_findings(verified, policy, now)
    if isinstance(report, EnclaveReport):
        yield from sgx_findings(report, allow_debug=policy.allow_debug)
    else:
        yield from tdx_findings(report, comparison, allow_debug=policy.allow_debug)
    yield from comparison.findings
