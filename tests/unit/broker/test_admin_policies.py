"""Policies: examined, versioned, tested, and the original's documents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from eaa.broker.administration import TestedPolicy
from eaa.broker.administration.legacy_opa import LegacyOpa
from eaa.broker.administration.policies import MAX_POLICY_BYTES, PolicyAdministration
from eaa.broker.ports import AttestationOutcome, ReleaseOutcome
from eaa.broker.records import Policy, PolicyKind, ReferenceValue
from eaa.errors import (
    ConflictError,
    EAAError,
    FormatError,
    InternalError,
    LimitExceeded,
    PolicyError,
    ResourceNotFound,
)
from tests.fakes.administrators import ADMIN, NOW, Bureau, run

RESOURCE, ATTESTATION = PolicyKind.RESOURCE, PolicyKind.ATTESTATION


@pytest.fixture
def bureau() -> Bureau:
    return Bureau()


@pytest.fixture
def policies(bureau: Bureau) -> PolicyAdministration:
    return bureau.administration.policies


def test_versions(bureau: Bureau, policies: PolicyAdministration) -> None:
    stored = run(policies.put(ADMIN, RESOURCE, "resource/default", "allow odd"))
    assert (stored.policy.version, stored.warnings) == (1, ("it is odd",))
    assert run(policies.put(ADMIN, RESOURCE, "resource/default", "deny")).warnings == ()
    assert [policy.text for policy in run(policies.list(ADMIN, RESOURCE))] == ["deny"]
    assert run(policies.read(ADMIN, RESOURCE, "resource/default")).version == 2
    assert run(policies.read(ADMIN, RESOURCE, "resource/default", version=1)).text == "allow odd"
    back = run(policies.roll_back(ADMIN, RESOURCE, "resource/default", 1))
    assert (back.policy.version, back.policy.text, back.warnings) == (3, "allow odd", ("it is odd",))
    run(policies.delete(ADMIN, RESOURCE, "resource/default"))
    assert run(policies.list(ADMIN, RESOURCE)) == []
    history = run(policies.history(ADMIN, RESOURCE, "resource/default"))
    assert [policy.version for policy in history] == [3, 2, 1]
    assert [code for _, code, _ in bureau.said] == [
        "policy.put",
        "policy.put",
        "policy.roll_back",
        "policy.delete",
    ]


@pytest.mark.parametrize(
    ("kind", "policy_id", "text", "code"),
    [
        (RESOURCE, "resource", "broken", "format.policy"),
        (RESOURCE, "resource/../x", "allow", "format.name"),
        (RESOURCE, "/".join("a" * 9), "allow", "format.path_prefix"),
        (ATTESTATION, "a/b_cpu", "allow", "format.name"),
        (ATTESTATION, "", "allow", "format.name"),
        (RESOURCE, "", "x" * (MAX_POLICY_BYTES + 1), "limit.size"),
    ],
)
def test_what_is_not_stored(
    bureau: Bureau, policies: PolicyAdministration, kind: PolicyKind, policy_id: str, text: str, code: str
) -> None:
    with pytest.raises((FormatError, LimitExceeded)) as caught:
        run(policies.put(ADMIN, kind, policy_id, text))
    assert caught.value.code == code
    assert not bureau.stores.policies.versions_of
    assert bureau.said == [(False, code, f"{kind}/{policy_id}")]


def test_the_greatest_policy(policies: PolicyAdministration) -> None:
    assert run(policies.put(ADMIN, RESOURCE, "", "x" * MAX_POLICY_BYTES)).policy.version == 1


@pytest.mark.parametrize(
    ("policy_id", "warned"),
    [("default_cpu", False), ("a_nvidia-dpu", False), ("default", True), ("cpu", True)],
)
def test_an_attestation_policy_that_nobody_asks(
    policies: PolicyAdministration, policy_id: str, warned: bool
) -> None:
    warnings = run(policies.put(ADMIN, ATTESTATION, policy_id, "allow")).warnings
    assert any("never asked" in warning for warning in warnings) is warned


@pytest.mark.parametrize(
    ("policy_id", "warned"),
    [
        ("", False),
        ("resource", False),
        ("resource/a/b/c", False),
        ("resource/a/b/c/d", True),
        ("key/k1", False),
        ("key/k1/x", True),
        ("disks/key", True),
        ("resource-policy", True),
    ],
)
def test_a_resource_policy_that_nobody_asks(
    policies: PolicyAdministration, policy_id: str, warned: bool
) -> None:
    warnings = run(policies.put(ADMIN, RESOURCE, policy_id, "allow")).warnings
    assert any("never asked" in warning for warning in warnings) is warned


def test_optimistic_locking(bureau: Bureau, policies: PolicyAdministration) -> None:
    for version in (0, 1):
        run(policies.put(ADMIN, RESOURCE, "", "allow", expected_version=version))
    for wrong in (0, 1, 3):
        with pytest.raises(ConflictError) as caught:
            run(policies.put(ADMIN, RESOURCE, "", "deny", expected_version=wrong))
        assert caught.value.code == "conflict.version"
        assert (caught.value.fields["expected"], caught.value.fields["came"]) == (wrong, 2)
    run(policies.delete(ADMIN, RESOURCE, ""))
    assert run(policies.put(ADMIN, RESOURCE, "", "deny", expected_version=0)).policy.version == 3


def test_a_text_that_is_not_taken_any_more_is_not_rolled_back_to(
    bureau: Bureau, policies: PolicyAdministration
) -> None:
    run(bureau.stores.policies.put(RESOURCE, "", "broken", by="", now=NOW))
    run(policies.put(ADMIN, RESOURCE, "", "allow"))
    with pytest.raises(FormatError):
        run(policies.roll_back(ADMIN, RESOURCE, "", 1))
    assert run(policies.read(ADMIN, RESOURCE, "")).version == 2


def test_what_is_not_there(policies: PolicyAdministration) -> None:
    for use in (
        policies.read(ADMIN, RESOURCE, ""),
        policies.history(ADMIN, RESOURCE, ""),
        policies.roll_back(ADMIN, RESOURCE, "", 1),
        policies.delete(ADMIN, RESOURCE, ""),
    ):
        with pytest.raises(ResourceNotFound):
            run(use)


# ── tests of policies ──


def test_testing_a_text(bureau: Bureau, policies: PolicyAdministration) -> None:
    tested = TestedPolicy(RESOURCE, text="allow")
    outcome = run(policies.test(ADMIN, tested, {"c": 1}, data={"d": 2}, references=None))
    assert isinstance(outcome, ReleaseOutcome)
    assert outcome.allowed
    assert bureau.engine.asked[0][1:] == ({"c": 1}, {"d": 2})
    assert not bureau.stores.policies.versions_of
    assert bureau.decisions == []


def test_testing_what_is_stored(bureau: Bureau, policies: PolicyAdministration) -> None:
    run(policies.put(ADMIN, RESOURCE, "", "allow"))
    run(policies.put(ADMIN, RESOURCE, "", "deny"))
    for version, allowed in ((None, False), (1, True)):
        tested = TestedPolicy(RESOURCE, id="", version=version)
        outcome = run(policies.test(ADMIN, tested, {}, data={}, references=None))
        assert isinstance(outcome, ReleaseOutcome)
        assert outcome.allowed is allowed


def test_testing_with_reference_values(bureau: Bureau, policies: PolicyAdministration) -> None:
    def states(references: dict[str, ReferenceValue] | None) -> list[str]:
        tested = TestedPolicy(ATTESTATION, text="@stored @given")
        outcome = run(policies.test(ADMIN, tested, {}, data={}, references=references))
        assert isinstance(outcome, AttestationOutcome)
        return [query.state for query in outcome.queries]

    many = {f"n{number:04}": number for number in range(1500)}
    run(bureau.administration.references.put(ADMIN, {**many, "stored": 1}))
    assert states(None) == ["found", "missing"]
    assert len(bureau.engine.asked[-1][2]) == 1501
    given = ReferenceValue("given", 1, NOW + timedelta(days=1), NOW, "")
    assert states({"given": given}) == ["missing", "found"]
    bureau.wait(days=2)
    assert states({"given": given}) == ["missing", "expired"]


@pytest.mark.parametrize(
    ("tested", "code"),
    [
        (TestedPolicy(RESOURCE, text="broken"), "format.policy"),
        (TestedPolicy(RESOURCE, text="fails"), "policy.evaluation"),
        (TestedPolicy(RESOURCE, text="x" * (MAX_POLICY_BYTES + 1)), "limit.size"),
        (TestedPolicy(RESOURCE, id="nothing"), "resource_not_found.missing"),
        (TestedPolicy(RESOURCE), "usage.policy_test"),
        (TestedPolicy(RESOURCE, text="allow", id=""), "usage.policy_test"),
    ],
)
def test_tests_that_fail(policies: PolicyAdministration, tested: TestedPolicy, code: str) -> None:
    with pytest.raises(EAAError) as caught:
        run(policies.test(ADMIN, tested, {}, data={}, references=None))
    assert caught.value.code == code


# ── the original's documents ──


@pytest.fixture
def opa(bureau: Bureau) -> LegacyOpa:
    return bureau.administration.opa


def test_documents_of_the_original(bureau: Bureau, opa: LegacyOpa) -> None:
    data = {"mrEnclave": ["a"], "svn": 1}
    run(opa.put_policy(ADMIN, "sgxPolicy.rego", "allow"))
    run(opa.put_reference(ADMIN, "sgxData", data))
    assert run(opa.policy(ADMIN, "sgxPolicy.rego")) == "allow"
    assert run(opa.reference(ADMIN, "sgxData")) == data
    tested = TestedPolicy(RESOURCE, id="opa/sgxPolicy.rego")
    claims: dict[str, Any] = {"mrEnclave": "b", "productId": 2}
    assert run(opa.test(ADMIN, tested, data, claims)) == {
        "allow": True,
        "parseInfo": {"mrEnclave": ["b", ["a"]], "productId": [2, None]},
    }
    assert bureau.engine.asked[0][1:] == (claims, data)


def test_they_decide_about_no_resource(bureau: Bureau, opa: LegacyOpa) -> None:
    run(opa.put_policy(ADMIN, "sgxPolicy.rego", "allow"))
    (policy,) = run(bureau.administration.policies.list(ADMIN, RESOURCE))
    assert policy.id == "opa/sgxPolicy.rego"


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "x" * 129])
def test_names_of_documents(bureau: Bureau, opa: LegacyOpa, name: str) -> None:
    for use in (
        opa.put_policy(ADMIN, name, "allow"), opa.policy(ADMIN, name),
        opa.put_reference(ADMIN, name, {}), opa.reference(ADMIN, name),
    ):  # fmt: skip
        with pytest.raises(FormatError) as caught:
            run(use)
        assert caught.value.code == "format.name"


def test_an_attestation_policy_is_no_document(opa: LegacyOpa) -> None:
    with pytest.raises(InternalError):
        run(opa.test(ADMIN, TestedPolicy(ATTESTATION, text="x"), {}, {}))


def test_what_was_put_is_not_in_what_is_shown(policies: PolicyAdministration) -> None:
    policy: Policy = run(policies.put(ADMIN, RESOURCE, "", "allow")).policy
    assert "allow" not in repr(policy)
    with pytest.raises(PolicyError):
        run(policies.test(ADMIN, TestedPolicy(RESOURCE, text="fails"), {}, data={}, references={}))
