"""A folder that is the root of all paths in it: no name and no link leads out of it.

Links are followed as the container would follow them, with the folder as ``/``; every step is one
``openat`` with ``O_NOFOLLOW``, so nothing is looked up by a path that somebody could change in between.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from eaa.errors import FormatError, LimitExceeded

__all__ = ["Place", "Root", "split_path"]

_MAX_PATH_BYTES = 4096
_MAX_DEPTH = 200
_MAX_LINKS = 40
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER_MODE = 0o755


@dataclass(frozen=True, slots=True)
class Place:
    """``name`` in the open folder ``folder``; ``path`` is both below the root, links resolved."""

    folder: int
    name: str
    path: tuple[str, ...]

    def lstat(self) -> os.stat_result | None:
        """What is there, None if nothing is."""
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def is_folder(self) -> bool:
        found = self.lstat()
        return found is not None and stat.S_ISDIR(found.st_mode)

    def open_folder(self) -> int:
        return os.open(self.name, _FOLDER, dir_fd=self.folder)

    def remove(self) -> None:
        """Whatever is there, with all that is in it; nothing is followed."""
        if self.is_folder():
            shutil.rmtree(self.name, dir_fd=self.folder)
        else:
            with suppress(FileNotFoundError):
                os.unlink(self.name, dir_fd=self.folder)

    def inside(self, name: str, folder: int) -> Place:
        """``name`` in this place, which is open as ``folder``."""
        return Place(folder, name, (*self.path, name))


def split_path(name: str, *, what: str) -> tuple[str, ...]:
    """The parts of a path as an archive has it, below the root; none for the root itself.

    Raises:
        FormatError: ``format.path``: absolute, with ``..`` or NUL in it, empty, or too long.
    """
    if not name or "\x00" in name or len(name) > _MAX_PATH_BYTES:
        raise _error(what, name, f"expected 1 to {_MAX_PATH_BYTES} characters and no NUL")
    if name.startswith("/"):
        raise _error(what, name, "it is absolute")
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    if ".." in parts:
        raise _error(what, name, "it leads upwards")
    return parts


class Root:
    """The folder open as ``descriptor``, which stays the caller's."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @contextmanager
    def place(self, parts: tuple[str, ...], *, create: bool) -> Iterator[Place]:
        """Where ``parts``, at least one, is: its folder open, itself not looked at.

        With ``create`` folders that are missing are made.

        Raises:
            FormatError: ``format.path``: a part is a file, or links go in circles.
            LimitExceeded: ``limit.depth``.
            FileNotFoundError: without ``create``.
        """
        folder, path = self._open(parts[:-1], create)
        try:
            yield Place(folder, parts[-1], (*path, parts[-1]))
        finally:
            os.close(folder)

    def open_file(self, path: str) -> int | None:
        """The regular file at ``path``, links followed below the root, open for reading; None if none is."""
        parts = deque(split_path(path.lstrip("/"), what="path"))
        for _ in range(_MAX_LINKS):
            try:
                with self.place(tuple(parts), create=False) as place:
                    found = place.lstat()
                    if found is not None and stat.S_ISLNK(found.st_mode):
                        target = os.readlink(place.name, dir_fd=place.folder)
                        parts = deque(_joined(place.path[:-1], target))
                        if not parts:
                            return None
                        continue
                    if found is None or not stat.S_ISREG(found.st_mode):
                        return None
                    return os.open(
                        place.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.folder
                    )
            except FileNotFoundError:
                return None
        return None

    def _open(self, parts: tuple[str, ...], create: bool) -> tuple[int, tuple[str, ...]]:
        folders, names = [os.dup(self.descriptor)], list[str]()
        pending, links = deque(parts), 0
        try:
            while pending:
                part = pending.popleft()
                if part in {"", "."}:
                    continue
                if part == "..":
                    if names:
                        names.pop()
                        os.close(folders.pop())
                    continue
                target = _enter(folders, part, create)
                if target is None:
                    names.append(part)
                    if len(names) > _MAX_DEPTH:
                        raise LimitExceeded(f"folders are more than {_MAX_DEPTH} deep", detail="depth")
                    continue
                links += 1
                if links > _MAX_LINKS:
                    raise _error("image layer", "/".join(parts), "its links go in circles")
                if target.startswith("/"):
                    names.clear()
                    while len(folders) > 1:
                        os.close(folders.pop())
                pending.extendleft(reversed(target.split("/")))
            return folders.pop(), tuple(names)
        finally:
            for folder in folders:
                os.close(folder)


def _enter(folders: list[int], part: str, create: bool) -> str | None:
    """Push the folder ``part`` of the last of ``folders``; or, if it is a link, say where to."""
    try:
        folders.append(os.open(part, _FOLDER, dir_fd=folders[-1]))
    except FileNotFoundError:
        if not create:
            raise
        os.mkdir(part, _FOLDER_MODE, dir_fd=folders[-1])
        folders.append(os.open(part, _FOLDER, dir_fd=folders[-1]))
    except OSError as error:
        if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
            raise
        try:
            return os.readlink(part, dir_fd=folders[-1])
        except OSError:
            raise _error("image layer", part, "it is no folder") from None
    return None


def _joined(base: tuple[str, ...], target: str) -> list[str]:
    """``target`` of a link in ``base``, as parts below the root; upwards ends at the root."""
    parts = [] if target.startswith("/") else list(base)
    for part in target.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    return parts


def _error(what: str, name: str, message: str) -> FormatError:
    return FormatError(f"{name[:128]!a}: {message}", what=what, field="path", detail="path")
