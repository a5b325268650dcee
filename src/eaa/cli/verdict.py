"""What ``shelter verify`` says, as a value: the JSON document, and the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from eaa.appraisal.rules_snp_tcb import lacking_advisories
from eaa.errors import EAAError, outcome_of
from eaa.verify.claims import rfc3339
from eaa.verify.dcap_result import VerifiedDcapEvidence
from eaa.verify.result import VerifiedEvidence
from eaa.verify.snp_result import VerifiedSnpEvidence

__all__ = ["Verdict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One judgement. What is ``None`` was not established.

    ``claims`` are those of verified evidence only; of a quote that is well-formed and was not
    verified, ``unverified_claims`` has what it says of itself. ``rules`` are the comparisons that
    were made, also those that held; ``result`` is the attestation result. ``needs`` says for which
    platform endorsements are missing.
    """

    verdict: str  # accepted | rejected | unsupported | malformed | unavailable
    code: str
    exit_code: int
    tee: str | None = None
    tcb_status: str | None = None
    tcb_date: str | None = None
    advisory_ids: list[str] | None = None
    reasons: list[str]
    notes: list[str]
    verified_at: str
    endorsements_expire: str | None = None
    trust_anchor: Mapping[str, str] | None = None
    needs: Mapping[str, str] | None = None
    rules: list[dict[str, Any]] | None = None
    claims: Mapping[str, Any] | None = None
    unverified_claims: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}


def failure_fields(error: EAAError) -> dict[str, Any]:
    """Verdict, code and exit code of ``error``."""
    outcome = outcome_of(error)
    return {"verdict": outcome.verdict, "code": error.code, "exit_code": outcome.exit_code}


def verified_fields(verified: VerifiedEvidence) -> dict[str, Any]:
    """What is known once the evidence has been verified."""
    claims = verified.claims
    return {
        "tee": verified.tee,
        **_tcb_fields(verified),
        "endorsements_expire": claims["endorsements_expire"],
        "trust_anchor": claims["trust_anchor"],
        "claims": claims,
    }


def _tcb_fields(verified: VerifiedEvidence) -> dict[str, Any]:
    """Status and date are Intel's judgement; of AMD's bulletins those that are known here are told."""
    if isinstance(verified, VerifiedSnpEvidence):
        lacking = lacking_advisories(verified, verified.verified_at)
        return {"advisory_ids": sorted(item.id for item in lacking)}
    if not isinstance(verified, VerifiedDcapEvidence):
        return {}
    tcb = verified.tcb
    return {
        "tcb_status": str(tcb.status),
        "tcb_date": rfc3339(tcb.tcb_date),
        "advisory_ids": sorted(tcb.advisory_ids),
    }
