"""What administrators are told, as JSON. Times are RFC 3339; no secret is in any of it."""

from __future__ import annotations

from typing import Any

from eaa.broker.administration import Status
from eaa.broker.ports import AttestationOutcome, Finding, ReleaseOutcome
from eaa.broker.records import Decision, KeyInfo, Policy, ReferenceValue, ResourceInfo
from eaa.verify.claims import rfc3339

__all__ = [
    "decision_json",
    "key_json",
    "outcome_json",
    "policy_json",
    "reference_json",
    "resource_json",
    "status_json",
]


def resource_json(info: ResourceInfo) -> dict[str, Any]:
    return {
        "path": str(info.path),
        "version": info.version,
        "size": info.size,
        "enabled": info.enabled,
        "created_at": rfc3339(info.created_at),
        "created_by": info.created_by,
    }


def key_json(info: KeyInfo) -> dict[str, Any]:
    return {
        "kid": info.kid,
        "version": info.version,
        "bits": info.bits,
        "destroyed": info.destroyed,
        "created_at": rfc3339(info.created_at),
        "created_by": info.created_by,
    }


def policy_json(policy: Policy) -> dict[str, Any]:
    """Without the text."""
    return {
        "kind": str(policy.kind),
        "id": policy.id,
        "version": policy.version,
        "sha256": policy.sha256,
        "created_at": rfc3339(policy.created_at),
        "created_by": policy.created_by,
    }


def reference_json(value: ReferenceValue) -> dict[str, Any]:
    return {
        "name": value.name,
        "value": value.value,
        "expires_at": rfc3339(value.expires_at),
        "created_at": rfc3339(value.created_at),
        "created_by": value.created_by,
    }


def decision_json(decision: Decision) -> dict[str, Any]:
    return {
        "id": decision.id,
        "at": rfc3339(decision.at),
        "kind": str(decision.kind),
        "subject": decision.subject,
        "tee": decision.tee,
        "evidence_sha256": decision.evidence_sha256,
        "policy": decision.policy,
        "target": decision.target,
        "granted": decision.granted,
        "code": decision.code,
        "reason": decision.reason,
        "explanation": list(decision.explanation),
    }


def outcome_json(outcome: AttestationOutcome | ReleaseOutcome) -> dict[str, Any]:
    findings = [_finding_json(finding) for finding in outcome.findings]
    if isinstance(outcome, ReleaseOutcome):
        return {"allow": outcome.allowed, "findings": findings}
    return {
        "trust_claims": dict(outcome.trust_claims),
        "extensions": dict(outcome.extensions),
        "queries": [{"name": query.name, "state": query.state} for query in outcome.queries],
        "findings": findings,
    }


def status_json(status: Status) -> dict[str, Any]:
    return {
        "generation": status.generation,
        "attestation_policies": [policy_json(policy) for policy in status.attestation_policies],
        "resource_policies": [policy_json(policy) for policy in status.resource_policies],
        "reference_values": status.reference_values,
        "expired_reference_values": status.expired,
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "claim": finding.claim,
        "expected": finding.expected,
        "came": finding.came,
        "verdict": finding.verdict,
    }
