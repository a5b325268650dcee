"""What the attestation policies make of verified environments: the claims of an attestation result, and why.

In order:

 1. Each environment is appraised by the policy of the asked name for its class of TEE; a missing one refuses.
 2. What a policy states becomes the trust vector of its submodule, ``<class><index>``.
 3. What was found, and which reference values were asked for, becomes the explanation for the operator.

An environment that is not acceptable is not refused here: its result says so, and who relies on it decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from eaa.appraisal.ear import EarVerifier, Submodule, ear_claims
from eaa.appraisal.trust_vector import Tier, TrustVector
from eaa.broker.policy_book import DEFAULT_POLICY, PolicyBook
from eaa.broker.ports import AttestationOutcome, Finding, PolicyEngine
from eaa.broker.records import Decision, DecisionKind, Policy
from eaa.errors import EAAError

__all__ = [
    "Environment",
    "Judgement",
    "Terms",
    "appraised",
    "explained",
    "judge",
    "not_appraised",
    "policy_name",
]


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment whose evidence was verified. ``claims`` is the whole input of its policy."""

    tee: str  # "tdx"
    tee_class: str  # "cpu"
    evidence_sha256: str  # lower-case hex
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Terms:
    """What attestation results say of who made them, and how long they hold."""

    issuer: str
    verifier: EarVerifier
    lifetime: timedelta


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result, and what is kept of how it came about."""

    claims: dict[str, Any]
    tee: str  # of all environments, joined by "+"
    evidence_sha256: str  # of the first
    policies: str
    tier: Tier  # the worst
    explanation: tuple[dict[str, Any], ...]


def judge(
    environments: Sequence[Environment],
    *,
    engine: PolicyEngine,
    book: PolicyBook,
    asked_policy: str,
    terms: Terms,
    token_id: str,
    now: datetime,
    audience: str,
    nonce: str,
) -> Judgement:
    """The attestation result of ``environments``, the primary one first.

    Raises:
        PolicyError: a policy is missing or cannot be evaluated.
    """
    submodules: list[Submodule] = []
    policies: list[str] = []
    explanation: list[dict[str, Any]] = []
    counted: Counter[str] = Counter()
    for environment in environments:
        name = f"{environment.tee_class}{counted[environment.tee_class]}"
        counted[environment.tee_class] += 1
        # 1.
        policy = book.attestation_policy(asked_policy, environment.tee_class)
        outcome = engine.appraise(policy, environment.claims, references=book.references, now=now)
        # 2.
        vector = _vector(tuple(outcome.trust_claims.items()))
        submodules.append(
            Submodule(name, vector, asked_policy or DEFAULT_POLICY, environment.claims, outcome.extensions)
        )
        policies.append(policy_name(policy))
        # 3.
        explanation.extend(_explained(name, vector, outcome))
    return Judgement(
        ear_claims(
            submodules, issuer=terms.issuer, verifier=terms.verifier, token_id=token_id, issued_at=now,
            expires_at=now + terms.lifetime, audience=audience, nonce=nonce,
        ),
        "+".join(environment.tee for environment in environments),
        environments[0].evidence_sha256,
        " ".join(policies),
        max(item.trust_vector.tier for item in submodules),
        tuple(explanation),
    )  # fmt: skip


def appraised(decision_id: str, at: datetime, subject: str, judgement: Judgement) -> Decision:
    """The decision that ``judgement`` is."""
    return Decision(
        decision_id, at, DecisionKind.ATTESTATION, subject, judgement.tee, judgement.evidence_sha256,
        judgement.policies, "", True, f"attested.{judgement.tier.label}", "", judgement.explanation,
    )  # fmt: skip


def not_appraised(
    decision_id: str, at: datetime, subject: str, tee: str, evidence_sha256: str, error: EAAError
) -> Decision:
    """The decision that evidence is not genuine, not bound, or cannot be appraised."""
    return Decision(
        decision_id, at, DecisionKind.ATTESTATION, subject, tee, evidence_sha256, "", "", False, error.code,
        str(error), (),
    )  # fmt: skip


def policy_name(policy: Policy) -> str:
    """How a decision names the policy that it rests on."""
    return f"{policy.kind}/{policy.id}@{policy.version}"


def explained(findings: Sequence[Finding], **where: str) -> list[dict[str, Any]]:
    """``findings`` as they are kept."""
    return [
        {
            **where, "rule": item.rule, "claim": item.claim, "expected": item.expected, "came": item.came,
            "verdict": item.verdict,
        }
        for item in findings
    ]  # fmt: skip


@lru_cache(maxsize=1024)
def _vector(trust_claims: tuple[tuple[str, int], ...]) -> TrustVector:
    return TrustVector(**{name.replace("-", "_"): value for name, value in trust_claims})


def _explained(name: str, vector: TrustVector, outcome: AttestationOutcome) -> list[dict[str, Any]]:
    lacking = [query for query in outcome.queries if query.state != "found"]
    return [
        {"submodule": name, "status": vector.tier.label, "trustworthiness": vector.to_dict()},
        *({"submodule": name, "reference_value": item.name, "state": item.state} for item in lacking),
        *explained(outcome.findings, submodule=name),
    ]
