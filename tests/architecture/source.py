"""The source of ``eaa``, as the architecture tests read it: parsed, not imported."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "eaa"

#: Bytes and values in, values out. Those that do not exist yet are held to it from their first day.
PURE_ROOMS = ("codec", "evidence", "endorsements", "verify", "appraisal", "tls", "broker", "oci")


@dataclass(frozen=True, slots=True)
class Source:
    """One module: its path below ``src/eaa``, its text and its tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """``codec``, ``verify``, …; the module's own name for a module outside any room."""
        return self.path.split("/", 1)[0].removesuffix(".py")


def parse_source(path: str, text: str) -> Source:
    return Source(path, text, ast.parse(text, filename=path))


@cache
def all_sources() -> tuple[Source, ...]:
    files = sorted(PACKAGE.rglob("*.py"))
    return tuple(parse_source(f.relative_to(PACKAGE).as_posix(), f.read_text("utf-8")) for f in files)


def pure_sources() -> tuple[Source, ...]:
    """The modules of the pure rooms and ``errors``, which all of them import."""
    return tuple(s for s in all_sources() if s.room in (*PURE_ROOMS, "errors"))


def called_name(node: ast.Call) -> str:
    """The last name of what is called, ``replace`` for ``dataclasses.replace(…)``; empty if it has none."""
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
