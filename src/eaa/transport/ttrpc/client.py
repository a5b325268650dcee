"""A ttrpc client of unary calls, any number at a time on one connection [TTRPC]."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from eaa.errors import EAAError, RemoteProtocolError
from eaa.transport.address import TcpAddress, UnixAddress, parse_address
from eaa.transport.grpc.wire import ttrpc_pb2 as wire
from eaa.transport.ttrpc.frames import Frame, MessageType, read_frame

__all__ = ["TtrpcClient", "TtrpcFailure"]

M = TypeVar("M", bound=Message)

#: The server is told how long; this is for its word of it to come.
_GRACE_SECONDS = 1.0
_NAMES: Mapping[int, str] = MappingProxyType({code.value[0]: code.name for code in grpc.StatusCode})


@dataclass(frozen=True, slots=True)
class TtrpcFailure:
    """A call that was refused: the name of gRPC's ``status``, and why."""

    status: str
    message: str


class TtrpcClient:
    """Made by :meth:`connect`; an asynchronous context manager, which closes it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._next = 1
        self._waiting: dict[int, asyncio.Future[wire.Response]] = {}
        self._failure: EAAError | None = None
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, address: str) -> TtrpcClient:
        """A client of the server at ``unix://path`` or ``tcp://host:port``.

        Raises:
            UsageError: ``address`` is none.
            OSError: nobody is there.
        """
        match parse_address(address):
            case UnixAddress(path):
                return cls(*await asyncio.open_unix_connection(path))
            case TcpAddress(host, port):
                return cls(*await asyncio.open_connection(host, port))

    async def __aenter__(self) -> TtrpcClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.cancel()
        self._writer.close()
        await asyncio.wait([self._reading])

    async def call(
        self, name: str, request: Message, answer: type[M], *, timeout_seconds: float
    ) -> M | TtrpcFailure:
        """The answer of ``<package>.<service>/<method>``, or why there is none.

        Raises:
            RemoteProtocolError: the server ended, or does not speak ttrpc; ``.timeout``.
            LocalProtocolError: the request is too large for a message.
        """
        service, _, method = name.partition("/")
        envelope = wire.Request(
            service=service,
            method=method,
            payload=request.SerializeToString(),
            timeout_nano=int(timeout_seconds * 1e9),
        )
        response = await self._exchange(envelope.SerializeToString(), timeout_seconds)
        if response.status.code:
            status = _NAMES.get(response.status.code, "UNKNOWN")
            return TtrpcFailure(status, response.status.message)
        try:
            return answer.FromString(response.payload)
        except DecodeError:
            raise _broken("the answer is not of its type") from None

    async def _exchange(self, data: bytes, timeout_seconds: float) -> wire.Response:
        if self._failure is not None:
            raise self._failure
        stream_id, self._next = self._next, self._next + 2
        frame = Frame(stream_id, MessageType.REQUEST, data).encode()
        waiting: asyncio.Future[wire.Response] = asyncio.get_running_loop().create_future()
        self._waiting[stream_id] = waiting
        try:
            async with asyncio.timeout(timeout_seconds + _GRACE_SECONDS):
                self._writer.write(frame)
                await self._writer.drain()
                return await waiting
        except TimeoutError:
            raise RemoteProtocolError(
                f"ttrpc: no answer within {timeout_seconds:g} s", detail="timeout"
            ) from None
        except OSError as error:
            raise RemoteProtocolError(f"ttrpc: {error.strerror}", detail="truncated") from None
        finally:
            self._waiting.pop(stream_id, None)

    async def _read(self) -> None:
        failure: EAAError = RemoteProtocolError("ttrpc: the server ended", detail="truncated")
        try:
            while (frame := await read_frame(self._reader)) is not None:
                waiting = self._waiting.get(frame.stream_id)
                # An answer that nobody waits for any more, or of a type to come.
                if frame.kind == MessageType.RESPONSE and waiting is not None and not waiting.done():
                    waiting.set_result(wire.Response.FromString(frame.data))
        except EAAError as error:
            failure = error
        except DecodeError:
            failure = _broken("an answer is no envelope")
        except OSError:
            pass
        finally:
            self._failure = failure
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(failure)


def _broken(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"ttrpc: {message}", detail="response")
