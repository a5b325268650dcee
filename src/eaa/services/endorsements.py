"""Endorsements at a service's hand: what is known at once, what is fetched, and what is kept fresh.

Who sends evidence decides which platforms are asked for: platforms that were not seen before are asked for at
a bounded rate, so that nobody spends the service's standing with its vendors. Nobody is asked about a quote
before its own chain and signatures hold. Of an SNP report nothing holds without what is asked for: there each
peer address has a part of the rate, and quotes have a rate of their own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from eaa.endorsements.amd_endorsements import SnpEndorsements
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.subject import AmdCrlSubject, RootCaCrlSubject, Subject, Update
from eaa.endorsements.x509 import Certificate
from eaa.errors import EAAError, EndorsementUnavailable, LimitExceeded, ProviderError
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.evidence.snp import parse_snp_report
from eaa.provider.endorser import Endorser
from eaa.provider.kept import Held
from eaa.provider.platform_endorsements import (
    collateral_of,
    endorsements_of,
    subjects_of_quote,
    subjects_of_report,
)
from eaa.services.rate import RateLimit
from eaa.services.running import in_background
from eaa.tls.peer import Endorsements, EvidenceKind
from eaa.verify.dcap_origin import require_origin
from eaa.verify.memo import BoundedMemo

__all__ = ["ServiceEndorsements"]

_LOG = logging.getLogger("eaa.provider")
_QUOTES = frozenset({EvidenceKind.SGX_QUOTE, EvidenceKind.TDX_QUOTE})
_MAX_ASSEMBLED = 4096
_MINUTE_SECONDS = 60.0
#: Of the rate for reports, what one address has at most.
_PEER_PART = 1 / 4
#: How many states, ends by kind, and failures since the last call.
Changed = Callable[[Mapping[str, int], Mapping[str, float], int], None]


class ServiceEndorsements:
    """See :class:`eaa.broker.verified_environment.ProvidedEndorsements`.

    Args:
        update: which of Intel's TCB recoveries is asked for.
        fetches_per_minute: for platforms that were not seen before: of those that prove themselves by a
            quote, and as many of the others, of which each peer address has a quarter.
        trust_anchors: what the chain of a quote must lead to.
        changed: is told what there is, after each fetch and each look.
    """

    def __init__(
        self,
        endorser: Endorser,
        *,
        update: Update,
        fetches_per_minute: int,
        trust_anchors: Sequence[Certificate],
        changed: Changed = lambda states, ends, failures: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._endorser, self._update, self._changed, self._now = endorser, update, changed, now
        self._trust_anchors = trust_anchors
        self._rates = _rate(fetches_per_minute)
        self._peer_rates = _rate(fetches_per_minute * _PEER_PART)
        self._assembled = BoundedMemo[Endorsements](_MAX_ASSEMBLED)

    @property
    def not_ready(self) -> str:
        """Why nothing of a vendor can be verified: the list of its root expired. Empty if that is not so."""
        now = self._now()
        lists = (RootCaCrlSubject, AmdCrlSubject)
        expired = any(
            held.expires < now for held in self._endorser.held() if isinstance(held.genuine.subject, lists)
        )
        return "endorsement_stale.expired" if expired else ""

    def believe(self, trust_anchors: Sequence[Certificate]) -> None:
        """Judge endorsements, and the chains of quotes, by ``trust_anchors`` from now on."""
        self._trust_anchors = trust_anchors
        self._endorser.believe(trust_anchors)

    def known(self, kind: EvidenceKind, evidence: bytes) -> Endorsements | None:
        """What is in memory and valid for the platform of ``evidence``; ``None`` if a part is missing."""
        try:
            possible = self._subjects(kind, evidence)
        except EAAError:
            return None  # verification says what is wrong with it
        for subjects in possible:
            held = [self._endorser.known(subject) for subject in subjects]
            complete = [item for item in held if item is not None]
            if len(complete) == len(subjects):
                return self._assemble(kind, complete)
        return None

    async def fetch(self, kind: EvidenceKind, evidence: bytes, *, peer: str) -> None:
        """Have all that the platform that made ``evidence`` needs in memory; ``peer`` is who sent it.

        Raises:
            VerificationError: no genuine platform made it; nobody was asked.
            ProviderError: a part cannot be had; ``endorsement_unavailable.rate``: too many new platforms.
        """
        possible = self._subjects(kind, evidence)
        if not possible:
            return
        if kind in _QUOTES:
            require_origin(parse_quote_frame(evidence), trust_anchors=self._trust_anchors)
        self._count(kind, peer)
        error: ProviderError | None = None
        for subjects in possible:
            try:
                await asyncio.gather(*(self._endorser.endorsement(subject) for subject in subjects))
            except ProviderError as failed:
                error = error or failed
                continue
            error = None
            break
        self._tell(0)
        if error is not None:
            raise error

    @asynccontextmanager
    async def keep_fresh(self, seconds: float) -> AsyncIterator[None]:
        """Every ``seconds``, until the end of the block, fetch what is in use and due."""
        async with in_background(self._refresh(seconds)):
            yield

    async def _refresh(self, seconds: float) -> None:
        while True:
            failures = 0
            for held in self._endorser.held():
                if not self._endorser.due(held):
                    continue
                try:
                    renewed = await self._endorser.endorsement(held.genuine.subject)
                except EAAError as error:
                    _LOG.warning("%s", error)
                    failures += 1
                except Exception as error:
                    _LOG.error("%s: %s", held.genuine.subject.key, type(error).__name__)
                    failures += 1
                else:
                    failures += self._endorser.due(renewed)
            self._tell(failures)
            await asyncio.sleep(seconds)

    def _subjects(self, kind: EvidenceKind, evidence: bytes) -> tuple[tuple[Subject, ...], ...]:
        if kind in _QUOTES:
            return (subjects_of_quote(parse_quote_frame(evidence), self._update),)
        if kind is EvidenceKind.SNP_REPORT:
            return subjects_of_report(parse_snp_report(evidence))
        return ()

    def _assemble(self, kind: EvidenceKind, held: list[Held]) -> Endorsements:
        """The value that verification takes, made once for the same parts so that memos know it again."""
        key = tuple([item.fetched.digest for item in held])
        made = self._assembled.get(key)
        if made is None:
            made = _value(kind, held)
            self._assembled.put(key, made)
        return made

    def _count(self, kind: EvidenceKind, peer: str) -> None:
        try:
            if kind not in _QUOTES:
                self._peer_rates.take(peer)
            self._rates.take("quotes" if kind in _QUOTES else "reports")
        except LimitExceeded:
            raise EndorsementUnavailable(
                "too many platforms that were not seen before; ask again in a minute", detail="rate"
            ) from None

    def _tell(self, failures: int) -> None:
        now = self._now()
        states: Counter[str] = Counter(fresh=0, due=0, expired=0)
        ends: dict[str, float] = {}
        for held in self._endorser.held():
            states["expired" if held.expires < now else "due" if self._endorser.due(held) else "fresh"] += 1
            kind = "/".join(held.genuine.subject.key.split("/")[:2])
            ends[kind] = min(held.expires.timestamp(), ends.get(kind, float("inf")))
        self._changed(states, ends, failures)


def _rate(per_minute: float) -> RateLimit:
    return RateLimit(per_minute / _MINUTE_SECONDS, time.monotonic, burst_seconds=_MINUTE_SECONDS)


def _value(kind: EvidenceKind, held: list[Held]) -> IntelCollateral | SnpEndorsements:
    return collateral_of(held) if kind in _QUOTES else endorsements_of(held)
