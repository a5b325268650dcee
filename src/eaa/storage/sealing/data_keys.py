"""Where an envelope keeps its data keys, each wrapped by a master key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = ["DataKeys", "WrappedDataKey"]


@dataclass(frozen=True, slots=True)
class WrappedDataKey:
    """One data key as it is stored. ``id`` is 32 lower-case hexadecimal digits; ``created_at`` is aware.

    ``master`` is the name of the master key that made ``wrapped``.
    """

    id: str
    master: str
    wrapped: bytes
    created_at: datetime


class DataKeys(Protocol):
    """The table of data keys. A key is never removed: records that were sealed under it may be left.

    What ``add`` and ``replace`` have returned from is durable. All may raise
    :class:`~eaa.errors.StorageError`.
    """

    async def load(self) -> Sequence[WrappedDataKey]:
        """All keys, in any order."""
        ...

    async def add(self, key: WrappedDataKey, *, only_first: bool = False) -> bool:
        """Keep ``key``; with ``only_first`` only if there is none yet, decided by the store in one step.

        Whether it was kept.
        """
        ...

    async def replace(self, key: WrappedDataKey) -> None:
        """Put ``key`` in place of the one with the same id, which exists."""
        ...
