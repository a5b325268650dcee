"""The attestation result: how acceptable the evidence is, under which policy, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from eaa.appraisal.policy import Policy
from eaa.appraisal.trust_vector import Tier, TrustVector
from eaa.verify.result import VerifiedEvidence

__all__ = ["AttestationResult", "RuleOutcome", "Verdict"]

Verdict = Literal["pass", "fail", "note"]


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """One rule: what it looked at, and what came of it.

    ``rule`` is a stable slug; ``claim`` is the name of the claim of the evidence, e.g. ``mr_td`` or
    ``tcb.status``. A note neither accepts nor denies; it says what a reader should know.
    """

    rule: str
    claim: str
    expected: str
    came: str
    verdict: Verdict
    message: str


@dataclass(frozen=True, slots=True)
class AttestationResult:
    """How acceptable ``verified`` is under ``policy``; made by :func:`eaa.appraisal.appraise.appraise`.

    ``accepted`` means that no rule failed. It does *not* mean that code was compared: see the notes
    among ``reasons``, and ``trust_vector.executables``. ``tier`` is at most what the vector allows;
    it is at least a warning if denied, and not affirming if executables were not appraised.
    """

    accepted: bool
    tier: Tier
    trust_vector: TrustVector
    rules: tuple[RuleOutcome, ...]
    reasons: tuple[str, ...]  # messages of the failed rules, then of the notes
    code: str  # "accepted", or "appraisal." and the first failed rule
    verified: VerifiedEvidence
    policy: Policy
    appraised_at: datetime

    @property
    def failed(self) -> tuple[RuleOutcome, ...]:
        """The rules that failed, in the order in which they were applied."""
        return tuple(item for item in self.rules if item.verdict == "fail")

    def to_dict(self) -> dict[str, Any]:
        """The appraisal as one entry of ``submods`` of an EAR [EAR §3.1], with ours in an extension.

        Names are those that relying parties and the Veraison libraries read, ``ear.status`` and
        so on; the drafts from 03 on write ``ear_status``. Whoever issues a token adds profile,
        verifier and time.
        """
        return {
            "ear.status": self.tier.label,
            "ear.trustworthiness-vector": self.trust_vector.to_dict(),
            "ear.eaa.appraisal": {
                "accepted": self.accepted,
                "code": self.code,
                "reasons": list(self.reasons),
                "rules": [asdict(item) for item in self.rules],
            },
            "ear.eaa.claims": self.verified.claims,
        }
