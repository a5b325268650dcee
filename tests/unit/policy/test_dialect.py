"""Rego v1, v0, and what is read as neither."""

from __future__ import annotations

import pytest

from eaa.errors import FormatError, PolicyError
from eaa.policy.dialect import MAX_POLICY_BYTES, load_policy
from tests.unit.policy.policies import decide

YES, NO = {"a": 1}, {"a": 2}
HEAD = "package policy\n"


@pytest.mark.parametrize(
    ("text", "is_v1"),
    [
        pytest.param("import rego.v1\nallow if input.a == 1", True, id="v1"),
        pytest.param("default allow = false\nallow if { input.a == 1 }", True, id="v1 without the import"),
        pytest.param(
            "import future.keywords.if\nallow if { input.a == 1 }", True, id="v1 by future keywords"
        ),
        pytest.param("default allow = false\nallow { input.a == 1 }", False, id="v0"),
        pytest.param(
            "allow { input.a == 1; x := `if` } # if", False, id="v0, keywords in strings and comments"
        ),
        pytest.param(
            'allow { input.a == 1; x := "a \\" if" }', False, id="v0, keyword in a string with a quote"
        ),
        pytest.param('allow { input.a == 1; contains("if", "f") }', False, id="v0, the function contains"),
        pytest.param("import future.keywords.in\nallow { input.a in [1] }", False, id="v0 with one keyword"),
        pytest.param(
            "import future.keywords\nallow { every x in [1] { input.a == x } }", False, id="v0 with all"
        ),
    ],
)
def test_both_are_read(text: str, is_v1: bool) -> None:
    assert load_policy(HEAD + text)[1] is is_v1
    assert decide(HEAD + text, YES).allowed
    assert not decide(HEAD + text, NO).allowed


@pytest.mark.parametrize(
    "text",
    [
        # In v0 without the import, `allow if { … }` is `allow`, which is true, and a rule of the name `if`.
        pytest.param("other { true }\nallow if { input.a == 1 }", id="if"),
        pytest.param("other { true }\nallow { every x in [1] { input.a == x } }", id="every"),
        pytest.param("other { true }\nallow contains 1", id="contains"),
        pytest.param(
            "import future.keywords.in\nother { true }\nallow if { input.a in [1] }", id="another keyword"
        ),
        pytest.param("import rego.v1\nallow { input.a == 1 }", id="v0 that says that it is v1"),
    ],
)
def test_a_mixture_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match=r"^Rego policy: text: line \d+, column \d+: "):
        load_policy(HEAD + text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("allow if { input.a == }", "line 2, column 23: expecting expression"),
        ("allow { input.a == }", "line 2, column "),
        ("x := " + "(" * 100 + "1" + ")" * 100, "nest"),
    ],
)
def test_a_fault_has_its_place(text: str, fault: str) -> None:
    with pytest.raises(FormatError) as caught:
        load_policy(HEAD + text)
    assert fault in str(caught.value)
    assert "backtrace" not in str(caught.value)


def test_a_text_is_bounded() -> None:
    load_policy(HEAD + f"# {'-' * 60}\n" * 4000)
    with pytest.raises(FormatError, match="more than 262144 bytes"):
        load_policy(HEAD + "#" * MAX_POLICY_BYTES)


def test_a_stored_policy_that_is_none_decides_nothing() -> None:
    with pytest.raises(PolicyError) as caught:
        decide("nonsense")
    assert caught.value.code == "policy.text"
