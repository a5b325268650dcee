"""A ttrpc server of unary calls [TTRPC]. Of each frame, in order:

1. Of a type that is not known it is passed over.
2. Its stream is the client's, an odd number, and higher than any before.
3. It begins a call, a unary one.
4. No more calls are under way on this connection than are allowed.
5. The request is an envelope, and names a method that there is.
6. The payload is the method's request.
7. The answer is sent when it is there, whatever else is under way; in time, or its status says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import grpc
from google.protobuf.message import DecodeError

from eaa.errors import EAAError, LocalProtocolError, Outcome
from eaa.transport.grpc.agent_api import METHODS, Handler
from eaa.transport.grpc.wire import ttrpc_pb2 as wire
from eaa.transport.ttrpc.frames import Frame, MessageType, read_frame

__all__ = ["TtrpcLimits", "TtrpcServer"]

_LOG = logging.getLogger("eaa.transport.ttrpc")
_MAX_DETAIL = 1024
#: For a client to take what is on its way.
_LAST_SECONDS = 2.0
_TURNS = 16


@dataclass(frozen=True, slots=True)
class TtrpcLimits:
    """``calls`` at once on one connection, of which there are at most ``connections``."""

    calls: int = 64
    connections: int = 128
    deadline_seconds: float = 60.0


class TtrpcServer:
    """Serves ``handlers``, by their names in ``METHODS``, on ``listening``, which is bound.

    Args:
        listening: closed by :meth:`stop`.
        handlers: the methods that there are; the others are unimplemented.
        outcome: the status of an error.
    """

    def __init__(
        self,
        listening: socket.socket,
        handlers: Mapping[str, Handler],
        outcome: Callable[[EAAError], Outcome],
        *,
        limits: TtrpcLimits,
    ) -> None:
        self._listening, self._handlers, self._outcome = listening, handlers, outcome
        self._limits = limits
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Serve."""
        self._server = await asyncio.start_server(self._serve, sock=self._listening)

    async def stop(self, grace_seconds: float) -> None:
        """Listen no more; let calls under way end within ``grace_seconds``, then close."""
        if self._server is not None:
            # asyncio forgets a socket that it accepts while its server closes: nobody else is let in before.
            # Who was is served some turns of the loop later: there is a transport to be made, and a task.
            asyncio.get_running_loop().remove_reader(self._listening)
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            self._server.close()
            self._server = None
        tasks = {task for connection in self._connections for task in connection.calls}
        if tasks:
            await asyncio.wait(tasks, timeout=grace_seconds)
        ending = [connection.close() for connection in tuple(self._connections)]
        if ending:
            await asyncio.wait(ending)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= self._limits.connections:
            _LOG.warning("more than %d connections: one is closed", self._limits.connections)
            writer.close()
            return
        connection = _Connection(reader, writer, self._handlers, self._outcome, self._limits)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)


class _Connection:
    """One client."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handlers: Mapping[str, Handler],
        outcome: Callable[[EAAError], Outcome],
        limits: TtrpcLimits,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._handlers, self._outcome, self._limits = handlers, outcome, limits
        self._last = 0
        self._running = asyncio.current_task()
        self.calls: set[asyncio.Task[None]] = set()

    def close(self) -> asyncio.Task[None]:
        """End it; done when the task is."""
        assert self._running is not None  # noqa: S101 - made inside a task
        self._running.cancel()
        return self._running

    async def run(self) -> None:
        """Until the client ends, or breaks the protocol."""
        try:
            while (frame := await read_frame(self._reader)) is not None:
                await self._take(frame)
        except EAAError as error:
            _LOG.warning("a connection is closed: %s: %s", error.code, str(error))
            if "stream" in error.fields:
                failed = _failed(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
                with contextlib.suppress(OSError):
                    await self._send(error.fields["stream"], failed)
        except OSError:
            pass  # the client has gone
        except asyncio.CancelledError:
            pass  # the server stops
        finally:
            for task in self.calls:
                task.cancel()
            await self._end()

    async def _end(self) -> None:
        """Close; who does not take what was sent is not waited for."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(_LAST_SECONDS):
                await self._writer.wait_closed()
        self._writer.transport.abort()

    async def _take(self, frame: Frame) -> None:
        refusal = self._refusal(frame)
        if refusal is not None:
            await self._send(frame.stream_id, refusal)
        elif frame.kind == MessageType.REQUEST:
            self._last = frame.stream_id
            task = asyncio.create_task(self._call(frame))
            self.calls.add(task)
            task.add_done_callback(self.calls.discard)

    def _refusal(self, frame: Frame) -> wire.Response | None:
        # 1.
        if frame.kind not in (MessageType.REQUEST, MessageType.DATA):
            return None
        exhausted, unimplemented = grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNIMPLEMENTED
        refusals = (
            # 2.
            (frame.stream_id % 2 != 1, _INVALID, "a client's stream id is odd"),
            (frame.kind == MessageType.DATA, _INVALID, "no such stream is open"),
            (frame.stream_id <= self._last, _INVALID, "a stream id is higher than those before"),
            # 3.
            (frame.flags != 0, unimplemented, "calls are unary here"),
            # 4.
            (len(self.calls) >= self._limits.calls, exhausted, f"more than {self._limits.calls} at once"),
        )
        return next((_failed(code, text) for found, code, text in refusals if found), None)

    async def _call(self, frame: Frame) -> None:
        with contextlib.suppress(OSError):
            await self._send(frame.stream_id, await self._answer(frame.data))

    async def _answer(self, data: bytes) -> wire.Response:
        # 5.
        try:
            envelope = wire.Request.FromString(data)
        except DecodeError:
            return _failed(_INVALID, "the request is no envelope")
        name = f"{envelope.service}/{envelope.method}"
        handler = self._handlers.get(name)
        if handler is None:
            return _failed(grpc.StatusCode.UNIMPLEMENTED, f"there is no method {name[:256]}")
        # 6.
        try:
            request = METHODS[name].request.FromString(envelope.payload)
        except DecodeError:
            return _failed(_INVALID, f"the payload is no request of {name}")
        # 7.
        try:
            async with asyncio.timeout(_seconds(envelope.timeout_nano, self._limits.deadline_seconds)):
                answer = await handler(request)
        except TimeoutError:
            return _failed(grpc.StatusCode.DEADLINE_EXCEEDED, "it took too long")
        except EAAError as error:
            return _failed(grpc.StatusCode[self._outcome(error).grpc], str(error))
        return wire.Response(status=wire.Status(), payload=answer.SerializeToString())

    async def _send(self, stream_id: int, response: wire.Response) -> None:
        try:
            data = Frame(stream_id, MessageType.RESPONSE, response.SerializeToString()).encode()
        except LocalProtocolError as error:
            failed = _failed(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
            data = Frame(stream_id, MessageType.RESPONSE, failed.SerializeToString()).encode()
        self._writer.write(data)
        await self._writer.drain()


_INVALID = grpc.StatusCode.INVALID_ARGUMENT


def _seconds(timeout_nano: int, most: float) -> float:
    """What the client gives, none being as much as the server has."""
    return min(timeout_nano / 1e9, most) if timeout_nano > 0 else most


def _failed(code: grpc.StatusCode, message: str) -> wire.Response:
    return wire.Response(status=wire.Status(code=code.value[0], message=message[:_MAX_DETAIL]))
