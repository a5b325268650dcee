"""What was affirming twice is remembered as long as nothing has changed that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from eaa.broker.ports import AttestationOutcome
from eaa.broker.records import ReferenceValue
from eaa.errors import InternalError
from eaa.policy import reads
from eaa.policy.outcomes import MAX_EXTENSION_BYTES
from eaa.policy.prepared import PreparedPolicy
from eaa.policy.regorus_engine import RegorusEngine
from tests.unit.policy.policies import NOW, policy_of, references

TEXT = """package policy
import rego.v1
default hardware := 97
hardware := 2 if input.x in query_reference_value("known")
hardware := 2 if input.x in query_reference_value("more")
trust_claims := {"hardware": hardware}
extensions := [{"name": "long", "key": 1, "value": input.long}] if input.long
"""
KNOWN = references(known=["good"])


class Counted:
    """An engine, and how often it has evaluated ``trust_claims``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._engine, self.evaluated = RegorusEngine(), 0
        rule = PreparedPolicy.rule

        def counted(prepared: PreparedPolicy, name: str) -> Any:
            self.evaluated += name == "trust_claims"
            return rule(prepared, name)

        monkeypatch.setattr(PreparedPolicy, "rule", counted)

    def appraise(
        self,
        known: Mapping[str, ReferenceValue] = KNOWN,
        *,
        text: str = TEXT,
        now: datetime = NOW,
        **claims: Any,
    ) -> AttestationOutcome:
        return self._engine.appraise(policy_of(text), claims, references=known, now=now)

    def learn(self, known: Mapping[str, ReferenceValue] = KNOWN, **arguments: Any) -> AttestationOutcome:
        """The outcome, which is remembered from now on."""
        return [self.appraise(known, **arguments) for _ in range(2)][1]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


def test_the_same_claims_are_evaluated_no_more(engine: Counted) -> None:
    first = engine.appraise(x="good", nonce=1)
    assert engine.evaluated == 1
    assert engine.appraise(x="good", nonce=2) == first
    assert engine.evaluated == 3  # on everything once more, and on what is read
    assert engine.appraise(x="good", nonce=3) == first
    assert engine.evaluated == 3
    assert first.trust_claims == {"hardware": 2}
    assert [(query.name, query.state) for query in first.queries] == [("known", "found"), ("more", "missing")]


def test_another_claim_that_is_read_is_evaluated(engine: Counted) -> None:
    engine.learn(x="good")
    assert engine.appraise(x="bad").trust_claims == {"hardware": 97}


def test_another_policy_is_evaluated(engine: Counted) -> None:
    engine.learn(x="good")
    other = TEXT.replace("hardware := 2 ", "hardware := 3 ")
    assert engine.appraise(x="good", text=other).trust_claims == {"hardware": 3}


def test_what_is_not_affirming_is_evaluated_and_explained_each_time(engine: Counted) -> None:
    for _ in range(2):
        outcome = engine.appraise(x="bad")
        assert outcome.findings
    assert engine.evaluated == 2


def test_a_reference_value_that_expires_is_asked_again(engine: Counted) -> None:
    engine.learn(x="good")
    assert engine.appraise(x="good", now=NOW + timedelta(days=1)).trust_claims == {"hardware": 97}
    assert engine.appraise(x="good", now=NOW).trust_claims == {"hardware": 2}


def test_a_reference_value_that_is_replaced_or_withdrawn_is_asked_again(engine: Counted) -> None:
    engine.learn(x="good")
    assert engine.appraise(references(known=["better"]), x="good").trust_claims == {"hardware": 97}
    assert engine.appraise({}, x="good").trust_claims == {"hardware": 97}


@pytest.mark.parametrize(("known", "other"), [(True, 1), (1, 1.0), (False, 0), ([True], [1])])
def test_a_reference_value_of_another_type_is_asked_again(engine: Counted, known: Any, other: Any) -> None:
    text = TEXT.replace(
        'input.x in query_reference_value("known")', 'query_reference_value("known") == input.x'
    )
    assert engine.learn(references(known=known), text=text, x=known).trust_claims == {"hardware": 2}
    before = engine.evaluated
    engine.appraise(references(known=other), text=text, x=known)
    assert engine.evaluated > before


def test_an_equal_reference_value_read_anew_is_the_same(engine: Counted) -> None:
    engine.learn(references(known=["good"]), x="good")
    assert engine.evaluated == 3
    engine.appraise(references(known=["good"]), x="good")
    assert engine.evaluated == 3


def test_a_reference_value_that_has_no_short_text_is_asked_again(engine: Counted) -> None:
    def known() -> Mapping[str, ReferenceValue]:
        return references(known=["good", int("9" * 30)])

    engine.learn(known(), x="good")
    before = engine.evaluated
    assert engine.appraise(known(), x="good").trust_claims == {"hardware": 2}
    assert engine.evaluated > before


def test_a_reference_value_that_appears_is_asked_for(engine: Counted) -> None:
    engine.learn(x="good")
    queries = engine.appraise({**KNOWN, **references(more=[])}, x="good").queries
    assert [query.state for query in queries] == ["found", "found"]


def test_an_outcome_with_long_extensions_is_not_remembered(engine: Counted) -> None:
    for size, evaluated in ((MAX_EXTENSION_BYTES // 2, 3), (MAX_EXTENSION_BYTES, 8)):
        for _ in range(3):
            assert engine.appraise(x="good", long="x" * size).extensions == {"long": "x" * size}
        assert engine.evaluated == evaluated


def test_a_policy_whose_reads_cannot_be_told_is_evaluated_each_time(engine: Counted) -> None:
    text = TEXT + "also := object.keys(input)\n"
    for _ in range(2):
        assert engine.appraise(text=text.replace("input.long", "also"), x="good").trust_claims == {
            "hardware": 2
        }
    assert engine.evaluated == 2


def test_a_verdict_that_changes_with_what_should_not_matter_is_an_error(
    engine: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PreparedPolicy, "read_by", lambda *_: dict[str, reads.Members | None]())
    engine.appraise(x="good")
    with pytest.raises(InternalError):
        engine.appraise(x="good")
