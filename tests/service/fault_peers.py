"""Peers of an inclavared that do what no honest one does.

Each has a loopback address of its own, by which its log lines are known: ports are used again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from eaa.errors import EAAError
from eaa.tls.frames import FrameType
from eaa.tls.peer import Role
from eaa.transport.address import TcpAddress, parse_address
from eaa.transport.config import ChannelConfig
from eaa.transport.endpoint import endpoint_of
from eaa.transport.streams import AttestedStream, StreamProtocol
from tests.fakes.raw_peer import RawPeer, connect_raw, own_certificate

__all__ = ["PEERS", "Case", "connect", "exchange_all"]

_RANDOM = random.Random(3)  # noqa: S311 - repeatable
_GARBAGE_BYTES, _SLOW_BYTES = 10_000_000, 3_000_000
_SLOW_SECONDS, _PATIENCE_SECONDS = 1.0, 10.0
#: A record of a ClientHello that is 16 MiB long, of which the rest follows in records as long as may be.
_ENDLESS_HELLO = bytes.fromhex("160301400001ffffff")


@dataclass(frozen=True, slots=True)
class Case:
    """What a peer did, and from which address.

    ``codes`` has what may be logged about it, ``got`` the data it got,
    ``lucky`` if it ended well, so that there is nothing to log.
    """

    what: str
    source: str
    codes: frozenset[str]
    got: bytes = b""
    lucky: bool = False


async def exchange_all(stream: AttestedStream, data: bytes, wait_seconds: float = 0) -> bytes:
    """What comes back for ``data``; reading begins after ``wait_seconds``."""

    async def send() -> None:
        for start in range(0, len(data), 65_536):
            stream.write(data[start : start + 65_536])
            await stream.drain()
        stream.write_eof()

    async def receive() -> bytes:
        await asyncio.sleep(wait_seconds)
        parts = []
        while part := await stream.read(200_000):
            parts.append(part)
        return b"".join(parts)

    sending, receiving = asyncio.create_task(send()), asyncio.create_task(receive())
    try:
        return (await asyncio.gather(receiving, sending))[0]
    finally:
        for task in (sending, receiving):
            task.cancel()
        await asyncio.gather(sending, receiving, return_exceptions=True)
        stream.close()


async def connect(where: str, config: ChannelConfig, source: str) -> AttestedStream:
    """An open channel from ``source``; raises as :func:`eaa.transport.streams.open_attested_connection`."""
    endpoint = endpoint_of(config)
    _, protocol = await asyncio.get_running_loop().create_connection(
        lambda: StreamProtocol(endpoint, Role.CLIENT), *_target(where), local_addr=(source, 0)
    )
    try:
        return await protocol.opened
    except asyncio.CancelledError:
        protocol.cut()
        raise


async def says_nothing(where: str, _config: ChannelConfig, source: str) -> Case:
    return await _half_open(where, source, b"")


async def stops_in_the_hello(where: str, _config: ChannelConfig, source: str) -> Case:
    return await _half_open(where, source, _ENDLESS_HELLO)


async def _half_open(where: str, source: str, first: bytes) -> Case:
    async with _connection(where, source) as (reader, writer):
        writer.write(first)
        got = await _rest(reader)
    return Case("half-open", source, frozenset({"remote_protocol.deadline", "remote_protocol.tls"}), got)


async def sends_garbage(where: str, _config: ChannelConfig, source: str) -> Case:
    return await _garbage(where, source, _RANDOM.randbytes)


async def sends_an_endless_hello(where: str, _config: ChannelConfig, source: str) -> Case:
    record = bytes.fromhex("1603014000") + bytes(0x4000)
    return await _garbage(
        where, source, lambda size: _ENDLESS_HELLO + bytes(0x4000 - 4) + record * (size // len(record))
    )


async def _garbage(where: str, source: str, make: Callable[[int], bytes]) -> Case:
    garbage = make(_GARBAGE_BYTES)
    async with _connection(where, source) as (reader, writer):
        with suppress(OSError):
            for start in range(0, _GARBAGE_BYTES, 65_536):
                writer.write(garbage[start : start + 65_536])
                await writer.drain()
        await _rest(reader)
    return Case("garbage", source, frozenset({"remote_protocol.tls", "remote_protocol.early_data"}))


async def stops_in_the_gate(where: str, _config: ChannelConfig, source: str) -> Case:
    def converse(peer: RawPeer) -> None:
        peer.handshake().say_hello(demands=True, provides=True)

    return await _by_hand("mid-gate", where, source, converse, "remote_protocol.deadline")


async def skips_the_gate(where: str, _config: ChannelConfig, source: str) -> Case:
    def converse(peer: RawPeer) -> None:
        peer.handshake().say_hello(demands=False, provides=True)
        peer.frame(FrameType.DATA, b"let me in")

    return await _by_hand("no gate", where, source, converse, "remote_protocol.")


async def has_no_evidence(where: str, _config: ChannelConfig, source: str) -> Case:
    def converse(peer: RawPeer) -> None:
        peer.handshake().say_hello(demands=False, provides=False)
        peer.frame(FrameType.ACCEPT)
        peer.frame(FrameType.DATA, b"let me in")

    return await _by_hand("no evidence", where, source, converse, "")


async def _by_hand(
    what: str, where: str, source: str, converse: Callable[[RawPeer], None], code: str
) -> Case:
    def run() -> bytes:
        got = b""
        with connect_raw(where, source, **own_certificate()) as peer, suppress(EAAError, OSError):
            converse(peer)
            while (frame := peer.read_frame()) is not None:
                got += frame.body if frame.type is FrameType.DATA else b""
        return got

    got = await asyncio.to_thread(run)
    return Case(what, source, frozenset({code}), got)


async def reads_slowly(where: str, config: ChannelConfig, source: str) -> Case:
    """All comes in the end, unless the workload was killed meanwhile."""
    stream = await connect(where, config, source)
    data = _RANDOM.randbytes(_SLOW_BYTES)
    try:
        lucky = await exchange_all(stream, data, _SLOW_SECONDS) == data
    except (EAAError, OSError):
        lucky = False
    return Case("slow reader", source, frozenset({""}), lucky=lucky)


async def never_reads(where: str, config: ChannelConfig, source: str) -> Case:
    """Gone without a word, with all its buffers full."""
    stream = await connect(where, config, source)
    with suppress(EAAError, OSError, TimeoutError):
        async with asyncio.timeout(_SLOW_SECONDS):
            while True:
                stream.write(bytes(65_536))
                await stream.drain()
    stream._protocol.cut()
    return Case("vanished", source, frozenset({""}))


PEERS: tuple[Callable[[str, ChannelConfig, str], Coroutine[Any, Any, Case]], ...] = (
    says_nothing,
    stops_in_the_hello,
    sends_garbage,
    sends_an_endless_hello,
    stops_in_the_gate,
    skips_the_gate,
    has_no_evidence,
    reads_slowly,
    never_reads,
)


def _target(where: str) -> tuple[str, int]:
    address = parse_address(where)
    assert isinstance(address, TcpAddress)
    return address.host, address.port


@asynccontextmanager
async def _connection(
    where: str, source: str
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*_target(where), local_addr=(source, 0))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    with suppress(OSError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await reader.read()
    return b""
