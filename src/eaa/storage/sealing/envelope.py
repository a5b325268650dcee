"""Records sealed under data keys, which are stored beside them wrapped by a master key.

The master key is asked once for each data key and process; after that it may be out of reach.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from eaa.errors import StorageError
from eaa.storage.sealing.data_keys import DataKeys
from eaa.storage.sealing.key_ring import KeyRing
from eaa.storage.sealing.master_key import MasterKey
from eaa.storage.sealing.sealed import NONCE_BYTES, DataKey, key_id_of

__all__ = ["RELOAD_SECONDS", "SEALS_PER_KEY", "Envelope"]

#: One process seals no more under one data key. 16 processes then stay within the 2^32 random nonces of plain
#: GCM [SP800-38D 8.3]; GCM-SIV goes further.
SEALS_PER_KEY = 2**28
#: For how long a new data key of another process may go unnoticed.
RELOAD_SECONDS = 60.0


class Envelope:
    """Seals and opens records: a ``Sealer``, for the tasks of one event loop.

    Processes may share ``data_keys``.

    Args:
        master: wraps new data keys.
        data_keys: where they are kept.
        also: other master keys that may have wrapped data keys which are there; while the master key
            is changed, the other one of the two.
        clock: aware.
    """

    def __init__(
        self,
        master: MasterKey,
        data_keys: DataKeys,
        *,
        also: Sequence[MasterKey] = (),
        seals_per_key: int = SEALS_PER_KEY,
        reload_seconds: float = RELOAD_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ring = KeyRing(master, data_keys, also, clock)
        self._seals_per_key = seals_per_key
        self._reload_seconds = reload_seconds
        self._current: DataKey | None = None
        self._seals = 0
        self._reload_at = 0.0
        self._lock = asyncio.Lock()
        self._failures = 0
        self._failure: StorageError | None = None

    async def seal(self, plaintext: bytes, *, context: bytes) -> bytes:
        """``plaintext``, encrypted and authenticated together with ``context``, which is not in the result.

        Raises:
            StorageError: no data key is to be had now.
            ConfigError: ``config.master_key``: the data key is wrapped by one that is not configured.
        """
        key = self._usable() or await self._alone(self._choose)
        self._seals += 1
        return key.seal(plaintext, context, os.urandom(NONCE_BYTES))

    async def open(self, sealed: bytes, *, context: bytes) -> bytes:
        """What :meth:`seal` was given.

        Raises:
            StorageError: ``storage.sealed``: it does not authenticate under ``context``;
                ``storage.data_key``: its data key is not there; or the data key is not to be had now.
            ConfigError: as :meth:`seal`.
        """
        key_id = key_id_of(sealed)
        key = self._ring.ready(key_id) or await self._alone(lambda: self._ring.find(key_id))
        return key.open(sealed, context)

    async def rotate_data_key(self) -> str:
        """Seal under a new data key from now on, other processes within a minute. Its id."""
        return (await self._alone(self._rotate)).id

    async def rewrap(self, master: MasterKey) -> int:
        """Wrap every data key by ``master``, and new ones from now on; how many there were.

        Sealed records stay as they are. Each data key is unwrapped by ``master`` before it takes the place
        of the old one. After an interruption call it again, with both master keys given to the constructor.
        """
        async with self._lock:
            return await self._ring.rewrap(master)

    def _usable(self) -> DataKey | None:
        """The data key to seal under, if nothing has to be asked for it."""
        if self._seals >= self._seals_per_key or time.monotonic() >= self._reload_at:
            return None
        return self._current

    async def _choose(self) -> DataKey:
        if (usable := self._usable()) is not None:
            return usable  # chosen by another task, while this one waited
        newest = await self._ring.newest()
        if newest is self._current and self._seals >= self._seals_per_key:
            newest = await self._ring.rotate()
        return self._use(newest)

    async def _rotate(self) -> DataKey:
        return self._use(await self._ring.rotate())

    def _use(self, key: DataKey) -> DataKey:
        if key is not self._current:
            self._current, self._seals = key, 0
        self._reload_at = time.monotonic() + self._reload_seconds
        return key

    async def _alone(self, work: Callable[[], Awaitable[DataKey]]) -> DataKey:
        """The result of ``work``, one task at a time.

        Who waited while another failed gets that failure: an outage costs one timeout, not one for each task.
        """
        failures = self._failures
        async with self._lock:
            if self._failure is not None and self._failures != failures:
                raise StorageError(str(self._failure), detail=self._failure.code.partition(".")[2])
            try:
                return await work()
            except StorageError as error:
                self._failures, self._failure = self._failures + 1, error
                raise
