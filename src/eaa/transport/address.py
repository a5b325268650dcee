"""Addresses of attested channels: ``tcp://host:port`` and ``unix://path``."""

from __future__ import annotations

from dataclasses import dataclass

from eaa.errors import UsageError

__all__ = ["TcpAddress", "UnixAddress", "parse_address"]

_MAX_UNIX_PATH_BYTES = 107  # sun_path without its end


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """``host`` is a name or an IP address, without brackets; ``port`` 0 lets the kernel choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp://[{self.host}]:{self.port}" if ":" in self.host else f"tcp://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A socket in the file system."""

    path: str

    def __str__(self) -> str:
        return f"unix://{self.path}"


def parse_address(text: str) -> TcpAddress | UnixAddress:
    """The address in ``text``, e.g. ``tcp://127.0.0.1:1234``, ``tcp://[::1]:1234``, ``unix:///run/eaa.sock``.

    Raises:
        UsageError: anything else.
    """
    scheme, separator, rest = text.partition("://")
    if separator and scheme == "tcp":
        return _tcp(rest, text)
    if separator and scheme == "unix":
        if not 0 < len(rest.encode()) <= _MAX_UNIX_PATH_BYTES or "\0" in rest:
            raise _error(text, f"a path has 1 to {_MAX_UNIX_PATH_BYTES} bytes")
        return UnixAddress(rest)
    raise _error(text, "expected tcp://host:port or unix://path")


def _tcp(rest: str, text: str) -> TcpAddress:
    host, separator, port = rest.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not separator or not host or set(host) & set("[]/@ \0") or (":" in host) != bracketed:
        raise _error(text, "expected a host and a port")
    if not (port.isascii() and port.isdigit()) or int(port) > 0xFFFF:
        raise _error(text, "expected a port from 0 to 65535")
    return TcpAddress(host, int(port))


def _error(text: str, message: str) -> UsageError:
    return UsageError(f"address {text!r:.120}: {message}", detail="address")
