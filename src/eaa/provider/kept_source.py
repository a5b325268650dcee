"""Endorsements that are there already, of a bundle for instance, as one source."""

from __future__ import annotations

from collections.abc import Iterable

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import Subject
from eaa.errors import EndorsementNotFound
from eaa.provider.kept import Kept

__all__ = ["KeptSource"]


class KeptSource:
    """``kept``, of which the last for a subject counts; ``name`` is what errors call it."""

    def __init__(self, name: str, kept: Iterable[Kept]) -> None:
        self.name = name
        self._kept = {item.subject.key: item.fetched for item in kept}

    async def fetch(self, subject: Subject) -> Fetched:
        """As :class:`eaa.provider.source.Source`."""
        found = self._kept.get(subject.key)
        if found is None:
            raise EndorsementNotFound(f"{self.name} has no {subject.key}", detail="kept")
        return found
