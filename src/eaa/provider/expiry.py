"""What expires when: of what is in the cache, for whom it matters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from eaa.endorsements.subject import Subject
from eaa.errors import EAAError
from eaa.provider.kept import Kept
from eaa.verify.fetched import TrustRoot, verify_fetched

__all__ = ["Expiry", "expiries", "soonest"]


@dataclass(frozen=True, slots=True)
class Expiry:
    """One endorsement, or one that is missing: then ``kept`` is ``None`` and ``problem`` says so.

    ``expires`` and ``issued`` are ``None`` where it is not genuine or not there, and ``problem`` says why.
    """

    subject: Subject
    kept: Kept | None
    number: int
    issued: datetime | None
    expires: datetime | None
    problem: str = ""

    def bites(self, now: datetime, within: timedelta) -> bool:
        """Whether it is missing, not genuine, or ends before ``now`` and ``within`` have passed."""
        return bool(self.problem) or self.expires is None or self.expires <= now + within


def expiries(
    kept: Iterable[Kept], wanted: Sequence[Subject], *, trust_anchors: Sequence[TrustRoot]
) -> tuple[Expiry, ...]:
    """Those of ``kept``, each verified at the time it was fetched, and those ``wanted`` that are not there.

    With something wanted, only that counts. Ordered by what ends first.
    """
    by_key = {item.subject.key: item for item in kept}
    subjects = {item.key: item for item in wanted} or {key: item.subject for key, item in by_key.items()}
    found = [_expiry(subject, by_key.get(key), trust_anchors) for key, subject in subjects.items()]
    return tuple(sorted(found, key=_end))


def soonest(found: Iterable[Expiry]) -> datetime | None:
    """The first end of any; ``None`` if nothing has one."""
    return min((item.expires for item in found if item.expires is not None), default=None)


def _expiry(subject: Subject, kept: Kept | None, anchors: Sequence[TrustRoot]) -> Expiry:
    if kept is None:
        return Expiry(subject, None, 0, None, None, "is not there")
    try:
        genuine = verify_fetched(subject, kept.fetched, trust_anchors=anchors, crls=(), now=kept.fetched_at)
    except EAAError as error:
        return Expiry(subject, kept, 0, None, None, f"{error.code}: {error}")
    return Expiry(subject, kept, genuine.number, genuine.issued, genuine.expires)


def _end(item: Expiry) -> tuple[float, str]:
    return (item.expires.timestamp() if item.expires else 0.0, item.subject.key)
