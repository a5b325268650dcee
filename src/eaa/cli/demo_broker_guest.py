"""A guest in the demo: a simulated TD or SNP guest that speaks the KBS protocol, and who overhears it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from eaa.attester.simulated import SimulatedTdxGuest
from eaa.attester.simulated.amd_guest import SimulatedSnpGuest
from eaa.broker.tokens import verify_token
from eaa.errors import InternalError
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.transport.kbs.answers import refusal
from eaa.transport.kbs.client import KbsClient

__all__ = ["Guest", "Machine"]

Machine = SimulatedTdxGuest | SimulatedSnpGuest

_SECONDS, _SEEN_SECONDS = 20.0, 10.0
_ISSUER = "verdictd"


@dataclass(frozen=True, slots=True)
class Guest:
    """The guest on ``machine``, whose broker is at ``url``; every call is a session of its own."""

    url: str
    machine: Machine

    def fetch(self, path: str) -> tuple[bytes, str]:
        """The content of ``path``, and what the token says of this guest.

        Raises:
            EAAError: the broker refuses.
        """
        return asyncio.run(self._fetch(path))

    def status(self) -> str:
        """What the token says of this guest.

        Raises:
            EAAError: the broker refuses the evidence.
        """
        return asyncio.run(self._status())

    def wait_until_affirming(self) -> None:
        """A service sees within a second what was changed in its storage.

        Raises:
            EAAError: the broker refuses the evidence, or does not affirm it in time.
        """
        deadline = time.monotonic() + _SEEN_SECONDS
        while self.status() != "affirming":
            if time.monotonic() > deadline:
                raise InternalError("verdictd does not see the reference values", detail="demo")
            time.sleep(0.1)

    def replay(self) -> None:
        """Attest, and have somebody send the same bytes in the same session again.

        Raises:
            EAAError: the broker refuses the second time.
        """
        asyncio.run(self._replay())

    async def _fetch(self, path: str) -> tuple[bytes, str]:
        async with self._http() as http:
            client = self._client(http)
            content = await client.resource(path)
            return content, _status(client.token, (await http.get("/.well-known/jwks.json")).json())

    async def _status(self) -> str:
        async with self._http() as http:
            token = await self._client(http).attest()
            return _status(token, (await http.get("/.well-known/jwks.json")).json())

    async def _replay(self) -> None:
        async with self._http() as http:
            overheard: list[httpx.Request] = []

            async def overhear(request: httpx.Request) -> None:
                overheard.append(request)

            http.event_hooks = {"request": [overhear]}
            await self._client(http).attest()
            again = await http.send(overheard[-1])
            if not again.is_success:
                raise refusal(again.status_code, again.content)

    def _client(self, http: httpx.AsyncClient) -> KbsClient:
        kind = (
            EvidenceKind.TDX_QUOTE if isinstance(self.machine, SimulatedTdxGuest) else EvidenceKind.SNP_REPORT
        )
        return KbsClient(http, _Attester(self.machine, kind), kind)

    def _http(self) -> httpx.AsyncClient:
        # No proxy of the environment comes between.
        return httpx.AsyncClient(base_url=self.url, timeout=_SECONDS, trust_env=False)


@dataclass(frozen=True, slots=True)
class _Attester:
    """Sends a TD's quote alone, for which the broker has endorsements; an SNP report with its own."""

    machine: Machine
    kind: EvidenceKind
    name: str = "simulated"

    def collect(self, report_data: bytes) -> AttachedEvidence:
        machine = self.machine
        endorsements = machine.endorsements() if isinstance(machine, SimulatedSnpGuest) else None
        return AttachedEvidence(self.kind, machine.collect(report_data), endorsements)


def _status(token: str, keys: dict[str, Any]) -> str:
    """The status of the guest's own environment in ``token``, which is verified."""
    claims = verify_token(
        token, now=datetime.now(UTC), keys=keys, trust_anchors=(), issuer=_ISSUER, audience="", nonce=""
    )
    return str(claims["submods"]["cpu0"]["ear.status"])
