"""The workload of the confidential-container flow: answers challenges, and sends back what it gets."""

from __future__ import annotations

import asyncio
import logging
import socket

from eaa.services.attested_listener import AttestedListener
from eaa.transport.config import ChannelConfig
from eaa.transport.streams import AttestedStream

__all__ = ["Workload"]

_LOG = logging.getLogger("eaa.workload")
_CHUNK_BYTES = 256 * 1024


class Workload:
    """An attested echo server on a bound socket.

    The channel's driver collects the evidence that peers ask for, at the handshake and by challenge. A
    handshake that fails costs its own connection and nothing else.
    """

    def __init__(self, listening: socket.socket, config: ChannelConfig) -> None:
        self._listener = AttestedListener(self._echo, listening, config)

    async def start(self) -> None:
        """Accept from now on; raises if there is no evidence to show."""
        await self._listener.start()

    def replace(self, config: ChannelConfig) -> None:
        """Show new keys to new connections."""
        self._listener.replace(config)

    async def drain(self, seconds: float) -> bool:
        """Accept no more and let open exchanges end; whether all did within ``seconds``."""
        return await self._listener.drain(seconds)

    async def _echo(self, stream: AttestedStream) -> None:
        _LOG.info("connection open, peer proven %s", stream.peer.proven)
        draining = asyncio.create_task(self._listener.draining.wait())
        total = 0
        try:
            while data := await _read_until(stream, draining):
                stream.write(data)
                await stream.drain()
                total += len(data)
        finally:
            draining.cancel()
        _LOG.info("connection closed, %d bytes sent back", total)


async def _read_until(stream: AttestedStream, draining: asyncio.Task[bool]) -> bytes:
    """What came; empty at the peer's end, or once nothing is expected any more."""
    reading = asyncio.create_task(stream.read(_CHUNK_BYTES))
    await asyncio.wait({reading, draining}, return_when=asyncio.FIRST_COMPLETED)
    if not reading.done():
        reading.cancel()
        return b""
    return reading.result()
