"""The use case of ``shelter verify``: bytes and settings in, a :class:`Verdict` out.

In order: recognise, parse, read the endorsements, verify, compare bindings, replay the event log,
appraise. What one step learns is kept, so that a refusal by a later step still shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eaa.appraisal.appraise import appraise
from eaa.appraisal.policy import Policy
from eaa.appraisal.result import AttestationResult
from eaa.cli.files import CollateralFiles
from eaa.cli.rules import appraisal_rules, binding_rules, event_log_rules
from eaa.cli.subjects import SUBJECTS, Subject
from eaa.cli.verdict import Verdict, failure_fields, verified_fields
from eaa.endorsements.evidence_kinds import recognise_evidence
from eaa.endorsements.recognise import Kind, Recognised
from eaa.errors import (
    BindingError,
    EAAError,
    EndorsementNotFound,
    FormatError,
    ProviderError,
    UnsupportedError,
    VerificationError,
)
from eaa.verify.claims import rfc3339
from eaa.verify.result import Binding, VerifiedEvidence
from eaa.verify.schemes import SCHEMES, Memos, Question, TrustRoot

__all__ = ["Request", "judge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked. ``event_log`` is a CCEL as it came."""

    data: bytes
    collateral: CollateralFiles
    trust_anchors: Sequence[TrustRoot] | None  # None: the vendor's
    binding: Binding
    policy: Policy
    has_reference: bool
    event_log: bytes | None
    allow_missing_crl: bool
    now: datetime


@dataclass(slots=True)
class _Progress:
    """What has been learnt so far."""

    request: Request
    tee: str | None = None
    subject: Subject | None = None
    verified: VerifiedEvidence | None = None
    rules: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    needs: Mapping[str, str] | None = None

    def verdict(self, **outcome: Any) -> Verdict:
        known: dict[str, Any] = {"tee": self.tee}
        if self.verified is not None:
            known = verified_fields(self.verified)
        elif self.subject is not None:
            known["unverified_claims"] = self.subject.unverified_claims()
        return Verdict(
            **known,
            **outcome,
            reasons=self.reasons,
            notes=self.notes,
            needs=self.needs,
            rules=self.rules if self.verified is not None else None,
            verified_at=rfc3339(self.request.now),
        )


def judge(request: Request) -> Verdict:
    """The verdict on ``request.data``.

    Raises:
        UsageError, ConfigError: the request itself is not as it must be.
    """
    progress = _Progress(request)
    try:
        return _judge(request, progress)
    except (FormatError, UnsupportedError, VerificationError, ProviderError) as error:
        progress.tee = progress.tee or error.fields.get("tee")
        progress.reasons.insert(0, _reason(error, request, progress))
        return progress.verdict(**failure_fields(error))


def _judge(request: Request, progress: _Progress) -> Verdict:
    found = recognise_evidence(request.data)
    subject = progress.subject = SUBJECTS[found.kind](found.data)
    progress.tee = subject.tee
    progress.notes += _notes(request, found, subject)
    endorsements, ignored = subject.endorsements(request.collateral)
    progress.notes += ignored

    def verify(binding: Binding) -> VerifiedEvidence:
        return SCHEMES[found.kind].verify(
            Question(
                evidence=found.data, endorsements=endorsements, trust_anchors=request.trust_anchors,
                binding=binding, now=request.now, memos=memos, allow_missing_crl=request.allow_missing_crl,
            )
        )  # fmt: skip

    memos = Memos()
    # Bindings are verification's last step: without them first, so that what is known can be shown.
    verified = verify(Binding())
    progress.verified = verified
    progress.notes += _simulated(verified)
    progress.rules += binding_rules(request.binding, subject.bindings)
    _require_config_id_size(request.binding, subject)
    progress.verified = verified = verify(request.binding)

    replayed, parted = event_log_rules(request.event_log, subject.rt_mrs, subject.tee)
    progress.rules += replayed
    progress.reasons += parted
    result = appraise(verified, request.policy, now=request.now)
    progress.rules += appraisal_rules(result)
    progress.reasons += [rule.message for rule in result.failed]
    progress.notes += _further_notes(result)
    outcome = {"verdict": "accepted", "code": result.code, "exit_code": 0}
    if parted:
        outcome = {"verdict": "rejected", "code": "event_log.mismatch", "exit_code": 10}
    elif not result.accepted:
        outcome = {"verdict": "rejected", "code": result.code, "exit_code": 10}
    return progress.verdict(**outcome, result=result.to_dict())


def _require_config_id_size(binding: Binding, subject: Subject) -> None:
    """The size that the caller expects is a property of the TEE: another TEE is not what was expected."""
    expected, size = binding.config_id, len(subject.bindings["config_id"][1])
    if expected is not None and len(expected) != size:
        raise BindingError(
            f"the expected configuration id has {len(expected)} bytes, {subject.tee.upper()}'s has {size}",
            detail="config_id",
        )


def _reason(error: EAAError, request: Request, progress: _Progress) -> str:
    subject = progress.subject
    if not isinstance(error, EndorsementNotFound) or subject is None:
        return str(error)
    progress.needs = subject.needs()
    given = "add what is missing to --collateral"
    how = given if request.collateral else "give them with --collateral FILE or FOLDER"
    return "\n".join([str(error), *subject.missing(progress.needs), how])


def _notes(request: Request, found: Recognised, subject: Subject) -> list[str]:
    notes = []
    if not request.has_reference:
        notes.append("no measurement was compared: there was no --reference; any code would have passed")
    if request.binding.report_data is None:
        notes.append(
            "freshness was not compared: there was no --nonce or --report-data; this may be a replay"
        )
    if request.event_log is None and any(item.kind is Kind.EVENT_LOG for item in found.beside):
        notes.append("the event log beside the quote was not replayed: there was no --event-log")
    if request.trust_anchors is not None:
        notes.append(f"{subject.vendor}'s roots were not trusted: --trust-anchor replaced them")
    return notes


def _further_notes(result: AttestationResult) -> list[str]:
    """Appraisal's notes, without those that say again what :func:`_notes` says."""
    said = ("measurements", "freshness")
    return [rule.message for rule in result.rules if rule.verdict == "note" and rule.rule not in said]


def _simulated(verified: VerifiedEvidence) -> list[str]:
    if verified.trust_anchor.simulated:
        return ["the trust anchor is that of a simulated vendor: no hardware vouches for this evidence"]
    return []
