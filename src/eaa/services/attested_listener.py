"""A listening socket whose attested channels are counted, drained, and given a new identity on demand."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

from eaa.errors import EAAError, LocalProtocolError, RemoteProtocolError
from eaa.tls.peer import Role
from eaa.transport.config import ChannelConfig
from eaa.transport.endpoint import Endpoint, endpoint_of
from eaa.transport.half_open import HalfOpen
from eaa.transport.peer_bound import PeerBound, PeerPlace
from eaa.transport.streams import AttestedStream, StreamProtocol

__all__ = ["AttestedListener", "Handler", "Observer"]

#: What a peer is given to take what was sent before.
_CLOSING_SECONDS = 1.0

Handler = Callable[[AttestedStream], Awaitable[None]]


class Observer:
    """What is told of each connection; does nothing."""

    def connected(self) -> None:
        """Before the handshake."""

    def refused(self, error: EAAError | None) -> None:
        """It ended before it was open; ``error`` is ``None`` if the peer only looked in."""

    def gone(self) -> None:
        """It is over, whatever came of it."""


class AttestedListener:
    """Serves ``handler`` on ``listening``, a bound socket.

    ``draining`` is set once no more connections are accepted: a handler that waits for a peer ends then.
    """

    def __init__(
        self,
        handler: Handler,
        listening: socket.socket,
        config: ChannelConfig,
        observer: Observer | None = None,
    ) -> None:
        config.require_role(Role.SERVER)
        self._handler, self._listening = handler, listening
        self._endpoint = endpoint_of(config)
        self._half_open = HalfOpen(config)
        self._peers = PeerBound(config.half_open_per_peer)
        self._observer = observer or Observer()
        self._server: asyncio.Server | None = None
        self._live: set[_Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self.draining = asyncio.Event()

    async def start(self) -> None:
        """Accept from now on.

        Raises:
            EAAError: there is nothing to authenticate with, e.g. the attester does not work.
        """
        await asyncio.shield(asyncio.wrap_future(self._endpoint.credentials(Role.SERVER)))
        loop = asyncio.get_running_loop()
        create = loop.create_unix_server if self._listening.family == socket.AF_UNIX else loop.create_server
        self._server = await create(self._make, sock=self._listening)

    def replace(self, config: ChannelConfig) -> None:
        """New connections get keys and certificates of ``config``; those that are open go on as they are."""
        config.require_role(Role.SERVER)
        self._endpoint = endpoint_of(config)

    async def drain(self, seconds: float) -> bool:
        """Accept no more, wait for open connections, then close those that are left; whether none were."""
        self.draining.set()
        if self._server is not None:
            self._server.close()
        if await self._emptied(seconds):
            return True
        left = LocalProtocolError(f"closed after {seconds:g} s of draining", detail="draining")
        for connection in tuple(self._live):
            connection.abort(left)
        await self._emptied(_CLOSING_SECONDS)
        for connection in tuple(self._live):
            connection.cut()
        await self._emptied(_CLOSING_SECONDS)
        return False

    async def _emptied(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._empty.wait()
        return False

    def _make(self) -> _Connection:
        return _Connection(self, self._endpoint, self._half_open, self._handler, self._observer)

    def _entered(self, connection: _Connection) -> None:
        self._live.add(connection)
        self._empty.clear()

    def _left(self, connection: _Connection) -> None:
        self._live.discard(connection)
        if not self._live:
            self._empty.set()


class _Connection(StreamProtocol):
    def __init__(
        self,
        listener: AttestedListener,
        endpoint: Endpoint,
        half_open: HalfOpen,
        handler: Handler,
        observer: Observer,
    ) -> None:
        super().__init__(endpoint, Role.SERVER, half_open, handler)
        self._listener, self._observer = listener, observer
        self._was_open = False
        self._place: PeerPlace | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._listener._entered(self)
        self._observer.connected()
        super().connection_made(transport)
        if not self._over:
            try:
                self._place = self._listener._peers.enter(transport.get_extra_info("peername"))
            except RemoteProtocolError as error:
                self.abort(error)

    def on_open(self) -> None:
        self._was_open = True
        self._leave_place()
        super().on_open()

    def on_lost(self, error: EAAError | None) -> None:
        self._leave_place()
        super().on_lost(error)
        if not self._was_open:
            self._observer.refused(error)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._listener._left(self)
        self._observer.gone()

    def _leave_place(self) -> None:
        if self._place is not None:
            self._place.leave()
            self._place = None
