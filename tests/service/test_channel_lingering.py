"""What happens to a connection after its end, and to what fails then."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from eaa.errors import EAAError, LocalProtocolError
from eaa.transport import outgoing
from eaa.transport.streams import AttestedStream, open_attested_connection, start_attested_server
from tests.service.services import LOCAL, Vendor, run, until

MUCH = 16_000_000


@pytest.fixture
def vendor(tmp_path: Path) -> Vendor:
    return Vendor(tmp_path / "vendor")


async def say_much_and_leave(stream: AttestedStream) -> None:
    stream.write(bytes(MUCH))


def test_a_peer_that_takes_nothing_after_the_end_is_cut_off(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "LINGER_SECONDS", 0.1)

    async def scenario() -> None:
        server = await start_attested_server(say_much_and_leave, LOCAL, vendor.config())
        stream = await open_attested_connection(server.address, vendor.config())
        assert server._connections
        await until(lambda: not server._connections)
        stream.close()
        server.close()

    run(scenario())


def test_a_peer_that_is_slow_after_the_end_gets_all(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "LINGER_SECONDS", 0.5)

    async def scenario() -> None:
        server = await start_attested_server(say_much_and_leave, LOCAL, vendor.config())
        stream = await open_attested_connection(server.address, vendor.config())
        total = 0
        while part := await stream.read(MUCH):
            total += len(part)
            await asyncio.sleep(0.05)
        assert total == MUCH
        stream.close()
        server.close()

    run(scenario())


async def read(stream: AttestedStream) -> None:
    await stream.read()


async def read_and_say_otherwise(stream: AttestedStream) -> None:
    try:
        await stream.read()
    except EAAError:
        raise LocalProtocolError("what came of it", detail="closed") from None


@pytest.mark.parametrize("handler", [read, read_and_say_otherwise])
def test_a_reset_is_logged_once(
    vendor: Vendor, caplog: pytest.LogCaptureFixture, handler: Callable[[AttestedStream], Awaitable[None]]
) -> None:
    async def scenario() -> None:
        server = await start_attested_server(handler, LOCAL, vendor.config())
        stream = await open_attested_connection(server.address, vendor.config())
        transport = stream._protocol._transport
        assert transport is not None
        at_once = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        stream._protocol.cut()
        await until(lambda: not server._connections)
        server.close()

    caplog.set_level(logging.WARNING, "eaa.transport")
    run(scenario())
    said = [item.getMessage() for item in caplog.records if "server of" in item.getMessage()]
    assert len(said) == 1
    assert "remote_protocol.truncated: the connection failed: Connection reset by peer" in said[0]


def test_a_fault_of_a_handler_is_logged_though_its_peer_is_lost(
    vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail_after_the_peer(stream: AttestedStream) -> None:
        try:
            await stream.read()
        except EAAError:
            raise ValueError("a fault of ours") from None

    async def scenario() -> None:
        server = await start_attested_server(fail_after_the_peer, LOCAL, vendor.config())
        stream = await open_attested_connection(server.address, vendor.config())
        stream._protocol.cut()
        await until(lambda: "internal" in caplog.text)
        server.close()

    caplog.set_level(logging.WARNING, "eaa.transport")
    run(scenario())
    said = [item.getMessage() for item in caplog.records if "server of" in item.getMessage()]
    assert ["remote_protocol.truncated" in said[0], "a fault of ours" in said[1]] == [True, True]
    assert len(said) == 2
