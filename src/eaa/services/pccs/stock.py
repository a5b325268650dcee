"""Documents: what is kept, and how what is not is had. Nothing is kept or served that was not verified.

1. What is in memory or in the database and has not expired is served.
2. What is not is fetched, if it may be, once for all who ask; a question that had no answer, or a wrong one,
   is not asked again for a while, and an upstream that fails is left alone.
3. What came is verified, and is kept unless it is older than what is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import (
    AmdChainSubject,
    AmdCrlSubject,
    HygonChainSubject,
    PckCrlSubject,
    RootCaCrlSubject,
    Subject,
    VekSubject,
)
from eaa.errors import (
    EAAError,
    EndorsementNotFound,
    EndorsementStale,
    EndorsementUnavailable,
    ProviderError,
    UnsupportedError,
    VerificationError,
)
from eaa.provider.single_flight import SingleFlight
from eaa.services.pccs.breaker import Breaker
from eaa.services.pccs.judge import Judge, expiry_of
from eaa.services.pccs.metrics import Events
from eaa.services.pccs.negative import Negatives
from eaa.services.pccs.schedule import refresh_due
from eaa.services.pccs.upstream import Upstream
from eaa.storage.collateral.database import CollateralDatabase
from eaa.storage.collateral.records import Document

__all__ = ["Stock", "StockSettings", "name_of", "vendor_of"]

T = TypeVar("T")

_LOG = logging.getLogger("eaa.pccs")
_MAX_REMEMBERED = 4096
#: How long one process may be about one document, and how often another looks whether it is there.
_LEASE = timedelta(seconds=90)
_LOOK_SECONDS = 0.05
#: A chip's certificate for one TCB does not change, and its vendor answers few questions.
_OF_CHIPS = timedelta(days=180)
#: An upstream that answers so is there, and refuses this question: anybody may ask what it refuses.
_REFUSALS = frozenset(range(400, 500)) - {408, 425, 429}


@dataclass(frozen=True, slots=True)
class StockSettings:
    """How long, and whether."""

    refresh: timedelta
    negative: timedelta
    serve_expired: bool
    holder: str  # this process, among those that share the database


class Stock:
    """All documents.

    ``spread`` is a random number from 0 to 1; ``admit`` refuses who asks too often for what must be fetched.
    """

    def __init__(
        self,
        database: CollateralDatabase,
        upstream: Upstream,
        judge: Judge,
        settings: StockSettings,
        *,
        clock: Callable[[], datetime],
        spread: Callable[[], float],
        events: Events,
        admit: Callable[[], None] = lambda: None,
    ) -> None:
        self.admit = admit
        self.database, self.upstream, self.judge, self.settings = database, upstream, judge, settings
        self.clock, self.spread, self.events = clock, spread, events
        self.breakers = {
            vendor: Breaker(name, clock, spread)
            for vendor, name in {"intel": "PCS", "amd": "AMD's KDS", "hygon": "Hygon's service"}.items()
        }
        self.negatives = Negatives(clock)
        self._flights: SingleFlight[Document] = SingleFlight()
        self._memory: OrderedDict[str, Document] = OrderedDict()
        self._forgotten = 0  # how often

    async def document(self, subject: Subject, *, version: int = 4, may_fetch: bool) -> Document:
        """The document of ``subject``, valid now.

        Raises:
            EndorsementNotFound, EndorsementUnavailable, VerificationError, StorageError
        """
        held = await self._held(name_of(subject, version))
        if held is not None and self.clock() <= held.expires_at:
            self.events.hit(vendor_of(subject))
            return held
        try:
            if not may_fetch or version != 4:
                raise _not_kept(subject, version, held)
            self.events.miss(vendor_of(subject))
            return await self.fetch(subject)
        except (ProviderError, VerificationError) as error:
            if held is not None and self.settings.serve_expired:
                _LOG.warning("%s expired at %s and is served: %s", held.name, held.expires_at, error)
                return held
            raise

    async def fetch(self, subject: Subject) -> Document:
        """Ask upstream, once for all who ask at the same time in all processes, and keep what came.

        Raises:
            EndorsementNotFound, EndorsementUnavailable, VerificationError, UnsupportedError, StorageError
        """
        return await self._flights.run(subject.key, lambda: self._fetch_alone(subject))

    async def put(
        self, subject: Subject, fetched: Fetched, *, version: int = 4, allow_rollback: bool = False
    ) -> Document:
        """Verify and keep what came. What is older than what is there is kept only with ``allow_rollback``.

        Raises:
            VerificationError, EndorsementStale, EndorsementNotFound, UnsupportedError, StorageError
        """
        now = self.clock()
        if isinstance(subject, VekSubject) and not fetched.issuer_chain:
            chain = await self.document(AmdChainSubject(subject.product, subject.kind), may_fetch=True)
            fetched = Fetched(fetched.body, chain.chain.encode())
        genuine = self.judge.verify(subject, fetched, await self.crls(subject), now)
        expires = expiry_of(genuine)
        interval = _OF_CHIPS if isinstance(subject, VekSubject | HygonChainSubject) else self.settings.refresh
        document = Document(
            name=name_of(subject, version), body=fetched.body, chain=fetched.issuer_chain.decode("ascii"),
            number=genuine.number, issued_at=genuine.issued, expires_at=expires, fetched_at=now,
            refresh_at=refresh_due(now, expires, interval, self.spread()),
        )  # fmt: skip

        def accept(old: Document | None) -> None:
            if old is not None and not allow_rollback:
                self.judge.require_newer(genuine, old)

        await self.database.documents.put(document, accept)
        self.negatives.forget(document.name)
        self._remember(document)
        return document

    async def crls(self, subject: Subject) -> Sequence[bytes]:
        """The lists that are kept and valid, of those who issue ``subject``'s certificates."""
        match subject:
            case RootCaCrlSubject() | AmdCrlSubject() | HygonChainSubject():
                wanted: Sequence[Subject] = ()
            case AmdChainSubject() | VekSubject():
                wanted = (AmdCrlSubject(subject.product),)
            case PckCrlSubject():
                wanted = (RootCaCrlSubject(),)
            case _:
                wanted = (RootCaCrlSubject(), PckCrlSubject("processor"), PckCrlSubject("platform"))
        held = [await self.held(item) for item in wanted]
        return [item.body for item in held if item is not None]

    async def held(self, subject: Subject) -> Document | None:
        """The document of ``subject`` if it is kept and valid now."""
        document = await self._held(name_of(subject))
        now = self.clock()
        return document if document and document.issued_at <= now <= document.expires_at else None

    async def held_by_name(self, name: str) -> Document | None:
        """The document of this name if it is kept."""
        return await self._held(name)

    def forget(self) -> None:
        """Read everything anew from the database: another process has changed it."""
        self._memory.clear()
        self._forgotten += 1

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    async def _held(self, name: str) -> Document | None:
        document = self._memory.get(name)
        if document is None:
            forgotten = self._forgotten
            document = await self.database.documents.read(name)
            if document is not None and forgotten == self._forgotten:
                self._remember(document)
        return document

    def _remember(self, document: Document) -> None:
        self._memory[document.name] = document
        if len(self._memory) > _MAX_REMEMBERED:
            self._memory.popitem(last=False)

    async def _fetch_alone(self, subject: Subject) -> Document:
        """As the only process that does, for as long as the lease lasts."""
        self.negatives.require(subject.key)
        self.admit()
        leases, lease = self.database.leases, f"fetch/{subject.key}"
        asked, waited = self.clock(), False
        while not await leases.take(lease, self.settings.holder, self.clock(), self.clock() + _LEASE):
            waited = True
            await asyncio.sleep(_LOOK_SECONDS)
        try:
            found = await self.database.documents.read(subject.key) if waited else None
            if found is not None and found.fetched_at >= asked:
                self._remember(found)
                return found
            return await self._fetch(subject)
        finally:
            await leases.give_back(lease, self.settings.holder)

    async def _fetch(self, subject: Subject) -> Document:
        vendor = vendor_of(subject)
        fetched = await self.ask(vendor, subject.key, lambda: self.upstream.fetch(subject))
        try:
            document = await self.put(subject, fetched)
        except EndorsementStale as error:
            _LOG.warning("%s: kept what is there: %s", subject.key, error)
            self.events.fetched(vendor, error)
            held = await self._held(subject.key)
            if held is None or self.clock() > held.expires_at:
                self.negatives.wrong(subject.key, error)
                raise
            return held
        except (VerificationError, UnsupportedError, EndorsementNotFound) as error:
            _LOG.error("%s: what came is not kept: %s: %s", subject.key, error.code, error)
            self.negatives.wrong(subject.key, error)
            self.events.fetched(vendor, error)
            raise
        self.events.fetched(vendor, None)
        return document

    async def ask(self, vendor: str, key: str, question: Callable[[], Awaitable[T]]) -> T:
        """The answer of ``vendor`` to ``question``, unless it is left alone; ``key`` is what is asked for.

        Raises:
            EndorsementNotFound, EndorsementUnavailable
        """
        breaker = self.breakers[vendor]
        breaker.require_open()
        try:
            answer = await question()
        except EndorsementNotFound as error:
            breaker.succeeded()
            self.negatives.missing(key, error, self.settings.negative)
            self.events.fetched(vendor, error)
            raise
        except EndorsementUnavailable as error:
            if error.fields.get("status") in _REFUSALS:
                breaker.succeeded()
                self.negatives.wrong(key, error)
            else:
                pause = error.fields.get("retry_after_seconds")
                breaker.failed(pause if isinstance(pause, int | float) else None)
            self.events.fetched(vendor, error)
            _LOG.warning("%s: %s: %s", key, error.code, error)
            raise
        breaker.succeeded()
        return answer


def name_of(subject: Subject, version: int = 4) -> str:
    """What a document is kept as; those of version 3 of the API are others than those of version 4."""
    return subject.key if version == 4 else f"v{version}/{subject.key}"


def vendor_of(subject: Subject) -> str:
    """``"intel"``, ``"amd"`` or ``"hygon"``."""
    return subject.key.partition("/")[0]


def _not_kept(subject: Subject, version: int, held: Document | None) -> EAAError:
    if held is not None:
        return EndorsementNotFound(
            f"{held.name} expired at {held.expires_at:%Y-%m-%dT%H:%M:%SZ}, and is not fetched in this mode: "
            "put it anew with PUT platformcollateral",
            detail="expired",
        )
    if version != 4:
        return EndorsementNotFound(
            f"{subject.key} of version {version} of the API is not kept, and Intel gives it no longer: use "
            "version 4",
            detail="version_ended",
        )
    return EndorsementNotFound(
        f"{subject.key} is not kept, and is not fetched in this mode: register a platform, or put it with "
        "PUT platformcollateral",
        detail="cache",
    )
