"""What is said of a peer is no more than what was proven."""

from __future__ import annotations

from dataclasses import replace

from eaa.appraisal.appraise import appraise
from eaa.appraisal.policy import Policy
from eaa.tls.peer import PeerIdentity, Profile, Role
from tests.fakes.vendor import NOW, make_attester, shared_evidence, verify

NOBODY = PeerIdentity(Role.SERVER, Profile.EXPORTER_V1, b"", None, "", None)


def test_nothing_asked_is_nothing_proven() -> None:
    assert not NOBODY.proven
    assert NOBODY.claims() == {}


def test_proven_is_accepted() -> None:
    accepted = appraise(verify(shared_evidence("sgx-v3")), Policy(), now=NOW)
    denied = appraise(verify(make_attester("sgx-v3", debug=True)), Policy(), now=NOW)
    assert replace(NOBODY, result=accepted).proven
    assert replace(NOBODY, result=accepted).claims()["tee"] == "sgx"
    assert not replace(NOBODY, result=denied).proven


def test_the_other_role() -> None:
    assert [role.other for role in Role] == [Role.SERVER, Role.CLIENT]
