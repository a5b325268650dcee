"""Peers of an inclavared that do what no honest one does. Each names its port, as its log lines do."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from eaa.errors import EAAError
from eaa.tls.frames import FrameType
from eaa.transport.address import TcpAddress, parse_address
from eaa.transport.config import ChannelConfig
from eaa.transport.streams import AttestedStream, open_attested_connection
from tests.fakes.raw_peer import RawPeer, connect_raw, own_certificate

__all__ = ["PEERS", "Case", "exchange_all", "port_of"]

_RANDOM = random.Random(3)  # noqa: S311 - repeatable
_GARBAGE_BYTES, _SLOW_BYTES = 10_000_000, 3_000_000
_SLOW_SECONDS, _PATIENCE_SECONDS = 1.0, 10.0
#: A record of a ClientHello that is 16 MiB long, of which the rest follows in records as long as may be.
_ENDLESS_HELLO = bytes.fromhex("160301400001ffffff")


@dataclass(frozen=True, slots=True)
class Case:
    """What a peer did, and from where. ``codes`` has what may be logged about it, ``got`` the data it got.

    ``lucky`` if it ended well, so that there is nothing to log.
    """

    what: str
    port: int
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


def port_of(stream: AttestedStream) -> int:
    transport = stream._protocol._transport
    assert transport is not None
    return int(transport.get_extra_info("sockname")[1])


async def says_nothing(where: str, _config: ChannelConfig) -> Case:
    return await _half_open(where, b"")


async def stops_in_the_hello(where: str, _config: ChannelConfig) -> Case:
    return await _half_open(where, _ENDLESS_HELLO)


async def _half_open(where: str, first: bytes) -> Case:
    reader, writer = await _connect(where)
    writer.write(first)
    port, got = writer.get_extra_info("sockname")[1], await _rest(reader)
    await _closed(writer)
    return Case("half-open", port, frozenset({"remote_protocol.deadline", "remote_protocol.tls"}), got)


async def sends_garbage(where: str, _config: ChannelConfig) -> Case:
    return await _garbage(where, _RANDOM.randbytes)


async def sends_an_endless_hello(where: str, _config: ChannelConfig) -> Case:
    record = bytes.fromhex("1603014000") + bytes(0x4000)
    return await _garbage(
        where, lambda size: _ENDLESS_HELLO + bytes(0x4000 - 4) + record * (size // len(record))
    )


async def _garbage(where: str, make: Callable[[int], bytes]) -> Case:
    reader, writer = await _connect(where)
    port, garbage = writer.get_extra_info("sockname")[1], make(_GARBAGE_BYTES)
    with suppress(OSError):
        for start in range(0, _GARBAGE_BYTES, 65_536):
            writer.write(garbage[start : start + 65_536])
            await writer.drain()
    await _rest(reader)
    await _closed(writer)
    return Case("garbage", port, frozenset({"remote_protocol.tls", "remote_protocol.early_data"}))


async def stops_in_the_gate(where: str, _config: ChannelConfig) -> Case:
    def converse(peer: RawPeer) -> None:
        peer.handshake().say_hello(demands=True, provides=True)

    return await _by_hand("mid-gate", where, converse, "remote_protocol.deadline")


async def skips_the_gate(where: str, _config: ChannelConfig) -> Case:
    def converse(peer: RawPeer) -> None:
        peer.handshake().say_hello(demands=False, provides=True)
        peer.frame(FrameType.DATA, b"let me in")

    return await _by_hand("no gate", where, converse, "remote_protocol.")


async def has_no_evidence(where: str, _config: ChannelConfig) -> Case:
    def converse(peer: RawPeer) -> None:
        peer.handshake().say_hello(demands=False, provides=False)
        peer.frame(FrameType.ACCEPT)
        peer.frame(FrameType.DATA, b"let me in")

    return await _by_hand("no evidence", where, converse, "")


async def _by_hand(what: str, where: str, converse: Callable[[RawPeer], None], code: str) -> Case:
    def run() -> tuple[int, bytes]:
        got = b""
        with connect_raw(where, **own_certificate()) as peer:
            port = peer.sock.getsockname()[1]
            with suppress(EAAError, OSError):
                converse(peer)
                while (frame := peer.read_frame()) is not None:
                    got += frame.body if frame.type is FrameType.DATA else b""
        return port, got

    port, got = await asyncio.to_thread(run)
    return Case(what, port, frozenset({code}), got)


async def reads_slowly(where: str, config: ChannelConfig) -> Case:
    """All comes in the end, unless the workload was killed meanwhile."""
    stream = await open_attested_connection(where, config)
    port, data = port_of(stream), _RANDOM.randbytes(_SLOW_BYTES)
    try:
        lucky = await exchange_all(stream, data, _SLOW_SECONDS) == data
    except (EAAError, OSError):
        lucky = False
    return Case("slow reader", port, frozenset({""}), lucky=lucky)


async def never_reads(where: str, config: ChannelConfig) -> Case:
    """Gone without a word, with all its buffers full."""
    stream = await open_attested_connection(where, config)
    port = port_of(stream)
    with suppress(EAAError, OSError, TimeoutError):
        async with asyncio.timeout(_SLOW_SECONDS):
            while True:
                stream.write(bytes(65_536))
                await stream.drain()
    stream._protocol.cut()
    return Case("vanished", port, frozenset({""}))


PEERS: tuple[Callable[[str, ChannelConfig], Coroutine[Any, Any, Case]], ...] = (
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


async def _connect(where: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = parse_address(where)
    assert isinstance(address, TcpAddress)
    return await asyncio.open_connection(address.host, address.port, family=socket.AF_INET)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    with suppress(OSError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await reader.read()
    return b""


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
