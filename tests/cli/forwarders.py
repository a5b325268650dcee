"""Nodes on loopback that answer as they are told: honest forwarders, and forwarders that lie."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eaa.attester.simulated import dcap_qvl_json
from eaa.attester.simulated.platform import Tee
from eaa.attester.simulated_attester import StoredSimulatedAttester
from eaa.attester.simulated_store import SimulatedStore
from eaa.endorsements.collateral import IntelCollateral
from eaa.tls.claims import gate_report_data
from eaa.tls.peer import AttachedEvidence, Profile
from eaa.tls.relayed import relayed_claims
from eaa.transport.config import ChannelConfig
from eaa.transport.streams import AttestedServer, AttestedStream, start_attested_server

__all__ = ["WORKLOAD", "Answerer", "Machine", "document", "serving"]

#: MRENCLAVE of the workload, and that of the forwarder, which runs code of its own.
WORKLOAD, FORWARDER = b"\x11" * 32, b"\x22" * 32
SPKI = b"a workload's key"

Answerer = Callable[[bytes], bytes]


def document(attached: AttachedEvidence, claims: bytes) -> dict[str, Any]:
    """The answer of an honest forwarder; what is informational is a lie."""
    evidence: dict[str, Any] = {
        "kind": str(attached.kind),
        "evidence": base64.b64encode(attached.evidence).decode(),
    }
    if isinstance(attached.collateral, IntelCollateral):
        evidence["collateral"] = json.loads(dcap_qvl_json(attached.collateral))
    return {
        "id": "1",
        "msgtype": "ENCLAVEINFO",
        "version": 2,
        "mrenclave": "00" * 32,
        "mrsigner": "00" * 32,
        "evidence": evidence,
        "claims": base64.b64encode(claims).decode(),
    }


@dataclass
class Machine:
    """A machine of the simulated vendor in ``folder``."""

    folder: Path
    debug: bool = False
    tee: Tee = "sgx"
    nonces: list[bytes] = field(default_factory=list)

    @property
    def trusted(self) -> tuple[str, ...]:
        return ("--verifier", "simulated", "--simulated-dir", str(self.folder))

    @property
    def root(self) -> Path:
        self.store.trust_anchor(now=datetime.now(UTC))
        return self.folder / "root.pem"

    @property
    def store(self) -> SimulatedStore:
        return SimulatedStore(self.folder)

    def attester(self, mr_enclave: bytes) -> StoredSimulatedAttester:
        fields = {"mr_enclave": mr_enclave} if self.tee == "sgx" else {}
        return StoredSimulatedAttester(
            "simulated", self.tee, store=self.store, now=lambda: datetime.now(UTC),
            fields=fields, debug=self.debug and mr_enclave != FORWARDER,
        )  # fmt: skip

    def evidence(
        self, nonce: bytes, mr_enclave: bytes = WORKLOAD, spki: bytes = SPKI
    ) -> tuple[AttachedEvidence, bytes]:
        claims = relayed_claims(spki=spki, nonce=nonce)
        return self.attester(mr_enclave).collect(gate_report_data(claims)), claims

    def honest(self, mr_enclave: bytes = WORKLOAD) -> Answerer:
        def answer(nonce: bytes) -> bytes:
            self.nonces.append(nonce)
            return line(document(*self.evidence(nonce, mr_enclave)))

        return answer


def line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


@contextmanager
def serving(
    machine: Machine,
    answer: Answerer,
    *,
    profile: Profile = Profile.EXPORTER_V1,
    mr_enclave: bytes = FORWARDER,
    address: str = "tcp://127.0.0.1:0",
) -> Iterator[str]:
    """The address of a node whose channel is attested as ``mr_enclave``, until the block ends."""
    config = ChannelConfig(attester=machine.attester(mr_enclave), verifier=None, profile=profile)

    async def handle(stream: AttestedStream) -> None:
        request = await stream.readline()
        if request:
            stream.write(answer(bytes.fromhex(json.loads(request)["nonce"])))
            await stream.drain()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start_attested_server(handle, address, config), loop).result(30)
    try:
        yield server.address
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _close(server: AttestedServer) -> None:
    server.close()
    await server.drain(1.0)
    await asyncio.sleep(0.01)  # for the transports that were closed with their connections
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
