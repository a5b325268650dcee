"""Evaluation: what is stated, what is asked for, what is refused."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from eaa.broker.ports import Finding, ReferenceQuery
from eaa.errors import PolicyError
from eaa.policy import prepared
from eaa.policy.prepared import PreparedPolicies
from eaa.policy.regorus_engine import RegorusEngine
from tests.unit.policy.policies import ENGINE, NOW, appraise, decide, policy_of, references

HEAD = "package policy\nimport rego.v1\n"
ASKS = HEAD + 'trust_claims := {"hardware": hardware}\ndefault hardware := 97\n'
ASKS += 'hardware := 2 if input.x in query_reference_value("known")\n'


def refused(text: str, claims: dict[str, Any] | None = None) -> str:
    with pytest.raises(PolicyError) as caught:
        appraise(text, claims)
    assert "backtrace" not in str(caught.value)
    return caught.value.code


def test_trust_claims_are_as_stated() -> None:
    outcome = appraise(HEAD + 'trust_claims := {"hardware": 2, "file-system": -128, "configuration": 127}')
    assert outcome.trust_claims == {"hardware": 2, "file-system": -128, "configuration": 127}
    assert outcome.extensions == {}
    assert outcome.queries == ()


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param('{"hardwear": 2}', id="unknown name"),
        pytest.param('{"file_system": 2}', id="underscore"),
        pytest.param('{"hardware": 128}', id="too large"),
        pytest.param('{"hardware": -129}', id="too small"),
        pytest.param('{"hardware": true}', id="boolean"),
        pytest.param('{"hardware": "2"}', id="string"),
        pytest.param('{"hardware": 2.5}', id="fraction"),
        pytest.param('{"hardware": null}', id="null"),
        pytest.param("[2]", id="no object"),
        pytest.param('"<undefined>"', id="the engine's word for nothing"),
        pytest.param('{"hardware": 2} if input.nothing', id="undefined"),
    ],
)
def test_what_is_no_trust_claim_is_refused(claims: str) -> None:
    assert refused(f"{HEAD}trust_claims := {claims}") == "policy.trust_claims"


def test_a_policy_without_trust_claims_is_refused() -> None:
    assert refused(HEAD + "allow := true") == "policy.trust_claims"


def test_extensions_by_name() -> None:
    text = HEAD + 'trust_claims := {}\nextensions := [{"name": "a.b", "key": -18, "value": {"x": [1]}}]'
    assert appraise(text).extensions == {"a.b": {"x": [1]}}


@pytest.mark.parametrize(
    "extensions",
    [
        pytest.param("{}", id="no list"),
        pytest.param("[1]", id="no object"),
        pytest.param('[{"name": "a", "value": 1}]', id="no key"),
        pytest.param('[{"name": 1, "key": 1, "value": 1}]', id="no name"),
        pytest.param('[{"name": "", "key": 1, "value": 1}]', id="empty name"),
        pytest.param('[{"name": "ear.status", "key": 1, "value": "affirming"}]', id="the status"),
        pytest.param(
            '[{"name": "ear.veraison.annotated-evidence", "key": 1, "value": 1}]', id="the evidence"
        ),
        pytest.param(
            '[{"name": "a", "key": 1, "value": 1}, {"name": "a", "key": 2, "value": 2}]', id="twice"
        ),
    ],
)
def test_what_is_no_extension_is_refused(extensions: str) -> None:
    assert refused(f"{HEAD}trust_claims := {{}}\nextensions := {extensions}") == "policy.extensions"


def test_an_error_in_the_policy_is_one_of_ours() -> None:
    assert (
        refused(HEAD + 'trust_claims := {"hardware": 2}\ntrust_claims := {"hardware": 3}')
        == "policy.evaluation"
    )
    assert refused(HEAD + "trust_claims := no_such_function(1)") == "policy.evaluation"


def test_an_error_does_not_show_what_came() -> None:
    with pytest.raises(PolicyError) as caught:
        appraise(HEAD + "trust_claims := count(input.x)", {"x": 123456789})
    assert "line 3, column 28: `count` requires" in str(caught.value)
    assert "123456789" not in str(caught.value)


def test_a_query_needs_a_name() -> None:
    assert refused(HEAD + "trust_claims := query_reference_value(1)") == "policy.evaluation"


def nested(depth: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return {"x": value}


def test_input_is_bounded_in_depth() -> None:
    assert appraise(HEAD + "trust_claims := {}", nested(200)).trust_claims == {}
    # The engine by itself ends the process at some 20,000.
    assert refused(HEAD + "trust_claims := {}", nested(100_000)) == "policy.input"


@pytest.mark.parametrize("value", [b"bytes", {1: 2}, {1, 2}, object(), NOW, 1 << 70])
def test_input_is_json(value: Any) -> None:
    assert refused(HEAD + "trust_claims := {}", {"x": value}) == "policy.input"


def test_data_is_json_too() -> None:
    with pytest.raises(PolicyError) as caught:
        decide(HEAD + "allow := true", query=b"")
    assert caught.value.code == "policy.input"
    assert decide(HEAD + "allow := true").allowed


# --- reference values


def test_a_reference_value_is_found() -> None:
    outcome = appraise(ASKS, {"x": 1}, references(known=[1, 2]))
    assert outcome.trust_claims == {"hardware": 2}
    assert outcome.queries == (ReferenceQuery("known", "found"),)
    assert outcome.findings == ()


def test_a_missing_one_is_null_and_named() -> None:
    outcome = appraise(ASKS, {"x": 1}, references(other=[1]))
    assert outcome.trust_claims == {"hardware": 97}
    assert outcome.queries == (ReferenceQuery("known", "missing"),)
    assert outcome.findings == (
        Finding(
            "hardware", "hardware", "affirming, 2 to 31",
            "97, contraindicated; missing reference values: known", "fail",
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("late", "state", "value"), [(-1, "found", 2), (0, "expired", 97), (1, "expired", 97)]
)
def test_it_expires_at_its_time(late: int, state: str, value: int) -> None:
    known = references(known=[1])
    now = known["known"].expires_at + timedelta(microseconds=late)
    outcome = appraise(ASKS, {"x": 1}, known, now=now)
    assert outcome.trust_claims == {"hardware": value}
    assert outcome.queries == (ReferenceQuery("known", state),)
    assert [finding.came for finding in outcome.findings] == (
        [] if state == "found" else ["97, contraindicated; expired reference values: known"]
    )


def test_null_is_what_a_missing_one_is_for_the_policy() -> None:
    text = HEAD + 'trust_claims := {"hardware": 97} if query_reference_value("x") == null'
    assert appraise(text).trust_claims == {"hardware": 97}


@pytest.mark.parametrize("value", ["text", 5, 2**60, -1, 1.5, True, None, [1, "a"], {"a": {"b": [None]}}])
def test_values_reach_the_policy_as_they_are(value: Any) -> None:
    text = HEAD + 'trust_claims := {"hardware": 2} if { query_reference_value("v") == input.v }'
    assert appraise(text, {"v": value}, references(v=value)).trust_claims == {"hardware": 2}


def test_each_evaluation_has_its_own_reference_values() -> None:
    assert appraise(ASKS, {"x": 1}, references(known=[1])).trust_claims == {"hardware": 2}
    assert appraise(ASKS, {"x": 1}, {}).trust_claims == {"hardware": 97}
    assert appraise(ASKS, {"x": 2}, references(known=[1])).trust_claims == {"hardware": 97}
    assert appraise(ASKS, {"x": 2}, references(known=[2])).queries == (ReferenceQuery("known", "found"),)


# --- release


def test_only_true_allows() -> None:
    assert decide(HEAD + "allow := true").allowed
    for value in ("false", "1", '"true"', "null", "[true]", '{"allow": true}', "true if input.nothing"):
        assert not decide(f"{HEAD}allow := {value}").allowed, value
    assert not decide(HEAD + "allow contains true").allowed
    assert not decide(HEAD + "permit := true").allowed


def test_data_is_of_the_request() -> None:
    text = HEAD + 'allow if { data.plugin == "resource"; data["resource-path"] == ["a", "b", input.tag] }\n'
    text += 'allow if data.query.word == "please"'
    assert decide(text, {"tag": "c"}, **{"resource-path": ["a", "b", "c"]}).allowed
    assert not decide(text, {"tag": "c"}, **{"resource-path": ["a", "b", "d"]}).allowed
    assert not decide(text, {"tag": "d"}, **{"resource-path": ["a", "b", "c"]}).allowed
    assert decide(text, query={"word": "please"}).allowed
    assert not decide(text).allowed


def test_data_of_one_request_is_not_of_the_next() -> None:
    text = HEAD + "trust_claims := {}\nallow if data.query.leak"
    assert decide(text, query={"leak": True}).allowed
    assert not decide(text, query={}).allowed
    assert decide(text, query={"leak": True}).allowed
    leak = HEAD + 'trust_claims := {"hardware": 97} if not data.query\nallow if data.query.leak'
    policy = policy_of(leak)
    assert ENGINE.decide(policy, {}, data={"query": {"leak": True}}).allowed
    assert ENGINE.appraise(policy, {}, references={}, now=NOW).trust_claims == {"hardware": 97}


def test_a_resource_policy_knows_no_reference_values() -> None:
    assert decide(HEAD + 'allow if query_reference_value("x") == null').allowed


# --- prepared engines


def test_engines_are_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class Counted(prepared.PreparedPolicy):
        def __init__(self, text: str) -> None:
            made.append(text)
            super().__init__(text)

    monkeypatch.setattr(prepared, "PreparedPolicy", Counted)
    kept = PreparedPolicies()
    first, second = policy_of(HEAD + "allow := true"), policy_of(HEAD + "allow := false")
    assert kept.of(first) is kept.of(first)
    assert kept.of(second) is not kept.of(first)
    assert len(made) == 2
    kept.forget(first)
    kept.forget(first)
    assert len(kept) == 1


def test_they_are_bounded_in_number_and_text(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = [policy_of(f"{HEAD}allow := input.a == {n}") for n in range(4)]
    monkeypatch.setattr(prepared, "MAX_POLICIES", 2)
    kept = PreparedPolicies()
    first = kept.of(policies[0])
    kept.of(policies[1])
    assert kept.of(policies[0]) is first
    kept.of(policies[2])
    assert len(kept) == 2
    assert kept.of(policies[0]) is first
    monkeypatch.setattr(prepared, "MAX_TEXT_CHARACTERS", 2 * len(policies[0].text) - 1)
    kept.of(policies[3])
    assert len(kept) == 1
    assert kept.of(policies[0]) is not first


def test_threads_do_not_share_engines() -> None:
    engine, policy, outcomes = RegorusEngine(), policy_of(ASKS), []

    def work(x: int) -> None:
        for _ in range(20):
            outcome = engine.appraise(policy, {"x": x}, references=references(known=[1]), now=NOW)
            outcomes.append((x, outcome.trust_claims["hardware"]))

    threads = [threading.Thread(target=work, args=(n % 2,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 120
    assert set(outcomes) == {(0, 97), (1, 2)}


class PanicException(BaseException):
    """As pyo3 raises it: no Exception, and not to be imported."""


def test_a_panic_is_refused_and_its_engine_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, policy = RegorusEngine(), policy_of(HEAD + 'trust_claims := {"hardware": input.x}')
    assert engine.appraise(policy, {"x": 2}, references={}, now=NOW).trust_claims == {"hardware": 2}

    def panic(*_: object, **__: object) -> None:
        raise PanicException("called `Option::unwrap()`")

    with monkeypatch.context() as patch:
        patch.setattr(prepared.PreparedPolicy, "rule", panic)
        with pytest.raises(PolicyError) as caught:
            engine.appraise(policy, {"x": 3}, references={}, now=NOW)
    assert caught.value.code == "policy.panic"
    assert len(engine._local.prepared) == 0
    assert engine.appraise(policy, {"x": 3}, references={}, now=NOW).trust_claims == {"hardware": 3}


def test_an_interrupt_is_not_a_panic(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(prepared.PreparedPolicy, "rule", interrupt)
    with pytest.raises(KeyboardInterrupt):
        appraise(HEAD + "trust_claims := {}")


def test_what_a_policy_prints_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    appraise(HEAD + 'trust_claims := {} if print("a claim", input)', {"x": "secret"})
    assert capfd.readouterr() == ("", "")
