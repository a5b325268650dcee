"""The entries of a layer's tar, as :mod:`tarfile` reads them, and whether it stopped where they end."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator

from eaa.errors import EAAError, FormatError, LimitExceeded
from eaa.services.image_pull.forward_reader import BLOCK_BYTES, ForwardReader
from eaa.services.image_pull.pax import require_records

__all__ = ["entries_of", "ranges_of"]

_WHAT = "image layer"
_EXTENDED = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}
#: What global headers say of all entries after them, in characters; git writes a comment of 40.
_MAX_GLOBAL = 64 * 1024


def entries_of(reader: ForwardReader) -> Iterator[tarfile.TarInfo]:
    """The entries; their content is ``reader``'s from ``offset_data`` on, until the next is asked for.

    The archive ends with a block of zeros, or with its last entry. ``tarfile`` takes a damaged header for
    the end as well; here it is none.

    Raises:
        FormatError: ``format.tar``: no archive; ``format.tar_end``: it breaks off.
        LimitExceeded: an entry's headers are too large, or global ones together.
    """
    archive: tarfile.TarFile | None = None
    while True:
        reader.begin_header()
        try:
            if archive is None:
                archive = tarfile.TarFile(
                    fileobj=reader,  # type: ignore[arg-type]  # has all that is used of a file
                    tarinfo=_Member,
                    encoding="utf-8",
                    errors="surrogateescape",
                )
            member = archive.next()
        except EAAError:
            raise
        except (tarfile.TarError, ValueError, LookupError, OverflowError, RecursionError) as error:
            if archive is None and not reader.block:
                return  # a layer without a byte has no entries
            message = f"{type(error).__name__}: {error}"
            raise FormatError(message, what=_WHAT, field="tar", detail="tar") from None
        if member is None:
            break
        archive.members = []  # type: ignore[attr-defined]  # it would keep them all
        if sum(len(name) + len(value) for name, value in archive.pax_headers.items()) > _MAX_GLOBAL:
            raise LimitExceeded(f"global headers have more than {_MAX_GLOBAL} characters", detail="size")
        yield member
    if reader.block not in {b"", bytes(BLOCK_BYTES)}:
        raise FormatError("the archive breaks off", what=_WHAT, field="tar", detail="tar_end")


class _Member(tarfile.TarInfo):
    """The method is the one that subclasses are to override."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        reader = archive.fileobj
        if self.type in _EXTENDED and isinstance(reader, ForwardReader):
            blocks = -(-self.size // BLOCK_BYTES)
            require_records(reader.peek(blocks * BLOCK_BYTES)[: self.size])
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]  # stubs have it not
        return member


def ranges_of(member: tarfile.TarInfo) -> list[tuple[int, int]]:
    """Offset and size of each piece of the file that the archive has; unused places of a map are empty."""
    sparse: list[tuple[int, int]] | None = member.sparse  # type: ignore[assignment]  # it is no int
    return [(0, member.size)] if sparse is None else [(start, size) for start, size in sparse if size]
