"""What the syntax tree of a policy says before it is evaluated: its package, its rules, whom it calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import regorus

__all__ = ["Call", "Syntax", "dotted_path", "read_syntax"]

#: A node of the tree, as the engine writes it: ``{"Kind": {…}}`` for each of the language's kinds.
_Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of ``function``, by its dotted name; ``argument`` is its first one if that is a string."""

    function: str
    argument: str | None
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Syntax:
    """``rules`` are the names of all rules but defaults, ``defaults`` of those, ``aliases`` of imports.

    ``valued`` are the complete rules that have a value other than true, each as often as it is defined.
    """

    package: str
    rules: frozenset[str]
    valued: tuple[str, ...]
    defaults: frozenset[str]
    aliases: frozenset[str]
    calls: tuple[Call, ...]

    @property
    def defined(self) -> frozenset[str]:
        """The rules that are there at all; of ``a.b``, ``a``."""
        return frozenset(name.partition(".")[0] for name in self.rules) | self.defaults

    @property
    def repeated(self) -> tuple[str, ...]:
        """Rules that have more than one definition, each with a value of its own; by name."""
        return tuple(sorted({name for name in self.valued if self.valued.count(name) > 1}))

    @property
    def reference_names(self) -> frozenset[str]:
        """The reference values that are asked for by a literal name."""
        return frozenset(
            call.argument
            for call in self.calls
            if call.function == "query_reference_value" and call.argument is not None
        )


def read_syntax(engine: regorus.Engine) -> Syntax:
    """The syntax of the one module that ``engine`` has."""
    module: _Node = json.loads(engine.get_ast_as_json())[0]
    tree, source = module["ast"], module["source"]["contents"].encode()
    heads: list[_Node] = [rule["Spec"]["head"] for rule in tree["rules"] if "Spec" in rule]
    return Syntax(
        package=dotted_path(tree["package"]["refr"]),
        rules=frozenset(dotted_path(next(iter(head.values()))["refr"]) for head in heads),
        valued=tuple(dotted_path(head["Compr"]["refr"]) for head in heads if _is_valued(head)),
        defaults=frozenset(
            dotted_path(rule["Default"]["refr"]) for rule in tree["rules"] if "Default" in rule
        ),
        aliases=frozenset(_alias(item, source) for item in tree["imports"]),
        calls=tuple(_calls(tree["rules"])),
    )


def _is_valued(head: _Node) -> bool:
    rule = head.get("Compr")
    return rule is not None and rule["assign"] is not None and "Var" in rule["refr"]


def _alias(item: _Node, source: bytes) -> str:
    span = item.get("as")
    if span is None:
        return dotted_path(item["refr"]).rpartition(".")[2]
    return source[span["start"] : span["end"]].decode()


def _calls(node: Any) -> Iterator[Call]:
    # The engine bounds the nesting of expressions, so that this cannot recurse too deep.
    if isinstance(node, list):
        for item in node:
            yield from _calls(item)
    elif isinstance(node, dict):
        call = node.get("Call")
        if isinstance(call, dict) and "fcn" in call:
            span = call["fcn"].get("RefDot", call["fcn"].get("Var", call))["span"]
            yield Call(dotted_path(call["fcn"]), _string(call["params"]), span["line"], span["col"])
        for item in node.values():
            yield from _calls(item)


def dotted_path(node: _Node) -> str:
    """``a.b.c`` of a reference; what is in brackets ends it."""
    match node:
        case {"Var": {"value": str(name)}}:
            return name
        case {"RefDot": {"refr": dict(inner), "field": [_, str(name)]}}:
            return f"{dotted_path(inner)}.{name}"
    return dotted_path(node["RefBrack"]["refr"])


def _string(parameters: list[_Node]) -> str | None:
    match parameters:
        case [{"String": {"value": str(text)}}, *_] | [{"RawString": {"value": str(text)}}, *_]:
            return text
    return None
