"""Sockets that only this guest reaches: loopback, or files that only their owner opens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eaa.codec.hosts import is_loopback
from eaa.errors import ConfigError, UsageError
from eaa.transport.address import TcpAddress, UnixAddress, parse_address

__all__ = ["make_folder", "private_files", "require_local"]


def require_local(address: str) -> None:
    """Holds if ``address`` is on loopback or a file.

    Raises:
        ConfigError: ``config.not_local``: whoever reaches it has the guest's secrets.
        UsageError: it is no address.
    """
    where = parse_address(address)
    if isinstance(where, TcpAddress) and not is_loopback(where.host):
        raise ConfigError(
            f"{address}: expected an address of loopback or unix://: whoever reaches the agent gets the"
            " guest's secrets",
            detail="not_local", key=address,
        )  # fmt: skip


def make_folder(address: str) -> None:
    """The folder of a socket file, for its owner only if it is made here; nothing to do for ``tcp://``.

    Raises:
        UsageError: ``usage.listen``.
    """
    where = parse_address(address)
    if not isinstance(where, UnixAddress):
        return
    folder = Path(where.path).parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot listen on {address}: {folder}: {error.strerror}", detail="listen") from None


@contextmanager
def private_files() -> Iterator[None]:
    """Files that are made inside have mode 0600 at most. For the start of a process, before its threads."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)
