"""Why a policy did not say yes: from its own ``explanation``, or derived from what it stated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from eaa.appraisal.trust_vector import Tier, tier_of
from eaa.broker.ports import Finding, ReferenceQuery
from eaa.policy.prepared import UNDEFINED

__all__ = ["MAX_FINDINGS", "derived_findings", "explained_findings"]

MAX_FINDINGS = 64
_MAX_CHARACTERS = 512
_VERDICTS = ("pass", "fail", "note")


def explained_findings(value: Any, queries: Sequence[ReferenceQuery]) -> tuple[Finding, ...]:
    """The findings of the rule ``explanation``, at most 64, and a note for each reference value not found.

    Items of another form are left out, which is noted. None at all if the rule is undefined.
    """
    if value is UNDEFINED:
        return ()
    items = value if isinstance(value, list) else [value]
    found = [_finding(item) for item in items[:MAX_FINDINGS]]
    findings = [item for item in found if item is not None]
    if left_out := len(items) - len(findings):
        findings.append(
            Finding(
                "explanation", "explanation", "rule, claim, expected and came", f"{left_out} left out", "note"
            )
        )
    findings.extend(
        Finding("query_reference_value", query.name, "a reference value", query.state, "note")
        for query in queries
        if query.state != "found"
    )
    return tuple(findings)


def derived_findings(
    trust_claims: Mapping[str, int], queries: Sequence[ReferenceQuery]
) -> tuple[Finding, ...]:
    """One finding for each trust claim that is worse than affirming, or one if nothing is claimed at all.

    ``came`` is the value, and the reference values that were asked for in vain.
    """
    lacking = "".join(
        f"; {state} reference values: {', '.join(names)}"
        for state in ("missing", "expired")
        if (names := [query.name for query in queries if query.state == state])
    )
    bad = {name: value for name, value in trust_claims.items() if tier_of(value) > Tier.AFFIRMING}
    if not bad and all(tier_of(value) is Tier.NONE for value in trust_claims.values()):
        return (Finding("trust_claims", "trust_claims", "some claim", f"none is made{lacking}", "fail"),)
    return tuple(
        Finding(name, name, "affirming, 2 to 31", _cut(f"{value}, {tier_of(value).label}{lacking}"), "fail")
        for name, value in sorted(bad.items())
    )


def _finding(item: Any) -> Finding | None:
    if not isinstance(item, dict):
        return None
    came = item.get("came", item.get("got", UNDEFINED))
    rule, claim, expected = (item.get(name, UNDEFINED) for name in ("rule", "claim", "expected"))
    verdict = item.get("verdict", "fail")
    if not isinstance(rule, str) or not isinstance(claim, str) or verdict not in _VERDICTS:
        return None
    if expected is UNDEFINED or came is UNDEFINED:
        return None
    return Finding(_cut(rule), _cut(claim), _text(expected), _text(came), verdict)


def _text(value: Any) -> str:
    return _cut(value if isinstance(value, str) else orjson.dumps(value).decode())


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 1]}…"
