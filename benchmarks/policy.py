"""Policies: prepared engines beside a new one for each evaluation, which is what Trustee does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import regorus

from benchmarks.timing import Row, batch_of, interleave
from eaa.broker.records import Policy, PolicyKind
from eaa.policy.outcomes import MAX_OUTCOMES
from eaa.policy.regorus_engine import RegorusEngine
from eaa.policy.samples import SAMPLE_REQUEST, sample_inputs, sample_references, sample_tokens
from eaa.policy.templates import template

__all__ = ["run"]

PER_SECOND, GROWTH = 6000, 1.3
POLICIES = 1000
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_FIXTURES = Path(__file__).parents[1] / "tests" / "unit" / "policy"
#: In the virtual machine reference values are data: it shows the host's functions no arguments.
_REFERENCES_AS_DATA = """package policy
import rego.v1
query_reference_value(name) := object.get(data.reference, name, null)
"""


def run(*, quick: bool) -> Iterator[Row]:
    rounds, calls = (5, 100) if quick else (25, 400)
    yield from _appraisal(rounds, calls)
    yield from _growth(rounds, quick)


def _appraisal(rounds: int, calls: int) -> Iterator[Row]:
    texts = {
        "Trustee's default policy, by our fixture": (_FIXTURES / "trustee_default_cpu.rego").read_text(),
        "default_cpu": template("default_cpu").text,
    }
    known, engine = sample_references(_NOW), RegorusEngine()
    values = {name: value.value for name, value in known.items()}
    for subject, text in texts.items():
        claims, policy = sample_inputs()["tdx"], _policy(text, PolicyKind.ATTESTATION)

        turn = itertools.cycle(_different(claims))

        def appraise(policy: Policy = policy, turn: Iterator[Mapping[str, Any]] = turn) -> object:
            return engine.appraise(policy, next(turn), references=known, now=_NOW)

        def again(policy: Policy = policy, claims: Mapping[str, Any] = claims) -> object:
            return engine.appraise(policy, claims, references=known, now=_NOW)

        def refuse(policy: Policy = policy, claims: Mapping[str, Any] = claims) -> object:
            return engine.appraise(policy, claims, references={}, now=_NOW)

        times = interleave(
            {
                "prepared": batch_of(appraise, calls),
                "remembered: claims that came before": batch_of(again, calls),
                "prepared, refused and explained": batch_of(refuse, calls // 4),
                "a new engine for each": batch_of(partial(_anew, text, values), calls // 20),
                "regorus' virtual machine": batch_of(_virtual_machine(text, values), calls),
            },
            rounds,
        )
        for name in times.rounds:
            yield Row("policy", subject, name, times.median(name), "µs")
        per_second = 1e6 / times.median("prepared")
        yield Row(
            "policy",
            subject,
            "appraisals per second",
            per_second,
            "/s",
            f"≥ {PER_SECOND}",
            per_second >= PER_SECOND,
        )
        yield Row(
            "policy", subject, "times faster than anew", times.ratio("a new engine for each", "prepared"), "×"
        )


def _different(claims: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """More than are remembered, each with an event of its own in what the policy reads."""
    tdx = claims["tdx"]
    return [
        {**claims, "tdx": {**tdx, "uefi_event_logs": [*tdx.get("uefi_event_logs", ()), {"number": number}]}}
        for number in range(MAX_OUTCOMES + 1)
    ]


def _growth(rounds: int, quick: bool) -> Iterator[Row]:
    """Resource policies of a prefix each: always the same one, and one after the other."""
    engine, token = RegorusEngine(), sample_tokens()["affirming"]
    text = template("allow_affirming").text
    policies = [_policy(f"{text}\n# {n}\n", PolicyKind.RESOURCE, f"resource/r{n}") for n in range(POLICIES)]
    turn = itertools.cycle(policies)
    calls = 200 if quick else POLICIES

    def decide(policy: Policy) -> object:
        return engine.decide(policy, token, data=SAMPLE_REQUEST)

    for policy in policies:
        decide(policy)
    times = interleave(
        {
            "one policy": batch_of(lambda: decide(policies[0]), calls),
            f"{POLICIES} policies in turn": batch_of(lambda: decide(next(turn)), calls),
        },
        rounds,
    )
    for name in times.rounds:
        yield Row("policy", "allow_affirming", name, times.median(name), "µs")
    ratio = times.ratio(f"{POLICIES} policies in turn", "one policy")
    yield Row("policy", "allow_affirming", "growth", ratio, "×", f"≤ {GROWTH}", ratio <= GROWTH)


def _anew(text: str, values: Mapping[str, Any]) -> object:
    engine = regorus.Engine()
    engine.add_policy("", text)
    engine.set_input_json(orjson.dumps(sample_inputs()["tdx"]).decode())
    engine.add_extension("query_reference_value", 1, values.get)
    return [engine.eval_rule_as_json(f"data.policy.{rule}") for rule in ("trust_claims", "extensions")]


def _virtual_machine(text: str, values: Mapping[str, Any]) -> Callable[[], object]:
    rules = ["data.policy.trust_claims", "data.policy.extensions"]
    modules = [("policy.rego", text), ("host.rego", _REFERENCES_AS_DATA)]
    machine = regorus.Rvm()
    machine.load_program(regorus.Program.compile_from_modules("{}", modules, rules))

    def evaluate() -> object:
        machine.set_data_json(orjson.dumps({"reference": values}).decode())
        machine.set_input_json(orjson.dumps(sample_inputs()["tdx"]).decode())
        return [machine.execute_entry_point(rule) for rule in rules]

    return evaluate


def _policy(text: str, kind: PolicyKind, identifier: str = "default_cpu") -> Policy:
    return Policy(kind, identifier, 1, text, sha256(text.encode()).hexdigest(), _NOW, "benchmark")
