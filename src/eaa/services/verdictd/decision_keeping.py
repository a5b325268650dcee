"""How long decisions are kept: for ever, or for so many days."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from eaa.broker.ports import DecisionLog
from eaa.errors import EAAError
from eaa.services.running import in_background
from eaa.transport.unexpected import log_unexpected

__all__ = ["pruned"]

_LOG = logging.getLogger("eaa.verdictd")
_PERIOD_SECONDS = 600.0


@asynccontextmanager
async def pruned(
    decisions: DecisionLog, keep_days: int, clock: Callable[[], datetime], *, period: float = _PERIOD_SECONDS
) -> AsyncIterator[None]:
    """Until the end of the block, remove those that are older than ``keep_days``; 0: none, ever."""
    if not keep_days:
        yield
        return
    async with in_background(_prune(decisions, timedelta(days=keep_days), clock, period)):
        yield


async def _prune(
    decisions: DecisionLog, keep: timedelta, clock: Callable[[], datetime], period: float
) -> None:
    while True:
        try:
            if count := await decisions.prune(clock() - keep):
                _LOG.info("%d decisions older than %d days are removed", count, keep.days)
        except EAAError as error:
            _LOG.error("old decisions cannot be removed: %s: %s", error.code, str(error))
        except Exception as error:
            log_unexpected(_LOG, "removing old decisions", error)
        await asyncio.sleep(period)
