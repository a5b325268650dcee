"""The data keys of one process: as stored, and those of them that were unwrapped."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from eaa.errors import StorageError
from eaa.storage.sealing.data_keys import DataKeys, WrappedDataKey
from eaa.storage.sealing.master_key import DATA_KEY_BYTES, MasterKey, config_error, not_unwrapped
from eaa.storage.sealing.sealed import ID_BYTES, DataKey

__all__ = ["KeyRing"]

_TICK = timedelta(microseconds=1)


class KeyRing:
    """Data keys, of which the newest seals. One task at a time may call a method.

    All methods raise ``StorageError`` if a data key is not to be had now, and ``ConfigError``
    (``config.master_key``) if it is wrapped by a master key that is not given here.
    """

    def __init__(
        self,
        master: MasterKey,
        data_keys: DataKeys,
        also: Sequence[MasterKey],
        clock: Callable[[], datetime],
    ) -> None:
        self._master = master
        self._masters = {key.name: key for key in (*also, master)}
        self._data_keys = data_keys
        self._clock = clock
        self._stored: dict[str, WrappedDataKey] = {}
        self._ready: dict[str, DataKey] = {}

    def ready(self, key_id: str) -> DataKey | None:
        """The data key of that id, if it was unwrapped before."""
        return self._ready.get(key_id)

    async def newest(self) -> DataKey:
        """The newest data key that is stored; if there is none, the first, which one process gets to make."""
        await self._load()
        if not self._stored:
            await self._data_keys.add(await self._made(), only_first=True)
            await self._load()
        return await self._unwrapped(self._newest())

    async def find(self, key_id: str) -> DataKey:
        """The data key of that id.

        Raises:
            StorageError: ``storage.data_key``: it is not stored.
        """
        if key_id not in self._stored:
            await self._load()
        if key_id not in self._stored:
            raise StorageError(f"the data key {key_id} is not there", detail="data_key", data_key=key_id)
        return await self._unwrapped(self._stored[key_id])

    async def rotate(self) -> DataKey:
        """A new data key, stored, and newer than all others whatever the clock says."""
        await self._load()
        made = await self._made()
        await self._data_keys.add(made)
        self._stored[made.id] = made
        return await self._unwrapped(made)

    async def rewrap(self, master: MasterKey) -> int:
        """Wrap all data keys by ``master``, and new ones from now on; how many there were."""
        done: set[str] = set()
        while left := [key for key in await self._data_keys.load() if key.id not in done]:
            for stored in left:
                await self._data_keys.replace(await self._rewrapped(stored, master))
                done.add(stored.id)
        self._master = self._masters[master.name] = master
        await self._load()
        return len(done)

    async def _load(self) -> None:
        self._stored = {key.id: key for key in await self._data_keys.load()}

    def _newest(self) -> WrappedDataKey:
        return max(self._stored.values(), key=lambda key: (key.created_at, key.id))

    async def _made(self) -> WrappedDataKey:
        now = self._clock()
        if self._stored:
            now = max(now, self._newest().created_at + _TICK)
        wrapped = await self._master.wrap(os.urandom(DATA_KEY_BYTES))
        return WrappedDataKey(os.urandom(ID_BYTES).hex(), self._master.name, wrapped, now)

    async def _unwrapped(self, stored: WrappedDataKey) -> DataKey:
        ready = self._ready.get(stored.id)
        if ready is None:
            key = await self._unwrap(self._master_of(stored), stored.wrapped)
            ready = self._ready[stored.id] = DataKey(stored.id, AESGCMSIV(key))
        return ready

    async def _rewrapped(self, stored: WrappedDataKey, master: MasterKey) -> WrappedDataKey:
        """``stored`` under ``master``, which has shown that it gives the same key again."""
        key = await self._unwrap(self._master_of(stored), stored.wrapped)
        wrapped = await master.wrap(key)
        if not hmac.compare_digest(await master.unwrap(wrapped), key):
            raise not_unwrapped(master.name)
        return WrappedDataKey(stored.id, master.name, wrapped, stored.created_at)

    def _master_of(self, stored: WrappedDataKey) -> MasterKey:
        try:
            return self._masters[stored.master]
        except KeyError:
            raise config_error(
                f"the data key {stored.id} is wrapped by the master key {stored.master}; "
                f"configured: {', '.join(self._masters)}"
            ) from None

    @staticmethod
    async def _unwrap(master: MasterKey, wrapped: bytes) -> bytes:
        key = await master.unwrap(wrapped)
        if len(key) != DATA_KEY_BYTES:
            raise not_unwrapped(master.name)
        return key
