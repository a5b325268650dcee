"""Why not: what a policy explains, and what is derived where it does not."""

from __future__ import annotations

from typing import Any

import pytest

from eaa.broker.ports import Finding
from eaa.policy.findings import MAX_FINDINGS
from tests.unit.policy.policies import appraise, decide, references

HEAD = "package policy\nimport rego.v1\n"
REFUSES = HEAD + 'trust_claims := {"hardware": 97}\n'
GOOD = '{"rule": "r", "claim": "c", "expected": "e", "came": "x"}'


def explained(explanation: str) -> tuple[Finding, ...]:
    return appraise(f"{REFUSES}explanation := {explanation}").findings


@pytest.mark.parametrize("form", ["[%s]", "{%s}", "%s"])
def test_a_list_a_set_or_one_alone(form: str) -> None:
    assert explained(form % GOOD) == (Finding("r", "c", "e", "x", "fail"),)


@pytest.mark.parametrize("verdict", ["pass", "fail", "note"])
def test_it_may_have_a_verdict(verdict: str) -> None:
    (finding,) = explained(f'[{GOOD[:-1]}, "verdict": "{verdict}"}}]')
    assert finding.verdict == verdict


def test_got_is_another_word_for_came() -> None:
    assert explained('[{"rule": "r", "claim": "c", "expected": 1, "got": [null, true]}]') == (
        Finding("r", "c", "1", "[null,true]", "fail"),
    )


@pytest.mark.parametrize(
    "item",
    [
        "1",
        '{"claim": "c", "expected": "e", "came": "x"}',
        '{"rule": "r", "expected": "e", "came": "x"}',
        '{"rule": "r", "claim": "c", "came": "x"}',
        '{"rule": "r", "claim": "c", "expected": "e"}',
        '{"rule": 1, "claim": "c", "expected": "e", "came": "x"}',
        '{"rule": "r", "claim": 1, "expected": "e", "came": "x"}',
        '{"rule": "r", "claim": "c", "expected": "e", "came": "x", "verdict": "maybe"}',
        '{"rule": "r", "claim": "c", "expected": "e", "came": "x", "verdict": []}',
    ],
)
def test_malformed_items_are_left_out_and_noted(item: str) -> None:
    assert explained(f"[{item}, {GOOD}]") == (
        Finding("r", "c", "e", "x", "fail"),
        Finding("explanation", "explanation", "rule, claim, expected and came", "1 left out", "note"),
    )


def test_texts_and_their_number_are_bounded() -> None:
    long = "x" * 600
    (finding,) = explained(f'[{{"rule": "{long}", "claim": "c", "expected": "e", "came": "{long}"}}]')
    assert len(finding.rule) == len(finding.came) == 512
    many = explained(
        f'[object.union({GOOD}, {{"came": n}}) | some n in numbers.range(1, {MAX_FINDINGS + 5})]'
    )
    assert len(many) == MAX_FINDINGS + 1
    assert many[-1].came == "5 left out"


def test_reference_values_not_found_are_noted_beside_it() -> None:
    text = REFUSES + f"explanation := [{GOOD}] if {{\n"
    text += 'query_reference_value("a") == null; query_reference_value("b") == 1 }'
    assert appraise(text, {}, references(b=1)).findings == (
        Finding("r", "c", "e", "x", "fail"),
        Finding("query_reference_value", "a", "a reference value", "missing", "note"),
    )


def test_an_explanation_that_is_undefined_is_none() -> None:
    (finding,) = appraise(f"{REFUSES}explanation := [{GOOD}] if input.nothing").findings
    assert (finding.rule, finding.came) == ("hardware", "97, contraindicated")


def test_who_is_affirmed_is_not_explained() -> None:
    text = HEAD + 'trust_claims := {"hardware": 2}\nexplanation := [1 / input.zero]'
    assert appraise(text, {"zero": 0}).findings == ()


def test_every_claim_that_is_not_affirming_is_derived() -> None:
    text = HEAD + 'trust_claims := {"hardware": 2, "executables": 33, "configuration": 96, "file-system": 0}'
    expected = "affirming, 2 to 31"
    assert appraise(text).findings == (
        Finding("configuration", "configuration", expected, "96, contraindicated", "fail"),
        Finding("executables", "executables", expected, "33, warning", "fail"),
    )


@pytest.mark.parametrize("claims", ["{}", '{"hardware": 0}', '{"hardware": -1, "configuration": 1}'])
def test_no_claim_at_all_is_a_finding(claims: str) -> None:
    assert appraise(f"{HEAD}trust_claims := {claims}").findings == (
        Finding("trust_claims", "trust_claims", "some claim", "none is made", "fail"),
    )


def test_release_is_explained_where_it_is_refused() -> None:
    text = HEAD + f"allow if input.x == 1\nexplanation := [{GOOD}]"
    assert decide(text, {"x": 1}).findings == ()
    assert decide(text, {"x": 2}).findings == (Finding("r", "c", "e", "x", "fail"),)


@pytest.mark.parametrize("claims", [{}, {"x": 1}])
def test_a_resource_policy_may_leave_it_unexplained(claims: dict[str, Any]) -> None:
    assert decide(HEAD + "default allow := false", claims).findings == ()
