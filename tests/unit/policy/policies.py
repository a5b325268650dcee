"""Policies and evaluations of them, in few words."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from eaa.broker.ports import AttestationOutcome, ReleaseOutcome
from eaa.broker.records import Policy, PolicyKind, ReferenceValue
from eaa.policy.regorus_engine import RegorusEngine
from eaa.policy.samples import SAMPLE_REQUEST, sample_inputs, sample_references

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ENGINE = RegorusEngine()


def policy_of(text: str, kind: PolicyKind = PolicyKind.ATTESTATION) -> Policy:
    return Policy(kind, "default_cpu", 1, text, sha256(text.encode()).hexdigest(), NOW, "owner")


def references(**values: Any) -> Mapping[str, ReferenceValue]:
    """Reference values that expire in a day."""
    return {
        name: ReferenceValue(name, value, NOW + timedelta(days=1), NOW, "owner")
        for name, value in values.items()
    }


def appraise(
    text: str,
    claims: Mapping[str, Any] | None = None,
    known: Mapping[str, ReferenceValue] | None = None,
    *,
    now: datetime = NOW,
) -> AttestationOutcome:
    return ENGINE.appraise(policy_of(text), claims or {}, references=known or {}, now=now)


def decide(text: str, claims: Mapping[str, Any] | None = None, **data: Any) -> ReleaseOutcome:
    return ENGINE.decide(policy_of(text, PolicyKind.RESOURCE), claims or {}, data={**SAMPLE_REQUEST, **data})


def sample(tee: str, *changes: tuple[str, Any]) -> dict[str, Any]:
    """The sample input of ``tee``, with other values at these paths; ``...`` takes the member away."""
    document: dict[str, Any] = copy.deepcopy(sample_inputs()[tee])
    for path, value in changes:
        steps = [int(step) if step.isdigit() else step for step in path.split("/")]
        place: Any = document[tee]
        for step in steps[:-1]:
            place = place[step]
        if value is ...:
            del place[steps[-1]]
        else:
            place[steps[-1]] = value
    return document


def known_references(*left_out: str) -> dict[str, ReferenceValue]:
    """Those of the samples, but ``left_out``."""
    return {name: value for name, value in sample_references(NOW).items() if name not in left_out}
