"""Owner, mode, extended attributes and time of an entry, as far as this process may set them."""

from __future__ import annotations

import errno
import os
import tarfile
from decimal import Decimal

from eaa.errors import FormatError
from eaa.services.image_pull.report import SkippedList
from eaa.services.image_pull.rooted import Place

__all__ = ["apply_to_link", "apply_to_open", "modified_ns", "require_owner"]

_XATTR = "SCHILY.xattr."
#: Others steer the host's own file systems and modules (overlay, SELinux, IMA).
_XATTRS = ("user.", "security.capability")
_NOT_PERMITTED = frozenset({errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EINVAL})
_MAX_ID = (1 << 32) - 2
_OWNER_MAY_ALL = 0o700
#: Some 34,000 years: what any system's time takes.
_MAX_SECONDS = 1 << 40


def apply_to_open(descriptor: int, member: tarfile.TarInfo, place: Place, skipped: SkippedList) -> None:
    """To the file or folder open as ``descriptor``. The mode comes after the owner, who clears setuid."""
    _own(descriptor, member, place, skipped)
    mode = member.mode & 0o7777
    if member.isdir() and os.geteuid() != 0 and mode & _OWNER_MAY_ALL != _OWNER_MAY_ALL:
        # Without it nobody but root could put further layers into the folder, or remove it.
        skipped.add(place.path, "mode")
        mode |= _OWNER_MAY_ALL
    os.fchmod(descriptor, mode)
    for name, value in _xattrs(member):
        try:
            if not name.startswith(_XATTRS):
                raise PermissionError(errno.EPERM, name)
            os.setxattr(descriptor, name, value)
        except OSError as error:
            if error.errno not in _NOT_PERMITTED:
                raise
            skipped.add(place.path, f"xattr {name[:64]!a}")
    modified = modified_ns(member)
    os.utime(descriptor, ns=(modified, modified))


def apply_to_link(member: tarfile.TarInfo, place: Place, skipped: SkippedList) -> None:
    """To a symbolic link, device or pipe, without opening it."""
    try:
        os.chown(place.name, member.uid, member.gid, dir_fd=place.folder, follow_symlinks=False)
    except PermissionError:
        skipped.add(place.path, "owner")
    if not member.issym():
        os.chmod(place.name, member.mode & 0o7777, dir_fd=place.folder)
    for name, _ in _xattrs(member):
        skipped.add(place.path, f"xattr {name[:64]!a}")
    modified = modified_ns(member)
    os.utime(place.name, ns=(modified, modified), dir_fd=place.folder, follow_symlinks=False)


def require_owner(member: tarfile.TarInfo) -> None:
    """Holds if owner and group are ids that a file can have; -1 would mean to leave it."""
    for field, number in (("uid", member.uid), ("gid", member.gid)):
        if not 0 <= number <= _MAX_ID:
            raise FormatError(f"expected 0 to {_MAX_ID}, got {number}", what="image layer", field=field)


def modified_ns(member: tarfile.TarInfo) -> int:
    """The modification time in nanoseconds, as exactly as the archive has it."""
    try:
        seconds = Decimal(member.pax_headers.get("mtime", member.mtime))
        if abs(seconds) < _MAX_SECONDS:
            return int(seconds * 10**9)
    except (ArithmeticError, ValueError):  # no number; decimal's own errors are arithmetic ones
        pass
    raise FormatError(f"expected a time within {_MAX_SECONDS} s of 1970", what="image layer", field="mtime")


def _own(descriptor: int, member: tarfile.TarInfo, place: Place, skipped: SkippedList) -> None:
    try:
        os.fchown(descriptor, member.uid, member.gid)
    except PermissionError:
        skipped.add(place.path, "owner")


def _xattrs(member: tarfile.TarInfo) -> list[tuple[str, bytes]]:
    """Names and values; the values' bytes are what the archive has."""
    found = [(name, value) for name, value in member.pax_headers.items() if name.startswith(_XATTR)]
    if any("\x00" in name for name, _ in found):
        raise FormatError("a name with NUL", what="image layer", field="xattr")
    return [(name.removeprefix(_XATTR), value.encode("utf-8", "surrogateescape")) for name, value in found]
