"""Attested channels as asyncio streams.

stream = await open_attested_connection("tcp://127.0.0.1:1234", config)
assert stream.peer.proven
stream.write(b"hello"); await stream.drain()
answer = await stream.readline()
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from eaa.errors import EAAError, InternalError, LocalProtocolError
from eaa.tls.gate_events import Answered
from eaa.tls.peer import PeerIdentity, Profile, Role
from eaa.transport.address import TcpAddress, UnixAddress, parse_address
from eaa.transport.channel import Channel
from eaa.transport.config import ChannelConfig
from eaa.transport.endpoint import Endpoint, endpoint_of
from eaa.transport.failures import as_eaa_error, log_failure, truncated
from eaa.transport.half_open import HalfOpen
from eaa.transport.outgoing import HIGH_WATER_BYTES
from eaa.transport.pipe import Pipe
from eaa.transport.protocol import ChannelProtocol

__all__ = [
    "AttestedServer",
    "AttestedStream",
    "StreamProtocol",
    "open_attested_connection",
    "start_attested_server",
]

#: What a peer is given to take what was sent before.
_CLOSING_SECONDS = 1.0

Handler = Callable[["AttestedStream"], Awaitable[None]]


class AttestedStream:
    """An open channel. Made by :func:`open_attested_connection` or given to a server's handler."""

    def __init__(self, protocol: StreamProtocol) -> None:
        self._protocol = protocol

    @property
    def peer(self) -> PeerIdentity:
        """Who is at the other end, as proven last."""
        return self._protocol.peer

    async def read(self, count: int = 64 * 1024) -> bytes:
        """At least one and at most ``count`` bytes; empty at the peer's end of data.

        Raises:
            EAAError: the channel failed; a truncation is no end of data.
        """
        return await self._protocol.reader.read(count)

    async def readexactly(self, count: int) -> bytes:
        """``count`` bytes; ``asyncio.IncompleteReadError`` if the peer ends before."""
        return await self._protocol.reader.readexactly(count)

    async def readline(self) -> bytes:
        """Up to and with the next newline, or what there is at the end."""
        return await self._protocol.reader.readline()

    def write(self, data: bytes) -> None:
        """Send ``data``; follow with :meth:`drain`, or memory grows with a slow peer.

        Raises:
            EAAError: the channel is not open any more.
        """
        self._protocol.require_alive()
        self._protocol.send(data)

    async def drain(self) -> None:
        """Until no more than 1 MiB waits for the peer."""
        self._protocol.require_alive()
        # An event that is set does not let the loop run: a writer that never reads would not see the end.
        await asyncio.sleep(0)
        await self._protocol.writable.wait()
        self._protocol.require_alive()

    def write_eof(self) -> None:
        """Say that no more is sent; reading goes on."""
        self._protocol.finish()

    async def pass_on(self, sink: AttestedStream, count: Callable[[int], None]) -> None:
        """All that the peer sends to the peer of ``sink``, and its end.

        Nothing may be read from here besides, nor written to ``sink``.

        Args:
            sink: another stream.
            count: is told how many bytes went, each time.

        Raises:
            EAAError: one of the two failed or closed before.
        """
        await self._protocol.pass_on_to(sink._protocol, count)

    async def challenge(self, nonce: bytes) -> Answered:
        """Evidence of the peer's key for somebody's ``nonce``, 32 bytes. Not verified here.

        Raises:
            LocalProtocolError: another challenge is under way.
            AttesterError: the peer provides no evidence.
        """
        self._protocol.require_alive()
        return await self._protocol.challenge(nonce)

    def close(self) -> None:
        """Close in good order."""
        self._protocol.close()

    def abort(self, error: EAAError) -> None:
        """Close because of ``error``; the peer learns its code."""
        self._protocol.abort(error)

    async def wait_closed(self) -> None:
        """Until the connection is gone."""
        await self._protocol.gone.wait()


class AttestedServer:
    """A listening server. ``address`` is where, with the port that the kernel chose."""

    def __init__(self, server: asyncio.Server, address: str, connections: set[StreamProtocol]) -> None:
        self._server = server
        self._connections = connections
        self.address = address

    def close(self) -> None:
        """Listen no more, and close what is not open yet. Open channels go on."""
        self._server.close()
        for connection in tuple(self._connections):
            if not connection.is_open:
                connection.abort(truncated("the server stops"))

    async def drain(self, seconds: float) -> None:
        """Until the open channels are gone; those that are not after ``seconds`` are closed."""
        await self._gone(seconds)
        for connection in tuple(self._connections):
            connection.close()
        await self._gone(_CLOSING_SECONDS)
        for connection in tuple(self._connections):
            connection.cut()
        await self._gone(_CLOSING_SECONDS)

    async def _gone(self, seconds: float) -> None:
        waiting = [asyncio.ensure_future(item.gone.wait()) for item in self._connections]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=seconds)
            for wait in late:
                wait.cancel()


async def open_attested_connection(address: str, config: ChannelConfig) -> AttestedStream:
    """An open channel to the server at ``address``, e.g. ``tcp://127.0.0.1:1234``, its evidence accepted.

    Raises:
        UsageError, ConfigError: before anything was connected.
        OSError: nobody is there.
        EAAError: the peer was refused, or refused.
    """
    endpoint = endpoint_of(config)
    config.require_role(Role.CLIENT)
    loop = asyncio.get_running_loop()
    match parse_address(address):
        case TcpAddress(host, port):
            _, protocol = await loop.create_connection(
                lambda: StreamProtocol(endpoint, Role.CLIENT), host, port
            )
        case UnixAddress(path):
            _, protocol = await loop.create_unix_connection(
                lambda: StreamProtocol(endpoint, Role.CLIENT), path
            )
    try:
        return await protocol.opened
    except asyncio.CancelledError:
        protocol.abort(truncated("nobody waits for this connection any more"))
        raise


