"""An attestation-agent in a thread of this process, for guests of a simulated vendor."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from eaa.services.attestation_agent.agent import Agent, make_agent
from eaa.services.attestation_agent.cache import CacheTerms
from eaa.services.attestation_agent.measurement import EventLogTerms
from eaa.services.attestation_agent.params import parse_params
from eaa.services.attestation_agent.patience import Patience
from eaa.services.attestation_agent.registers import Extender
from eaa.services.attestation_agent.service import AttestationAgent
from eaa.services.attestation_agent.terms import AgentTerms, Sockets
from eaa.tls.peer import AttachedEvidence, Attester, EvidenceKind
from eaa.transport.config import ChannelConfig
from tests.fakes.agent_clients import GrpcAgent, TtrpcAgent
from tests.service.verdictds import Hardware

__all__ = ["Guest", "RunningAgent", "channel_of", "running_agent"]

_SECONDS = 30.0


@dataclass(slots=True)
class Guest:
    """Attests for an environment of ``hardware``, endorsements attached, and counts."""

    hardware: Hardware
    kind: EvidenceKind = EvidenceKind.TDX_QUOTE
    name: str = "simulated"
    collected: int = 0

    def collect(self, report_data: bytes) -> AttachedEvidence:
        self.collected += 1
        attester = self.hardware.td if self.kind is EvidenceKind.TDX_QUOTE else self.hardware.enclave
        return AttachedEvidence(self.kind, attester.collect(report_data), attester.endorsements())


def channel_of(guest: Attester, hardware: Hardware) -> ChannelConfig:
    """A guest's channel, which believes the vendor of ``hardware``."""
    return ChannelConfig(
        attester=guest, verifier=hardware.source().verifier, mutual=True, handshake_seconds=5.0
    )


@dataclass(slots=True)
class RunningAgent:
    """An agent that serves, on ports that the kernel chose and in the folder ``folder``."""

    agent: Agent
    folder: Path
    loop: asyncio.AbstractEventLoop
    said: list[str] = field(default_factory=list)

    def where(self, what: str) -> str:
        return next(line.rpartition(" ")[2] for line in self.said if line.startswith(what))

    def grpc(self, what: str = "attestation and confidential data (gRPC)") -> GrpcAgent:
        return GrpcAgent(self.where(what).removeprefix("tcp://"))

    @property
    def key_provider(self) -> GrpcAgent:
        return self.grpc("key provider")

    @property
    def resources(self) -> GrpcAgent:
        return self.grpc("resources")

    @property
    def attestation_ttrpc(self) -> TtrpcAgent:
        return TtrpcAgent(str(self.folder / "aa" / "aa.sock"))

    @property
    def cdh_ttrpc(self) -> TtrpcAgent:
        return TtrpcAgent(str(self.folder / "cdh.sock"))

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.where("REST"), timeout=_SECONDS, trust_env=False)

    def run(self, coroutine: Any) -> Any:
        """What ``coroutine`` gives, in the agent's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(_SECONDS)


@contextmanager
def running_agent(
    folder: Path,
    params: str | None,
    guest: Attester | None,
    *,
    channel: ChannelConfig | None = None,
    extender: Extender | None = None,
    cache: CacheTerms | None = None,
    patience: Patience | None = None,
    event_log: EventLogTerms | None = None,
    **terms: Any,
) -> Iterator[RunningAgent]:
    """Serve until the end of the block."""
    made = AgentTerms(
        params=parse_params(params) if params is not None else None,
        sockets=Sockets(
            keyprovider="tcp://127.0.0.1:0",
            getresource="tcp://127.0.0.1:0",
            attestation="tcp://127.0.0.1:0",
            attestation_ttrpc=f"unix://{folder}/aa/aa.sock",
            cdh_ttrpc=f"unix://{folder}/cdh.sock",
            rest="tcp://127.0.0.1:0",
        ),
        cache=cache or CacheTerms(refused_seconds=0.0),
        patience=patience or Patience(first_seconds=0.02, longest_seconds=0.05, request_seconds=10.0),
        event_log=event_log or EventLogTerms(folder=folder / "log", firmware=folder / "CCEL"),
        **terms,
    )
    thread = _Thread(made, guest, extender, channel)
    thread.start()
    agent = thread.require_started()
    try:
        yield RunningAgent(agent, folder, thread.loop, thread.said)
    finally:
        thread.end()


class _Thread(threading.Thread):
    def __init__(
        self,
        terms: AgentTerms,
        guest: Attester | None,
        extender: Extender | None,
        channel: ChannelConfig | None,
    ) -> None:
        super().__init__(name="attestation-agent", daemon=True)
        self._terms, self._guest, self._extender, self._channel = terms, guest, extender, channel
        self.loop = asyncio.new_event_loop()
        self.said: list[str] = []
        self._started_or_failed = threading.Event()
        self._failure: BaseException | None = None
        self._stopping = asyncio.Event()
        self._agent: Agent | None = None

    def run(self) -> None:
        try:
            self.loop.run_until_complete(self._serve())
        finally:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    async def _serve(self) -> None:
        try:
            self._agent = make_agent(
                self._terms, attester=self._guest, extender=self._extender, channel=self._channel
            )
            service = AttestationAgent(
                self._agent, self._terms.sockets,
                request_seconds=self._terms.patience.request_seconds, say=self.said.append,
            )  # fmt: skip
            await service.start()
        except BaseException as error:
            self._failure = error
            return
        finally:
            self._started_or_failed.set()
        await self._stopping.wait()
        await service.drain(1.0)

    def require_started(self) -> Agent:
        assert self._started_or_failed.wait(_SECONDS), "the agent did not start in time"
        if self._failure is not None:
            self.join(_SECONDS)
            raise self._failure
        assert self._agent is not None
        return self._agent

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self._stopping.set)
        self.join(_SECONDS)
        assert not self.is_alive(), "the agent did not stop in time"
