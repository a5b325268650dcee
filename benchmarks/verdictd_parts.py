"""Where the CPU time of an attestation goes: the parts of ``/attest``, in one process one after the other."""

from __future__ import annotations

import asyncio
import secrets
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from time import process_time
from typing import TypeVar

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.timing import Row
from benchmarks.verdictd_guests import Guests
from benchmarks.verdictd_load import Job, measure, request
from benchmarks.verdictd_service import SQLITE, Storage, prepare, service, storage
from eaa.broker.judgement import Environment, Judgement, appraised, judge
from eaa.broker.kbs.challenge import Challenge, open_challenge
from eaa.broker.kbs.messages import AttestRequest, parse_attest_request
from eaa.broker.records import Session
from eaa.broker.release import Events
from eaa.broker.tokens import issue_token
from eaa.broker.verified_environment import EnvironmentVerifier
from eaa.cli.verdictd_inputs import evidence_source
from eaa.services.verdictd.config import VerdictdConfig, load_config
from eaa.services.verdictd.core import Core, clock, new_id, open_core

__all__ = ["run"]

_FIGURE, _SUBJECT = "verdictd-parts", f"/attest, simulated TDX v4, {SQLITE}"
#: As many bytes as are signed of a TDX quote.
_SIGNED = bytes(632)
_DIGEST = ec.ECDSA(hashes.SHA256())

T = TypeVar("T")
R = TypeVar("R")


def run(*, quick: bool) -> Iterator[Row]:
    rounds, calls = (3, 50) if quick else (15, 200)
    with tempfile.TemporaryDirectory() as name, storage(SQLITE) as where:
        guests = Guests(Path(name))
        http = _http(where, guests, calls)
        yield Row(_FIGURE, _SUBJECT, "HTTP: an answer without work (/healthz)", http, "µs")
        asyncio.run(prepare(where, guests))
        for what, value in asyncio.run(_parts(_config(where, guests), guests, rounds, calls)):
            yield Row(_FIGURE, _SUBJECT, what, value, "µs")


def _http(where: Storage, guests: Guests, calls: int) -> float:
    jobs = [Job((request("GET", "/healthz", b"", ""),)) for _ in range(calls * 5)]
    with service(where, guests) as process:
        return measure(process, jobs, 32).cpu_microseconds


def _config(where: Storage, guests: Guests) -> VerdictdConfig:
    flags = {
        "state_directory": where.folder,
        "storage": {"url": where.url, "master_key": where.master_key},
        "verification": {"simulated": True, "simulated_directory": guests.vendor},
    }
    return load_config(None, flags, {})


async def _parts(config: VerdictdConfig, guests: Guests, rounds: int, calls: int) -> list[tuple[str, float]]:
    evidence, _ = evidence_source(config)
    core = await open_core(config, evidence, Events())
    verifier = EnvironmentVerifier(evidence.verifier, evidence.attached, False)
    try:
        parts = _Parts(core, verifier, guests, calls)
        taken = [await parts.once() for _ in range(rounds + 1)][1:]
    finally:
        await core.close()
    return [(what, statistics.median(each[what] for each in taken)) for what in taken[0]]


class _Parts:
    """The same attestations again and again, each part for all of them before the next part."""

    def __init__(self, core: Core, verifier: EnvironmentVerifier, guests: Guests, calls: int) -> None:
        self._core, self._verifier = core, verifier
        self._asked: list[tuple[bytes, str]] = []
        for _ in range(calls):
            challenged = core.broker.challenge(guests.auth)
            self._asked.append((guests.attestation(orjson.dumps(challenged.body)), challenged.cookie))
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._signature = self._key.sign(_SIGNED, _DIGEST)

    async def once(self) -> dict[str, float]:
        """CPU µs of each part of one attestation."""
        core, now, taken = self._core, clock(), dict[str, float]()
        keys, book = core.books.keys, core.books.policies

        def opened(item: tuple[bytes, str]) -> Challenge:
            return open_challenge(item[1], keys.challenges, now)

        def parsed(item: tuple[tuple[bytes, str], Challenge]) -> AttestRequest:
            return parse_attest_request(item[0][0], item[1])

        def verified(item: tuple[AttestRequest, Challenge]) -> list[Environment]:
            return self._verifier.verify(item[0], item[1], now=now)

        def judged(environments: list[Environment]) -> Judgement:
            return judge(
                environments, engine=core.engine, book=book, asked_policy="", terms=core.terms,
                token_id=new_id(now), now=now, audience="", nonce="",
            )  # fmt: skip

        def issued(judgement: Judgement) -> str:
            return issue_token(judgement.claims, keys.signing)

        challenges = _each(taken, "the challenge's seal", opened, self._asked)
        requests = _each(
            taken, "JSON, and the guest's key", parsed, list(zip(self._asked, challenges, strict=True))
        )
        environments = _each(
            taken, "evidence, to claims", verified, list(zip(requests, challenges, strict=True))
        )
        judgements = _each(taken, "policy, to a result", judged, environments)
        tokens = _each(taken, "token", issued, judgements)
        before = process_time()
        await asyncio.gather(*map(self._kept, tokens, judgements))
        taken["session and decision, sealed and committed"] = (process_time() - before) / len(tokens) * 1e6
        public = self._key.public_key()

        def verify(_: str) -> None:
            public.verify(self._signature, _SIGNED, _DIGEST)

        def sign(token: str) -> bytes:
            return self._key.sign(token.encode(), _DIGEST)

        _each(taken, "beside it: a bare P-256 verification", verify, tokens)
        _each(taken, "beside it: a bare P-256 signature", sign, tokens)
        return taken

    async def _kept(self, token: str, judgement: Judgement) -> None:
        now = clock()
        session = Session(secrets.token_hex(16), token, now + timedelta(minutes=5))
        await self._core.database.sessions.spend(session, appraised(new_id(now), now, "benchmark", judgement))


def _each(taken: dict[str, float], what: str, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    before = process_time()
    results = [function(item) for item in items]
    taken[what] = (process_time() - before) / len(items) * 1e6
    return results
