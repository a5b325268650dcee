"""What wraps data keys, and the shapes of its failures."""

from __future__ import annotations

from typing import Protocol

from eaa.errors import ConfigError, StorageError

__all__ = ["DATA_KEY_BYTES", "MasterKey", "config_error", "not_unwrapped", "refused", "unavailable"]

#: Of the keys that are wrapped.
DATA_KEY_BYTES = 32


class MasterKey(Protocol):
    """A key that wraps data keys and may never leave where it is kept.

    Safe for use by concurrent tasks. Failures are :class:`~eaa.errors.StorageError`, which heal by
    themselves or by the operator, without a restart; or :class:`~eaa.errors.ConfigError`, which names
    what has to be repaired.
    """

    @property
    def name(self) -> str:
        """Which key this is, the same in every process and after every restart; not secret."""
        ...

    async def wrap(self, key: bytes) -> bytes:
        """``key``, 32 bytes, encrypted and authenticated.

        Raises:
            StorageError: ``storage.master_key_unavailable`` or ``storage.master_key_refused``.
        """
        ...

    async def unwrap(self, wrapped: bytes) -> bytes:
        """The key that ``wrap`` was given.

        Raises:
            StorageError: as ``wrap``, or ``storage.unwrap``: it was not wrapped by this key, or was changed.
        """
        ...


def unavailable(name: str, message: str) -> StorageError:
    """The master key cannot be asked now."""
    return StorageError(f"master key {name}: {message}", detail="master_key_unavailable", master=name)


def refused(name: str, message: str) -> StorageError:
    """Who keeps the master key says no."""
    return StorageError(f"master key {name}: {message}", detail="master_key_refused", master=name)


def not_unwrapped(name: str) -> StorageError:
    """The bytes are not a data key that this master key has wrapped."""
    message = f"master key {name}: a data key was wrapped by another key, or changed"
    return StorageError(message, detail="unwrap", master=name)


def config_error(message: str, **fields: str) -> ConfigError:
    """The master key is not configured as it has to be. ``fields`` are ``file`` or ``key``."""
    return ConfigError(message, detail="master_key", **fields)
