"""A layer's tar laid over the layers below it."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator

from eaa.errors import FormatError, StorageError, UnsupportedError
from eaa.services.image_pull.forward_reader import ForwardReader
from eaa.services.image_pull.limits import Budget
from eaa.services.image_pull.metadata import apply_to_link, apply_to_open, modified_ns, require_owner
from eaa.services.image_pull.report import SkippedList
from eaa.services.image_pull.rooted import Place, Root, split_path
from eaa.services.image_pull.tar_entries import entries_of, ranges_of
from eaa.services.image_pull.whiteouts import PREFIX, apply_whiteout

__all__ = ["unpack_layer"]

_WHAT = "image layer"
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def unpack_layer(root: Root, pieces: Iterator[bytes], budget: Budget, skipped: SkippedList) -> None:
    """Lay the tar that ``pieces`` are over what is in ``root``, and read ``pieces`` to their end.

    Raises:
        FormatError: no tar; ``format.path``: an entry that leads out; ``format.tar_end``: it ends in the
            middle.
        UnsupportedError: ``unsupported.tar_entry``.
        LimitExceeded: too much.
        StorageError: ``storage.unpack``: the file system does not take it.
        EAAError: whatever ``pieces`` raises.
    """
    _Unpacking(root, ForwardReader(pieces), budget, skipped).run()


class _Unpacking:
    def __init__(self, root: Root, reader: ForwardReader, budget: Budget, skipped: SkippedList) -> None:
        self._root, self._reader, self._budget, self._skipped = root, reader, budget, skipped
        self._own: set[tuple[str, ...]] = set()
        #: A folder's time changes with each entry; it is set when there are no more.
        self._folder_times: dict[tuple[str, ...], int] = {}

    def run(self) -> None:
        for member in entries_of(self._reader):
            try:
                self._apply(member)
            except OSError as error:
                raise StorageError(
                    f"{member.name[:128]!a} cannot be unpacked: {error.strerror}", detail="unpack"
                ) from error
        for path, modified in self._folder_times.items():
            self._set_time(path, modified)
        self._reader.drain()

    def _apply(self, member: tarfile.TarInfo) -> None:
        if member.size < 0:
            raise FormatError("negative", what=_WHAT, field="size", detail="tar")
        require_owner(member)
        self._budget.take_entry(member.size if member.isreg() else 0)
        parts = split_path(member.name, what=_WHAT)
        if not parts:
            self._apply_root(member)
        elif parts[-1].startswith(PREFIX):
            apply_whiteout(self._root, parts, self._own)
        else:
            with self._root.place(parts, create=True) as place:
                self._make(member, place)
                self._note_own(place.path)

    def _note_own(self, path: tuple[str, ...]) -> None:
        """A folder above that has no entry of its own is counted all the same: it takes as much memory."""
        before = len(self._own)
        self._own.update(path[:end] for end in range(1, len(path) + 1))
        for _ in range(len(self._own) - before - 1):
            self._budget.take_entry(0)

    def _apply_root(self, member: tarfile.TarInfo) -> None:
        if not member.isdir():
            raise FormatError("the root is a folder", what=_WHAT, field="path", detail="path")
        self._folder_times[()] = modified_ns(member)
        apply_to_open(self._root.descriptor, member, Place(self._root.descriptor, ".", ()), self._skipped)

    def _make(self, member: tarfile.TarInfo, place: Place) -> None:
        if member.islnk():
            self._link(member, place)
        elif member.isreg():
            place.remove()
            descriptor = os.open(place.name, _NEW_FILE, 0o600, dir_fd=place.folder)
            try:
                self._fill(descriptor, member)
                apply_to_open(descriptor, member, place, self._skipped)
            finally:
                os.close(descriptor)
        elif member.isdir():
            self._folder(member, place)
        else:
            self._special(member, place)

    def _fill(self, descriptor: int, member: tarfile.TarInfo) -> None:
        """The file's content; what a sparse file's map leaves out is a hole."""
        self._reader.seek(member.offset_data)
        end = 0
        for offset, size in ranges_of(member):
            if offset < end or size < 0 or offset + size > member.size:
                raise FormatError("the map of a sparse file overlaps", what=_WHAT, field="tar", detail="tar")
            end = offset + size
            os.lseek(descriptor, offset, os.SEEK_SET)
            left = size
            for piece in self._reader.content(size):
                _write(descriptor, piece)
                left -= len(piece)
            if left:
                raise FormatError("the archive breaks off", what=_WHAT, field="tar", detail="tar_end")
        os.ftruncate(descriptor, member.size)

    def _folder(self, member: tarfile.TarInfo, place: Place) -> None:
        if not place.is_folder():
            place.remove()
            os.mkdir(place.name, 0o700, dir_fd=place.folder)
        descriptor = place.open_folder()
        try:
            apply_to_open(descriptor, member, place, self._skipped)
        finally:
            os.close(descriptor)
        self._folder_times[place.path] = modified_ns(member)

    def _link(self, member: tarfile.TarInfo, place: Place) -> None:
        """A hard link to an entry before it."""
        parts = split_path(member.linkname, what=f"{_WHAT}: {member.name[:128]!a}: hard link")
        try:
            with self._root.place(parts, create=False) as target:
                if target.path == place.path:
                    raise FormatError("it is a hard link to itself", what=_WHAT, field="path", detail="path")
                found = target.lstat()
                if found is None or stat.S_ISDIR(found.st_mode):
                    raise FileNotFoundError
                place.remove()
                os.link(
                    target.name, place.name, src_dir_fd=target.folder, dst_dir_fd=place.folder,
                    follow_symlinks=False,
                )  # fmt: skip
        except (FileNotFoundError, IndexError):
            raise FormatError(
                f"{member.name[:128]!a}: a hard link to {member.linkname[:96]!a}, which is no file",
                what=_WHAT, field="path", detail="path",
            ) from None  # fmt: skip

    def _special(self, member: tarfile.TarInfo, place: Place) -> None:
        if member.issym():
            if not member.linkname or "\x00" in member.linkname:
                raise FormatError("expected a target", what=_WHAT, field="path", detail="path")
            place.remove()
            os.symlink(member.linkname, place.name, dir_fd=place.folder)
        elif member.isfifo():
            place.remove()
            os.mkfifo(place.name, 0o600, dir_fd=place.folder)
        elif member.ischr() or member.isblk():
            place.remove()
            kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
            try:
                device = os.makedev(member.devmajor, member.devminor)
                os.mknod(place.name, kind | 0o600, device, dir_fd=place.folder)
            except PermissionError:
                self._skipped.add(place.path, "device")
                return
        else:
            raise UnsupportedError(
                f"{_WHAT}: {member.name[:128]!a}: no entry that is known, type {member.type!r}",
                detail="tar_entry",
            )
        apply_to_link(member, place, self._skipped)

    def _set_time(self, path: tuple[str, ...], modified: int) -> None:
        if not path:
            os.utime(self._root.descriptor, ns=(modified, modified))
            return
        try:
            with self._root.place(path, create=False) as place:
                if place.path == path and place.is_folder():
                    os.utime(place.name, ns=(modified, modified), dir_fd=place.folder, follow_symlinks=False)
        except (FileNotFoundError, FormatError):
            return  # replaced later in the layer


def _write(descriptor: int, piece: bytes | memoryview) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]
