"""How many connections a server may have, and how many of them on their way to being open."""

from __future__ import annotations

from eaa.errors import RemoteProtocolError
from eaa.transport.config import ChannelConfig

__all__ = ["HalfOpen"]


class HalfOpen:
    """One server's counts. Each connection that entered leaves once when it is open or over, and goes once.

    Args:
        config: its ``max_half_open`` and ``max_connections``.
    """

    def __init__(self, config: ChannelConfig) -> None:
        self._half_open, self._most_half_open = 0, config.max_half_open
        self._all, self._most = 0, config.max_connections

    def enter(self) -> None:
        """A new connection.

        Raises:
            RemoteProtocolError: ``remote_protocol.half_open`` or ``remote_protocol.connections``; it did
                not enter.
        """
        if self._half_open >= self._most_half_open:
            raise RemoteProtocolError("too many connections are half-open", detail="half_open")
        if self._all >= self._most:
            raise RemoteProtocolError(f"there are {self._all} connections already", detail="connections")
        self._half_open += 1
        self._all += 1

    def leave(self) -> None:
        """It is not on its way any more."""
        self._half_open -= 1

    def go(self) -> None:
        """Nothing of it is left."""
        self._all -= 1
