"""Fetching anew before it expires, by one process, few at a time.

Each document and platform has its own time, with jitter. A step does what is due, at most so many that the
rate holds, and says when the next is wanted: it never sleeps, so that a day can be stepped through in a
moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from eaa.endorsements.subject import TcbInfoSubject, parse_subject
from eaa.errors import (
    EAAError,
    EndorsementNotFound,
    EndorsementStale,
    FormatError,
    InternalError,
    StorageError,
)
from eaa.services.pccs.platforms import PlatformStock
from eaa.services.pccs.schedule import recovery_due, retry_due
from eaa.services.pccs.stock import Stock, vendor_of
from eaa.services.pccs.upstream import PckQuestion
from eaa.storage.collateral.records import Document, Platform
from eaa.transport.unexpected import log_unexpected

__all__ = ["Refresher", "question_of"]

_LOG = logging.getLogger("eaa.pccs")
_LEASE_NAME = "refresh"
_LEASE = timedelta(seconds=90)
#: How long at most until it looks again.
_IDLE = timedelta(seconds=60)
_STEP_SECONDS = 4


@dataclass(frozen=True, slots=True)
class Stepped:
    """What a step did, and when the next is wanted."""

    documents: int
    platforms: int
    next_at: datetime


class Refresher:
    """``per_second`` is how many are asked for at most."""

    def __init__(self, stock: Stock, platforms: PlatformStock, *, per_second: float, holder: str) -> None:
        self._stock, self._platforms = stock, platforms
        self._rate, self._holder = per_second, holder
        self._batch = max(1, round(per_second * _STEP_SECONDS))

    async def step(self) -> Stepped:
        """Fetch anew what is due, if no other process does.

        Raises:
            StorageError
        """
        stock = self._stock
        now = stock.clock()
        if not await stock.database.leases.take(_LEASE_NAME, self._holder, now, now + _LEASE):
            return Stepped(0, 0, now + _LEASE / 2)
        documents = await stock.database.documents.due(now, self._batch)
        platforms = await stock.database.platforms.due(now, self._batch - len(documents))
        await asyncio.gather(*(self.document(item) for item in documents))
        await asyncio.gather(*(self.platform(item) for item in platforms))
        done = len(documents) + len(platforms)
        if done >= self._batch:
            return Stepped(len(documents), len(platforms), now + timedelta(seconds=done / self._rate))
        return Stepped(len(documents), len(platforms), await self._next(now))

    async def document(self, document: Document) -> EAAError | None:
        """Fetch one anew; why it failed, if it did."""
        stock, now = self._stock, self._stock.clock()
        try:
            subject = parse_subject(document.name)
        except FormatError:  # of a version that has ended, or a chain: there is nothing to ask for
            await stock.database.documents.failed(document.name, now + timedelta(days=36500))
            return None
        error = await _tried(stock.fetch(subject)) or await self._still_due(document, now)
        stock.events.refreshed("document", error)
        if error is not None:
            pause = stock.breakers[vendor_of(subject)].pause()
            due = retry_due(now, document.failures, stock.spread(), not_before=pause)
            await stock.database.documents.failed(document.name, due)
            left = document.expires_at - now
            _LOG.warning("%s was not fetched anew, %s left: %s", document.name, left, error)
            return error
        if isinstance(subject, TcbInfoSubject):
            await self._recovered(subject, document)
        return None

    async def platform(self, platform: Platform) -> EAAError | None:
        """Fetch the certificates of one anew; why it failed, if it did."""
        stock, now = self._stock, self._stock.clock()
        if not platform.enc_ppid and not platform.manifest:
            # An administrator has put it, and nobody could ask for it.
            await stock.database.platforms.failed(
                platform.qe_id, platform.pce_id, now + timedelta(days=36500)
            )
            return None
        error = await _tried(self._fetch_platform(platform))
        if error is not None:
            pause = stock.breakers["intel"].pause()
            due = retry_due(now, platform.failures, stock.spread(), not_before=pause)
            await stock.database.platforms.failed(platform.qe_id, platform.pce_id, due)
        stock.events.refreshed("platform", error)
        return error

    async def _fetch_platform(self, platform: Platform) -> None:
        raw = await self._stock.database.platforms.raw_tcbs(platform.qe_id, platform.pce_id)
        if not self._stock.upstream.selects:
            await self._platforms.fetch(question_of(platform))
            return
        if not raw:
            raise EndorsementNotFound(
                "no raw TCB of the platform is known, by which a PCCS is asked", detail="pccs_question"
            )
        for item in raw:
            await self._platforms.fetch(question_of(platform, item.cpu_svn, item.pce_svn))

    async def _still_due(self, document: Document, now: datetime) -> EAAError | None:
        """What came was not kept if ``document`` is due as it was: it was older."""
        kept = await self._stock.database.documents.read(document.name)
        if kept is None or kept.refresh_at > now:
            return None
        return EndorsementStale(f"{document.name}: what came is older than what is there", detail="rollback")

    async def _recovered(self, subject: TcbInfoSubject, before: Document) -> None:
        """A higher evaluation number has new levels, for which there are new certificates."""
        held = await self._stock.held(subject)
        if held is None or held.number <= before.number or subject.tee != "sgx":
            return
        platforms = await self._stock.database.platforms.of_fmspcs([subject.fmspc.hex().upper()])
        now = self._stock.clock()
        await self._stock.database.platforms.schedule(
            [(item.qe_id, item.pce_id, recovery_due(now, self._stock.spread())) for item in platforms]
        )
        _LOG.info(
            "%s: evaluation data number %d after %d; %d platforms are asked for",
            subject.key, held.number, before.number, len(platforms),
        )  # fmt: skip

    async def _next(self, now: datetime) -> datetime:
        database = self._stock.database
        due: Sequence[datetime | None] = (
            await database.documents.next_due(),
            await database.platforms.next_due(),
        )
        return max(now, min([now + _IDLE, *(item for item in due if item is not None)]))

    async def run(self) -> None:
        """Step for ever; a database that fails is tried again."""
        while True:
            try:
                stepped = await self.step()
                pause = (stepped.next_at - self._stock.clock()).total_seconds()
            except StorageError as error:
                _LOG.error("nothing was fetched anew: %s", error)
                pause = 10.0
            await asyncio.sleep(max(0.2, pause))


async def _tried(work: Awaitable[object]) -> EAAError | None:
    """Why ``work`` failed, if it did: one document, or platform, does not keep the others from theirs.

    Raises:
        StorageError
    """
    try:
        await work
    except StorageError:
        raise
    except EAAError as error:
        return error
    except Exception as error:
        log_unexpected(_LOG, "fetching anew", error)
        return InternalError("an error that nobody expected")
    return None


def question_of(platform: Platform, cpu_svn: str = "", pce_svn: str = "") -> PckQuestion:
    """What asks upstream for its certificates."""
    return PckQuestion(
        platform.qe_id, platform.pce_id, cpu_svn, pce_svn, platform.enc_ppid.hex().upper(),
        platform.manifest.hex().upper(),
    )  # fmt: skip
