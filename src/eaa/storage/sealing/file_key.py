"""A master key in a file: 32 random bytes that nobody but the owner may read."""

from __future__ import annotations

import hmac
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)

from eaa.errors import ConfigError
from eaa.storage.private_folder import PrivateFolder, sync_folder
from eaa.storage.sealing.master_key import config_error, not_unwrapped

__all__ = ["KEY_BYTES", "FileMasterKey"]

KEY_BYTES = 32
_CHECKED = b"EAA master key, name"


class FileMasterKey:
    """Wraps by AES-256-KWP [RFC5649]: 32 bytes become 40.

    ``name`` is ``file:`` and the first 16 hexadecimal digits of HMAC-SHA256 under the key over a constant:
    it stays when the file is moved, and differs when it is replaced.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.name = f"file:{hmac.digest(key, _CHECKED, 'sha256')[:8].hex()}"

    @classmethod
    def open(cls, path: Path, *, create: bool = True) -> Self:
        """The key in the file ``path``; with ``create``, a new one if there is no file.

        The file gets mode 0600, its folder 0700 if it has to be made. Of several processes that create at
        once one does, and all get its key. What is created is on disk when this returns.

        Raises:
            ConfigError: ``config.master_key``: there is none, it has another length than 32 bytes, it is a
                symbolic link, somebody else owns it or may read it, or it cannot be read or made.
        """
        folder = PrivateFolder(path.parent)
        key = _load(folder, path)
        if key is None and create:
            _create(path)
            key = _load(folder, path)
        if key is None:
            raise config_error(f"{path}: there is no master key", file=str(path))
        if len(key) != KEY_BYTES:
            message = f"{path}: a master key has {KEY_BYTES} bytes, this file has {len(key)}"
            raise config_error(message, file=str(path))
        return cls(key)

    async def wrap(self, key: bytes) -> bytes:
        return aes_key_wrap_with_padding(self._key, key)

    async def unwrap(self, wrapped: bytes) -> bytes:
        try:
            return aes_key_unwrap_with_padding(self._key, wrapped)
        except InvalidUnwrap:
            raise not_unwrapped(self.name) from None


def _load(folder: PrivateFolder, path: Path) -> bytes | None:
    try:
        return folder.load(path.name, secret=True)
    except ConfigError as error:
        raise config_error(str(error), file=str(path)) from None


def _create(path: Path) -> None:
    """A whole file under ``path`` at once, unless there is one by now."""
    temporary = ""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(descriptor, "wb") as stream:
            stream.write(os.urandom(KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            os.link(temporary, path)
        os.unlink(temporary)
        temporary = ""
        sync_folder(path.parent)
        sync_folder(path.parent.parent)
    except OSError as error:
        raise config_error(f"{path}: cannot be made: {error.strerror}", file=str(path)) from None
    finally:
        if temporary:
            with suppress(OSError):
                os.unlink(temporary)
