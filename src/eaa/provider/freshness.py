"""When an endorsement is to be fetched again, while the one that is there still holds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from eaa.endorsements.subject import (
    AmdCrlSubject,
    IdentitySubject,
    PckCrlSubject,
    RootCaCrlSubject,
    TcbInfoSubject,
)
from eaa.provider.kept import Held

__all__ = ["Freshness"]

_CHANGING = (TcbInfoSubject, IdentitySubject, PckCrlSubject, RootCaCrlSubject, AmdCrlSubject)


@dataclass(frozen=True, slots=True)
class Freshness:
    """Ages after which something newer is asked for, and how that is spread.

    Attributes:
        changing: of what vendors issue anew: TCB infos, identities, revocation lists.
        lasting: of certificates.
        margin: before the end of validity, at the latest; a third of its whole length if that is less.
        salt: another for each process, so that many do not ask at the same second.
    """

    changing: timedelta = timedelta(hours=24)
    lasting: timedelta = timedelta(days=30)
    margin: timedelta = timedelta(days=5)
    salt: bytes = b""

    def due(self, held: Held) -> datetime:
        """From when on it is to be fetched again: before its age and end, by a spread of up to a tenth."""
        age = self.changing if isinstance(held.genuine.subject, _CHANGING) else self.lasting
        fetched, expires = held.kept.fetched_at, held.expires
        margin = min(self.margin, (expires - held.genuine.issued) / 3)
        due = min(fetched + age, expires - margin)
        return due - max(due - fetched, timedelta(0)) * (self._spread(held) / 10)

    def _spread(self, held: Held) -> float:
        """From 0 to 1, the same each time for one subject in one process."""
        digest = hashlib.sha256(self.salt + held.genuine.subject.key.encode()).digest()
        return int.from_bytes(digest[:4], "big") / 0xFFFFFFFF
