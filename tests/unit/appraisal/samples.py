"""Verified evidence that every rule accepts, to be changed in one place at a time."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from eaa.appraisal.appraise import appraise
from eaa.appraisal.policy import Policy
from eaa.appraisal.result import AttestationResult, RuleOutcome
from eaa.appraisal.trust_vector import Tier
from eaa.endorsements.pck import PckExtension, SgxType
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.endorsements.tcb import TcbStatus
from eaa.evidence.dcap_quote import DcapQuote, QuoteHeader
from eaa.evidence.sgx import EnclaveReport
from eaa.evidence.tdx import TdReport, TdReport15
from eaa.verify.dcap_result import VerifiedDcapEvidence
from eaa.verify.result import TrustAnchor, VerifiedEvidence
from eaa.verify.tcb import ComponentTcb, TcbEvaluation

NOW = datetime(2025, 3, 1, tzinfo=UTC)
UP_TO_DATE = ComponentTcb(TcbStatus.UP_TO_DATE, NOW - timedelta(days=100), ())
TCB = TcbEvaluation(
    status=TcbStatus.UP_TO_DATE,
    tcb_date=UP_TO_DATE.tcb_date,
    advisory_ids=(),
    platform=UP_TO_DATE,
    tdx_module=None,
    qe=UP_TO_DATE,
    tcb_evaluation_data_number=18,
)
ENCLAVE = EnclaveReport.build(
    attributes=bytes.fromhex("0500000000000000e700000000000000"),
    mr_enclave=b"\x11" * 32,
    mr_signer=b"\x22" * 32,
    isv_prod_id=1,
    isv_svn=3,
    config_id=b"\x33" * 64,
)
_TD = {
    "td_attributes": bytes.fromhex("0000001000000000"),
    "xfam": bytes.fromhex("e702060000000000"),
    "mr_td": b"\x44" * 48,
    "mr_seam": b"\x55" * 48,
    "rt_mr0": b"\x60" * 48,
    "rt_mr1": b"\x61" * 48,
    "rt_mr2": b"\x62" * 48,
}
TD = TdReport.build(**_TD)
TD15 = TdReport15.build(**_TD)
_PCK = PckExtension(
    bytes(16), bytes(16), bytes(16), 11, bytes(2), bytes(6), SgxType.SCALABLE, None, None, None, None
)


def verified(
    report: EnclaveReport | TdReport = ENCLAVE,
    *,
    tcb: TcbEvaluation = TCB,
    bound: tuple[str, ...] = ("report_data",),
) -> VerifiedDcapEvidence:
    """Evidence with this report on a platform with this TCB, bound to the caller's report data."""
    sgx = isinstance(report, EnclaveReport)
    header = QuoteHeader.build(version=4, tee_type=0 if sgx else 0x81)
    return VerifiedDcapEvidence(
        tee="sgx" if sgx else "tdx",
        quote=DcapQuote(header, 1 if sgx else 2, report, b"", b"", b"", b""),
        pck=_PCK,
        tcb=tcb,
        root=INTEL_SGX_ROOTS[0],
        trust_anchor=TrustAnchor.of_certificate(INTEL_SGX_ROOTS[0]),
        verified_at=NOW,
        endorsements_issued=NOW - timedelta(days=10),
        endorsements_expire=NOW + timedelta(days=20),
        bound=bound,
    )


def tcb_of(
    status: TcbStatus,
    *,
    platform: ComponentTcb = UP_TO_DATE,
    tdx_module: ComponentTcb | None = None,
    qe: ComponentTcb = UP_TO_DATE,
) -> TcbEvaluation:
    """A TCB with this converged status."""
    return dataclasses.replace(TCB, status=status, platform=platform, tdx_module=tdx_module, qe=qe)


def judge(
    evidence: VerifiedEvidence, policy: Policy | None = None, *, now: datetime = NOW
) -> AttestationResult:
    result = appraise(evidence, Policy() if policy is None else policy, now=now)
    # Whatever is denied, relying parties that look at the tier alone are warned.
    assert result.accepted or result.tier >= Tier.WARNING
    return result


def outcome(result: AttestationResult, rule: str) -> RuleOutcome:
    """The only outcome of ``rule``."""
    [found] = [item for item in result.rules if item.rule == rule]
    return found


def failed(result: AttestationResult) -> list[str]:
    return [item.rule for item in result.failed]


def notes(result: AttestationResult) -> list[str]:
    return [item.rule for item in result.rules if item.verdict == "note"]
