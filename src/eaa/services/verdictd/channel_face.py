"""The EAA protocol over attested channels: a connection's requests, one after another."""

from __future__ import annotations

import asyncio
import hashlib
import logging

from eaa.broker.eaa import JsonFramer, answer, parse_request
from eaa.broker.peer_access import PeerAccess
from eaa.broker.release import Events
from eaa.errors import EAAError
from eaa.services.verdictd.core import Core, clock, new_id
from eaa.transport.streams import AttestedStream

__all__ = ["ChannelFace"]

_LOG = logging.getLogger("eaa.verdictd.channel")
_CHUNK_BYTES = 64 * 1024


class ChannelFace:
    """:meth:`serve` handles a connection; ``idle_seconds`` bounds the wait for a request."""

    def __init__(self, core: Core, events: Events, *, idle_seconds: float) -> None:
        self._core, self._events, self._idle_seconds = core, events, idle_seconds
        self.draining = asyncio.Event()

    async def serve(self, stream: AttestedStream) -> None:
        """Answer until the peer ends, wants to be disconnected, breaks the protocol, or is idle."""
        core = self._core
        key = hashlib.sha256(stream.peer.spki).hexdigest()
        access = PeerAccess(
            lambda: stream.peer,
            name=f"channel {key[:16]}",
            books=core.books,
            engine=core.engine,
            releaser=core.releaser,
            decisions=core.database.decisions,
            terms=core.terms,
            clock=clock,
            new_id=new_id,
            events=self._events,
        )
        try:
            await self._converse(stream, access)
        except TimeoutError:
            _LOG.info("a connection was idle for %g s, and is closed", self._idle_seconds)
        except EAAError as error:
            _LOG.warning("a connection is closed: %s: %s", error.code, str(error))

    async def _converse(self, stream: AttestedStream, access: PeerAccess) -> None:
        framer = JsonFramer()
        while data := await self._read(stream):
            for text in framer.feed(data):
                reply = await answer(parse_request(text), access)
                stream.write(reply.data)
                await stream.drain()
                if reply.disconnect:
                    return
        framer.finish()

    async def _read(self, stream: AttestedStream) -> bytes:
        """What came; empty at the peer's end, or once nothing is expected any more."""
        reading = asyncio.ensure_future(stream.read(_CHUNK_BYTES))
        draining = asyncio.ensure_future(self.draining.wait())
        try:
            async with asyncio.timeout(self._idle_seconds):
                await asyncio.wait({reading, draining}, return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else b""
        finally:
            draining.cancel()
            reading.cancel()
