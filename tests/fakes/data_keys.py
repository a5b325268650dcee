"""Data keys in memory, as a table would keep them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from eaa.errors import StorageError
from eaa.storage.sealing.data_keys import WrappedDataKey

__all__ = ["MemoryDataKeys"]


class MemoryDataKeys:
    """The table; ``loads`` counts how often it was read. Each call gives other tasks a turn first."""

    def __init__(self) -> None:
        self.rows: dict[str, WrappedDataKey] = {}
        self.loads = 0

    async def load(self) -> Sequence[WrappedDataKey]:
        await asyncio.sleep(0)
        self.loads += 1
        return tuple(self.rows.values())

    async def add(self, key: WrappedDataKey, *, only_first: bool = False) -> bool:
        await asyncio.sleep(0)
        if only_first and self.rows:
            return False
        if key.id in self.rows:
            raise StorageError("the id is taken", detail="conflict")
        self.rows[key.id] = key
        return True

    async def replace(self, key: WrappedDataKey) -> None:
        await asyncio.sleep(0)
        if key.id not in self.rows:
            raise StorageError("there is no such data key", detail="conflict")
        self.rows[key.id] = key
