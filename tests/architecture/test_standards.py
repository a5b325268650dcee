"""Every specification that a comment, docstring or error names has its row in docs/reference/standards.md."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.architecture.source import ROOT, Source, all_sources, parse_source

#: `[RFC5280 §6.1]`, `[DCAP-QUOTE A.3]`; without a section only what has a digit or hyphen: `[FILE]` is none.
REFERENCE = re.compile(
    r"\[(?:(?P<key>[A-Z]{2}[A-Z0-9]*(?:-[A-Z0-9]+)*|X[0-9]+) (?:§ ?)?(?:[A-Z]\.)?[0-9A-Z][^\]\n]*"
    r"|(?P<bare>[A-Z]{2}[A-Z]*(?=[0-9-])[A-Z0-9-]*[A-Z0-9]))\]"
)
ROW = re.compile(r"^\| `([A-Z0-9-]+)` \|.*\|.*\|.*\|$", re.MULTILINE)


def known_keys() -> list[str]:
    return ROW.findall((ROOT / "docs" / "reference" / "standards.md").read_text("utf-8"))


def texts(source: Source) -> Iterator[str]:
    """Comments, and strings with the docstrings and the fixed parts of f-strings among them."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def used_keys(source: Source) -> set[str]:
    return {m["key"] or m["bare"] for text in texts(source) for m in REFERENCE.finditer(text)}


@pytest.mark.parametrize("source", all_sources(), ids=lambda source: source.path)
def test_keys_are_known(source: Source) -> None:
    assert used_keys(source) - set(known_keys()) == set()


def test_keys_have_one_row_each() -> None:
    keys = known_keys()
    assert keys
    assert sorted(keys) == sorted(set(keys))


def test_references_are_recognised() -> None:
    text = '''
"""Doc [RFC5280 §6.1], [DCAP-QUOTE A.3]."""
# a comment [SGX-PCK §1.3.5] and [RFC8785] and [AR4SI 2.3]
x = f"{1} [PCS-API TCB Info V3]"
y = ["[FILE]", "[A-Z]{2}", "[OPTIONS]"]
'''
    keys = {"RFC5280", "DCAP-QUOTE", "SGX-PCK", "RFC8785", "AR4SI", "PCS-API"}
    assert used_keys(parse_source("codec/example.py", text)) == keys
