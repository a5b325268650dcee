"""Requests of guests, made before anything is measured: each quote is bound to a challenge that was given."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import orjson

from benchmarks.verdictd_load import Job, request, run_jobs
from eaa.attester.simulated_attester import StoredSimulatedAttester
from eaa.attester.simulated_store import SimulatedStore
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.evidence.tdx import TdReport
from tests.fakes.kbs_client import Guest, TeeKey

__all__ = ["Guests", "Prepared"]

#: Guests take turns with these.
_KEYS = 64
_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Prepared:
    """The requests of one round, encoded: a challenge like the one that ``attest`` answers, then that."""

    auth: bytes
    attest: bytes
    cookie: str

    def resource(self, path: str) -> bytes:
        """The request for the resource at ``path`` in the session of the round."""
        return request("GET", f"/kbs/v0/resource/{path}", b"", self.cookie)


class Guests:
    """TDs of a simulated vendor in the folder ``vendor``."""

    def __init__(self, vendor: Path) -> None:
        self.vendor = vendor
        self.attester = StoredSimulatedAttester(
            "simulated", "tdx", store=SimulatedStore(vendor), now=lambda: datetime.now(UTC), fields={},
            debug=False,
        )  # fmt: skip
        self._guests = [Guest("tdx", self._collect, TeeKey("ECDH-ES+A256KW-P256")) for _ in range(_KEYS)]
        self._turn = 0

    @cached_property
    def measurements(self) -> dict[str, str]:
        """What makes these TDs affirming, by the names that the default policy asks for."""
        body = parse_quote_frame(self._collect(bytes(64))).body
        assert isinstance(body, TdReport)
        fields = {"mr_td": body.mr_td, "rtmr_1": body.rt_mr1, "rtmr_2": body.rt_mr2, "xfam": body.xfam}
        return {name: value.hex() for name, value in fields.items()}

    @property
    def auth(self) -> bytes:
        """The body of ``/auth``."""
        return orjson.dumps(self._guests[0].request())

    def attestation(self, challenge: bytes) -> bytes:
        """The body of ``/attest`` of the next guest, compact as guest components write it."""
        guest = self._guests[self._turn % _KEYS]
        self._turn += 1
        return orjson.dumps(guest.attestation(orjson.loads(challenge)))

    def prepare(self, address: str, count: int) -> list[Prepared]:
        """Ask the service at ``address`` for ``count`` challenges, and answer them."""
        auth = request("POST", "/kbs/v0/auth", self.auth, "")
        jobs = [Job((auth,)) for _ in range(count)]
        asyncio.run(run_jobs(address, jobs, _CONNECTIONS, keep=True))
        return [self._answered(auth, job.answers[0]) for job in jobs]

    def _answered(self, auth: bytes, answer: bytes) -> Prepared:
        head, _, body = answer.partition(b"\r\n\r\n")
        cookie = _cookie(head.decode().split("\r\n"))
        return Prepared(auth, request("POST", "/kbs/v0/attest", self.attestation(body), cookie), cookie)

    def _collect(self, report_data: bytes) -> bytes:
        return self.attester.collect(report_data).evidence


def _cookie(lines: Sequence[str]) -> str:
    (value,) = (line.partition(":")[2] for line in lines if line.lower().startswith("set-cookie:"))
    return value.strip().partition(";")[0]
