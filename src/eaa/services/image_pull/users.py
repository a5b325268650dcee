"""Who a container's process is: ``User``, as the image's own files have it [OCI-IMAGE config]."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from eaa.errors import FormatError
from eaa.services.image_pull.rooted import Root

__all__ = ["ProcessUser", "find_user"]

_MAX_FILE_BYTES = 1024 * 1024
_MAX_ID = (1 << 32) - 2


@dataclass(frozen=True, slots=True)
class ProcessUser:
    """Ids of user, group and further groups, and the home folder."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = "/"


def find_user(text: str, root: Root) -> ProcessUser:
    """The user ``text``: a name or id, perhaps ``:`` and a group's; empty is root.

    Without a group it has the user's own of ``/etc/passwd`` and those of ``/etc/group`` that name it.

    Raises:
        FormatError: ``format.user``: a name that the image does not have.
    """
    name, colon, group = text.partition(":")
    name = name or "0"
    entry = next((line for line in _lines(root, "etc/passwd", 7) if name in (line[0], line[2])), None)
    if entry is None and not name.isdecimal():
        raise _error(text, "its /etc/passwd has no such user")
    uid = _number(entry[2] if entry else name, text)
    home = (entry[5] if entry else "") or "/"
    if colon and group:
        return ProcessUser(uid, _group(group, text, root), (), home)
    gid = _number(entry[3], text) if entry else 0
    further = {
        _number(line[2], text)
        for line in _lines(root, "etc/group", 4)
        if entry is not None and entry[0] in line[3].split(",")
    }
    return ProcessUser(uid, gid, tuple(sorted(further - {gid})), home)


def _group(group: str, text: str, root: Root) -> int:
    for line in _lines(root, "etc/group", 4):
        if group in (line[0], line[2]):
            return _number(line[2], text)
    if not group.isdecimal():
        raise _error(text, "its /etc/group has no such group")
    return _number(group, text)


def _lines(root: Root, path: str, fields: int) -> Iterator[list[str]]:
    """The lines of a file with that many fields; others are not read."""
    descriptor = root.open_file(path)
    if descriptor is None:
        return
    with open(descriptor, "rb") as file:
        if os.fstat(descriptor).st_size > _MAX_FILE_BYTES:
            raise FormatError(f"more than {_MAX_FILE_BYTES} bytes", what="image", field=path, detail="user")
        for line in file.read(_MAX_FILE_BYTES).decode(errors="replace").splitlines():
            parts = line.split(":")
            if len(parts) == fields:
                yield parts


def _number(digits: str, text: str) -> int:
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 10 or int(digits) > _MAX_ID:
        raise _error(text, "an id is no number")
    return int(digits)


def _error(text: str, message: str) -> FormatError:
    return FormatError(
        f"{text[:64]!a}: {message}", what="image configuration", field="config.User", detail="user"
    )
