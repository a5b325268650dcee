"""Policies tried on claims that an administrator makes up: in a process of its own, as they are examined.

A policy that ends on every sample may not end on these claims, and an engine that does not end stops the
whole service. ``python -m eaa.policy.trial`` reads one trial as JSON from standard input and writes
``{"outcome": …}`` or ``{"fault": [detail, message]}`` to standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from eaa.broker.ports import AttestationOutcome, Finding, ReferenceQuery, ReleaseOutcome
from eaa.broker.records import Policy, PolicyKind, ReferenceValue
from eaa.errors import PolicyError
from eaa.policy.bounded_process import MAX_SECONDS, ask, bound
from eaa.policy.examine import examine

__all__ = ["TrialEngine"]


class TrialEngine:
    """Implements :class:`eaa.broker.ports.PolicyEngine` for who tests: nothing is kept between two calls.

    Args:
        seconds: for one call; what takes longer is ``policy.unfinished``.
    """

    def __init__(self, *, seconds: float = MAX_SECONDS) -> None:
        self._seconds = seconds

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
            PolicyError: as of :class:`~eaa.policy.regorus_engine.RegorusEngine`, and ``policy.unfinished``.
            InternalError: the process cannot be run.
        """
        kept = {name: [item.value, item.expires_at] for name, item in references.items()}
        outcome = self._tried(policy, {"claims": dict(claims), "references": kept, "now": now})
        return AttestationOutcome(
            outcome["trust_claims"],
            outcome["extensions"],
            tuple(ReferenceQuery(**item) for item in outcome["queries"]),
            _findings(outcome),
        )

    def decide(self, policy: Policy, claims: Mapping[str, Any], *, data: Mapping[str, Any]) -> ReleaseOutcome:
        """As the port says; raises as :meth:`appraise`."""
        outcome = self._tried(policy, {"claims": dict(claims), "data": dict(data)})
        return ReleaseOutcome(outcome["allowed"], _findings(outcome))

    def examine(self, kind: PolicyKind, text: str) -> tuple[str, ...]:
        """As the port says."""
        return examine(kind, text)

    def _tried(self, policy: Policy, trial: dict[str, Any]) -> dict[str, Any]:
        name = f"{policy.kind}/{policy.id}"
        try:
            request = orjson.dumps({"kind": policy.kind, "id": policy.id, "text": policy.text, **trial})
        except TypeError as error:
            raise PolicyError(
                f"the input is not JSON of at most 254 levels: {error}", detail="input"
            ) from None
        try:
            answer = ask("eaa.policy.trial", request, seconds=self._seconds)
        except PolicyError as error:
            raise PolicyError(f"{name}: {error}", detail="unfinished") from None
        if "fault" in answer:
            detail, message = answer["fault"]
            raise PolicyError(message, detail=detail)
        outcome: dict[str, Any] = answer["outcome"]
        return outcome


def _findings(outcome: Mapping[str, Any]) -> tuple[Finding, ...]:
    return tuple(Finding(**item) for item in outcome["findings"])


def main() -> int:
    """The process itself."""
    bound(2 * int(MAX_SECONDS))
    from eaa.policy.regorus_engine import RegorusEngine  # noqa: PLC0415 - the engine, under the limits

    trial = orjson.loads(sys.stdin.buffer.read())
    engine, epoch = RegorusEngine(), datetime(1970, 1, 1, tzinfo=UTC)
    policy = Policy(PolicyKind(trial["kind"]), trial["id"], 0, trial["text"], "", epoch, "")
    try:
        outcome: AttestationOutcome | ReleaseOutcome
        if policy.kind is PolicyKind.RESOURCE:
            outcome = engine.decide(policy, trial["claims"], data=trial["data"])
        else:
            references = {
                name: ReferenceValue(name, value, datetime.fromisoformat(expires_at), epoch, "")
                for name, (value, expires_at) in trial["references"].items()
            }
            now = datetime.fromisoformat(trial["now"])
            outcome = engine.appraise(policy, trial["claims"], references=references, now=now)
        answer: dict[str, Any] = {"outcome": outcome}
    except PolicyError as error:
        answer = {"fault": [error.code.partition(".")[2], str(error)]}
    sys.stdout.buffer.write(orjson.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
