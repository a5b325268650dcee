"""Whether a policy may be stored: parsed, its calls looked at, and evaluated on samples of every TEE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import regorus

from eaa.broker.records import PolicyKind, ReferenceValue
from eaa.errors import PolicyError
from eaa.policy.dialect import load_policy
from eaa.policy.faults import text_error
from eaa.policy.prepared import PreparedPolicy
from eaa.policy.references import ReferenceLookup
from eaa.policy.samples import SAMPLE_REQUEST, sample_inputs, sample_references, sample_tokens
from eaa.policy.statements import read_extensions, read_trust_claims
from eaa.policy.syntax import Syntax, read_syntax

__all__ = ["examine_text"]

#: The engine knows the name, and answers nothing: it has no network.
_REFUSED = {"http.send": "policies have no network", "opa.runtime": "policies do not see where they run"}
#: With these a decision cannot be repeated.
_UNREPEATABLE = ("rand.intn", "time.now_ns", "uuid.rfc4122")
_HOST_FUNCTIONS = ("print", "query_reference_value")
_RULE = {PolicyKind.ATTESTATION: "trust_claims", PolicyKind.RESOURCE: "allow"}
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def examine_text(kind: PolicyKind, text: str) -> tuple[str, ...]:
    """The warnings about ``text``. May take for ever: it is for a process that can be killed.

    Raises:
        FormatError: ``format.policy``: it is no policy of this kind; the message says where and why.
    """
    engine, is_v1 = load_policy(text)
    syntax = read_syntax(engine)
    _require_rules(kind, syntax)
    _require_functions(syntax)
    prepared = PreparedPolicy(text)
    try:
        asked = _try_attestation(prepared) if kind is PolicyKind.ATTESTATION else _try_resource(prepared)
    except PolicyError as error:
        raise text_error(f"on a sample: {error}") from None
    return tuple(_warnings(syntax, asked | syntax.reference_names, is_v1))


def _require_rules(kind: PolicyKind, syntax: Syntax) -> None:
    if syntax.package != "policy":
        raise text_error(f"the package is {syntax.package}, expected policy")
    if _RULE[kind] not in syntax.defined:
        raise text_error(f"a policy of kind {kind} has the rule {_RULE[kind]}, this one has not")


def _require_functions(syntax: Syntax) -> None:
    known = {*_builtins(), *_HOST_FUNCTIONS, *syntax.rules, *syntax.defaults}
    known |= {f"data.policy.{name}" for name in (*syntax.rules, *syntax.defaults)}
    for call in syntax.calls:
        place = f"line {call.line}, column {call.column}"
        if call.function in _REFUSED:
            raise text_error(f"{place}: {call.function} is refused: {_REFUSED[call.function]}")
        if call.function not in known and call.function.partition(".")[0] not in syntax.aliases:
            raise text_error(f"{place}: there is no function {call.function}")


def _builtins() -> frozenset[str]:
    engine = regorus.Engine()
    engine.add_policy("builtins.rego", "package builtins\nnames := opa.runtime().builtins")
    return frozenset(engine.eval_rule("data.builtins.names"))


def _try_attestation(prepared: PreparedPolicy) -> frozenset[str]:
    """The names that were asked for, on every sample: without reference values, and with the samples'."""
    asked: set[str] = set()
    for references in ({}, sample_references(_NOW)):
        for document in sample_inputs().values():
            asked |= _appraise(prepared, document, references)
    return frozenset(asked)


def _appraise(
    prepared: PreparedPolicy, document: Mapping[str, Any], references: Mapping[str, ReferenceValue]
) -> set[str]:
    lookup = ReferenceLookup(references, _NOW)
    prepared.begin(document, lookup=lookup)
    read_trust_claims(prepared.rule("trust_claims"))
    read_extensions(prepared.rule("extensions"))
    prepared.rule("explanation")
    return {query.name for query in lookup.queries}


def _try_resource(prepared: PreparedPolicy) -> frozenset[str]:
    for token in sample_tokens().values():
        prepared.begin(token, data=SAMPLE_REQUEST)
        prepared.rule("allow")
        prepared.rule("explanation")
    return frozenset()


def _warnings(syntax: Syntax, asked: frozenset[str], is_v1: bool) -> Iterator[str]:
    if not is_v1:
        yield "the policy is in Rego v0; begin it with `import rego.v1` and write `if` before each body"
    if syntax.repeated:
        yield f"defined more than once, which is an error where they differ: {', '.join(syntax.repeated)}"
    if asked:
        yield f"asks for the reference values {', '.join(sorted(asked))}"
    if unrepeatable := sorted({call.function for call in syntax.calls} & set(_UNREPEATABLE)):
        yield f"decides by what cannot be repeated: {', '.join(unrepeatable)}"
