"""An endorsement with where it came from, as caches, bundles and callers have it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import Subject
from eaa.verify.fetched_result import Genuine

__all__ = ["Held", "Kept"]


@dataclass(frozen=True, slots=True)
class Kept:
    """As it was stored; nothing of it is verified."""

    subject: Subject
    fetched: Fetched
    source: str  # the name of where it came from
    fetched_at: datetime  # aware, UTC, whole seconds


@dataclass(frozen=True, slots=True)
class Held:
    """As it is handed on: verified by itself, and what that established."""

    kept: Kept
    genuine: Genuine

    @property
    def fetched(self) -> Fetched:
        return self.kept.fetched

    @property
    def expires(self) -> datetime:
        """The first end of it or an issuer."""
        return self.genuine.expires
