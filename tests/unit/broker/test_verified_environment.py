"""From a guest's evidence to an environment that policies see; each refusal by one change."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from eaa.broker.judgement import Environment
from eaa.broker.kbs.challenge import Challenge
from eaa.broker.kbs.hashes import HashAlgorithm
from eaa.broker.kbs.messages import auth_response, parse_attest_request
from eaa.broker.kbs.tees import Tee
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.broker.kbs_broker import Asked
from eaa.errors import EAAError, EndorsementNotFound
from eaa.tls.peer import Endorsements, EvidenceKind
from tests.fakes.kbs_client import Guest
from tests.fakes.vendor import NOW, Attester, make_attester
from tests.unit.broker.broker_fixtures import Fixture, run

INIT_DATA = 'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"cdh.toml" = "socket = 1"\n'


def _challenge(tee: Tee) -> Challenge:
    return Challenge(
        bytes(16), bytes(32), ProtocolVersion.V0_4_0, tee, "", HashAlgorithm.SHA384, NOW, NOW.replace(hour=13)
    )


def _verify(fixture: Fixture, guest: Guest, tee: Tee = Tee.TDX, **options: Any) -> list[Environment]:
    challenge = _challenge(tee)
    body = json.dumps(guest.attestation(auth_response(challenge))).encode()
    return fixture.verifier(**options).verify(parse_attest_request(body, challenge), challenge, now=NOW)


def _code(fixture: Fixture, guest: Guest, tee: Tee = Tee.TDX, **options: Any) -> str:
    with pytest.raises(EAAError) as refused:
        _verify(fixture, guest, tee, **options)
    return refused.value.code


@pytest.fixture
def fixture() -> Fixture:
    return Fixture()


def test_a_guest(fixture: Fixture) -> None:
    (environment,) = _verify(fixture, fixture.guest())
    assert (environment.tee, environment.tee_class) == ("tdx", "cpu")
    assert len(environment.evidence_sha256) == 64
    assert environment.claims["tdx"]["tcb_status"] == "UpToDate"
    assert set(environment.claims["runtime_data_claims"]) == {"nonce", "tee-pubkey", "additional-evidence"}
    assert environment.claims["init_data_claims"] is None


def test_init_data_that_the_hardware_holds() -> None:
    digest = hashlib.sha256(INIT_DATA.encode()).digest()
    attester = make_attester("tdx-v4")
    attester.report = attester.report.replace(mr_config_id=digest.ljust(48, b"\x00"))
    own = Fixture(attester=attester)
    (environment,) = _verify(own, own.guest(init_data=INIT_DATA))
    assert environment.claims["init_data_claims"] == {"cdh.toml": {"socket": 1}}


def test_init_data_that_it_does_not_hold(fixture: Fixture) -> None:
    assert _code(fixture, fixture.guest(init_data=INIT_DATA)) == "binding.config_id"


def test_an_event_log_that_does_not_lead_to_the_registers(fixture: Fixture) -> None:
    assert _code(fixture, fixture.guest(event_log=b"\x01" * 64)).startswith("format.")


def test_evidence_for_other_report_data(fixture: Fixture) -> None:
    guest = fixture.guest(attester=lambda report_data: fixture.attester.collect(bytes(64)))
    assert _code(fixture, guest) == "binding.report_data"


class TestSample:
    def test_it_is_not_taken(self, fixture: Fixture) -> None:
        assert _code(fixture, fixture.guest(tee="sample"), Tee.SAMPLE) == "access_denied.sample"

    def test_unless_it_is_allowed(self, fixture: Fixture) -> None:
        guest = fixture.guest(tee="sample", init_data=INIT_DATA)
        (environment,) = _verify(fixture, guest, Tee.SAMPLE, unsafe_sample=True)
        assert environment.claims["sample"]["svn"] == "1"
        assert len(environment.evidence_sha256) == 64

    def test_even_then_it_is_bound_to_the_challenge(self, fixture: Fixture) -> None:
        challenge = _challenge(Tee.SAMPLE)
        body = fixture.guest(tee="sample").attestation(auth_response(challenge))
        body["tee-evidence"]["primary_evidence"]["report_data"] = "AAAA"
        request = parse_attest_request(json.dumps(body).encode(), challenge)
        with pytest.raises(EAAError) as refused:
            fixture.verifier(unsafe_sample=True).verify(request, challenge, now=NOW)
        assert refused.value.code == "binding.report_data"


def test_an_older_guest_has_no_composite(fixture: Fixture) -> None:
    challenge = Challenge(
        bytes(16), bytes(32), ProtocolVersion.V0_2_0, Tee.TDX, "", HashAlgorithm.SHA384, NOW,
        NOW.replace(hour=13),
    )  # fmt: skip
    body = fixture.guest(version="0.2.0").attestation(auth_response(challenge))
    request = parse_attest_request(json.dumps(body).encode(), challenge)
    (environment,) = fixture.verifier().verify(request, challenge, now=NOW)
    assert set(environment.claims["runtime_data_claims"]) == {"nonce", "tee-pubkey"}


@dataclass
class _Provided:
    """Endorsements that are there once they were fetched."""

    attester: Attester
    asked: list[EvidenceKind] = field(default_factory=list)

    def known(self, kind: EvidenceKind, evidence: bytes) -> Endorsements | None:
        return self.attester.endorsements() if self.asked else None

    async def fetch(self, kind: EvidenceKind, evidence: bytes, *, peer: str) -> None:
        assert peer == "10.0.0.1"
        self.asked.append(kind)


class TestEvidenceWithoutEndorsements:
    """Of a TD. A sample beside it needs none."""

    @staticmethod
    def sample(digest: bytes) -> dict[str, Any]:
        return {"sample": {"svn": "1", "report_data": base64.b64encode(digest).decode()}}

    def attest(self, fixture: Fixture, provided: _Provided | None) -> None:
        verifier = fixture.verifier(unsafe_sample=True)
        fixture.broker.use(replace(verifier, attached=lambda kind: None, provided=provided))
        made = fixture.guest(additional=self.sample)
        challenged = fixture.broker.challenge(json.dumps(made.request()).encode())
        body = json.dumps(made.attestation(challenged.body)).encode()
        run(fixture.broker.attest(body, challenged.cookie, peer="10.0.0.1", asked=Asked()))

    def test_they_are_fetched_and_it_is_verified_with_them(self, fixture: Fixture) -> None:
        provided = _Provided(fixture.attester)
        self.attest(fixture, provided)
        assert provided.asked == [EvidenceKind.TDX_QUOTE]

    def test_nobody_is_asked_for_what_is_known(self, fixture: Fixture) -> None:
        provided = _Provided(fixture.attester, [EvidenceKind.TDX_QUOTE])
        self.attest(fixture, provided)
        assert len(provided.asked) == 1

    def test_without_a_provider_they_are_missing(self, fixture: Fixture) -> None:
        with pytest.raises(EndorsementNotFound):
            self.attest(fixture, None)