async def start_attested_server(handler: Handler, address: str, config: ChannelConfig) -> AttestedServer:
    """A server at ``address`` that calls ``handler`` with each channel that opened.

    Raises:
        UsageError, ConfigError, OSError
    """
    endpoint = endpoint_of(config)
    config.require_role(Role.SERVER)
    half_open = HalfOpen(config)
    loop = asyncio.get_running_loop()

    connections: set[StreamProtocol] = set()

    def make() -> StreamProtocol:
        return StreamProtocol(endpoint, Role.SERVER, half_open, handler, connections)

    match parse_address(address):
        case TcpAddress(host, port):
            server = await loop.create_server(make, host, port)
            where = str(TcpAddress(host, server.sockets[0].getsockname()[1]))
        case UnixAddress() as unix:
            server = await loop.create_unix_server(make, unix.path)
            where = str(unix)
    return AttestedServer(server, where, connections)


class StreamProtocol(ChannelProtocol):
    """A channel that fills a reader, and starts a server's handler. To be derived from by servers that count.

    Args:
        endpoint: of the configuration.
        role: which end.
        half_open: the server's bound.
        handler: called with each channel that opened; ``None`` for a client, which waits for ``opened``.
        connections: where it lists itself while there is a connection.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        role: Role,
        half_open: HalfOpen | None = None,
        handler: Handler | None = None,
        connections: set[StreamProtocol] | None = None,
    ) -> None:
        super().__init__(endpoint, role, half_open)
        self._connections: set[StreamProtocol] = set() if connections is None else connections
        # A reader stops the transport at twice its limit.
        self.reader = asyncio.StreamReader(limit=HIGH_WATER_BYTES // 2, loop=self._loop)
        self.writable = asyncio.Event()
        self.writable.set()
        self.gone = asyncio.Event()
        self.opened: asyncio.Future[AttestedStream] = self._loop.create_future()
        self._handler = handler
        self._handling: asyncio.Task[None] | None = None
        self._error: EAAError | None = None
        self._peer_ended = False
        self._outgoing: Pipe | None = None  # takes what the peer sends
        self._incoming: Pipe | None = None  # sends to the peer

    async def pass_on_to(self, sink: StreamProtocol, count: Callable[[int], None]) -> None:
        """See :meth:`AttestedStream.pass_on`."""
        framed = sink._config.profile is Profile.EXPORTER_V1
        pipe = Pipe(self, sink, count, framed=framed)
        if not (ended := self._peer_ended or self._over):
            self.reader.feed_eof()  # what comes from now on is the pipe's
        pipe.send(await self.reader.read())
        self._outgoing = pipe
        sink.take_from(pipe)
        if ended:
            pipe.end()
        elif not sink.writable.is_set():
            pipe.pause()
        await pipe.done

    def take_from(self, pipe: Pipe) -> None:
        """All that is sent to the peer comes from ``pipe``: it is to wait there, and not here."""
        self._incoming = pipe
        if self._writer is not None:
            self._writer.hold_nothing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(self)
        super().connection_made(transport)

    def require_alive(self) -> None:
        if self._error is not None:
            raise self._error
        if self._over:
            raise _closed()

    def on_open(self) -> None:
        if self._transport is not None:
            self.reader.set_transport(self._transport)
        stream = AttestedStream(self)
        if self._handler is not None:
            self._handling = self._loop.create_task(self._handle(self._handler, stream))
        elif not self.opened.done():
            self.opened.set_result(stream)

    def on_data(self, data: bytes) -> None:
        if self._outgoing is not None:
            self._outgoing.send(data)
        else:
            self.reader.feed_data(data)

    def on_end(self) -> None:
        self._peer_ended = True
        if self._outgoing is not None:
            self._outgoing.end()
        else:
            self.reader.feed_eof()

    def pass_on(self, channel: Channel) -> bool:
        pipe = self._outgoing
        return pipe is not None and pipe.framed and channel.pass_on(pipe.send_frames)

    def on_lost(self, error: EAAError | None) -> None:
        self._error = error
        if error is not None:
            self.reader.set_exception(error)
        elif not self.reader.at_eof():
            self.reader.feed_eof()
        self._end_pipes(error)
        if not self.opened.done() and self._handler is None:
            self.opened.set_exception(error or truncated("the channel closed before it opened"))
        self.writable.set()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.writable.clear()
        if self._incoming is not None:
            self._incoming.pause()

    def resume_writing(self) -> None:
        self.writable.set()
        if self._incoming is not None:
            self._incoming.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._connections.discard(self)
        self.writable.set()
        self.gone.set()

    def _end_pipes(self, error: EAAError | None) -> None:
        if self._outgoing is not None:  # without effect if the peer ended
            self._outgoing.fail(error or _closed())
        # One that waits for nothing learns it when it has something to send.
        if self._incoming is not None and not self.writable.is_set():
            self._incoming.fail(error or _closed())

    async def _handle(self, handler: Handler, stream: AttestedStream) -> None:
        try:
            await handler(stream)
        except Exception as error:
            failure = as_eaa_error(error)
            known = self._error  # logged already, and what came of it; a fault of ours is neither
            if known is None or (isinstance(failure, InternalError) and failure is not known):
                if self._over:
                    log_failure(failure, self._role, self._peer_address())
                self.abort(failure)
        finally:
            with contextlib.suppress(EAAError):
                self.close()


def _closed() -> LocalProtocolError:
    return LocalProtocolError("the channel is closed", detail="closed")
