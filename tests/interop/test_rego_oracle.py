"""The policies that come with EAA, by another implementation of Rego: rego-cpp (PyPI ``regopy``).

It has no host functions: there ``query_reference_value`` is a rule over ``data.reference``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from eaa.broker.records import PolicyKind, ReferenceValue
from eaa.policy.prepared import UNDEFINED, PreparedPolicy
from eaa.policy.references import ReferenceLookup
from eaa.policy.samples import SAMPLE_REQUEST, sample_tokens
from eaa.policy.templates import TEMPLATES
from tests.unit.policy.policies import NOW, known_references, sample
from tests.unit.policy.vectors import AFFIRMED, CASES, OURS, Case

regopy = pytest.importorskip("regopy")

HOST = """package policy
import rego.v1
query_reference_value(name) := value if { value := data.reference[name] } else := null
"""
TRUSTEE = (Path(__file__).parents[1] / "unit" / "policy" / "trustee_default_cpu.rego").read_text()
TEXTS = {**{name: item.text for name, item in TEMPLATES.items()}, "trustee": TRUSTEE}
ATTESTATION = [*(name for name in TEMPLATES if TEMPLATES[name].kind is PolicyKind.ATTESTATION), "trustee"]
RESOURCE = [name for name in TEMPLATES if TEMPLATES[name].kind is PolicyKind.RESOURCE]
CLAIMS = ("executables", "hardware", "configuration")


@cache
def ours(name: str) -> PreparedPolicy:
    return PreparedPolicy(TEXTS[name])


def by_oracle(name: str, rule: str, document: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    interpreter = regopy.Interpreter()
    interpreter.add_module("policy.rego", TEXTS[name])
    interpreter.add_module("host.rego", HOST)
    interpreter.add_data_json(json.dumps(data))
    interpreter.set_input(document)
    answer = json.loads(str(interpreter.query(f"value = data.policy.{rule}")))
    return answer["bindings"]["value"] if "bindings" in answer else UNDEFINED


def by_us(
    name: str, rule: str, document: Mapping[str, Any], known: Mapping[str, ReferenceValue], data: Any = None
) -> Any:
    ours(name).begin(document, data=data, lookup=ReferenceLookup(known, NOW))
    return ours(name).rule(rule)


def same(name: str, rule: str, document: Mapping[str, Any], known: Mapping[str, ReferenceValue]) -> Any:
    """What both say."""
    data = {"reference": {key: value.value for key, value in known.items()}}
    theirs, mine = by_oracle(name, rule, document, data), by_us(name, rule, document, known)
    assert theirs == mine
    return mine


@pytest.mark.parametrize("name", ATTESTATION)
@pytest.mark.parametrize("tee", AFFIRMED)
def test_what_is_expected_and_what_lacks_everything(name: str, tee: str) -> None:
    claims = same(name, "trust_claims", sample(tee), known_references())
    if name == "default_cpu":
        assert tuple(claims[claim] for claim in CLAIMS) == AFFIRMED[tee]
    same(name, "trust_claims", sample(tee), {})


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in (*CASES, *OURS)])
def test_every_condition(case: Case) -> None:
    known = known_references(*([case.reference] if case in OURS and case.reference else []))
    ways = [(sample(case.tee, (case.path, case.value)), known), (sample(case.tee, (case.path, ...)), known)]
    if case.reference and case in CASES:
        ways.append((sample(case.tee), known_references(case.reference)))
    for claims, values in ways:
        stated = same("default_cpu", "trust_claims", claims, values)
        assert tuple(stated[claim] for claim in CLAIMS) == case.vector


@pytest.mark.parametrize("name", RESOURCE)
@pytest.mark.parametrize("plugin", ["resource", "another"])
@pytest.mark.parametrize("status", [*sample_tokens(), "none", "sample"])
def test_release(name: str, plugin: str, status: str) -> None:
    token: dict[str, Any] = sample_tokens().get(status, {})
    if status == "sample":
        token = {
            "submods": {"cpu0": {"ear.status": "none", "ear.veraison.annotated-evidence": {"sample": {}}}}
        }
    data = {**SAMPLE_REQUEST, "plugin": plugin}
    for rule in ("allow", "explanation"):
        theirs, mine = by_oracle(name, rule, token, data), by_us(name, rule, token, {}, data)
        assert theirs == mine or _as_set(theirs) == _as_set(mine)


def _as_set(value: Any) -> Any:
    """A set is a list in some order."""
    return sorted(json.dumps(item, sort_keys=True) for item in value) if isinstance(value, list) else value
