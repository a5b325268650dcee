"""Whole rounds between a guest written from the protocol document and the parts here, without storage."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from eaa.broker.kbs.binding import additional_digest, primary_digests, report_data_field
from eaa.broker.kbs.challenge import Challenge, open_challenge, seal_challenge
from eaa.broker.kbs.cookie import session_cookie, set_cookie
from eaa.broker.kbs.errors import error_response
from eaa.broker.kbs.evidence import ParsedEvidence, SampleEvidence, parse_evidence
from eaa.broker.kbs.init_data import parse_init_data
from eaa.broker.kbs.jwe import encrypt
from eaa.broker.kbs.messages import (
    AttestRequest,
    auth_response,
    parse_attest_request,
    parse_auth_request,
)
from eaa.broker.kbs.tee_key import parse_tee_key
from eaa.broker.kbs.tees import Tee
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.errors import BindingError, EAAError, ResourceNotFound, SessionError
from tests.fakes.kbs_client import Guest, KbsClient, KbsClientError
from tests.unit.broker.kbs.samples import CHALLENGE, NOW, SEALING_KEY, challenge, tee_key

SECRET = b"the key to the volume"
INIT_DATA = 'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n'
P256 = "ECDH-ES+A256KW-P256"
#: The client's cookies go by the real time.
LATER = datetime(2999, 1, 1, tzinfo=UTC)


class Server:
    """The protocol and no policy; quotes are report data, and tokens are what is known of the guest."""

    def __init__(self) -> None:
        self.attested: dict[str, AttestRequest] = {}
        self.log: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        try:
            return self._serve(request)
        except EAAError as error:
            self.log.append(str(error))
            status, body = error_response(error, "01J")
            return httpx.Response(status, content=body)

    def _serve(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/kbs/v0/auth":
            return self._auth(request.content)
        if token := request.headers.get("Authorization", "").removeprefix("Bearer "):
            claims = json.loads(token)
            return self._resource(request.url.path, claims["tee-pubkey"], ProtocolVersion.V0_4_0)
        session = self._session(request)
        if request.url.path == "/kbs/v0/attest":
            return self._attest(session, request.content)
        key = self.attested[session.session_id].tee_key
        return self._resource(request.url.path, dict(key.jwk), session.version)

    def _auth(self, body: bytes) -> httpx.Response:
        asked = parse_auth_request(body)
        issued = challenge(
            asked.version, tee=asked.tee, policy_id=asked.policy_id, hash_algorithm=asked.select_hash()
        )
        cookie = set_cookie(seal_challenge(issued, SEALING_KEY), expires_at=LATER, secure=False)
        return httpx.Response(200, json=auth_response(issued), headers={"Set-Cookie": cookie})

    def _session(self, request: httpx.Request) -> Challenge:
        sealed = session_cookie(request.headers.get_list("Cookie"))
        if sealed is None:
            raise SessionError("no cookie")
        return open_challenge(sealed, dict([SEALING_KEY]), NOW)

    def _attest(self, session: Challenge, body: bytes) -> httpx.Response:
        asked = parse_attest_request(body, session)
        expected = {report_data_field(session.tee, digest) for digest in primary_digests(asked, session)}
        if held(session.tee, asked.primary) not in expected:
            raise BindingError("another digest")
        for tee, evidence in asked.additional.items():
            if held(tee, evidence) != report_data_field(tee, additional_digest(asked, session)):
                raise BindingError(f"another digest in {tee}")
        self.attested[session.session_id] = asked
        return httpx.Response(200, json={"token": json.dumps({"tee-pubkey": dict(asked.tee_key.jwk)})})

    def _resource(self, path: str, key: dict[str, str], version: ProtocolVersion) -> httpx.Response:
        if path != "/kbs/v0/resource/default/key/1":
            raise ResourceNotFound("none")
        message = encrypt(SECRET, parse_tee_key(key, version), version=version, allow_rsa1_5=True)
        return httpx.Response(200, content=message)


def held(tee: Tee, value: Any) -> bytes:
    match parse_evidence(tee, value):
        case ParsedEvidence(evidence=quote):
            return quote
        case SampleEvidence(report_data=report_data):
            return report_data


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url="http://kbs.example", transport=httpx.MockTransport(server)) as client:
        yield client


def guest(kind: str = P256, **changes: Any) -> Guest:
    members: dict[str, Any] = {"tee": "tdx", "attester": bytes, "key": tee_key(kind), **changes}
    return Guest(**members)


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("0.1.0", "RSA1_5"),
        ("0.1.1", "RSA1_5"),
        *(
            (v, k)
            for v in ("0.2.0", "0.4.0")
            for k in (P256, "ECDH-ES+A256KW-P521", "RSA-OAEP-256", "RSA1_5")
        ),
    ],
)
@pytest.mark.parametrize("tee", ["tdx", "sgx", "sample"])
@pytest.mark.parametrize("algorithms", [["sha256", "sha384", "sha512"], ["sha512", "sm3"], ["sha256"]])
def test_round(http: httpx.Client, version: str, kind: str, tee: str, algorithms: list[str]) -> None:
    client = KbsClient(guest(kind, version=version, tee=tee, hash_algorithms=algorithms), http)
    assert client.handshake()
    assert client.resource("default/key/1") == SECRET


def test_round_of_the_first_guests(http: httpx.Client) -> None:
    client = KbsClient(guest("RSA1_5", version="0.1.0", concatenated=True), http)
    client.handshake()
    assert client.resource("default/key/1") == SECRET


@pytest.mark.parametrize("version", ["0.1.1", "0.2.0"])
def test_the_first_digest_is_for_the_first_version(http: httpx.Client, version: str) -> None:
    with pytest.raises(KbsClientError) as raised:
        KbsClient(guest("RSA1_5", version=version, concatenated=True), http).handshake()
    assert (raised.value.status, raised.value.variant) == (403, "AttestationError")


def test_composite_round(http: httpx.Client, server: Server) -> None:
    client = KbsClient(
        guest(
            init_data=INIT_DATA,
            event_log=b"events",
            additional=lambda digest: {"sampledevice": {"svn": "2", "report_data": b64(digest)}},
            parameters={"attestation-policy-selector": "team-a"},
        ),
        http,
    )
    client.handshake()
    assert client.resource("default/key/1") == SECRET
    asked = server.attested[CHALLENGE.session_id]
    assert asked.init_data is not None
    assert parse_init_data(asked.init_data).claims == {}
    assert list(asked.additional) == [Tee.SAMPLE_DEVICE]


def b64(data: bytes) -> str:

    return base64.b64encode(data).decode()


def test_additional_evidence_of_another_session(http: httpx.Client, server: Server) -> None:
    stale = guest(additional=lambda _: {"sampledevice": {"svn": "2", "report_data": b64(bytes(48))}})
    with pytest.raises(KbsClientError):
        KbsClient(stale, http).handshake()
    assert server.log == ["another digest in sampledevice"]


def test_passport(http: httpx.Client) -> None:
    client = KbsClient(guest(), http)
    token = client.handshake()
    assert client.resource("default/key/1", token=token) == SECRET


def test_quote_over_something_else(http: httpx.Client) -> None:
    with pytest.raises(KbsClientError) as raised:
        KbsClient(guest(attester=lambda _: bytes(64)), http).handshake()
    assert (raised.value.status, raised.value.variant) == (403, "AttestationError")
    assert raised.value.detail == "the evidence could not be verified (code binding, id 01J)"


def test_without_session(http: httpx.Client) -> None:
    client = KbsClient(guest(), http)
    with pytest.raises(KbsClientError) as raised:
        client.resource("default/key/1")
    assert (raised.value.status, raised.value.variant) == (401, "TokenNotFound")


def test_no_such_resource(http: httpx.Client) -> None:
    client = KbsClient(guest(), http)
    client.handshake()
    with pytest.raises(KbsClientError) as raised:
        client.resource("default/key/2")
    assert raised.value.status == 404


def test_another_guest_s_key(http: httpx.Client) -> None:
    KbsClient(guest(), http).handshake()
    with pytest.raises(ValueError, match="ephemeral key is not on P-521"):
        KbsClient(guest("ECDH-ES+A256KW-P521"), http).resource("default/key/1")
