"""The same channels on uvloop, whose transports choose otherwise how a protocol gets its bytes."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import uvloop

from eaa.transport.streams import open_attested_connection
from tests.service.services import Vendor, exchange, inclavared, workload

DATA = random.Random(8).randbytes(3_000_000)  # noqa: S311 - repeatable


def test_bytes_are_forwarded_on_uvloop(tmp_path: Path) -> None:
    vendor = Vendor(tmp_path / "vendor")

    async def scenario() -> bytes:
        async with (
            workload(vendor.config(mutual=True)) as upstream,
            inclavared(upstream, vendor) as (_, where),
        ):
            came = await exchange(await open_attested_connection(where, vendor.config()), DATA)
        await asyncio.sleep(0.1)
        return came

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(scenario()) == DATA
