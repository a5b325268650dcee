"""Only ``eaa.verify`` constructs ``VerifiedEvidence``; only ``require`` raises ``AppraisalDenied``."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import Source, all_sources, called_name, parse_source


def constructions(source: Source, name: str) -> Iterator[str]:
    """``path: function`` of each place that calls ``name(…)``, a method of it, or derives a class from it."""
    yield from _walk(source.tree, name, source.path, "module")


def _walk(node: ast.AST, name: str, path: str, function: str) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        function = node.name
    if isinstance(node, ast.Call) and name in (called_name(node), _owner(node)):
        yield f"{path}: {function}"
    if isinstance(node, ast.ClassDef) and name in (ast.unparse(b).rpartition(".")[2] for b in node.bases):
        yield f"{path}: {node.name}"
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, name, path, function)


def _owner(node: ast.Call) -> str:
    match node.func:
        case ast.Attribute(value=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name
        case _:
            return ""


def sites(name: str) -> list[str]:
    return [site for source in all_sources() for site in constructions(source, name)]


@pytest.mark.parametrize(
    "name",
    [
        "VerifiedEvidence", "VerifiedDcapEvidence", "VerifiedSnpEvidence", "VerifiedSevEvidence",
        "VerifiedCsvEvidence", "VerifiedSevLaunch",
    ],
)  # fmt: skip
def test_verified_evidence_is_constructed_only_in_verify(name: str) -> None:
    found = sites(name)
    assert found, f"nothing constructs {name}: has it been renamed?"
    assert [site for site in found if not site.startswith("verify/")] == []


def test_appraisal_denied_is_raised_only_by_require() -> None:
    found = sites("AppraisalDenied")
    assert found, "nothing raises AppraisalDenied: has it been renamed?"
    assert [
        site for site in found if not site.startswith("appraisal/") or not site.endswith(": require")
    ] == []


def test_a_construction_is_found_wherever_it_hides() -> None:
    text = (
        "def f():\n    return [evidence.VerifiedEvidence(x)]\n"
        "y = VerifiedEvidence.make(x)\n"
        "class Mine(result.VerifiedEvidence): ...\n"
    )
    found = list(constructions(parse_source("cli/x.py", text), "VerifiedEvidence"))
    assert found == ["cli/x.py: f", "cli/x.py: module", "cli/x.py: Mine"]
