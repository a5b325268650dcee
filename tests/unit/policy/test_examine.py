"""Examination before a policy is stored: in a process of its own, bounded, with a place for each fault."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from eaa.broker.records import PolicyKind
from eaa.errors import FormatError, InternalError
from eaa.policy.examination import examine_text
from eaa.policy.examine import examine
from eaa.policy.templates import TEMPLATES
from tests.unit.policy.policies import ENGINE

HEAD = "package policy\nimport rego.v1\n"
CLAIMS = HEAD + 'trust_claims := {"hardware": 2}\n'
ATTESTATION, RESOURCE = PolicyKind.ATTESTATION, PolicyKind.RESOURCE
#: 10^12 pairs.
ENDLESS = "count([1 | some i in numbers.range(1, 1000000); some j in numbers.range(1, 1000000); i * j == 0])"


def fault_of(kind: PolicyKind, text: str) -> str:
    with pytest.raises(FormatError) as caught:
        examine_text(kind, text)
    assert caught.value.code == "format.policy"
    return str(caught.value)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_may_be_stored(name: str) -> None:
    template = TEMPLATES[name]
    warnings = ENGINE.examine(template.kind, template.text)
    asked = {line for line in warnings if line.startswith("asks for")}
    assert asked == (
        {f"asks for the reference values {', '.join(sorted(template.references))}"}
        if template.references
        else set()
    )


@pytest.mark.parametrize(
    ("kind", "text", "fault"),
    [
        (ATTESTATION, HEAD + "trust_claims := {", "line 3, column "),
        (ATTESTATION, "package other\ntrust_claims := {}", "the package is other, expected policy"),
        (ATTESTATION, "package policy.sub\ntrust_claims := {}", "the package is policy.sub, expected policy"),
        (ATTESTATION, HEAD + "allow := true", "has the rule trust_claims"),
        (RESOURCE, CLAIMS, "has the rule allow"),
        (
            RESOURCE,
            HEAD + 'allow if http.send({"url": "http://x"})',
            "line 3, column 14: http.send is refused",
        ),
        (RESOURCE, HEAD + "allow if opa.runtime().env", "line 3, column 13: opa.runtime is refused"),
        (
            RESOURCE,
            HEAD + 'allow if net.lookup_ip_addr("x")',
            "line 3, column 13: there is no function net.lookup",
        ),
        (RESOURCE, HEAD + "allow if { input.never; nothing(1) }", "there is no function nothing"),
        (RESOURCE, HEAD + "allow if { every x in [1] { nothing(x) } }", "there is no function nothing"),
        (RESOURCE, HEAD + "allow if data.other.f(1)", "there is no function data.other.f"),
        (RESOURCE, HEAD + "allow if allow", "on a sample: "),
        (
            ATTESTATION,
            HEAD + 'trust_claims := {"hardwear": 2}',
            "on a sample: trust_claims: 'hardwear' is none of",
        ),
        (
            ATTESTATION,
            HEAD + 'trust_claims := {"hardware": 128}',
            "hardware is not an integer of -128 to 127",
        ),
        (ATTESTATION, HEAD + "trust_claims := {} if input.tdx", "on a sample: trust_claims: is undefined"),
        (ATTESTATION, CLAIMS + "extensions := 1", "on a sample: extensions: is not a list"),
        (ATTESTATION, CLAIMS + "explanation := 1\nexplanation := 2", "on a sample: line 5, column 1"),
        (
            ATTESTATION,
            # Wrong only where the reference values are there.
            HEAD
            + 'trust_claims := {"hardware": 2}\ntrust_claims := {} if query_reference_value("mr_td") != null',
            "on a sample: line 4, column 1",
        ),
        (
            ATTESTATION,
            HEAD + 'trust_claims := {"hardware": 97 } if input.sgx == 1 else := 3',
            "is not an object",
        ),
    ],
)
def test_what_may_not_be_stored(kind: PolicyKind, text: str, fault: str) -> None:
    assert fault in fault_of(kind, text)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "f(x) := x\nallow if f(1)",
        HEAD + "f(x) := x\nallow if data.policy.f(1)",
        HEAD + "import data.policy as p\nf(x) := x\nallow if p.f(1)",
        HEAD + "default f(_) := true\nallow if f(1)",
        HEAD + 'allow if { print("x"); walk(input, [_, _]); sprintf("%d", [1]) == "1"; set() == set() }',
        HEAD + "allow if input.http.send",
        HEAD + 'x["y"] := 1\nallow if x.y == 1',
    ],
)
def test_functions_that_are_there(text: str) -> None:
    assert examine_text(RESOURCE, text) == ()


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("package policy\ndefault allow = false\nallow { input.x }", "in Rego v0"),
        (
            HEAD + "allow := true if input.x\nallow := false if input.y",
            "defined more than once, which is an error",
        ),
        (HEAD + "allow if time.now_ns() > 0", "decides by what cannot be repeated: time.now_ns"),
        (HEAD + 'allow if query_reference_value("a") == query_reference_value(`b`)', "reference values a, b"),
    ],
)
def test_warnings(text: str, warning: str) -> None:
    (line,) = examine_text(RESOURCE, text)
    assert warning in line


def test_names_that_are_made_at_run_time_are_found_out() -> None:
    text = CLAIMS + 'extensions := [] if query_reference_value(concat("", ["c", "d"])) == null'
    assert examine_text(ATTESTATION, text) == ("asks for the reference values cd",)


# --- the process


def refused(kind: PolicyKind, text: str, *, seconds: float = 60) -> FormatError:
    with pytest.raises(FormatError) as caught:
        examine(kind, text, seconds=seconds)
    assert caught.value.code == "format.policy"
    return caught.value


def test_a_fault_is_a_format_error_with_its_place() -> None:
    error = refused(RESOURCE, "package policy\nallow if { input.a == }")
    assert str(error) == "Rego policy: text: line 2, column 23: expecting expression"


def test_warnings_come_back() -> None:
    assert examine(RESOURCE, HEAD + 'allow if rand.intn("x", 2) == 1') == (
        "decides by what cannot be repeated: rand.intn",
    )


def test_an_endless_policy_is_stopped() -> None:
    start = time.monotonic()
    error = refused(RESOURCE, f"{HEAD}allow if {ENDLESS} == 0", seconds=1.5)
    assert "not evaluated after 1.5 seconds" in str(error)
    assert time.monotonic() - start < 10


def test_one_that_takes_all_memory_too() -> None:
    text = HEAD + "allow if count([a | some i in numbers.range(1, 10000); a := numbers.range(1, 10000)]) > 0"
    assert "memory" in str(refused(RESOURCE, text))


def test_what_is_not_unicode_is_no_policy() -> None:
    assert "not Unicode" in str(refused(RESOURCE, "package policy # \ud800"))


def test_the_examiner_sees_none_of_the_services_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "orjson.py").write_text("import os\nraise ImportError(' '.join(sorted(os.environ)))")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("EAA_SECRET", "secret")
    with pytest.raises(InternalError) as caught:
        examine(RESOURCE, HEAD + "allow := true")
    assert "PYTHONPATH" in str(caught.value)
    assert "EAA_SECRET" not in str(caught.value)


def test_an_examiner_that_cannot_run_is_our_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "orjson.py").write_text("raise ImportError('no such library')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    with pytest.raises(InternalError, match="no such library") as caught:
        examine(RESOURCE, HEAD + "allow := true")
    assert caught.value.code == "internal.examiner"
