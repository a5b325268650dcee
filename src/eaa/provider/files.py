"""Files that other processes read meanwhile: written whole or not at all, and one writer at a time."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from eaa.errors import StorageError

__all__ = ["load_bounded", "locked", "replace_file"]

_LOCK_SECONDS = 10.0
_POLL_SECONDS = 0.02


def load_bounded(path: Path, limit: int) -> bytes | None:
    """The file's bytes; ``None`` if there is none, it is no regular file or has more than ``limit`` bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _failed(path, error) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(os.dup(descriptor), "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise _failed(path, error) from None
    finally:
        os.close(descriptor)
    return data if len(data) <= limit else None


def replace_file(path: Path, data: bytes) -> None:
    """``path`` has ``data``, for every reader either what was there before or all of it, and durably.

    Raises:
        StorageError: ``storage.endorsements``: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise _failed(path, error) from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file at ``path``, alone among processes and threads; it is freed with its holder.

    Raises:
        StorageError: it cannot be opened, or another held it for ten seconds.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise _failed(path, error) from None
    with file:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StorageError(f"{path}: locked by another", detail="endorsements") from None
                time.sleep(_POLL_SECONDS)
            except OSError as error:
                raise _failed(path, error) from None
        yield


def _failed(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: {error.strerror or error}", detail="endorsements")
