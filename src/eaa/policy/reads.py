"""Which members of ``input`` the value of a rule can depend on, read off the policy's syntax tree.

``input`` is reached by its name alone. Where a policy does more than follow names from it (``walk(input)``,
``input[name]``, ``with``, an import of it), or calls what does not answer alike twice, nothing is said here,
and the rule is evaluated on the whole input each time.

Of ``input.tdx`` as a statement of its own, only whether it holds counts: everything but ``false`` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import regorus

from eaa.policy.dialect import words
from eaa.policy.syntax import dotted_path

__all__ = ["Members", "members_read", "only"]

_Node = dict[str, Any]
#: Members by name: of one that is an empty tree only whether it holds is read, of ``None`` everything.
Members = Mapping[str, "Members | None"]

_OF_THE_LANGUAGE = frozenset({"rego", "future"})
#: Functions whose answer is not made of their arguments alone, by their names or what those begin with.
_UNREPEATABLE = re.compile(r"(?:http|opa|rand)\..*|net\.lookup.*|time\.now_ns|uuid\.rfc.*")
_PACKAGE = ("policy",)
_REFERENCES = frozenset({"Var", "RefDot", "RefBrack"})


class _Unclear(Exception):
    """What is read cannot be told."""


def members_read(engine: regorus.Engine, rules: tuple[str, ...]) -> Members | None:
    """What ``rules`` of the one module of ``engine`` read of ``input``; ``None`` if that cannot be told."""
    module: _Node = json.loads(engine.get_ast_as_json())[0]
    tree = module["ast"]
    try:
        _require_plain(tree, module["source"]["contents"])
        return _tree(_reached(_by_name(tree["rules"]), rules))
    except _Unclear:
        return None


def only(document: Mapping[str, Any], members: Members) -> dict[str, Any]:
    """``document`` without what ``members`` does not name. Objects of which nothing is read are empty."""
    kept: dict[str, Any] = {}
    for name, below in members.items():
        if name in document:
            value = document[name]
            kept[name] = only(value, below) if below is not None and isinstance(value, dict) else value
    return kept


@dataclass(slots=True)
class _Found:
    """What one rule reads: places in ``input`` as names from the outside in, and other rules."""

    values: set[tuple[str, ...]] = field(default_factory=set)
    statements: set[tuple[str, ...]] = field(default_factory=set)
    rules: set[str] = field(default_factory=set)


def _require_plain(tree: _Node, source: str) -> None:
    """No import but of the language, and a tree that has every ``input`` and ``data`` of the text."""
    imported = {dotted_path(item["refr"]).partition(".")[0] for item in tree["imports"]}
    if not imported <= _OF_THE_LANGUAGE:
        raise _Unclear
    named = [node["Var"]["value"] for node in _nodes(tree["rules"]) if "Var" in node]
    written = list(words(source))
    if any(named.count(name) != written.count(name) for name in ("input", "data")):
        raise _Unclear


def _by_name(rules: list[_Node]) -> dict[str, list[_Node]]:
    found: dict[str, list[_Node]] = {}
    for rule in rules:
        head = rule["Default"] if "Default" in rule else next(iter(rule["Spec"]["head"].values()))
        found.setdefault(dotted_path(head["refr"]).partition(".")[0], []).append(rule)
    return found


def _reached(rules: Mapping[str, list[_Node]], names: tuple[str, ...]) -> _Found:
    """What is read by the rules of these ``names``, and by all that they use."""
    found, waiting, seen = _Found(), set(names), set[str]()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for rule in rules.get(name, ()):
            _look(rule, rules, found)
        waiting |= found.rules - seen
    return found


def _look(node: Any, rules: Mapping[str, list[_Node]], found: _Found) -> None:
    # The engine bounds the nesting of expressions, so that this cannot recurse too deep.
    if isinstance(node, list):
        for item in node:
            _look(item, rules, found)
    elif isinstance(node, dict):
        if node.get("with_mods"):
            raise _Unclear
        statement = _statement(node)
        if statement is not None:
            found.statements.add(statement)
        elif not _REFERENCES.isdisjoint(node):
            _refer(node, rules, found)
        else:
            for item in node.values():
                _look(item, rules, found)


def _statement(node: _Node) -> tuple[str, ...] | None:
    """The place in ``input`` of which this statement says only that it holds, or does not."""
    match node:
        case {"Expr": {"expr": dict(said)}} | {"NotExpr": {"expr": dict(said)}}:
            if not _REFERENCES.isdisjoint(said):
                reference = _reference(said)
                if reference.name == "input" and reference.names and not reference.goes_on:
                    return reference.names
    return None


def _refer(node: _Node, rules: Mapping[str, list[_Node]], found: _Found) -> None:
    reference = _reference(node)
    name, names = reference.name, reference.names
    if name == "input":
        if not names:
            raise _Unclear
        found.values.add(names)
    elif name == "data":
        if names[:1] != _PACKAGE or len(names) < 2:
            raise _Unclear
        found.rules.add(names[1])
    elif _UNREPEATABLE.fullmatch(".".join((name, *names))):
        raise _Unclear
    elif name in rules:
        found.rules.add(name)
    _look(reference.inner, rules, found)


@dataclass(frozen=True, slots=True)
class _Reference:
    """``name.names…``, and whether it goes on from there in a way that is not told; ``inner`` expressions.

    The name is empty for a reference that begins with an expression, which then is one of ``inner``.
    """

    name: str
    names: tuple[str, ...]
    goes_on: bool
    inner: list[Any]


def _reference(node: _Node) -> _Reference:
    steps: list[str | None] = []
    inner: list[Any] = []
    while True:
        match node:
            case {"RefDot": {"refr": dict(before), "field": [_, str(name)]}}:
                steps.append(name)
            case {"RefBrack": {"refr": dict(before), "index": index}}:
                steps.append(_literal(index))
                inner.append(index)
            case {"Var": {"value": str(name)}}:
                names = _names(reversed(steps))
                return _Reference(name, names, len(names) < len(steps), inner)
            case _ if _REFERENCES.isdisjoint(node):
                return _Reference("", (), True, [*inner, node])
            case _:
                raise _Unclear
        node = before


def _names(steps: Iterable[str | None]) -> tuple[str, ...]:
    """Those that come before what has none."""
    found: list[str] = []
    for step in steps:
        if step is None:
            break
        found.append(step)
    return tuple(found)


def _literal(index: _Node) -> str | None:
    match index:
        case {"String": {"value": str(name)}}:
            return name
    return None


def _tree(found: _Found) -> Members:
    """The places as a tree."""
    members: dict[str, Any] = {}
    for place in sorted(found.statements | found.values):
        below: dict[str, Any] | None = members
        for name in place[:-1]:
            below = None if below is None else below.setdefault(name, {})
        if below is not None:
            # In order: what is above comes before what is below it.
            below[place[-1]] = None if place in found.values else {}
    return members


def _nodes(node: Any) -> Iterator[_Node]:
    if isinstance(node, list):
        for item in node:
            yield from _nodes(item)
    elif isinstance(node, dict):
        yield node
        for item in node.values():
            yield from _nodes(item)
