"""The folder that an image is unpacked in, and the moment when it becomes the bundle."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eaa.errors import ConflictError, StorageError, UsageError
from eaa.services.image_pull.rooted import Root

__all__ = ["Staging", "staging_for"]

_ROOT_MODE = 0o755
_MODE = 0o700


class Staging:
    """``folder`` beside the target; nothing in it is the target's before :meth:`commit`."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._folder, self._target = folder, target
        self.committed = False

    @contextmanager
    def root(self) -> Iterator[Root]:
        """``rootfs``, open."""
        descriptor = os.open(self._folder / "rootfs", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            yield Root(descriptor)
        finally:
            os.close(descriptor)

    def commit(self, config: dict[str, Any]) -> None:
        """Write ``config.json`` and move all into place, at once.

        Raises:
            StorageError: ``storage.bundle``.
        """
        (self._folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        try:
            self._folder.rename(self._target)
        except OSError as error:
            raise StorageError(f"{self._target}: {error.strerror}", detail="bundle") from error
        self.committed = True


@contextmanager
def staging_for(target: Path) -> Iterator[Staging]:
    """A new staging folder for ``target``, gone at the end unless it was committed.

    What a pull that was killed has left there goes first.

    Raises:
        UsageError: ``usage.into``: ``target`` is there and not an empty folder, or its parent is not.
        ConflictError: ``conflict.bundle``: another pull is at it.
        StorageError: ``storage.bundle``.
    """
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise UsageError(f"{target} is there already; pull into a new folder", detail="into")
    if not target.parent.is_dir():
        raise UsageError(f"{target.parent} is no folder", detail="into")
    folder = target.parent / f".{target.name}.unpacking"
    with _alone(folder, target):
        staging = Staging(folder, target)
        try:
            for left in folder.iterdir():
                _remove(left)
            (folder / "rootfs").mkdir()
            (folder / "rootfs").chmod(_ROOT_MODE)
            yield staging
        except OSError as error:
            raise StorageError(f"{folder}: {error.strerror}", detail="bundle") from error
        finally:
            if not staging.committed:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _alone(folder: Path, target: Path) -> Iterator[None]:
    """``folder``, made if it is not there, locked: it is ours and nobody else's."""
    try:
        folder.mkdir(mode=_MODE, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}", detail="bundle") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.fstat(descriptor)
            same = folder.exists() and os.path.samestat(ours, folder.stat())
        except BlockingIOError:
            same = False
        if not same:
            raise ConflictError(f"{target}: another pull is at it", detail="bundle")
        if ours.st_uid != os.geteuid():
            raise StorageError(f"{folder}: it belongs to somebody else", detail="bundle")
        os.fchmod(descriptor, _MODE)
        yield
    finally:
        os.close(descriptor)


def _remove(left: Path) -> None:
    if left.is_dir() and not left.is_symlink():
        shutil.rmtree(left)
    else:
        left.unlink()
