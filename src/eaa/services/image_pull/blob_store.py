"""Blobs on their way: kept by digest, so that a pull that was cut off goes on where it was."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import BinaryIO

from eaa.errors import ConflictError, EAAError, StorageError
from eaa.oci.digest import Digest
from eaa.services.image_pull.decompress import CHUNK_BYTES
from eaa.transport.registry.client import RegistryClient

__all__ = ["BlobStore"]

_PARTIAL = ".partial"


class BlobStore:
    """Files in ``folder``, which only its owner may read and which is made if it is not there.

    A file without ``.partial`` has had its digest verified; who reads it again verifies it again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, digest: Digest) -> Path:
        """Where the blob is when it is complete."""
        return self._folder / digest.algorithm / digest.hex

    async def fetch(
        self, client: RegistryClient, digest: Digest, size: int, progress: Callable[[int], None]
    ) -> Path:
        """The complete blob; what is here already of it is not downloaded again.

        Args:
            progress: gets the number of bytes that are here, each time there are more.

        Raises:
            BindingError: ``binding.blob_digest``: other bytes. They are removed.
            ConflictError: ``conflict.blob``: another pull is fetching it.
            StorageError: ``storage.blobs``: the disk does not take it.
            EAAError: the registry does not give it.
        """
        complete = self.path(digest)
        if await asyncio.to_thread(_size_of, complete) == size:
            progress(size)
            return complete
        partial = complete.with_name(complete.name + _PARTIAL)
        with _storage_errors(partial), _open_alone(partial) as file:
            try:
                await _complete(file, client, digest, size, progress)
            except EAAError as error:
                if error.code == "binding.blob_digest":
                    partial.unlink()
                raise
            partial.rename(complete)
        return complete


async def _complete(
    file: BinaryIO, client: RegistryClient, digest: Digest, size: int, progress: Callable[[int], None]
) -> None:
    hasher = digest.hasher()
    here = 0
    while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
        hasher.update(chunk)
        here += len(chunk)
    if here > size:
        digest.require(hasher, what=f"partial blob of {here} bytes", detail="blob_digest")
    progress(here)
    async with aclosing(client.blob(digest, size=size, offset=here)) as parts:
        async for part in parts:
            file.write(part)
            hasher.update(part)
            here += len(part)
            progress(here)
    await asyncio.to_thread(_to_disk, file)
    digest.require(hasher, what="downloaded blob", detail="blob_digest")


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


@contextmanager
def _open_alone(path: Path) -> Iterator[BinaryIO]:
    """``path`` open for reading and appending, locked."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "r+b") as file:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(f"{path}: another pull is fetching it", detail="blob") from None
        yield file


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}", detail="blobs") from error
