"""What a rule hands to the appraisal: its outcome, and what that asserts in the trust vector."""

from __future__ import annotations

from dataclasses import dataclass

from eaa.appraisal.result import RuleOutcome, Verdict

__all__ = ["Finding", "finding", "judged"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``asserts`` is a claim of the trust vector and its value, or ``None``: nothing is asserted."""

    outcome: RuleOutcome
    asserts: tuple[str, int] | None = None


def finding(
    rule: str,
    claim: str,
    expected: str,
    came: str,
    verdict: Verdict,
    message: str,
    asserts: tuple[str, int] | None = None,
) -> Finding:
    return Finding(RuleOutcome(rule, claim, expected, came, verdict, message), asserts)


def judged(
    holds: bool,
    rule: str,
    claim: str,
    expected: str,
    came: str,
    why: str,
    aspect: str,
    *,
    good: int,
    bad: int,
) -> Finding:
    """A rule that holds or fails; ``why`` is the message if it fails."""
    message = f"{claim} is {came}" if holds else why
    verdict: Verdict = "pass" if holds else "fail"
    return finding(rule, claim, expected, came, verdict, message, (aspect, good if holds else bad))
