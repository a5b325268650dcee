"""One error tree, in one file, and every leaf of it has a way out of the process."""

from __future__ import annotations

import ast
import inspect
import re

import pytest

from eaa import errors
from eaa.errors import OUTCOMES, EAAError, Outcome, outcome_of
from tests.architecture.source import all_sources

#: accepted · internal · usage · rejected · unsupported · malformed · unavailable
EXIT_CODES = {0, 1, 2, 10, 20, 30, 40}
VERDICTS = {"accepted", "rejected", "unsupported", "malformed", "unavailable", "error"}
#: The status codes of gRPC but OK.
GRPC = {
    "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
    "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}  # fmt: skip
SLUG = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def descendants(cls: type[EAAError]) -> list[type[EAAError]]:
    return [d for child in cls.__subclasses__() for d in (child, *descendants(child))]


TREE: list[type[EAAError]] = [EAAError, *descendants(EAAError)]
LEAVES = [cls for cls in TREE if not cls.__subclasses__()]


def example(cls: type[EAAError]) -> EAAError:
    """An instance of ``cls``, whatever keywords its constructor requires."""
    parameters = inspect.signature(cls).parameters.values()
    required = {p.name: "x" for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty}
    return cls("something happened", **required)


@pytest.mark.parametrize("leaf", LEAVES)
def test_leaf_has_its_own_outcome(leaf: type[EAAError]) -> None:
    assert leaf in OUTCOMES
    assert outcome_of(example(leaf)) is OUTCOMES[leaf]


@pytest.mark.parametrize("outcome", set(OUTCOMES.values()))
def test_outcome_is_of_the_agreed_vocabularies(outcome: Outcome) -> None:
    assert outcome.exit_code in EXIT_CODES - {0}
    assert outcome.verdict in VERDICTS - {"accepted"}
    assert outcome.grpc in GRPC
    assert 400 <= outcome.http_status < 600
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", outcome.problem)


def test_same_verdict_leaves_with_the_same_exit_code() -> None:
    codes = {"rejected": {10}, "unsupported": {20}, "malformed": {30}, "unavailable": {40}, "error": {1, 2}}
    for outcome in OUTCOMES.values():
        assert outcome.exit_code in codes[outcome.verdict]


@pytest.mark.parametrize("cls", TREE)
def test_class_is_public_and_says_something_to_the_peer(cls: type[EAAError]) -> None:
    assert cls.__name__ in errors.__all__
    assert cls.public.strip()
    error = example(cls)
    family, *detail = error.code.split(".")
    assert family == cls.family
    assert len(detail) <= 1
    assert all(SLUG.fullmatch(part) for part in (family, *detail))


def test_families_are_distinct() -> None:
    families = [cls.family for cls in TREE]
    assert sorted(families) == sorted(set(families))


def test_everything_public_exists_and_every_error_is_drawn() -> None:
    assert all(hasattr(errors, name) for name in errors.__all__)
    assert errors.__doc__ is not None
    assert [cls.__name__ for cls in TREE if cls.__name__ not in errors.__doc__] == []


def test_no_second_tree() -> None:
    """No class outside ``errors`` derives from an exception, save for a module's own control flow."""
    bases = {cls.__name__ for cls in TREE} | {
        "BaseException",
        "Exception",
        "ValueError",
        "RuntimeError",
        "TypeError",
    }
    bases |= {"KeyError", "LookupError", "OSError", "ArithmeticError", "AssertionError"}
    found = [
        f"{source.path}: {node.name}"
        for source in all_sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and {ast.unparse(b).rpartition(".")[2] for b in node.bases} & bases
    ]
    outside = [place for place in found if not place.startswith("errors.py")]
    assert [place for place in outside if not place.partition(": ")[2].startswith("_")] == []
    assert len(found) - len(outside) == len(TREE)
