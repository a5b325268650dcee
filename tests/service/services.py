"""Services in this process: a workload and an inclavared on ports of the kernel's choice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from eaa.appraisal.policy import Policy
from eaa.attester.instances import AttesterOptions, select_attester
from eaa.attester.simulated_store import SimulatedStore
from eaa.endorsements.x509 import Certificate
from eaa.services.inclavared import Configs, Inclavared
from eaa.services.listening import address_of, bind
from eaa.services.upstream import Patience
from eaa.services.workload import Workload
from eaa.tls.verifiers import make_verifier
from eaa.transport.config import ChannelConfig
from eaa.transport.streams import AttestedStream, open_attested_connection
from eaa.verify.dcap import Memo

T = TypeVar("T")

LOCAL = "tcp://127.0.0.1:0"
QUICK = Patience(seconds=0.3, first_pause_seconds=0.05, greatest_pause_seconds=0.2)
NONCE = bytes(range(1, 33))


@dataclass(frozen=True, slots=True)
class Vendor:
    """A simulated vendor in a folder, and configurations that believe it alone."""

    folder: Path

    @property
    def root(self) -> Certificate:
        return SimulatedStore(self.folder).trust_anchor(now=datetime.now(UTC))

    def config(
        self, *, mutual: bool = False, fields: Mapping[str, Any] | None = None, policy: Policy | None = None
    ) -> ChannelConfig:
        options = AttesterOptions(simulated_directory=self.folder, simulated_fields=fields or {})
        return ChannelConfig(
            attester=select_attester("simulated", root=Path("/"), options=options, allow_null=False),
            verifier=make_verifier(
                "simulated",
                policy=policy or Policy(),
                pool=None,
                trust_anchors=[self.root],
                memo=Memo(64),
                allow_null=False,
            ),
            mutual=mutual,
            handshake_seconds=3.0,
        )


@asynccontextmanager
async def workload(config: ChannelConfig, address: str = LOCAL) -> AsyncIterator[str]:
    listening = bind(address)
    where = address_of(listening)
    service = Workload(listening, config)
    await service.start()
    try:
        yield where
    finally:
        await service.drain(0.2)


@asynccontextmanager
async def inclavared(
    upstream: str, vendor: Vendor, configs: Configs | None = None
) -> AsyncIterator[tuple[Inclavared, str]]:
    listening = bind(LOCAL)
    where = address_of(listening)
    configs = configs or Configs(vendor.config(), vendor.config(mutual=True))
    service = Inclavared(listening, upstream, configs, QUICK)
    await service.start()
    try:
        yield service, where
    finally:
        await service.drain(0.2)


async def request(where: str, config: ChannelConfig, members: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of an inclavared to one request."""
    stream = await open_attested_connection(where, config)
    try:
        stream.write(json.dumps(members).encode() + b"\n")
        await stream.drain()
        answer = json.loads(await stream.readline())
        assert isinstance(answer, dict)
        return answer
    finally:
        stream.close()


async def exchange(stream: AttestedStream, data: bytes) -> bytes:
    """``data`` there, its end said, and all that comes back."""

    async def send() -> None:
        for start in range(0, len(data), 100_000):
            stream.write(data[start : start + 100_000])
            await stream.drain()
        stream.write_eof()

    sending = asyncio.create_task(send())
    try:
        came = b"".join([part async for part in _parts(stream)])
        await sending
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        stream.close()
    return came


async def _parts(stream: AttestedStream) -> AsyncIterator[bytes]:
    while part := await stream.read(200_000):
        yield part


async def until(condition: Any, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def run(main: Coroutine[Any, Any, T]) -> T:
    """``main`` on a loop of its own, which goes on until closed connections are gone."""

    async def settled() -> T:
        try:
            return await main
        finally:
            await asyncio.sleep(0.1)

    return asyncio.run(settled())
