"""A peer that opens connections and says nothing leaves room for others."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from eaa.errors import EAAError
from eaa.transport.streams import open_attested_connection
from tests.service.services import Vendor, exchange, run, workload

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
SILENT = "127.0.0.2"


@pytest.fixture
def vendor(tmp_path: Path) -> Vendor:
    return Vendor(tmp_path / "vendor")


async def silent(where: str, held: AsyncExitStack) -> Pair:
    """A connection that says nothing."""
    scheme, _, rest = where.partition("://")
    if scheme == "unix":
        pair = await asyncio.open_unix_connection(rest)
    else:
        host, _, port = rest.rpartition(":")
        pair = await asyncio.open_connection(host, int(port), local_addr=(SILENT, 0))
    held.callback(pair[1].close)
    return pair


async def refused(pair: Pair) -> bool:
    try:
        async with asyncio.timeout(10):
            return await pair[0].read(1) == b""
    except ConnectionError:
        return True


def test_one_address_has_a_bound_of_its_own(vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    config = replace(vendor.config(), max_half_open=8, handshake_seconds=30)

    async def scenario() -> None:
        async with workload(config) as where, AsyncExitStack() as held:
            kept = [await silent(where, held) for _ in range(2)]
            assert await refused(await silent(where, held))
            # Others come in, and those that are open are not counted.
            for _ in range(4):
                stream = await open_attested_connection(where, vendor.config())
                assert await exchange(stream, b"hello") == b"hello"
            kept[0][1].close()
            await kept[0][1].wait_closed()
            again = await silent(where, held)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await again[0].read(1)

    run(scenario())
    lines = [record.getMessage() for record in caplog.records if "half_open" in record.getMessage()]
    assert len(lines) == 1
    assert f"{SILENT} has 2 connections that are half-open" in lines[0]
    assert "remote_protocol.half_open_peer" in lines[0]


def test_the_bound_of_all_holds_as_well(vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    config = replace(vendor.config(), max_half_open=2, max_half_open_per_peer=8, handshake_seconds=30)

    async def scenario() -> None:
        async with workload(config) as where, AsyncExitStack() as held:
            for _ in range(2):
                await silent(where, held)
            assert await refused(await silent(where, held))
            with pytest.raises((EAAError, OSError)):
                await open_attested_connection(where, vendor.config())

    run(scenario())
    assert "remote_protocol.half_open:" in caplog.text
    assert "half_open_peer" not in caplog.text


def test_who_comes_over_a_unix_socket_is_not_counted(vendor: Vendor, tmp_path: Path) -> None:
    config = replace(vendor.config(), max_half_open=8, max_half_open_per_peer=1)

    async def scenario() -> None:
        async with workload(config, f"unix://{tmp_path}/socket") as where, AsyncExitStack() as held:
            for _ in range(4):
                await silent(where, held)
            stream = await open_attested_connection(where, vendor.config())
            assert await exchange(stream, b"hello") == b"hello"

    run(scenario())
