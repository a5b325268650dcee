"""What the peer of an attested channel may have."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from eaa.appraisal.appraise import appraise
from eaa.appraisal.policy import Policy
from eaa.broker.names import ResourcePath
from eaa.broker.peer_access import PeerAccess
from eaa.broker.records import DecisionKind
from eaa.errors import AccessDenied, PolicyError, ValidityPeriodError
from eaa.tls.peer import PeerIdentity, Profile, Role
from tests.fakes.vendor import NOW, verify
from tests.unit.broker.broker_fixtures import (
    ENGINE,
    TERMS,
    Fixture,
    defaults,
    reference,
    references_of,
    run,
)

PATH = ResourcePath("default", "key", "1")
#: Of an attestation result.
LIFE = TERMS.lifetime
NOBODY = PeerIdentity(Role.CLIENT, Profile.EXPORTER_V1, b"spki", None, "", None)


@pytest.fixture
def fixture() -> Fixture:
    made = Fixture()
    run(made.stores.resources.put(PATH, b"resource", by="test", now=NOW))
    run(made.stores.keys.put("k1", bytes(32), by="test", now=NOW))
    return made


def _access(fixture: Fixture, peers: list[PeerIdentity]) -> PeerAccess:
    return PeerAccess(
        lambda: peers[-1], name="channel", books=fixture.books, engine=ENGINE, releaser=fixture.releaser,
        decisions=fixture.stores.decisions, terms=TERMS, clock=lambda: fixture.now, new_id=fixture.new_id,
        events=fixture.events,
    )  # fmt: skip


def _peer(fixture: Fixture) -> PeerIdentity:
    result = appraise(verify(fixture.attester), Policy(), now=NOW)
    return replace(NOBODY, result=result, verifier="simulated", verified_at=NOW)


def test_a_resource_and_a_key(fixture: Fixture) -> None:
    access = _access(fixture, [_peer(fixture)])
    assert run(access.resource(PATH)) == b"resource"
    assert run(access.key("k1")) == bytes(32)
    kept = run(fixture.stores.decisions.list())
    assert [item.kind for item in kept] == ["release", "release", "attestation"]
    assert kept[0].subject == f"channel attestation {kept[2].id}"
    assert kept[0].evidence_sha256 == kept[2].evidence_sha256 != ""


def test_it_is_appraised_again_when_evidence_or_policies_are_new(fixture: Fixture) -> None:
    peers = [_peer(fixture)]
    access = _access(fixture, peers)
    run(access.key("k1"))
    fixture.attester.report = fixture.attester.report.replace(mr_owner=b"\x01" * 48)
    peers.append(_peer(fixture))
    run(access.key("k1"))
    fixture.books.policies = replace(fixture.book(defaults(), {}), generation=2)
    with pytest.raises(AccessDenied):
        run(access.key("k1"))
    kinds = [item.kind for item in run(fixture.stores.decisions.list())]
    assert kinds.count(DecisionKind.ATTESTATION) == 3


def test_a_connection_outlives_no_reference_value(fixture: Fixture) -> None:
    own = references_of(fixture.attester)
    expiring = {name: replace(reference(name, value), expires_at=NOW + LIFE) for name, value in own.items()}
    fixture.books.policies = replace(fixture.books.policies, references=expiring)
    access = _access(fixture, [_peer(fixture)])
    assert run(access.key("k1")) == bytes(32)
    fixture.now = NOW + LIFE - timedelta(seconds=1)
    assert run(access.key("k1")) == bytes(32)
    fixture.now = NOW + LIFE
    with pytest.raises(AccessDenied) as refused:
        run(access.key("k1"))
    assert refused.value.code == "access_denied.policy"


def test_a_clock_that_was_set_back_keeps_no_result_alive(fixture: Fixture) -> None:
    access = _access(fixture, [_peer(fixture)])
    run(access.key("k1"))
    fixture.now = NOW - timedelta(days=1)
    run(access.key("k1"))
    kinds = [item.kind for item in run(fixture.stores.decisions.list())]
    assert kinds.count(DecisionKind.ATTESTATION) == 2


def test_a_connection_outlives_no_endorsement(fixture: Fixture) -> None:
    peer = _peer(fixture)
    access = _access(fixture, [peer])
    run(access.key("k1"))
    expiry = peer.result.verified.endorsements_expire if peer.result is not None else None
    assert expiry is not None
    fixture.now = expiry
    with pytest.raises(ValidityPeriodError) as refused:
        run(access.key("k1"))
    assert refused.value.code == "validity_period.endorsements"
    decision = run(fixture.stores.decisions.read(refused.value.decision))
    assert (decision.granted, decision.code) == (False, "validity_period.endorsements")


def test_who_has_proven_nothing_gets_nothing(fixture: Fixture) -> None:
    with pytest.raises(AccessDenied) as refused:
        run(_access(fixture, [NOBODY]).resource(PATH))
    assert refused.value.code == "access_denied.not_attested"


def test_evidence_that_no_policy_appraises(fixture: Fixture) -> None:
    fixture.books.policies = fixture.book(defaults()[1:], {})
    with pytest.raises(PolicyError) as refused:
        run(_access(fixture, [_peer(fixture)]).key("k1"))
    decision = run(fixture.stores.decisions.read(refused.value.decision))
    assert (decision.granted, decision.code) == (False, "policy.unknown")
    assert fixture.events.told == [("attested", "tdx", "policy.unknown")]
