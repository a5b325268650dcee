"""A master key outside of this process, asked as a test asks."""

from __future__ import annotations

import asyncio

import pytest

from eaa.errors import StorageError
from eaa.storage.sealing.master_key import MasterKey

__all__ = ["KEY", "refusal", "unwrap", "wrap"]

KEY = bytes(range(32))


def wrap(master: MasterKey, key: bytes = KEY) -> bytes:
    return asyncio.run(master.wrap(key))


def unwrap(master: MasterKey, wrapped: bytes) -> bytes:
    return asyncio.run(master.unwrap(wrapped))


def refusal(master: MasterKey, wrapped: bytes | None = None) -> StorageError:
    with pytest.raises(StorageError) as caught:
        wrap(master) if wrapped is None else unwrap(master, wrapped)
    return caught.value
