"""Processes that start at once on a new storage agree on the first keys, whoever made them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from eaa.broker.key_book import Rotation
from eaa.broker.records import ServiceKey
from eaa.services.verdictd.books import Books
from eaa.services.verdictd.service_keys import ensure_keys
from tests.fakes.memory_stores import MemoryServiceKeys, MemoryStores

ROTATION = Rotation(timedelta(days=30), timedelta(minutes=20), timedelta(hours=2))


class _Clock:
    """Later at each look."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now


class _RacedKeys(MemoryServiceKeys):
    """Another process makes all keys just before ours asks which there are."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock
        self.theirs: list[ServiceKey] = []

    async def of(self, purpose: str) -> Sequence[ServiceKey]:
        if not self.theirs:
            other = MemoryServiceKeys()
            await ensure_keys(other, rotation=ROTATION, issuer="verdictd", now=self._clock())
            self.theirs = list(other.kept)
            for key in self.theirs:
                await self.add(key)
        return await super().of(purpose)


def test_the_keys_that_another_made_a_moment_later_hold_at_once() -> None:
    clock = _Clock()
    stores = MemoryStores()
    keys = stores.service_keys = _RacedKeys(clock)
    books = Books(stores, rotation=ROTATION, issuer="verdictd", clock=clock, refresh_seconds=1)
    asyncio.run(books.refresh())
    assert {books.keys.signing.kid, books.keys.challenge_kid} < {key.kid for key in keys.theirs}
