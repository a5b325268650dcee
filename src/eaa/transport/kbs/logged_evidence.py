"""Evidence and the event log that belongs to it: neither older nor newer than the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from eaa.errors import AttesterError
from eaa.tls.peer import AttachedEvidence

__all__ = ["collect_with_log"]

_ATTEMPTS = 8


async def collect_with_log(
    collect: Callable[[], Awaitable[AttachedEvidence]], event_log: Callable[[], bytes | None]
) -> tuple[AttachedEvidence, bytes | None]:
    """What ``collect`` gives, and the log, which was the same before and after.

    ``event_log`` waits for a measurement that is under way.

    Raises:
        AttesterError: ``attester.busy``: the log has changed each of eight times; or as ``collect``.
    """
    before = await asyncio.to_thread(event_log)
    for _ in range(_ATTEMPTS):
        collected = await collect()
        after = await asyncio.to_thread(event_log)
        if after == before:
            return collected, after
        before = after
    raise AttesterError(
        f"the event log has changed {_ATTEMPTS} times while evidence was collected: try again", detail="busy"
    )
