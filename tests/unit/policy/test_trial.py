"""Trials of policies on made-up claims: the engine's own answers, from a process that is stopped in time."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from eaa.broker.records import PolicyKind
from eaa.errors import InternalError, PolicyError
from eaa.policy.samples import SAMPLE_REQUEST, sample_inputs
from eaa.policy.templates import template
from eaa.policy.trial import TrialEngine
from tests.unit.policy.policies import ENGINE, NOW, known_references, policy_of

TRIAL = TrialEngine(seconds=30)
HEAD = "package policy\nimport rego.v1\ndefault allow := false\n"
#: Ends at once on every sample, and not on claims that say so.
SLOW = HEAD + (
    "allow if {\n\tinput.slow\n\tsome i in numbers.range(1, 1000000)\n"
    "\tsome j in numbers.range(1, 1000000)\n\ti * j == 0\n}\n"
)


@pytest.mark.parametrize("left_out", [(), ("mr_td",)])
@pytest.mark.parametrize("tee", ["tdx", "sgx", "snp"])
def test_an_attestation_policy_says_what_it_says_to_the_engine(tee: str, left_out: tuple[str, ...]) -> None:
    policy, claims = policy_of(template("default_cpu").text), sample_inputs()[tee]
    known = known_references(*left_out)
    assert TRIAL.appraise(policy, claims, references=known, now=NOW) == ENGINE.appraise(
        policy, claims, references=known, now=NOW
    )


def test_an_expired_reference_value_is_expired_there_too() -> None:
    policy, known = policy_of(template("default_cpu").text), known_references()
    late = max(item.expires_at for item in known.values())
    found = TRIAL.appraise(policy, sample_inputs()["tdx"], references=known, now=late)
    assert {query.state for query in found.queries} == {"expired"}


@pytest.mark.parametrize("claims", [{}, {"submods": {"cpu0": {"ear.status": "affirming"}}}])
def test_a_resource_policy_says_what_it_says_to_the_engine(claims: dict[str, Any]) -> None:
    policy = policy_of(template("allow_affirming").text, PolicyKind.RESOURCE)
    found = TRIAL.decide(policy, claims, data=SAMPLE_REQUEST)
    assert found == ENGINE.decide(policy, claims, data=SAMPLE_REQUEST)


def test_what_does_not_end_on_these_claims_is_stopped_and_stops_nobody() -> None:
    policy = policy_of(SLOW, PolicyKind.RESOURCE)
    assert TRIAL.examine(PolicyKind.RESOURCE, SLOW) == ()
    failures: list[PolicyError] = []

    def run_trial() -> None:
        with pytest.raises(PolicyError) as refused:
            TrialEngine(seconds=2).decide(policy, {"slow": True}, data={})
        failures.append(refused.value)

    trial = threading.Thread(target=run_trial)
    trial.start()
    steps = 0
    while trial.is_alive():
        time.sleep(0.01)
        steps += 1
    assert [error.code for error in failures] == ["policy.unfinished"]
    assert steps > 10


@pytest.mark.parametrize(
    ("text", "claims", "code"),
    [
        ("package policy\nallow if {", {}, "policy.text"),
        (HEAD + "allow := 1\nallow := 2", {}, "policy.evaluation"),
        (HEAD, {"x": object()}, "policy.input"),
    ],
)
def test_its_faults_are_the_engines(text: str, claims: dict[str, Any], code: str) -> None:
    with pytest.raises(PolicyError) as refused:
        TRIAL.decide(policy_of(text, PolicyKind.RESOURCE), claims, data={})
    assert refused.value.code == code


def test_a_process_that_cannot_run_is_our_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(InternalError):
        TRIAL.decide(policy_of(HEAD, PolicyKind.RESOURCE), {}, data={})
