"""The files of configfs-tsm, as far as the attester touches them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

__all__ = ["KernelFiles", "TsmFiles"]


class TsmFiles(Protocol):
    """Folders and attributes. Each raises OSError as the kernel does."""

    def make(self, entry: Path) -> None: ...

    def remove(self, entry: Path) -> None: ...

    def read(self, attribute: Path, limit: int) -> bytes:
        """Everything, and at most one byte more than ``limit``."""
        ...

    def write(self, attribute: Path, data: bytes) -> None:
        """In one write, which is what the kernel takes for one value."""
        ...


class KernelFiles:
    """The real ones."""

    def make(self, entry: Path) -> None:
        entry.mkdir()

    def remove(self, entry: Path) -> None:
        entry.rmdir()

    def read(self, attribute: Path, limit: int) -> bytes:
        with attribute.open("rb", buffering=0) as stream:
            data = b""
            while len(data) <= limit and (part := stream.read(limit + 1 - len(data))):
                data += part
            return data

    def write(self, attribute: Path, data: bytes) -> None:
        descriptor = os.open(attribute, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)  # where the kernel takes over the value
