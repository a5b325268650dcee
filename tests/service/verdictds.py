"""A verdictd in a thread of this process, and guests of a simulated vendor."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from eaa.appraisal.policy import Policy
from eaa.attester.simulated import SimulatedPlatform, SimulatedSgxEnclave, SimulatedTdxGuest, SimulatedVendor
from eaa.broker.admin_credentials import issue_admin_token
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.tcb import TcbStatus
from eaa.services.listening import bind
from eaa.services.verdictd.admin_key import load_admin_key
from eaa.services.verdictd.config import load_config
from eaa.services.verdictd.core import EvidenceSource
from eaa.services.verdictd.service import Inputs, Verdictd
from eaa.tls.peer import EvidenceKind
from eaa.tls.verifiers import EvidenceVerifier, make_verifier
from eaa.transport.config import ChannelConfig
from eaa.verify.dcap import Memo
from tests.fakes.kbs_client import Guest, KbsClient, TeeKey

__all__ = ["Hardware", "Running", "running"]

_START_SECONDS = 20.0
_ANY = Policy(accepted_statuses=frozenset(TcbStatus) - {TcbStatus.REVOKED}, allow_debug=True)


class Hardware:
    """A simulated platform of today with a TD and an enclave on it; change it before its first use."""

    def __init__(self) -> None:
        self.platform = SimulatedPlatform(SimulatedVendor(now=datetime.now(UTC)))
        self.td = SimulatedTdxGuest(self.platform)
        self.enclave = SimulatedSgxEnclave(self.platform)

    def attached(self, kind: EvidenceKind) -> IntelCollateral | None:
        """What its vendor vouches for."""
        return {
            EvidenceKind.TDX_QUOTE: self.td.endorsements,
            EvidenceKind.SGX_QUOTE: self.enclave.endorsements,
        }[kind]()

    def source(self) -> EvidenceSource:
        """Verifies evidence of this vendor and nobody else's."""
        anchors = (self.td.trust_anchor,)
        verifier = make_verifier(
            "", policy=_ANY, pool=None, trust_anchors=anchors, memo=Memo(64), allow_null=False
        )
        assert isinstance(verifier, EvidenceVerifier)
        return EvidenceSource(verifier, self.attached)


