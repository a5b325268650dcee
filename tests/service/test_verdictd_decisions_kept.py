"""verdictd removes decisions that are older than it is told to keep them, and nothing else."""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from eaa.broker.decision_id import decision_id
from eaa.broker.records import Decision, DecisionKind
from tests.service.verdictds import Hardware, Running, running

SOURCE = Hardware().source()


def record(served: Running, kind: DecisionKind, days_ago: float) -> str:
    at = datetime.now(UTC) - timedelta(days=days_ago)
    made = Decision(
        decision_id(at, secrets.token_bytes(10)), at, kind, "somebody", "", "", "", "", False, "code", "", ()
    )
    log = served.service.core.database.decisions
    asyncio.run_coroutine_threadsafe(log.record(made), served.loop).result(10)
    return made.id


def kept(served: Running) -> set[str]:
    log = served.service.core.database.decisions
    return {item.id for item in asyncio.run_coroutine_threadsafe(log.list(), served.loop).result(10)}


def test_old_decisions_are_removed_where_that_is_configured(tmp_path: Path) -> None:
    with running(tmp_path, SOURCE) as served:
        old = {record(served, kind, 31) for kind in DecisionKind}
        young = {record(served, kind, 29) for kind in DecisionKind}

    with running(tmp_path, SOURCE) as served:
        assert kept(served) >= old | young

    with running(tmp_path, SOURCE, decisions={"keep_days": 30}) as served:
        deadline = time.monotonic() + 10
        while kept(served) & old:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert kept(served) >= young
