"""Every decision, kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, literal, select, union_all

from eaa.broker.decision_id import RANDOM_BYTES, decision_id
from eaa.broker.records import Decision, DecisionKind
from eaa.errors import ResourceNotFound, UsageError
from eaa.storage.database.backend import Backend
from eaa.storage.database.columns import require_text, storable, to_microseconds
from eaa.storage.database.inserts import Values
from eaa.storage.database.journal import Entry, Journal
from eaa.storage.database.pruning import prune
from eaa.storage.database.tables import decisions as table

__all__ = ["DatabaseDecisionLog", "decision_row"]


_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class DatabaseDecisionLog:
    """:class:`eaa.broker.ports.DecisionLog` in a database."""

    def __init__(self, backend: Backend, journal: Journal) -> None:
        self._backend = backend
        self._journal = journal

    async def record(self, decision: Decision) -> None:
        await self._journal.write(Entry(decision_row(decision)))

    async def read(self, decision_id: str) -> Decision:
        decision_id = require_text(decision_id, what="decision", field="id")
        rows = await self._backend.rows(select(table).where(table.c.id == decision_id))
        if not rows:
            raise ResourceNotFound(f"there is no decision {decision_id[:32]!r}")
        return _decision(rows[0])

    async def list(
        self,
        *,
        before: str = "",
        limit: int = 100,
        granted: bool | None = None,
        kind: DecisionKind | None = None,
    ) -> Sequence[Decision]:
        before = require_text(before, what="listing", field="before")
        return [_decision(row) for row in await self._backend.rows(_listing(before, limit, granted, kind))]

    async def prune(self, before: datetime) -> int:
        # The ids sort by time and have an index; the time has none.
        first_kept = decision_id(before, bytes(RANDOM_BYTES))
        return await prune(self._backend, table, and_(table.c.id < first_kept, table.c.at < before))


def decision_row(decision: Decision) -> Values:
    """The columns in order. Text that a database cannot keep is escaped: nothing goes unrecorded.

    Raises:
        UsageError: the id is not ASCII, the time is naive, or the explanation is not JSON.
    """
    if not decision.id.isascii() or "\0" in decision.id:
        raise UsageError("the id of a decision must be ASCII")
    try:
        explanation = _encode(decision.explanation)
    except (TypeError, ValueError, RecursionError):
        raise UsageError("the explanation of a decision must be JSON") from None
    texts = (
        decision.subject, decision.tee, decision.evidence_sha256, decision.policy,
        decision.target, decision.code, decision.reason,
    )  # fmt: skip
    head = (decision.id, to_microseconds(decision.at), decision.kind.value, decision.granted)
    return (*head, *map(storable, texts), explanation)


def _decision(row: Sequence[Any]) -> Decision:
    decision_id, at, kind, granted, subject, tee, evidence, policy, target, code, reason, explanation = row
    return Decision(
        id=decision_id, at=at, kind=DecisionKind(kind), subject=subject, tee=tee, evidence_sha256=evidence,
        policy=policy, target=target, granted=granted, code=code, reason=reason,
        explanation=tuple(json.loads(explanation)),
    )  # fmt: skip


def _listing(before: str, limit: int, granted: bool | None, kind: DecisionKind | None) -> Select[Any]:
    """The newest past ``before``.

    Each pair of kind and outcome is one range of an index, read from its end: however rare what is asked for,
    no other row is touched.
    """
    if granted is None and kind is None:
        return _newest(select(table), before, limit)
    kinds = [kind] if kind is not None else list(DecisionKind)
    outcomes = [granted] if granted is not None else [False, True]
    ranges = [
        select(_newest(_ids_of(each, outcome), before, limit).subquery())
        for each in kinds
        for outcome in outcomes
    ]
    ids = select(union_all(*ranges).subquery().c.id)
    return select(table).where(table.c.id.in_(ids)).order_by(table.c.id.desc()).limit(limit)


def _ids_of(kind: DecisionKind, granted: bool) -> Select[Any]:
    return select(table.c.id).where(table.c.kind == kind.value, table.c.granted == literal(granted))


def _newest(query: Select[Any], before: str, limit: int) -> Select[Any]:
    if before:
        query = query.where(table.c.id < before)
    return query.order_by(table.c.id.desc()).limit(limit)
