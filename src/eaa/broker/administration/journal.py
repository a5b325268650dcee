"""Every administrative act is recorded: the grant before the change is made, and what it was refused for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eaa.broker.administration.principal import Action, Principal, require_grant
from eaa.broker.ports import DecisionLog
from eaa.broker.records import Decision, DecisionKind
from eaa.errors import EAAError

__all__ = ["Act", "Journal"]


@dataclass(frozen=True, slots=True)
class Journal:
    """Records in ``decisions``; ``clock`` gives the time, ``new_id`` the id of a decision made at a time."""

    decisions: DecisionLog
    clock: Callable[[], datetime]
    new_id: Callable[[datetime], str]

    @asynccontextmanager
    async def act(self, principal: Principal, action: Action, target: str) -> AsyncIterator[Act]:
        """One act: enter to have it allowed, call :meth:`Act.granted` before the change is made.

        The grant is on record before the change, so that no change goes unrecorded. An act that fails is
        recorded with the code of its error; so is one that fails after it was granted.

        Raises:
            AccessDenied: ``access_denied.role``.
            StorageError: it could not be recorded; then nothing was changed.
        """
        act = Act(self, principal, action, target)
        try:
            require_grant(principal, action)
            yield act
        except EAAError as error:
            await self.record(act, granted=False, code=error.code, reason=str(error))
            raise

    async def allow(self, principal: Principal, action: Action, target: str = "") -> None:
        """Allow an act that changes nothing and shows no secret; only a refusal is recorded.

        Raises:
            AccessDenied: ``access_denied.role``.
        """
        async with self.act(principal, action, target):
            pass

    async def record(
        self, act: Act, *, granted: bool, code: str, reason: str, details: dict[str, Any] | None = None
    ) -> None:
        now = self.clock()
        said = {"action": str(act.action), "role": act.principal.role, **(details or {})}
        decision = Decision(
            id=self.new_id(now),
            at=now,
            kind=DecisionKind.ADMINISTRATION,
            subject=act.principal.name,
            tee="",
            evidence_sha256="",
            policy="",
            target=act.target,
            granted=granted,
            code=code,
            reason=reason,
            explanation=(said,),
        )
        await self.decisions.record(decision)


@dataclass(frozen=True, slots=True)
class Act:
    """An act under way."""

    journal: Journal
    principal: Principal
    action: Action
    target: str

    async def granted(self, reason: str, **details: Any) -> None:
        """Record that it is done from here on. ``details`` are JSON and never secret."""
        await self.journal.record(
            self, granted=True, code=str(self.action), reason=reason, details=details
        )  # fmt: skip
