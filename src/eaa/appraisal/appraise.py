"""Appraisal: verified evidence against a policy, every rule applied, every mismatch collected.

Rules, in the order in which they are applied; the first that fails names the code:

 1. ``endorsements``: what vouched for the evidence has not expired by ``now``.
 2. The platform. SGX and TDX: ``tcb_status``, the converged status is accepted, or tolerated within the
    grace period; ``evaluation_data_number``, ``advisories`` only if the policy asks.
    SNP: ``advisories``, fixes of the bulletins that were published are there, or their lack is accepted
    or tolerated; ``minimum_tcb``, ``minimum_launch_tcb``, ``signing_key`` if the policy asks;
    ``provisional_firmware``, ``chip_id``; ``revocation``, a note.
    SEV and CSV: ``platform_limits``, a note. CSV: ``minimum_build``, ``signer_mac`` if the policy asks.
 3. ``debug``.
 4. SGX: ``initialized``, ``attributes_unknown``, ``privileged_keys``.
    TDX: ``td_attributes_unknown``, ``sept_ve_disable``, ``migratable``, ``service_td``.
    SNP: ``guest_policy_…``, ``platform_info_…`` and ``guest_policy_abi`` as the policy asks, ``vmpl``,
    ``launch_mit_vector``, ``current_mit_vector`` if the policy asks.
    SEV and CSV: ``guest_policy_…`` and ``guest_policy_api`` as the policy asks.
 5. ``reference_values`` if there are none for this TEE, else one rule per field, under its name:
    ``mr_enclave``, ``min_isv_svn``, ``mr_td``, ``measurement``, …; ``boot_chain``, ``measurements``.
 6. ``freshness``: a note if the evidence was not bound to the caller's report data, or nonce.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from eaa.appraisal.finding import Finding, finding
from eaa.appraisal.policy import Policy
from eaa.appraisal.result import AttestationResult, RuleOutcome
from eaa.appraisal.rules_csv import csv_findings
from eaa.appraisal.rules_dcap import dcap_findings
from eaa.appraisal.rules_endorsements import endorsements_finding
from eaa.appraisal.rules_sev import sev_findings
from eaa.appraisal.rules_snp import snp_findings
from eaa.appraisal.trust_vector import Tier, TrustVector
from eaa.errors import AppraisalDenied, UsageError
from eaa.verify.dcap_result import VerifiedDcapEvidence
from eaa.verify.hygon_csv_result import VerifiedCsvEvidence
from eaa.verify.result import VerifiedEvidence
from eaa.verify.sev_result import VerifiedSevEvidence
from eaa.verify.snp_result import VerifiedSnpEvidence

__all__ = ["RULES", "appraise", "require"]

#: By kind of evidence. Each takes evidence of its own kind only, which a mapping's type cannot say.
RULES: Mapping[type[VerifiedEvidence], Callable[[Any, Policy, datetime], Iterator[Finding]]]
RULES = MappingProxyType(
    {
        VerifiedDcapEvidence: dcap_findings,
        VerifiedSnpEvidence: snp_findings,
        VerifiedSevEvidence: sev_findings,
        VerifiedCsvEvidence: csv_findings,
    }
)


#: What a caller's challenge can be in.
_CHALLENGES = {"report_data", "mnonce"}


def appraise(verified: VerifiedEvidence, policy: Policy, *, now: datetime) -> AttestationResult:
    """Whether ``verified`` is acceptable under ``policy`` at ``now`` (aware, UTC), and why.

    Returns a result also where it is denied; :func:`require` raises.

    Raises:
        UsageError: ``now`` is naive.
    """
    if now.tzinfo is None:
        raise UsageError("now must be an aware datetime", detail="naive_datetime")
    findings = tuple(_findings(verified, policy, now))
    rules = tuple(item.outcome for item in findings)
    failed = [item for item in rules if item.verdict == "fail"]
    vector = TrustVector.of(item.asserts for item in findings if item.asserts is not None)
    return AttestationResult(
        accepted=not failed,
        tier=_tier(vector),
        trust_vector=vector,
        rules=rules,
        reasons=_messages(failed) + _messages(item for item in rules if item.verdict == "note"),
        code=f"{AppraisalDenied.family}.{failed[0].rule}" if failed else "accepted",
        verified=verified,
        policy=policy,
        appraised_at=now,
    )


def require(result: AttestationResult) -> AttestationResult:
    """``result`` if it is accepted.

    Raises:
        AppraisalDenied: it is not; the code names the first failed rule, the message all of them.
    """
    if result.accepted:
        return result
    raise AppraisalDenied(
        "; ".join(item.message for item in result.failed), result=result, detail=result.failed[0].rule
    )


def _findings(verified: VerifiedEvidence, policy: Policy, now: datetime) -> Iterator[Finding]:
    yield endorsements_finding(verified, now)
    yield from RULES[type(verified)](verified, policy, now)
    if not _CHALLENGES & set(verified.bound):
        yield finding(
            "freshness", "report_data", "the caller's value", "not compared", "note",
            "freshness not established: report data was not compared with a challenge",
        )  # fmt: skip


def _tier(vector: TrustVector) -> Tier:
    """That of the vector, which is the highest that [EAR §3.1] allows, except for one case.

    For relying parties that look at nothing else, a machine is not affirmed whose code nobody
    compared. What is denied is at least a warning, as each failed rule asserts one.
    """
    if vector.tier is Tier.AFFIRMING and vector.executables == 0:
        return Tier.NONE
    return vector.tier


def _messages(outcomes: Iterable[RuleOutcome]) -> tuple[str, ...]:
    return tuple(item.message for item in outcomes)
