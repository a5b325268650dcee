"""A broker of the pure parts: storage in memory, the real policy engine, a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from eaa.appraisal.ear import EarVerifier
from eaa.appraisal.policy import Policy as EvidencePolicy
from eaa.broker.judgement import Judgement, Terms
from eaa.broker.kbs_broker import KbsBroker, KbsTerms
from eaa.broker.key_book import CHALLENGE, KeyBook
from eaa.broker.policy_book import PolicyBook
from eaa.broker.records import Policy, PolicyKind, ReferenceValue, ServiceKey
from eaa.broker.release import Events, Releaser
from eaa.broker.verified_environment import EnvironmentVerifier
from eaa.errors import EAAError
from eaa.policy.regorus_engine import RegorusEngine
from eaa.policy.templates import template
from eaa.tls.dcap_verifier import DcapVerifier
from eaa.tls.evidence_verifier import EvidenceVerifier
from eaa.tls.peer import EvidenceKind
from eaa.verify.dcap import Memo
from tests.fakes.kbs_client import Guest, TeeKey
from tests.fakes.memory_stores import MemoryStores
from tests.fakes.token_authority import service_key
from tests.fakes.vendor import NOW, Attester, make_attester

T = TypeVar("T")
ENGINE = RegorusEngine()
SIGNER = ec.generate_private_key(ec.SECP256R1())
TERMS = Terms("verdictd", EarVerifier("test", "1"), timedelta(minutes=5))
GUEST_KEY = TeeKey("ECDH-ES+A256KW-P256")


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def policy(kind: PolicyKind, policy_id: str, text: str, version: int = 1) -> Policy:
    return Policy(kind, policy_id, version, text, hashlib.sha256(text.encode()).hexdigest(), NOW, "test")


def defaults() -> list[Policy]:
    return [
        policy(PolicyKind.ATTESTATION, "default_cpu", template("default_cpu").text),
        policy(PolicyKind.RESOURCE, "", template("allow_affirming").text),
    ]


def references_of(attester: Attester) -> dict[str, Any]:
    report = attester.report
    names = {
        "mr_td": "mr_td",
        "rt_mr1": "rtmr_1",
        "rt_mr2": "rtmr_2",
        "xfam": "xfam",
        "mr_enclave": "sgx_mr_enclave",
    }
    return {claim: [getattr(report, name).hex()] for name, claim in names.items() if hasattr(report, name)}


def reference(name: str, value: Any, *, days: int = 1) -> ReferenceValue:
    return ReferenceValue(name, value, NOW + timedelta(days=days), NOW, "test")


@dataclass
class FixedBooks:
    """Books as a test sets them."""

    policies: PolicyBook
    keys: KeyBook


class Recorder(Events):
    """What was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def challenged(self, error: EAAError | None) -> None:
        self.told.append(("challenged", error.code if error else ""))

    def attested(self, tee: str, error: EAAError | None) -> None:
        self.told.append(("attested", tee, error.code if error else ""))

    def policy(self, outcome: str) -> None:
        self.told.append(("policy", outcome))

    def released(self, plugin: str, error: EAAError | None) -> None:
        self.told.append(("released", plugin, error.code if error else ""))


@dataclass
class Fixture:
    """Everything, for one guest on simulated hardware."""

    attester: Attester = field(default_factory=lambda: make_attester("tdx-v4"))
    now: datetime = NOW
    stores: MemoryStores = field(default_factory=MemoryStores)
    events: Recorder = field(default_factory=Recorder)
    verbose_tokens: bool = True

    def __post_init__(self) -> None:
        begins, ends = NOW - timedelta(days=1), NOW + timedelta(days=1000)
        signing = replace(service_key("t1", SIGNER), active_from=begins, retired_at=ends)
        keys = [signing, ServiceKey(CHALLENGE, "c1", bytes(32), (), begins, ends)]
        self.books = FixedBooks(
            self.book(defaults(), references_of(self.attester)), KeyBook.of(keys, now=NOW)
        )
        ids = itertools.count(1)

        def new_id(at: datetime) -> str:
            return f"id{next(ids)}"

        self.releaser = Releaser(
            books=self.books, engine=ENGINE, resources=self.stores.resources, keys=self.stores.keys,
            decisions=self.stores.decisions, clock=lambda: self.now, new_id=new_id, events=self.events,
        )  # fmt: skip
        counter = itertools.count()
        self.broker = KbsBroker(
            books=self.books, engine=ENGINE, verifier=self.verifier(), sessions=self.stores.sessions,
            decisions=self.stores.decisions, releaser=self.releaser, terms=self.terms(),
            clock=lambda: self.now, new_id=new_id, random=lambda size: next(counter).to_bytes(size),
            run=_now, events=self.events,
        )  # fmt: skip
        self.new_id = new_id

    def terms(self) -> KbsTerms:
        return KbsTerms(TERMS, timedelta(minutes=5), allow_rsa1_5=False, verbose_tokens=self.verbose_tokens)

    def verifier(self, *, unsafe_sample: bool = False) -> EnvironmentVerifier:
        dcap = DcapVerifier(None, (self.attester.trust_anchor,), Memo(64))
        kinds = {EvidenceKind.TDX_QUOTE: dcap, EvidenceKind.SGX_QUOTE: dcap}
        verifier = EvidenceVerifier("test", kinds, EvidencePolicy())
        return EnvironmentVerifier(verifier, lambda kind: self.attester.endorsements(), unsafe_sample)

    def book(self, policies: list[Policy], references: Mapping[str, Any]) -> PolicyBook:
        values = [reference(name, value) for name, value in references.items()]
        return PolicyBook.of(1, policies, values, read_at=NOW)

    def guest(self, **options: Any) -> Guest:
        options = {"key": GUEST_KEY, "tee": "tdx", "attester": self.attester.collect, **options}
        return Guest(**options)


async def _now(work: Callable[[], tuple[Judgement, str]]) -> tuple[Judgement, str]:
    return work()
