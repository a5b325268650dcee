"""Listening sockets, bound before anything runs that uses them."""

from __future__ import annotations

import socket
import stat
from contextlib import suppress
from pathlib import Path

from eaa.errors import UsageError
from eaa.transport.address import TcpAddress, UnixAddress, parse_address

__all__ = ["address_of", "bind", "forget"]

_BACKLOG = 1024


def bind(address: str, *, shared: bool = False) -> socket.socket:
    """A listening socket at ``address``. A socket file that nobody listens on is replaced.

    Args:
        address: as :func:`eaa.transport.address.parse_address` has it.
        shared: whether others may bind the same TCP port, each taking its share (SO_REUSEPORT).

    Raises:
        UsageError: it cannot be had.
    """
    try:
        match parse_address(address):
            case TcpAddress(host, port):
                bound = _bind_tcp(host, port, shared)
            case UnixAddress(path):
                bound = _bind_unix(Path(path))
        bound.listen(_BACKLOG)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {address}: {error.strerror or error}", detail="listen", address=address
        ) from None
    bound.setblocking(False)
    return bound


def address_of(listening: socket.socket) -> str:
    """Where ``listening`` is, with the port that the kernel chose."""
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return str(UnixAddress(name))
    return str(TcpAddress(name[0], name[1]))


def forget(listening: socket.socket, address: str) -> None:
    """Close ``listening``, which may be closed, and remove the file of ``address`` if it has one."""
    listening.close()
    if isinstance(where := parse_address(address), UnixAddress):
        with suppress(OSError):
            Path(where.path).unlink()


def _bind_tcp(host: str, port: int, shared: bool) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(where)
    except BaseException:
        bound.close()
        raise
    return bound


def _bind_unix(path: Path) -> socket.socket:
    _remove_stale(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
    except BaseException:
        bound.close()
        raise
    return bound


def _remove_stale(path: Path) -> None:
    """Only a socket, and only if nobody answers: the original removed whatever was there."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
