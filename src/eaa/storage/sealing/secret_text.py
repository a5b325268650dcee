"""A token, PIN or secret id in a file or the environment, read anew whenever it is needed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from eaa.storage.sealing.master_key import config_error

__all__ = ["MAX_BYTES", "SecretText", "from_environment", "from_file"]

MAX_BYTES = 8192

#: Gives the secret as it is now. Raises ``ConfigError`` (``config.master_key``), never with the secret in it.
SecretText = Callable[[], str]


def from_file(path: Path) -> SecretText:
    """The text of ``path``, without white space around it; printable ASCII, at most 8192 bytes.

    Symbolic links are followed, as Kubernetes mounts secrets; the group may read, others may not.
    """

    def read() -> str:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with open(descriptor, "rb") as stream:
                status = os.fstat(descriptor)
                data = stream.read(MAX_BYTES + 1) if stat.S_ISREG(status.st_mode) else b""
        except OSError as error:
            raise config_error(f"{path}: cannot be read: {error.strerror}", file=str(path)) from None
        if status.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
            message = f"{path}: others may read or write it; repair with: chmod o-rwx,g-w {path}"
            raise config_error(message, file=str(path))
        return _secret(data, str(path), file=str(path))

    return read


def from_environment(name: str) -> SecretText:
    """The value of the environment variable ``name``."""
    return lambda: _secret(os.environb.get(name.encode(), b""), f"${name}", key=name)


def _secret(data: bytes, where: str, **fields: str) -> str:
    text = data.strip()
    if not text or len(data) > MAX_BYTES or not all(0x21 <= byte <= 0x7E for byte in text):
        raise config_error(f"{where}: expected 1 to {MAX_BYTES} printable ASCII characters", **fields)
    return text.decode("ascii")
