"""The three steps of the KBS protocol, without sockets."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from eaa.attester.simulated import SimulatedPlatform, SimulatedTdxGuest, SimulatedVendor
from eaa.broker.kbs_broker import Asked, Attested, Challenged
from eaa.broker.names import ResourcePath
from eaa.broker.records import Decision, PolicyKind
from eaa.broker.tokens import token_claims
from eaa.errors import AccessDenied, EAAError, ResourceNotFound, SessionError, StorageError, UnsupportedError
from tests.fakes.kbs_client import Guest, TeeKey
from tests.fakes.vendor import NOW, make_attester
from tests.unit.broker.broker_fixtures import Fixture, defaults, policy, run

PATH = ResourcePath("default", "key", "1")


@pytest.fixture
def fixture() -> Fixture:
    return Fixture()


def _challenge(fixture: Fixture, guest: Guest) -> Challenged:
    return fixture.broker.challenge(json.dumps(guest.request()).encode())


def _attest(fixture: Fixture, guest: Guest, asked: Asked | None = None) -> tuple[Attested, str]:
    challenged = _challenge(fixture, guest)
    body = json.dumps(guest.attestation(json.loads(json.dumps(challenged.body)))).encode()
    work = fixture.broker.attest(body, challenged.cookie, peer="10.0.0.1", asked=asked or Asked())
    return run(work), challenged.cookie


def _resource(fixture: Fixture, **credentials: Any) -> bytes:
    given = {"cookie": None, "bearer": None, **credentials}
    return run(fixture.broker.resource("resource", PATH.segments, {}, peer="10.0.0.1", **given))


def _put(fixture: Fixture, content: bytes = b"secret") -> None:
    run(fixture.stores.resources.put(PATH, content, by="test", now=NOW))


def _decision(fixture: Fixture, decision_id: str) -> Decision:
    return run(fixture.stores.decisions.read(decision_id))


def test_a_secret_by_session_and_by_token(fixture: Fixture) -> None:
    _put(fixture)
    guest = fixture.guest()
    attested, cookie = _attest(fixture, guest)
    assert guest.decrypt(json.loads(_resource(fixture, cookie=cookie))) == b"secret"
    assert guest.decrypt(json.loads(_resource(fixture, cookie=cookie))) == b"secret"
    assert guest.decrypt(json.loads(_resource(fixture, bearer=attested.token))) == b"secret"
    assert fixture.events.told[:2] == [("challenged", ""), ("attested", "tdx", "")]


def test_the_decision_says_what_it_rests_on(fixture: Fixture) -> None:
    attested, _ = _attest(fixture, fixture.guest())
    decision = _decision(fixture, attested.decision)
    assert (decision.granted, decision.code, decision.tee) == (True, "attested.affirming", "tdx")
    assert decision.policy == "attestation/default_cpu@1"
    assert decision.subject.startswith("10.0.0.1 session ")
    assert len(decision.evidence_sha256) == 64
    assert token_claims(attested.token)["jti"] == attested.decision


def test_a_challenge_is_spent_whatever_came_of_it(fixture: Fixture) -> None:
    guest = fixture.guest()
    challenged = _challenge(fixture, guest)
    body = json.dumps(guest.attestation(json.loads(json.dumps(challenged.body)))).encode()
    with pytest.raises(EAAError) as malformed:
        run(fixture.broker.attest(b"{}", challenged.cookie, peer="x", asked=Asked()))
    assert malformed.value.decision
    with pytest.raises(SessionError) as spent:
        run(fixture.broker.attest(body, challenged.cookie, peer="x", asked=Asked()))
    assert spent.value.code == "session.spent"
    replay = _decision(fixture, spent.value.decision)
    assert (replay.granted, replay.code) == (False, "session.spent")


def test_a_failed_replay_is_kept_too(fixture: Fixture) -> None:
    guest = fixture.guest()
    attested, cookie = _attest(fixture, guest)
    with pytest.raises(EAAError) as refused:
        run(fixture.broker.attest(b"{}", cookie, peer="x", asked=Asked()))
    assert _decision(fixture, refused.value.decision).code == refused.value.code
    assert attested.decision != refused.value.decision


def test_what_is_our_fault_spends_nothing(fixture: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = fixture.guest()
    challenged = _challenge(fixture, guest)
    body = json.dumps(guest.attestation(json.loads(json.dumps(challenged.body)))).encode()

    async def down(*_: object) -> None:
        raise StorageError("down")

    with monkeypatch.context() as patch:
        patch.setattr(fixture.stores.sessions, "spend", down)
        with pytest.raises(StorageError):
            run(fixture.broker.attest(body, challenged.cookie, peer="x", asked=Asked()))
    run(fixture.broker.attest(body, challenged.cookie, peer="x", asked=Asked()))


def test_audience_nonce_and_size_as_asked(fixture: Fixture) -> None:
    attested, _ = _attest(fixture, fixture.guest(), Asked("db", "abc", small=True))
    claims = token_claims(attested.token)
    assert (claims["aud"], claims["eat_nonce"]) == ("db", "abc")
    assert list(claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"]) == ["runtime_data_claims"]


#: Says no where it finds something, and yes where it does not.
UNLESS_FOUND = """package policy
import rego.v1
default allow := false
allow if not input.submods.cpu0["ear.veraison.annotated-evidence"].tdx.tcb_status
"""


def test_a_guest_cannot_leave_out_what_a_policy_looks_for(fixture: Fixture) -> None:
    _put(fixture)
    fixture.books.policies = fixture.book([defaults()[0], policy(PolicyKind.RESOURCE, "", UNLESS_FOUND)], {})
    attested, cookie = _attest(fixture, fixture.guest(), Asked(small=True))
    with pytest.raises(AccessDenied) as by_session:
        _resource(fixture, cookie=cookie)
    assert by_session.value.code == "access_denied.policy"
    with pytest.raises(AccessDenied) as by_token:
        _resource(fixture, bearer=attested.token)
    assert by_token.value.code == "access_denied.small_token"


def test_where_all_tokens_are_small_they_fetch() -> None:
    fixture = Fixture(verbose_tokens=False)
    _put(fixture)
    guest = fixture.guest()
    attested, cookie = _attest(fixture, guest)
    assert guest.decrypt(json.loads(_resource(fixture, cookie=cookie))) == b"secret"
    assert guest.decrypt(json.loads(_resource(fixture, bearer=attested.token))) == b"secret"


@pytest.mark.parametrize(
    ("change", "code"), [({"id": "nosuch"}, "unsupported.policy_id"), ({"id": "../x"}, "format.name")]
)
def test_a_policy_that_cannot_be_had(fixture: Fixture, change: dict[str, str], code: str) -> None:
    with pytest.raises(EAAError) as refused:
        _challenge(fixture, fixture.guest(parameters=change))
    assert refused.value.code == code
    assert fixture.events.told == [("challenged", code)]


def test_the_policy_by_its_name(fixture: Fixture) -> None:
    attested, _ = _attest(fixture, fixture.guest(parameters={"id": "default"}))
    assert token_claims(attested.token)["submods"]["cpu0"]["ear.appraisal-policy-id"] == "default"


class TestSessions:
    def test_none(self, fixture: Fixture) -> None:
        with pytest.raises(SessionError) as refused:
            _resource(fixture)
        assert refused.value.code == "session.missing"

    def test_not_attested(self, fixture: Fixture) -> None:
        with pytest.raises(SessionError) as refused:
            _resource(fixture, cookie=_challenge(fixture, fixture.guest()).cookie)
        assert refused.value.code == "session.not_attested"

    def test_attestation_failed(self, fixture: Fixture) -> None:
        challenged = _challenge(fixture, fixture.guest())
        with pytest.raises(EAAError):
            run(fixture.broker.attest(b"{}", challenged.cookie, peer="x", asked=Asked()))
        with pytest.raises(SessionError) as refused:
            _resource(fixture, cookie=challenged.cookie)
        assert refused.value.code == "session.not_attested"

    def test_expired(self, fixture: Fixture) -> None:
        _, cookie = _attest(fixture, fixture.guest())
        fixture.now = NOW + timedelta(minutes=5)
        with pytest.raises(SessionError) as refused:
            _resource(fixture, cookie=cookie)
        assert refused.value.code == "session.expired"

    def test_a_result_that_expires_before_its_session(self, fixture: Fixture) -> None:
        _put(fixture)
        challenged = _challenge(fixture, fixture.guest())
        fixture.broker._terms = fixture.terms()
        session_id = _attest(fixture, fixture.guest())[1]
        fixture.now = NOW + timedelta(minutes=4)
        _resource(fixture, cookie=session_id)
        held = fixture.broker._kept
        for key, (claims, size) in list(held.items()):
            held[key] = {**claims, "exp": claims["iat"] + 60}, size
        with pytest.raises(SessionError) as refused:
            _resource(fixture, cookie=session_id)
        assert refused.value.code == "session.expired"
        assert challenged.expires_at == NOW + timedelta(minutes=5)

    def test_a_token_that_does_not_hold(self, fixture: Fixture) -> None:
        attested, _ = _attest(fixture, fixture.guest())
        with pytest.raises(SessionError) as refused:
            _resource(fixture, bearer=attested.token[:-4] + "AAAA")
        assert refused.value.code == "session.token"

    def test_the_token_where_the_session_does_not_hold(self, fixture: Fixture) -> None:
        _put(fixture)
        guest = fixture.guest()
        attested, cookie = _attest(fixture, guest)
        not_attested = _challenge(fixture, guest).cookie
        for other in ("forged", not_attested):
            content = _resource(fixture, cookie=other, bearer=attested.token)
            assert guest.decrypt(json.loads(content)) == b"secret"
            with pytest.raises(SessionError) as refused:
                _resource(fixture, cookie=other, bearer=attested.token[:-4] + "AAAA")
            assert refused.value.code == "session.token"
        assert guest.decrypt(json.loads(_resource(fixture, cookie=cookie, bearer="none"))) == b"secret"

    def test_only_so_many_are_kept_in_memory(self, fixture: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("eaa.broker.kbs_broker._KEPT_SESSIONS", 1)
        _put(fixture)
        for _ in range(3):
            _resource(fixture, cookie=_attest(fixture, fixture.guest())[1])
        assert len(fixture.broker._kept) == 1

    def test_nor_more_than_so_much_of_them(self, fixture: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
        _put(fixture)
        attested, cookie = _attest(fixture, fixture.guest())
        monkeypatch.setattr("eaa.broker.kbs_broker._KEPT_CHARACTERS", 2 * len(attested.token) + 100)
        for _ in range(4):
            _resource(fixture, cookie=_attest(fixture, fixture.guest())[1])
        assert len(fixture.broker._kept) == 2
        monkeypatch.setattr("eaa.broker.kbs_broker._KEPT_CHARACTERS", 100)
        _resource(fixture, cookie=cookie)
        _resource(fixture, cookie=cookie)
        assert (len(fixture.broker._kept), fixture.broker._kept_characters) == (0, 0)


class TestRelease:
    def test_a_resource_that_is_not_there(self, fixture: Fixture) -> None:
        _, cookie = _attest(fixture, fixture.guest())
        with pytest.raises(ResourceNotFound) as refused:
            _resource(fixture, cookie=cookie)
        assert _decision(fixture, refused.value.decision).target == "resource/default/key/1"

    def test_a_guest_that_is_not_affirming(self, fixture: Fixture) -> None:
        _put(fixture)
        fixture.books.policies = fixture.book(defaults(), {})
        _, cookie = _attest(fixture, fixture.guest())
        with pytest.raises(AccessDenied) as refused:
            _resource(fixture, cookie=cookie)
        decision = _decision(fixture, refused.value.decision)
        assert decision.explanation[0]["status"] == "contraindicated"

    def test_a_key_that_nothing_may_be_encrypted_to_is_refused_before_anything_is_released(
        self, fixture: Fixture
    ) -> None:
        _put(fixture)
        guest = fixture.guest(key=TeeKey("RSA1_5"))
        _, cookie = _attest(fixture, guest)
        with pytest.raises(UnsupportedError) as refused:
            _resource(fixture, cookie=cookie)
        assert refused.value.code == "unsupported.rsa1_5"
        assert not any(told[0] == "released" for told in fixture.events.told)

    def test_a_result_without_a_key(self, fixture: Fixture) -> None:
        _put(fixture)
        _, cookie = _attest(fixture, fixture.guest())
        _resource(fixture, cookie=cookie)
        for key, (claims, size) in list(fixture.broker._kept.items()):
            fixture.broker._kept[key] = {**claims, "submods": {"cpu0": "x"}}, size
        with pytest.raises(AccessDenied) as refused:
            _resource(fixture, cookie=cookie)
        assert refused.value.code == "access_denied.no_key"


def test_endorsements_that_are_read_anew(fixture: Fixture) -> None:
    stranger = Fixture(attester=SimulatedTdxGuest(SimulatedPlatform(SimulatedVendor(now=NOW))))
    fixture.broker.use(stranger.verifier())
    with pytest.raises(EAAError):
        _attest(fixture, fixture.guest())
    assert _attest(fixture, stranger.guest())[0].token


def test_an_enclave(fixture: Fixture) -> None:
    own = Fixture(attester=make_attester("sgx-v3"))
    attested, _ = _attest(own, own.guest(tee="sgx"))
    assert token_claims(attested.token)["submods"]["cpu0"]["ear.status"] == "affirming"
