"""What was decided, and what there is to know of the service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eaa.broker.administration.journal import Journal
from eaa.broker.administration.principal import Action, Principal
from eaa.broker.ports import DecisionLog, Policies, ReferenceValues
from eaa.broker.records import Decision, DecisionKind, Policy, PolicyKind

__all__ = ["DecisionAdministration", "Status"]

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Status:
    """What holds now. ``reference_values`` counts what is kept, ``expired`` what of it holds no longer."""

    generation: int
    attestation_policies: tuple[Policy, ...]
    resource_policies: tuple[Policy, ...]
    reference_values: int
    expired: int


@dataclass(frozen=True, slots=True)
class DecisionAdministration:
    """Read decisions, and the status. ``StorageError`` may come of every method."""

    journal: Journal
    decisions: DecisionLog
    policies: Policies
    references: ReferenceValues

    async def list(
        self,
        principal: Principal,
        *,
        before: str = "",
        limit: int = 100,
        granted: bool | None = None,
        kind: DecisionKind | None = None,
    ) -> Sequence[Decision]:
        """Newest first, from past the id ``before``.

        Raises:
            AccessDenied: the role does not have it.
        """
        await self.journal.allow(principal, Action.DECISION_READ)
        return await self.decisions.list(before=before, limit=limit, granted=granted, kind=kind)

    async def explain(self, principal: Principal, decision_id: str) -> Decision:
        """One decision with its explanation.

        Raises:
            AccessDenied: the role does not have it.
            ResourceNotFound: there is none.
        """
        await self.journal.allow(principal, Action.DECISION_READ, decision_id[:26])
        return await self.decisions.read(decision_id)

    async def status(self, principal: Principal) -> Status:
        """What holds now.

        Raises:
            AccessDenied: the role does not have it.
        """
        await self.journal.allow(principal, Action.STATUS)
        total, expired = await self._count_references()
        return Status(
            generation=await self.policies.generation(),
            attestation_policies=tuple(await self.policies.current(PolicyKind.ATTESTATION)),
            resource_policies=tuple(await self.policies.current(PolicyKind.RESOURCE)),
            reference_values=total,
            expired=expired,
        )

    async def _count_references(self) -> tuple[int, int]:
        total, expired, after, now = 0, 0, "", self.journal.clock()
        while page := await self.references.list(after=after, limit=_PAGE):
            total += len(page)
            expired += sum(value.expires_at <= now for value in page)
            after = page[-1].name
        return total, expired
