"""The attested channel as an asyncio protocol: what streams and the HTTP server stand on.

Only bytes, timers and threads' results are moved here; :class:`eaa.transport.channel.Channel` decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from eaa.errors import AttesterError, EAAError, RemoteProtocolError
from eaa.tls.gate_events import (
    Answered,
    Appraise,
    Collect,
    CollectAnswer,
    Data,
    Ended,
    Event,
    Opened,
    Renewed,
)
from eaa.tls.peer import PeerIdentity, Role
from eaa.transport.channel import Channel
from eaa.transport.endpoint import Endpoint
from eaa.transport.failures import as_eaa_error, log_failure, log_opened
from eaa.transport.half_open import HalfOpen
from eaa.transport.outgoing import Outgoing
from eaa.transport.threads import receive_buffer, shared

__all__ = ["ChannelProtocol"]

#: A ClientHello, which may come before there is something to answer with.
_MAX_BEFORE_BYTES = 64 * 1024


class ChannelProtocol(asyncio.BufferedProtocol):
    """One connection. Subclasses say what to do with an open channel.

    Args:
        endpoint: of the configuration.
        role: which end.
        half_open: the server's bound; ``None`` for a client.
    """

    def __init__(self, endpoint: Endpoint, role: Role, half_open: HalfOpen | None = None) -> None:
        self._endpoint, self._role = endpoint, role
        self._config = endpoint.config
        self._half_open = half_open
        self._waits = self._counted = False  # whether this connection counts as half-open, and at all
        self._channel: Channel | None = None
        self._transport: asyncio.Transport | None = None
        self._writer: Outgoing | None = None
        self._loop = asyncio.get_running_loop()
        self._deadline: asyncio.TimerHandle | None = None
        self._renewal: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._answer: asyncio.Future[Answered] | None = None
        self._before = bytearray()  # what came before there was something to answer with
        self._over = False

    # For subclasses.

    def on_open(self) -> None:
        """Both ends are satisfied; bytes may be sent from now on."""

    def on_data(self, data: bytes) -> None:
        """Application bytes of the peer."""

    def on_end(self) -> None:
        """The peer has sent its last byte."""

    def pass_on(self, channel: Channel) -> bool:
        """Take what has come without events, if that is possible; whether that was all."""
        return False

    def on_lost(self, error: EAAError | None) -> None:
        """The connection is gone; ``error`` unless both ends closed it in good order. Called once."""

    @property
    def is_open(self) -> bool:
        """Whether application bytes may flow."""
        return self._channel is not None and self._channel.open and not self._over

    @property
    def peer(self) -> PeerIdentity:
        """Who is at the other end, as proven last."""
        return self._require_channel().peer

    def send(self, data: bytes) -> None:
        """Application bytes to the peer.

        Raises:
            LocalProtocolError: the channel is not open.
        """
        self._require_channel().send(data)
        self._flush(answer=False)

    def send_frames(self, frames: memoryview) -> None:
        """As :meth:`send`, of whole DATA frames."""
        channel = self._require_channel()
        try:
            waits = channel.send_frames(frames, self._writer.socket if self._writer else -1)
        except OSError as error:
            self._failed(as_eaa_error(error))
            self.cut()
        else:
            if waits:
                self._flush(answer=False)

    def finish(self) -> None:
        """No more is sent; the peer's bytes may still come."""
        self._require_channel().finish()
        self._flush()

    def close(self) -> None:
        """Close in good order. What was sent before still goes out."""
        if not self._over:
            if self._channel is not None:
                self._guarded(self._channel.close)
            if not self._over:
                self._end(None)

    def abort(self, error: EAAError) -> None:
        """Close because of ``error``; the peer learns its code."""
        if not self._over:
            if self._channel is not None:
                self._channel.fail(error)
                self._flush()
            self._failed(error)

    def cut(self) -> None:
        """Drop the connection with all that waits to be sent."""
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        """Take nothing more from the peer."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on after :meth:`pause_reading`."""
        if self._transport is not None:
            self._transport.resume_reading()

    async def challenge(self, nonce: bytes) -> Answered:
        """The peer's evidence of its key for ``nonce``; raises if it does not come within the deadline."""
        self._require_channel().challenge(nonce)
        self._answer = self._loop.create_future()
        self._flush()
        try:
            async with asyncio.timeout(self._config.handshake_seconds):
                return await self._answer
        except TimeoutError:
            error = RemoteProtocolError("a challenge was not answered in time", detail="deadline")
            self.abort(error)
            raise error from None
        finally:
            self._answer = None

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not by isinstance: the transports of uvloop only look like asyncio's.
        self._transport = transport = cast("asyncio.Transport", transport)
        self._writer = Outgoing(transport, self._loop)
        if self._half_open is not None:
            try:
                self._half_open.enter()
            except RemoteProtocolError as error:
                self.abort(error)
                return
            self._waits = self._counted = True
        self._start_deadline()
        self._run(self._begin)

    def get_buffer(self, sizehint: int) -> memoryview:
        return receive_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        data = receive_buffer()[:nbytes]
        if self._channel is not None:
            self._channel.lend(data, self._came)
        elif not self._over:
            # uvloop cannot pause reading from the start.
            self._before += data
            if len(self._before) > _MAX_BEFORE_BYTES:
                self.abort(RemoteProtocolError("more than a ClientHello came", detail="early_data"))

    def eof_received(self) -> bool:
        if self._channel is None and not self._over:
            self.abort(RemoteProtocolError("the connection ended before the handshake", detail="truncated"))
        if self._channel is not None and not self._over:
            self._guarded(self._channel.end_of_network)
        # Half of the connection may be of use only if the peer said so inside TLS.
        return not self._over

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._over:
            error = as_eaa_error(exc) if exc else None
            if error is None:
                self.eof_received()
            if not self._over and error is not None:
                self._failed(error)
            elif not self._over:
                self._end(None)
        if self._writer is not None:
            self._writer.gone()
        if self._counted and self._half_open is not None:
            self._counted = False
            self._half_open.go()

    def pause_writing(self) -> None:
        """The peer is slow: subclasses hold back, and call this. A server does not wait for ever."""
        if self._role is Role.SERVER and self._writer is not None:
            self._writer.expect_reading(self._config.unread_seconds, self._unread)

    def resume_writing(self) -> None:
        """The peer has caught up."""

    # Work.

    async def _begin(self) -> None:
        credentials = await shared(self._endpoint.credentials(self._role))
        self._channel = Channel(self._role, self._config, credentials)
        self._channel.start()
        self._flush()
        self._channel.feed(bytes(self._before))
        self._before.clear()

    def _came(self) -> None:
        if self._over:
            return
        try:
            done = self.pass_on(self._require_channel())
        except Exception as error:
            self.abort(as_eaa_error(error))
        else:
            if not done:
                self._pump()

    def _pump(self) -> None:
        channel = self._require_channel()
        try:
            while not self._over and (event := channel.next_event()) is not None:
                self._dispatch(event)
        except Exception as error:
            self.abort(as_eaa_error(error))
            return
        if channel.renewing and self._deadline is None:
            self._start_deadline()
        self._flush()

    def _dispatch(self, event: Event) -> None:
        match event:
            case Data(data):
                self.on_data(data)
            case Collect(report_data):
                self._run(self._provide, report_data)
            case CollectAnswer(report_data):
                self._run(self._provide_answer, report_data)
            case Appraise():
                self._run(self._appraise, event)
            case Opened() | Renewed():
                self._settled(event)
            case Answered():
                if self._answer is not None and not self._answer.done():
                    self._answer.set_result(event)
            case Ended():
                self.on_end()

    def _settled(self, event: Opened | Renewed) -> None:
        self._stop_deadline()
        if self._config.reattest_seconds is not None:
            self._cancel(self._renewal)
            self._renewal = self._loop.call_later(self._config.reattest_seconds, self._renew)
        if isinstance(event, Opened):
            self._leave()
            log_opened(self.peer, self._config.warnings(self._role))
            self.on_open()

    async def _provide(self, report_data: bytes) -> None:
        attached = await shared(self._endpoint.collect(report_data))
        self._require_channel().provide(attached)

    async def _provide_answer(self, report_data: bytes) -> None:
        attached = await shared(self._endpoint.collect(report_data))
        self._require_channel().answer(attached)

    async def _appraise(self, event: Appraise) -> None:
        verdict = await shared(self._endpoint.appraise(event.evidence, event.report_data))
        self._require_channel().accepted(verdict)

    def _run(self, work: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        task = self._loop.create_task(self._worked(work, *arguments))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _worked(self, work: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        try:
            await work(*arguments)
        except Exception as error:
            self.abort(as_eaa_error(error))
        else:
            if self._channel is not None and not self._over:
                self._pump()

    # Ends.

    def _renew(self) -> None:
        self._renewal = None
        if self._channel is not None and self._channel.open and not self._over:
            self._guarded(self._channel.renew)
            self._pump()

    def _start_deadline(self) -> None:
        self._deadline = self._loop.call_later(self._config.handshake_seconds, self._late)

    def _stop_deadline(self) -> None:
        self._cancel(self._deadline)
        self._deadline = None

    def _late(self) -> None:
        seconds = self._config.handshake_seconds
        if self._tasks:
            self.abort(AttesterError(f"evidence took longer than {seconds:g} s here", detail="deadline"))
        else:
            self.abort(RemoteProtocolError(f"the peer took longer than {seconds:g} s", detail="deadline"))

    def _unread(self) -> None:
        seconds = self._config.unread_seconds
        self.abort(RemoteProtocolError(f"the peer read nothing for {seconds:g} s", detail="unread"))
        self.cut()

    def _guarded(self, step: Any) -> None:
        try:
            step()
        except EAAError as error:
            self.abort(error)
        else:
            self._flush()

    def _flush(self, *, answer: bool = True) -> None:
        """Send what there is, an ``answer`` if not the application's own bytes."""
        if self._channel is None or self._writer is None:
            return
        if not self._writer.write(self._channel.take_buffer(), answer=answer):
            self.abort(RemoteProtocolError("the peer does not read what it asks for", detail="unread"))
            self.cut()

    def _failed(self, error: EAAError) -> None:
        if self._role is Role.SERVER:
            log_failure(error, self._role, self._peer_address())
        self._end(error)

    def _end(self, error: EAAError | None) -> None:
        self._over = True
        self._leave()
        self._stop_deadline()
        self._cancel(self._renewal)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or RemoteProtocolError("the channel closed", detail="closed"))
        for task in self._tasks:
            task.cancel()
        if self._writer is not None:
            self._writer.close()
        self.on_lost(error)

    def _leave(self) -> None:
        if self._waits and self._half_open is not None:
            self._waits = False
            self._half_open.leave()

    def _peer_address(self) -> object:
        return self._transport.get_extra_info("peername") if self._transport is not None else None

    def _require_channel(self) -> Channel:
        if self._channel is None:
            raise RemoteProtocolError("the connection ended before the handshake", detail="truncated")
        return self._channel

    @staticmethod
    def _cancel(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
