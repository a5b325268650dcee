"""Boot files, which are larger than evidence: read whole within a bound, or hashed as they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from eaa.errors import FormatError, UsageError

__all__ = ["MAX_IMAGE_BYTES", "FileDigest", "load_image", "sha384_of_file"]

#: A unified kernel image with its initrd has some 200 MiB.
MAX_IMAGE_BYTES = 512 << 20
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileDigest:
    """SHA-384, 48 bytes, and length in bytes of a file."""

    sha384: bytes
    size: int


def load_image(name: str) -> bytes:
    """The bytes of the file ``name``.

    Raises:
        UsageError: it cannot be read.
        FormatError: more than 512 MiB; no more than that is read.
    """
    try:
        with Path(name).open("rb") as stream:
            data = stream.read(MAX_IMAGE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None
    if len(data) > MAX_IMAGE_BYTES:
        raise FormatError(
            f"more than {MAX_IMAGE_BYTES} bytes", what=name, field="length", offset=MAX_IMAGE_BYTES,
            detail="too_large",
        )  # fmt: skip
    return data


def sha384_of_file(name: str) -> FileDigest:
    """The digest of the file ``name``, of any length.

    Raises:
        UsageError: it cannot be read.
    """
    digest, size = hashes.Hash(hashes.SHA384()), 0
    try:
        with Path(name).open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None
    return FileDigest(digest.finalize(), size)


def _unreadable(name: str, error: OSError | ValueError) -> UsageError:
    """Python raises ValueError for a NUL in a name."""
    reason = getattr(error, "strerror", None) or "not a file name"
    return UsageError(f"cannot read {name!r}: {reason}", detail="unreadable")
