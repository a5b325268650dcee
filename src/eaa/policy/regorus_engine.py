"""Policies evaluated by regorus, Microsoft's Rego interpreter in Rust, which is Trustee's engine too."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from eaa.broker.ports import AttestationOutcome, ReleaseOutcome
from eaa.broker.records import Policy, PolicyKind, ReferenceValue
from eaa.errors import InternalError, PolicyError
from eaa.policy.examine import examine
from eaa.policy.findings import derived_findings, explained_findings
from eaa.policy.outcomes import Outcomes
from eaa.policy.prepared import UNDEFINED, PreparedPolicies, PreparedPolicy, json_text
from eaa.policy.reads import only
from eaa.policy.references import ReferenceLookup
from eaa.policy.statements import is_affirming, read_extensions, read_trust_claims

__all__ = ["RegorusEngine"]

#: The rules of an attestation policy that decide.
_STATEMENTS = ("trust_claims", "extensions")


class RegorusEngine:
    """Implements :class:`eaa.broker.ports.PolicyEngine`. Any thread may call; each keeps its own engines.

    A policy is in package ``policy``. An attestation policy has the rule ``trust_claims`` and may have
    ``extensions``; a resource policy has ``allow``. Either may have ``explanation``, objects with the members
    ``rule``, ``claim``, ``expected``, and ``came`` or ``got``, which is asked only where the answer is not
    yes. It is data for people: nothing is decided by it.

    What an attestation policy has affirmed twice is remembered by those claims that its decisive rules can
    read: machines that run the same have the same. Before it is remembered it is evaluated on all claims, and
    on those alone.
    """

    def __init__(self) -> None:
        self._local = threading.local()
        self._outcomes = Outcomes()

    def appraise(
        self,
        policy: Policy,
        claims: Mapping[str, Any],
        *,
        references: Mapping[str, ReferenceValue],
        now: datetime,
    ) -> AttestationOutcome:
        """As the port says.

        Raises:
            PolicyError: ``policy.text``, ``policy.input``, ``policy.evaluation``, ``policy.panic``;
                ``policy.trust_claims`` and ``policy.extensions`` if the policy states what is not one.
        """
        with _Prepared(self._kept, policy) as prepared:
            members = prepared.read_by(_STATEMENTS)
            if members is None:
                return _stated(prepared, claims, ReferenceLookup(references, now))
            json_text(dict(claims))
            read = only(claims, members)
            key = policy.sha256, hashlib.sha256(json_text(read)).digest()
            known = self._outcomes.find(key, references, now)
            if known is not None:
                return known
            lookup = ReferenceLookup(references, now)
            outcome = _stated(prepared, claims, lookup)
            if is_affirming(outcome.trust_claims) and self._outcomes.comes_again(key):
                if _statements(prepared, read, lookup) != (outcome.trust_claims, outcome.extensions):
                    raise InternalError("a policy reads more than is known of it")
                self._outcomes.keep(key, outcome, lookup)
            return outcome

    def decide(self, policy: Policy, claims: Mapping[str, Any], *, data: Mapping[str, Any]) -> ReleaseOutcome:
        """As the port says.

        Raises:
            PolicyError: ``policy.text``, ``policy.input``, ``policy.evaluation``, ``policy.panic``.
        """
        with _Prepared(self._kept, policy) as prepared:
            prepared.begin(claims, data=data)
            allowed = prepared.rule("allow") is True
            explanation = UNDEFINED if allowed else prepared.rule("explanation")
        return ReleaseOutcome(allowed, explained_findings(explanation, ()))

    def examine(self, kind: PolicyKind, text: str) -> tuple[str, ...]:
        """As the port says, in a process of its own: :func:`eaa.policy.examine.examine`."""
        return examine(kind, text)

    @property
    def _kept(self) -> PreparedPolicies:
        """Of the thread that calls."""
        kept: PreparedPolicies | None = getattr(self._local, "prepared", None)
        if kept is None:
            kept = self._local.prepared = PreparedPolicies()
        return kept


def _stated(
    prepared: PreparedPolicy, claims: Mapping[str, Any], lookup: ReferenceLookup
) -> AttestationOutcome:
    """What the policy makes of all of ``claims``, explained unless it is affirming."""
    trust_claims, extensions = _statements(prepared, claims, lookup)
    if is_affirming(trust_claims):
        return AttestationOutcome(trust_claims, extensions, lookup.queries, ())
    explanation = prepared.rule("explanation")
    queries = lookup.queries
    if explanation is UNDEFINED:
        findings = derived_findings(trust_claims, queries)
    else:
        findings = explained_findings(explanation, queries)
    return AttestationOutcome(trust_claims, extensions, queries, findings)


def _statements(
    prepared: PreparedPolicy, document: Mapping[str, Any], lookup: ReferenceLookup
) -> tuple[dict[str, int], dict[str, Any]]:
    prepared.begin(document, lookup=lookup)
    trust_claims = read_trust_claims(prepared.rule("trust_claims"))
    return trust_claims, read_extensions(prepared.rule("extensions"))


class _Prepared:
    """The prepared policy, to be evaluated inside ``with``; a panic there is a :class:`PolicyError`."""

    __slots__ = ("_kept", "_policy")

    def __init__(self, kept: PreparedPolicies, policy: Policy) -> None:
        self._kept, self._policy = kept, policy

    def __enter__(self) -> PreparedPolicy:
        return self._kept.of(self._policy)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # pyo3's PanicException cannot be imported, and is no Exception.
        if kind is not None and kind.__name__ == "PanicException":
            self._kept.forget(self._policy)
            name = f"{self._policy.kind}/{self._policy.id}"
            raise PolicyError(f"{name}: the engine panicked", detail="panic") from None
