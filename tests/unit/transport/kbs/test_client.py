"""The guest's client against a broker that answers as it is told, without network."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from eaa.errors import AttesterError, FormatError, RemoteProtocolError
from eaa.tls.peer import AttachedEvidence, EvidenceKind
from eaa.transport.kbs.client import KbsClient
from eaa.transport.kbs.logged_evidence import collect_with_log

NONCE = base64.b64encode(bytes(32)).decode()
GOOD: dict[str, Any] = {"nonce": NONCE, "extra-params": ""}


class Attester:
    """Its evidence is the report data that it was asked for."""

    name = "test"

    def __init__(self, kind: EvidenceKind) -> None:
        self.kind = kind

    def collect(self, report_data: bytes) -> AttachedEvidence:
        return AttachedEvidence(self.kind, report_data)


class Broker:
    """Answers ``/auth`` and ``/attest``; ``seen`` are the bodies that came."""

    def __init__(self, challenge: Any = GOOD, token: Any = None) -> None:
        self.challenge = challenge
        self.token = {"token": "t"} if token is None else token
        self.seen: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(json.loads(request.content))
        return httpx.Response(200, json=self.challenge if request.url.path.endswith("auth") else self.token)


def _attest(answer: Callable[[httpx.Request], httpx.Response], tee: EvidenceKind, **options: Any) -> str:
    async def run() -> str:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://kbs") as http:
            return await KbsClient(http, Attester(tee), tee, **options).attest()

    return asyncio.run(run())


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_the_evidence_is_over_nonce_and_key(algorithm: str) -> None:
    """RFC 8785 of these values is sorted members without white space."""
    broker = Broker({"nonce": NONCE, "extra-params": {"selected-hash-algorithm": algorithm}})
    assert _attest(broker, EvidenceKind.TDX_QUOTE) == "t"
    auth, attest = broker.seen
    assert (auth["version"], auth["tee"]) == ("0.4.0", "tdx")
    runtime, evidence = attest["runtime-data"], attest["tee-evidence"]
    assert runtime["nonce"] == NONCE
    text = json.dumps({**runtime, "additional-evidence": ""}, sort_keys=True, separators=(",", ":"))
    quote = base64.b64decode(evidence["primary_evidence"]["quote"])
    assert quote == hashlib.new(algorithm, text.encode()).digest().ljust(64, b"\x00")


def test_sha384_where_none_is_selected() -> None:
    broker = Broker()
    _attest(broker, EvidenceKind.TDX_QUOTE)
    assert base64.b64decode(broker.seen[1]["tee-evidence"]["primary_evidence"]["quote"])[48:] == bytes(16)


def test_the_event_log_of_a_td() -> None:
    broker = Broker()
    _attest(broker, EvidenceKind.TDX_QUOTE, event_log=lambda: b"log")
    assert broker.seen[1]["tee-evidence"]["primary_evidence"]["cc_eventlog"] == "bG9n"


class Measuring(Attester):
    """Something is measured while each of its first quotes is made; the quote shows what was before."""

    def __init__(self, times: int) -> None:
        super().__init__(EvidenceKind.TDX_QUOTE)
        self.left, self.log = times, b"log"

    def collect(self, report_data: bytes) -> AttachedEvidence:
        shown = self.log
        if self.left:
            self.left -= 1
            self.log += b"+"
        return AttachedEvidence(self.kind, shown)


@pytest.mark.parametrize("times", [0, 1, 7])
def test_the_event_log_is_the_quote_s(times: int) -> None:
    broker, attester = Broker(), Measuring(times)

    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(broker), base_url="http://kbs") as http:
            client = KbsClient(http, attester, EvidenceKind.TDX_QUOTE, event_log=lambda: attester.log)
            await client.attest()

    asyncio.run(run())
    shown = broker.seen[1]["tee-evidence"]["primary_evidence"]
    assert base64.b64decode(shown["quote"]) == base64.b64decode(shown["cc_eventlog"]) == b"log" + b"+" * times


def test_an_event_log_that_is_never_the_quote_s() -> None:
    attester = Measuring(1000)
    with pytest.raises(AttesterError) as error:
        asyncio.run(collect_with_log(lambda: asyncio.to_thread(attester.collect, b""), lambda: attester.log))
    assert error.value.code == "attester.busy"


def test_an_enclave_has_none() -> None:
    broker = Broker()
    _attest(broker, EvidenceKind.SGX_QUOTE, event_log=lambda: b"log")
    assert broker.seen[0]["tee"] == "sgx"
    assert set(broker.seen[1]["tee-evidence"]["primary_evidence"]) == {"quote"}


def test_the_policy_is_asked_for() -> None:
    broker = Broker()
    _attest(broker, EvidenceKind.TDX_QUOTE, policy="strict")
    assert broker.seen[0]["extra-params"]["id"] == "strict"


@pytest.mark.parametrize(
    "challenge",
    [
        {},
        {"nonce": 1, "extra-params": ""},
        {"nonce": NONCE, "extra-params": {"selected-hash-algorithm": "md5"}},
        {"nonce": NONCE, "extra-params": {"selected-hash-algorithm": ["sha384"]}},
    ],
    ids=repr,
)
def test_a_challenge_that_is_none(challenge: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        _attest(Broker(challenge), EvidenceKind.TDX_QUOTE)
    assert error.value.code == "remote_protocol.challenge"


@pytest.mark.parametrize("token", [{}, {"token": None}, {"token": ""}, {"token": 1}], ids=repr)
def test_an_answer_without_a_token(token: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        _attest(Broker(token=token), EvidenceKind.TDX_QUOTE)
    assert error.value.code == "remote_protocol.token"


def test_nobody_there() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(RemoteProtocolError) as error:
        _attest(refuse, EvidenceKind.TDX_QUOTE)
    assert error.value.code == "remote_protocol.unreachable"


def test_a_redirect_to_what_is_no_name() -> None:
    with pytest.raises(RemoteProtocolError) as error:
        _attest(lambda _: httpx.Response(302, headers={"Location": "https://xn--/"}), EvidenceKind.TDX_QUOTE)
    assert error.value.code == "remote_protocol.unreachable"


@pytest.mark.parametrize("path", ["", "a/b", "a/b/c/d", "../b/c", "a/b/c?x=1", "a/b/%2e%2e"])
def test_a_path_that_is_none_is_never_asked_for(path: str) -> None:
    broker = Broker()

    async def run() -> bytes:
        async with httpx.AsyncClient(transport=httpx.MockTransport(broker), base_url="http://kbs") as http:
            return await KbsClient(http, Attester(EvidenceKind.TDX_QUOTE), EvidenceKind.TDX_QUOTE).resource(
                path
            )

    with pytest.raises(FormatError):
        asyncio.run(run())
    assert not broker.seen
