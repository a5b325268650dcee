"""A policy engine that understands four words, for tests of who calls it and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eaa.broker.ports import AttestationOutcome, Finding, ReferenceQuery, ReleaseOutcome
from eaa.broker.records import Policy, PolicyKind, ReferenceValue
from eaa.errors import FormatError, PolicyError

__all__ = ["SmallEngine"]


@dataclass
class SmallEngine:
    """A text with ``broken`` is refused, with ``odd`` is warned of, with ``fails`` does not evaluate.

    A resource policy with ``allow`` allows. An attestation policy asks for each name that follows an ``@``.
    """

    examined: list[tuple[PolicyKind, str]] = field(default_factory=list)
    asked: list[tuple[Policy, Mapping[str, Any], Mapping[str, Any]]] = field(default_factory=list)

    def appraise(
        self,
        policy: Policy,
        claims: Mapping[str, Any],
        *,
        references: Mapping[str, ReferenceValue],
        now: datetime,
    ) -> AttestationOutcome:
        self._ask(policy, claims, references)
        names = [word[1:] for word in policy.text.split() if word.startswith("@")]
        queries = tuple(ReferenceQuery(name, _state(references.get(name), now)) for name in names)
        good = all(query.state == "found" for query in queries)
        return AttestationOutcome({"executables": 3 if good else 33}, {}, queries, ())

    def decide(self, policy: Policy, claims: Mapping[str, Any], *, data: Mapping[str, Any]) -> ReleaseOutcome:
        self._ask(policy, claims, data)
        finding = Finding("allow", "input", "allow", policy.text, "note")
        return ReleaseOutcome("allow" in policy.text, (finding,))

    def examine(self, kind: PolicyKind, text: str) -> tuple[str, ...]:
        self.examined.append((kind, text))
        if "broken" in text:
            raise FormatError("line 1, column 1: it is broken", what="policy", field="Rego", detail="policy")
        return ("it is odd",) if "odd" in text else ()

    def _ask(self, policy: Policy, claims: Mapping[str, Any], more: Mapping[str, Any]) -> None:
        if "fails" in policy.text:
            raise PolicyError("it does not evaluate", detail="evaluation")
        self.asked.append((policy, claims, more))


def _state(value: ReferenceValue | None, now: datetime) -> str:
    if value is None:
        return "missing"
    return "found" if now < value.expires_at else "expired"
