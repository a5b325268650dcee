"""The folder that a simulated vendor's processes share: its files are there whole, or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from eaa.errors import ConfigError

__all__ = ["SimulatedFolder"]

_MAX_FILE_BYTES = 64 * 1024


class SimulatedFolder:
    """Files by name in ``directory``, which is made when the first is written, for this user alone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def read(self, name: str) -> bytes | None:
        """What is in ``name``; ``None`` if there is no such file.

        Raises:
            ConfigError: it cannot be read.
        """
        try:
            with (self.directory / name).open("rb") as stream:
                return stream.read(_MAX_FILE_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self.error(name, f"cannot be read: {error.strerror}") from None

    def read_secret(self, name: str) -> bytes | None:
        """As :meth:`read`, of a file that nobody else may read.

        Raises:
            ConfigError: it cannot be read, or others may read it.
        """
        data = self.read(name)
        if data is not None and (self.directory / name).stat().st_mode & 0o077:
            raise self.error(name, "may be read by others: chmod 600 it, or remove the folder")
        return data

    def link(self, name: str, data: bytes, mode: int) -> bytes:
        """What is in ``name`` from now on: the first process to link its file decides.

        Raises:
            ConfigError: it cannot be written, or was removed at once.
        """
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self._write(data, mode)
            try:
                with suppress(FileExistsError):
                    os.link(temporary, self.directory / name)
            finally:
                temporary.unlink()
        except OSError as error:
            raise self.error("", f"cannot be made: {error.strerror}") from None
        found = self.read(name)
        if found is None:
            raise self.error(name, "was removed while it was made")
        return found

    def replace(self, name: str, data: bytes, mode: int) -> None:
        """Put ``data`` in place of what ``name`` held.

        Raises:
            ConfigError: it cannot be written.
        """
        try:
            os.replace(self._write(data, mode), self.directory / name)
        except OSError as error:
            raise self.error(name, f"cannot be written: {error.strerror}") from None

    def error(self, name: str, what: str) -> ConfigError:
        """That ``name``, or the folder where it is empty, ``what``."""
        path = self.directory / name if name else self.directory
        return ConfigError(f"simulated vendor: {path} {what}", detail="simulated_store", file=str(path))

    def _write(self, data: bytes, mode: int) -> Path:
        path = self.directory / f".{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        return path
