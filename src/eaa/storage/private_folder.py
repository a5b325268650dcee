"""A folder that only its owner writes: who may read and write is looked at before every use.

Files in it are replaced whole: readers see the old bytes or the new ones, also after a power cut.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from eaa.errors import ConfigError, StorageError

__all__ = ["PrivateFolder", "sync_folder"]

_LOCK = ".lock"
_GROUP_OR_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WRITE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_MAX_BYTES = 16 * 1024 * 1024
_RETRY_SECONDS = 0.02


class PrivateFolder:
    """The folder ``path``. Nothing is read or written before a method is called.

    Raises:
        ConfigError: from each method: others may write to the folder or a file in it, somebody else
            owns it, or it cannot be read or written; names the file.
    """

    def __init__(self, path: Path, *, lock_timeout_seconds: float = 10.0) -> None:
        self.path = path
        self._lock_timeout_seconds = lock_timeout_seconds

    def load(self, name: str, *, secret: bool = False) -> bytes | None:
        """The bytes of the file ``name``, at most 16 MiB; ``None`` if it, or the folder, does not exist.

        A ``secret`` must not be readable by others either.
        """
        path = self.path / name
        try:
            self._require_private(self.path, self.path.stat(), _WRITE_BY_OTHERS)
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            with open(descriptor, "rb") as stream:
                status = os.fstat(descriptor)
                self._require_private(path, status, _GROUP_OR_OTHERS if secret else _WRITE_BY_OTHERS)
                data = stream.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _error(path, f"cannot be read: {error.strerror}") from None
        if len(data) > _MAX_BYTES:
            raise _error(path, f"more than {_MAX_BYTES} bytes")
        return data

    def store(self, name: str, data: bytes) -> None:
        """Replace the file ``name``, readable and writable by the owner only; on disk when this returns."""
        path = self.path / name
        temporary: str | None = None
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=self.path)
            with open(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
            temporary = None
            sync_folder(self.path)
        except OSError as error:
            raise _error(path, f"cannot be written: {error.strerror}") from None
        finally:
            if temporary is not None:
                with suppress(OSError):
                    os.unlink(temporary)

    def remove(self, name: str) -> None:
        """Remove the file ``name``, which exists."""
        try:
            os.unlink(self.path / name)
            sync_folder(self.path)
        except OSError as error:
            raise _error(self.path / name, f"cannot be removed: {error.strerror}") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Create the folder if there is none, and keep other writers out.

        Raises:
            StorageError: another process holds the lock for longer than the timeout.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._require_private(self.path, self.path.stat(), _WRITE_BY_OTHERS)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self.path / _LOCK, flags, 0o600)
        except OSError as error:
            raise _error(self.path, f"cannot be written: {error.strerror}") from None
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        deadline = time.monotonic() + self._lock_timeout_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise StorageError(f"{self.path}: another process writes to it", detail="busy") from None
                time.sleep(_RETRY_SECONDS)
            else:
                return

    def _require_private(self, path: Path, status: os.stat_result, forbidden: int) -> None:
        if path == self.path and not stat.S_ISDIR(status.st_mode):
            raise _error(path, "is no folder")
        if path != self.path and not stat.S_ISREG(status.st_mode):
            raise _error(path, "is no regular file")
        if status.st_uid not in (os.geteuid(), 0):
            raise _error(path, f"belongs to user {status.st_uid}, not to the one who runs this")
        if mode := stat.S_IMODE(status.st_mode) & forbidden:
            what = "read" if forbidden == _GROUP_OR_OTHERS and not mode & _WRITE_BY_OTHERS else "write to"
            wanted = stat.S_IMODE(status.st_mode) & ~forbidden
            raise _error(path, f"others may {what} it; repair with: chmod {wanted:o} {path}")


def sync_folder(path: Path) -> None:
    """The folder's entries to disk, without which a rename may be lost.

    Raises:
        OSError
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _error(path: Path, message: str) -> ConfigError:
    return ConfigError(f"{path}: {message}", detail="reference_store", file=str(path))
