"""The guest's client of the KBS protocol against a verdictd that serves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from eaa.attester.simulated import SimulatedTdxGuest
from eaa.errors import AccessDenied, RemoteProtocolError, ResourceNotFound, SessionError
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.transport.kbs.client import KbsClient
from tests.fakes.kbs_client import claims_of
from tests.service.verdictds import Hardware, Running, running

HARDWARE = Hardware()
PATH, SECRET = "default/key/1", bytes(range(256)) * 3
T = TypeVar("T")


@dataclass(slots=True)
class Attester:
    """Collects ``kind`` by ``quote``, and counts."""

    quote: Callable[[bytes], bytes] = HARDWARE.td.collect
    kind: EvidenceKind = EvidenceKind.TDX_QUOTE
    name: str = "test"
    collected: int = 0

    def collect(self, report_data: bytes) -> AttachedEvidence:
        self.collected += 1
        return AttachedEvidence(self.kind, self.quote(report_data))


@pytest.fixture(scope="module")
def verdictd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("verdictd"), HARDWARE.source()) as served:
        served.trust(HARDWARE)
        served.put_resource(PATH, SECRET)
        yield served


def guest(
    served: Running,
    use: Callable[[KbsClient, httpx.AsyncClient], Awaitable[T]],
    attester: Attester,
    policy: str = "",
) -> T:
    """What ``use`` gives, of a client for ``attester`` with a session of its own."""

    async def run() -> T:
        async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
            return await use(KbsClient(http, attester, attester.kind, policy=policy), http)

    return asyncio.run(run())


@pytest.mark.parametrize(
    "attester",
    [Attester(), Attester(HARDWARE.enclave.collect, EvidenceKind.SGX_QUOTE)],
    ids=lambda attester: attester.kind.value,
)
def test_a_guest_gets_its_secret_and_attests_once(verdictd: Running, attester: Attester) -> None:
    async def twice(client: KbsClient, _: httpx.AsyncClient) -> tuple[bytes, bytes]:
        return await client.resource(PATH), await client.resource(PATH)

    assert guest(verdictd, twice, attester) == (SECRET, SECRET)
    assert attester.collected == 1


def test_a_secret_of_the_greatest_size(verdictd: Running) -> None:
    content = bytes(range(256)) * 4096  # 1 MiB
    verdictd.put_resource("default/blob/1", content)
    assert guest(verdictd, fetch("default/blob/1"), Attester()) == content


def test_many_at_once_attest_once(verdictd: Running) -> None:
    attester = Attester()

    async def many(client: KbsClient, _: httpx.AsyncClient) -> list[bytes]:
        return await asyncio.gather(*(client.resource(PATH) for _ in range(10)))

    assert guest(verdictd, many, attester) == [SECRET] * 10
    assert attester.collected == 1


def test_a_session_that_has_ended_is_begun_again(verdictd: Running) -> None:
    attester = Attester()

    async def after_loss(client: KbsClient, http: httpx.AsyncClient) -> list[bytes]:
        await client.resource(PATH)
        http.cookies.clear()
        return await asyncio.gather(*(client.resource(PATH) for _ in range(5)))

    assert guest(verdictd, after_loss, attester) == [SECRET] * 5
    assert attester.collected == 2


def test_a_session_that_never_holds_is_begun_again_once(verdictd: Running) -> None:
    """Of a broker behind something that loses cookies: two attestations, then the broker's words."""
    attester = Attester()

    async def without_cookies(client: KbsClient, http: httpx.AsyncClient) -> bytes:
        async def forget(request: httpx.Request) -> None:
            if "/resource/" in request.url.path:
                request.headers.pop("cookie", None)

        http.event_hooks = {"request": [forget]}
        return await client.resource(PATH)

    with pytest.raises(SessionError) as refused:
        guest(verdictd, without_cookies, attester)
    assert refused.value.fields["status"] == 401
    assert attester.collected == 2


def test_the_policy_that_is_asked_for(verdictd: Running) -> None:
    text = 'package policy\nimport rego.v1\ntrust_claims := {"executables": 33, "hardware": 97}\n'
    verdictd.put_policy(text, "strict_cpu", attestation=True)

    async def attest(client: KbsClient, _: httpx.AsyncClient) -> str:
        return await client.attest()

    token = guest(verdictd, attest, Attester(), policy="strict")
    assert claims_of(token)["submods"]["cpu0"]["ear.appraisal-policy-id"] == "strict"


def fetch(path: str = PATH) -> Callable[[KbsClient, httpx.AsyncClient], Awaitable[bytes]]:
    async def use(client: KbsClient, _: httpx.AsyncClient) -> bytes:
        return await client.resource(path)

    return use


def test_refused_by_policy_with_the_decision_that_the_operator_reads(verdictd: Running) -> None:
    changed = SimulatedTdxGuest(HARDWARE.platform, mr_td=b"\x66" * 48)
    with pytest.raises(AccessDenied) as refused:
        guest(verdictd, fetch(), Attester(changed.collect))
    error = refused.value
    assert (error.code, error.fields["code"]) == ("access_denied.refused", "access_denied.policy")
    decision = verdictd.admin("reader").get(f"/eaa/v1/decisions/{error.decision}").json()
    assert (decision["granted"], decision["target"]) == (False, f"resource/{PATH}")


def test_evidence_that_is_not_genuine(verdictd: Running) -> None:
    def tampered(report_data: bytes) -> bytes:
        quote = bytearray(HARDWARE.td.collect(report_data))
        quote[200] ^= 1
        return bytes(quote)

    with pytest.raises(AccessDenied) as refused:
        guest(verdictd, fetch(), Attester(tampered))
    assert refused.value.fields["code"] == "signature.quote"


def test_a_resource_that_is_not_there(verdictd: Running) -> None:
    with pytest.raises(ResourceNotFound) as refused:
        guest(verdictd, fetch("default/key/none"), Attester())
    assert refused.value.fields["code"] == "resource_not_found"


def test_a_broker_that_is_not_there(tmp_path: Path) -> None:
    with running(tmp_path, HARDWARE.source()) as served:
        pass
    with pytest.raises(RemoteProtocolError) as error:
        guest(served, fetch(), Attester())
    assert error.value.code == "remote_protocol.unreachable"
