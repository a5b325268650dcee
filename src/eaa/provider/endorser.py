"""Endorsements for whoever verifies: from memory, the cache, and the sources in their order.

 1. What is there and fresh is handed on.
 2. Else the sources are asked, one after the other. What one answers is verified, and is no rollback, before
    it is stored; what is not is passed over, with the reason.
 3. If none has better, what is there is handed on for as long as it is valid.
 4. After a failure the sources are left alone for a while.

One request is under way for one subject, however many wait for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import (
    AmdChainSubject,
    AmdCrlSubject,
    HygonChainSubject,
    RootCaCrlSubject,
    Subject,
    VekSubject,
)
from eaa.errors import (
    EAAError,
    EndorsementNotFound,
    EndorsementStale,
    EndorsementUnavailable,
    FormatError,
    ProviderError,
    StorageError,
    UnsupportedError,
    VerificationError,
)
from eaa.provider.cache import EndorsementCache
from eaa.provider.freshness import Freshness
from eaa.provider.kept import Held, Kept
from eaa.provider.remembered import remembered
from eaa.provider.single_flight import SingleFlight
from eaa.provider.source import Source
from eaa.verify.fetched import TrustRoot, require_supersedes, supersedes, verify_fetched

__all__ = ["Endorser"]

_LOG = logging.getLogger("eaa.provider")
#: How long the sources are left alone after a failure, and after they said that there is none.
_FAILED_SECONDS, _NOT_FOUND_SECONDS = 60.0, 300.0
_MAX_HELD = 65536
_NOT_GENUINE = (FormatError, UnsupportedError, VerificationError)


class Endorser:
    """Asks ``sources`` in order and keeps what is good.

    Args:
        trust_anchors: roots of all vendors that are believed.
        cache: shared with other processes, or ``None``: kept in this one only.
        now: the aware time.
        freshness: when to ask again.
        allow_rollback: whether something older may replace what is there; named by who knows why.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        trust_anchors: Sequence[TrustRoot],
        cache: EndorsementCache | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        freshness: Freshness | None = None,
        allow_rollback: bool = False,
    ) -> None:
        self.sources = tuple(sources)
        self._anchors = tuple(trust_anchors)
        self._cache = cache
        self._now = now
        self._freshness = freshness or Freshness()
        self._allow_rollback = allow_rollback
        self._held: dict[str, Held] = {}
        self._failures: dict[str, tuple[float, ProviderError]] = {}
        self._flights: SingleFlight[Held] = SingleFlight()

    async def endorsement(self, subject: Subject, *, again: bool = False) -> Held:
        """The endorsement of ``subject``, valid now.

        With ``again`` the sources are asked in any case, and their failure is an error even if what is there
        still holds.

        Raises:
            EndorsementNotFound: no source has it.
            EndorsementUnavailable: none could be had that is genuine.
            EndorsementStale: what there is expired, and nothing newer is to be had.
        """
        return await self._flights.run((subject.key, again), lambda: self._endorsement(subject, again))

    def known(self, subject: Subject) -> Held | None:
        """What this process has of ``subject`` in its memory, if it is valid now; nobody is asked."""
        held = self._held.get(subject.key)
        return held if held is not None and self._valid(held) else None

    def believe(self, trust_anchors: Sequence[TrustRoot]) -> None:
        """Judge by ``trust_anchors`` from now on: what others vouched for is forgotten, and failures are."""
        anchors = tuple(trust_anchors)
        if anchors != self._anchors:
            self._anchors = anchors
            self._held.clear()
            self._failures.clear()

    def held(self) -> tuple[Held, ...]:
        """All that this process has in its memory."""
        return tuple(self._held.values())

    def due(self, held: Held) -> bool:
        """Whether it is time to ask for something newer."""
        return self._now() >= self._freshness.due(held)

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    async def _endorsement(self, subject: Subject, again: bool) -> Held:
        held = self._held.get(subject.key)
        if held is None or self.due(held):
            held = await self._stored(subject) or held
        if held is not None and not again and not self.due(held):
            return held
        failure = None if again else self._failure(subject)
        if failure is not None:
            return self._still(held, failure)
        try:
            return await self._asked(subject, held)
        except ProviderError as error:
            self._remember(subject, error)
            if again:
                raise
            return self._still(held, error)

    def _still(self, held: Held | None, error: ProviderError) -> Held:
        """``held``, if it is valid; else ``error``, or what it means for something that is too old."""
        if held is None:
            raise error
        if self._valid(held):
            _LOG.info(
                "%s: what is there is used, valid until %s: %s", held.genuine.subject.key, held.expires, error
            )
            return held
        raise EndorsementStale(
            f"{held.genuine.subject.key}: what is there expired at {held.expires:%Y-%m-%dT%H:%M:%SZ}, and "
            f"nothing newer is to be had: {error}",
            detail="expired",
        ) from None

    def _valid(self, held: Held) -> bool:
        return held.genuine.windows.not_before <= self._now() <= held.expires

    def _failure(self, subject: Subject) -> ProviderError | None:
        """Why the sources are left alone about ``subject``, if they are."""
        until, error = self._failures.get(subject.key, (0.0, None))
        return remembered(error) if error is not None and time.monotonic() < until else None

    def _remember(self, subject: Subject, error: ProviderError) -> None:
        seconds = _NOT_FOUND_SECONDS if isinstance(error, EndorsementNotFound) else _FAILED_SECONDS
        self._failures.pop(subject.key, None)
        self._failures[subject.key] = (time.monotonic() + seconds, remembered(error))
        if len(self._failures) > _MAX_HELD:
            del self._failures[next(iter(self._failures))]

    async def _stored(self, subject: Subject) -> Held | None:
        """What the cache has, verified at the time it was fetched and so judged like a fetched one."""
        if self._cache is None:
            return None
        try:
            kept = await asyncio.to_thread(self._cache.load, subject)
        except StorageError as error:
            _LOG.warning("the cache of endorsements is passed over: %s", error)
            return None
        if kept is None:
            return None
        known = self._held.get(subject.key)
        if known is not None and known.kept.fetched == kept.fetched:
            return self._hold(Held(kept, known.genuine))
        try:
            # At the time at which it was fetched: that it expired since then is another matter.
            at = min(kept.fetched_at, self._now())
            genuine = await asyncio.to_thread(
                verify_fetched, subject, kept.fetched, trust_anchors=self._anchors, crls=(), now=at
            )
        except EAAError as error:
            _LOG.warning("%s in the cache is not genuine, and counts as absent: %s", subject.key, error)
            return None
        # What is known is newer if it could not be stored, or if somebody has put back what was there before.
        newer = known is not None and not self._allow_rollback and not supersedes(genuine, known.genuine)
        return known if newer else self._hold(Held(kept, genuine))

    async def _asked(self, subject: Subject, held: Held | None) -> Held:
        errors: list[ProviderError] = []
        for source in self.sources:
            try:
                return await self._from(source, subject, held)
            except ProviderError as error:
                errors.append(error)
            except _NOT_GENUINE as error:
                errors.append(
                    EndorsementUnavailable(
                        f"{subject.key} from {source.name} is refused, and nothing of it is kept: {error}",
                        detail="not_genuine",
                        cause=error.code,
                    )
                )
        raise _one(subject, errors)

    async def _from(self, source: Source, subject: Subject, held: Held | None) -> Held:
        fetched = await source.fetch(subject)
        if isinstance(subject, VekSubject) and not fetched.issuer_chain:
            chain = await self.endorsement(AmdChainSubject(subject.product, subject.kind))
            fetched = Fetched(fetched.body, chain.fetched.issuer_chain)
        now = self._now()
        crls = await self._lists(subject)
        genuine = await asyncio.to_thread(
            verify_fetched, subject, fetched, trust_anchors=self._anchors, crls=crls, now=now
        )
        new = Held(Kept(subject, fetched, source.name, now.replace(microsecond=0)), genuine)
        if held is not None and not self._allow_rollback:
            require_supersedes(genuine, held.genuine)
        await self._store(new)
        self._failures.pop(subject.key, None)
        return self._hold(new)

    async def _lists(self, subject: Subject) -> tuple[bytes, ...]:
        """The list by which the issuers of ``subject`` are judged, if it is to be had at all."""
        match subject:
            case RootCaCrlSubject() | AmdCrlSubject() | HygonChainSubject():
                return ()
            case AmdChainSubject(product=product) | VekSubject(product=product):
                judge: Subject = AmdCrlSubject(product)
            case _:
                judge = RootCaCrlSubject()
        try:
            return ((await self.endorsement(judge)).fetched.body,)
        except ProviderError as error:
            _LOG.info("%s is judged without the revocation list of its root: %s", subject.key, error)
            return ()

    async def _store(self, new: Held) -> None:
        if self._cache is None:
            return
        try:
            await asyncio.to_thread(self._cache.store, new.kept, accept=lambda old: self._accept(new, old))
        except StorageError as error:
            _LOG.warning("%s is not kept on disk: %s", new.genuine.subject.key, error)

    def _accept(self, new: Held, old: Kept | None) -> None:
        """Holds if ``new`` may replace what another process may have stored meanwhile."""
        if old is None or self._allow_rollback or old.fetched == new.fetched:
            return
        try:
            before = verify_fetched(
                old.subject, old.fetched, trust_anchors=self._anchors, crls=(), now=old.fetched_at
            )
        except EAAError:
            return
        require_supersedes(new.genuine, before)

    def _hold(self, held: Held) -> Held:
        key = held.genuine.subject.key
        self._held.pop(key, None)
        self._held[key] = held
        if len(self._held) > _MAX_HELD:
            del self._held[next(iter(self._held))]
        return held


def _one(subject: Subject, errors: Sequence[ProviderError]) -> ProviderError:
    """What all sources together said."""
    if len(errors) == 1:
        return errors[0]
    if not errors:
        return EndorsementNotFound(
            f"{subject.key} is not there, and no provider is configured", detail="no_provider"
        )
    text = f"{subject.key} is not to be had: " + "; ".join(map(str, errors))
    if all(isinstance(error, EndorsementNotFound) for error in errors):
        return EndorsementNotFound(text, detail="providers")
    return EndorsementUnavailable(text, detail="providers")