@dataclass(slots=True)
class Running:
    """A verdictd that serves."""

    url: str
    state: Path
    service: Verdictd
    loop: asyncio.AbstractEventLoop
    channel_address: str = ""
    clients: list[httpx.Client] = field(default_factory=list)

    def http(self) -> httpx.Client:
        """A client with cookies of its own."""
        client = httpx.Client(base_url=self.url, timeout=30)
        self.clients.append(client)
        return client

    def guest(self, collect: Callable[[bytes], bytes], tee: str = "tdx", **options: Any) -> KbsClient:
        """A guest whose evidence ``collect`` gives."""
        key = options.pop("key", None) or TeeKey(options.pop("key_kind", "ECDH-ES+A256KW-P256"))
        return KbsClient(Guest(tee, collect, key, **options), self.http())

    def admin(self, role: str = "admin") -> httpx.Client:
        """An administrator's client."""
        key = load_admin_key(self.state / "admin" / "admin-key.pem")
        token = issue_admin_token(
            key.private, key.kid, name="test", role=role, now=datetime.now(UTC), seconds=600
        )
        client = self.http()
        client.headers["authorization"] = f"Bearer {token}"
        return client

    def kbc_params(self, module: str) -> str:
        """How the agent's ``module``, cc_kbc or eaa_kbc, is told of it."""
        where = self.url if module == "cc_kbc" else self.channel_address.removeprefix("tcp://")
        return f"{module}::{where}"

    def refresh(self) -> None:
        """Have it see at once what was changed."""
        core = self.service.core
        asyncio.run_coroutine_threadsafe(core.books.refresh(), self.loop).result(10)

    def put_references(self, values: Mapping[str, Any]) -> None:
        """Reference values as Trustee's clients send them."""
        payload = base64.b64encode(json.dumps(values).encode()).decode()
        message = {"version": "0.1.0", "type": "sample", "payload": payload}
        answer = self.admin().post("/kbs/v0/reference-value", json=message)
        assert answer.status_code == 200, answer.text
        self.refresh()

    def trust(self, hardware: Hardware) -> None:
        """Make the TD and the enclave of ``hardware`` affirming."""
        report, enclave = hardware.td.report, hardware.enclave.report
        self.put_references(
            {
                "mr_td": [report.mr_td.hex()],
                "rtmr_1": [report.rt_mr1.hex()],
                "rtmr_2": [report.rt_mr2.hex()],
                "xfam": [report.xfam.hex()],
                "sgx_mr_enclave": [enclave.mr_enclave.hex()],
            }
        )

    def put_policy(self, text: str, policy_id: str | None = None, *, attestation: bool = False) -> None:
        """A policy by Trustee's routes."""
        encoded = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
        document = {"policy": encoded} | ({"policy_id": policy_id} if policy_id is not None else {})
        kind = "attestation" if attestation else "resource"
        answer = self.admin().post(f"/kbs/v0/{kind}-policy", json=document)
        assert answer.status_code == 200, answer.text
        self.refresh()

    def put_resource(self, path: str, content: bytes) -> None:
        answer = self.admin().post(f"/kbs/v0/resource/{path}", content=content)
        assert answer.status_code == 200, answer.text

    def decision(self, detail: str) -> dict[str, Any]:
        """The decision that an error's ``detail`` names."""
        decision_id = detail.rpartition("id ")[2].rstrip(")")
        answer = self.admin("reader").get(f"/eaa/v1/decisions/{decision_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def running(
    state: Path, source: EvidenceSource, *, channel: ChannelConfig | None = None, **sections: Any
) -> Iterator[Running]:
    """Serve from ``state`` until the end of the block; ``sections`` are those of the configuration."""
    flags = {
        "state_directory": state,
        "drain_seconds": 1,
        "client_api": {"listen": ""},
        "metrics": {"listen": ""},
        **sections,
    }
    config = load_config(None, flags, {})
    http = bind("tcp://127.0.0.1:0")
    channel_socket = bind("tcp://127.0.0.1:0") if channel is not None else None
    service = Verdictd(Inputs(config, source, channel, http, channel_socket), lambda text: None)
    thread = _Thread(service)
    thread.start()
    thread.require_started()
    scheme = "https" if config.http.certificate else "http"
    served = Running(f"{scheme}://127.0.0.1:{http.getsockname()[1]}", state, service, thread.loop)
    if channel_socket is not None:
        served.channel_address = f"tcp://127.0.0.1:{channel_socket.getsockname()[1]}"
    try:
        yield served
    finally:
        for client in served.clients:
            client.close()
        thread.end()
        for listening in (http, channel_socket):
            _close(listening)


class _Thread(threading.Thread):
    def __init__(self, service: Verdictd) -> None:
        super().__init__(name="verdictd", daemon=True)
        self.service = service
        self.loop = asyncio.new_event_loop()
        self._started_or_failed = threading.Event()
        self._failure: BaseException | None = None
        self._stopping = asyncio.Event()

    def run(self) -> None:
        try:
            self.loop.run_until_complete(self._serve())
        finally:
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    async def _serve(self) -> None:
        try:
            await self.service.start()
        except BaseException as error:
            self._failure = error
            return
        finally:
            self._started_or_failed.set()
        await self._stopping.wait()
        await self.service.drain(1.0)

    def require_started(self) -> None:
        assert self._started_or_failed.wait(_START_SECONDS), "verdictd did not start in time"
        if self._failure is not None:
            self.join(_START_SECONDS)
            raise self._failure

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self._stopping.set)
        self.join(_START_SECONDS)
        assert not self.is_alive(), "verdictd did not stop in time"


def _close(listening: socket.socket | None) -> None:
    if listening is not None:
        listening.close()
