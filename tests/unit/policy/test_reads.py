"""What a policy can read of its input, and that nothing else changes what it states."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eaa.errors import PolicyError
from eaa.policy.dialect import load_policy
from eaa.policy.prepared import PreparedPolicy
from eaa.policy.reads import Members, members_read, only
from eaa.policy.references import ReferenceLookup
from eaa.policy.samples import sample_inputs, sample_references
from eaa.policy.templates import template
from tests.unit.policy.policies import NOW

HEAD = "package policy\nimport rego.v1\n"
RULES = ("a",)
PUBLISHED = Path(__file__).with_name("trustee_default_cpu.rego").read_text()


def read(text: str) -> Members | None:
    return members_read(load_policy(text)[0], RULES)


@pytest.mark.parametrize(
    ("rule", "members"),
    [
        pytest.param("a := 1", {}, id="nothing"),
        pytest.param("b := input.x", {}, id="another rule"),
        pytest.param("a := input.x.y", {"x": {"y": None}}, id="a value"),
        pytest.param('a := input["x"]["y z"]', {"x": {"y z": None}}, id="names in brackets"),
        pytest.param("a if input.x.y", {"x": {"y": {}}}, id="whether it holds"),
        pytest.param("a if not input.x", {"x": {}}, id="whether it does not"),
        pytest.param("a if { input.x; input.x.y == 1 }", {"x": {"y": None}}, id="both"),
        pytest.param("a if { input.x.y == 1; input.x == 2 }", {"x": None}, id="a value in a value"),
        pytest.param("a if input.x[_].y == 1", {"x": None}, id="any element"),
        pytest.param("a if input.x[0]", {"x": None}, id="an element"),
        pytest.param("a if input.x[input.y]", {"x": None, "y": None}, id="by another member"),
        pytest.param('a if input["\\u0078"] == 1', {"x": None}, id="an escape"),
        pytest.param("a if input.x[`y`] == 1", {"x": None}, id="raw text"),
        pytest.param("a := [y | some y in input.x; y > input.z]", {"x": None, "z": None}, id="comprehension"),
        pytest.param("a if every y in input.x { y > input.z }", {"x": None, "z": None}, id="every"),
        pytest.param("a := b\nb contains input.x if input.y", {"x": None, "y": {}}, id="a rule that is used"),
        pytest.param("a := data.policy.b\nb := input.x", {"x": None}, id="a rule by its whole name"),
        pytest.param("a := f(1)\nf(x) := x + input.y", {"y": None}, id="a function"),
        pytest.param("a := b.c\nb.c := input.x", {"x": None}, id="a rule with a path"),
        pytest.param("a := 1 if false\nelse := input.x", {"x": None}, id="else"),
        pytest.param("default a := 1\na := input.x", {"x": None}, id="default"),
        pytest.param('a := "input.x" # input', {}, id="text"),
        pytest.param('a := count(split(input.x, " "))', {"x": None}, id="calls"),
        pytest.param("a := {1: 2}[input.x]", {"x": None}, id="of an expression"),
        pytest.param("a := a_b.c[input.x]\na_b.c := {}", {"x": None}, id="of a rule"),
    ],
)
def test_what_is_read(rule: str, members: Members | None) -> None:
    assert read(HEAD + rule) == members


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("a := input", id="all of it"),
        pytest.param("a := object.keys(input)", id="all of it in a call"),
        pytest.param("a if input[_] == 1", id="any member"),
        pytest.param("a if walk(input, [_, 1])", id="walked"),
        pytest.param("a if { b with input as {} }\nb := 1", id="with"),
        pytest.param("a if { input.y with input.x as 1 }", id="with a member"),
        pytest.param("a := data", id="all data"),
        pytest.param("a := data[x] if x := 1", id="any data"),
        pytest.param("a := data.other.b", id="another package"),
        pytest.param("a := rand.intn(input.x, 2)", id="chance"),
        pytest.param("a := time.now_ns()", id="time"),
        pytest.param('a := uuid.rfc4122("x")', id="a new name"),
        pytest.param('a := http.send({"url": input.x})', id="the network"),
        pytest.param("a := b.input\nb := {}", id="a member of that name"),
    ],
)
def test_what_cannot_be_told(rule: str) -> None:
    assert read(HEAD + rule) is None


def test_an_import_of_input_cannot_be_told() -> None:
    assert read(HEAD + "import input.x as y\na := y") is None
    assert read("package policy\nimport future.keywords.if\na := 1 if input.x") == {"x": {}}


def test_only_what_is_read_stays() -> None:
    members: Members = {"x": {"y": None, "z": {}}, "w": {}, "v": {"u": None}}
    document = {"x": {"y": {"a": 1}, "z": {"b": 2}, "c": 3}, "w": [1], "v": "text", "t": 4}
    assert only(document, members) == {"x": {"y": {"a": 1}, "z": {}}, "w": [1], "v": "text"}
    assert only({}, members) == {}


@pytest.mark.parametrize("name", ["default_cpu", "hardware_only_cpu"])
def test_every_sample_is_judged_alike(name: str) -> None:
    _require_alike(template(name).text)


def test_every_sample_is_judged_alike_by_trustees_policy() -> None:
    _require_alike(PUBLISHED)


def _require_alike(text: str) -> None:
    """On each sample, and on it without each of its members, and with ``false`` and others in their place."""
    prepared = PreparedPolicy(text)
    rules = ("trust_claims", "extensions")
    members = members_read(load_policy(text)[0], rules)
    stated = set()
    for whole in sample_inputs().values():
        for document in _variations(whole):
            part = document if members is None else only(document, members)
            said = [_state(prepared, item, rules) for item in (document, part)]
            assert said[0] == said[1]
            stated.add(str(said))
    assert len(stated) > 10


def _state(prepared: PreparedPolicy, document: dict[str, Any], rules: tuple[str, ...]) -> tuple[object, ...]:
    lookup = ReferenceLookup(sample_references(NOW), NOW)
    prepared.begin(document, lookup=lookup)
    try:
        return *(prepared.rule(rule) for rule in rules), lookup.queries
    except PolicyError as error:
        return str(error), lookup.queries


def _variations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield document
    for place in _places(document):
        others: tuple[Any, ...] = (..., False, [])
        for value in others:
            changed = copy.deepcopy(document)
            above: Any = changed
            for step in place[:-1]:
                above = above[step]
            if value is ...:
                del above[place[-1]]
            else:
                above[place[-1]] = value
            yield changed


def _places(value: Any) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield (name,)
            yield from ((name, *rest) for rest in _places(item))
