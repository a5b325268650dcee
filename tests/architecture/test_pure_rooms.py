"""The pure rooms have no socket, file, environment, clock or randomness.

The import contracts hold most of it; this holds what they cannot see: submodules, calls, and defaults.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import Source, called_name, parse_source, pure_sources

#: Packages that are the outside world, and submodules of packages that otherwise are not.
OUTSIDE = frozenset(
    {
        "asyncio", "glob", "http", "httpx", "io.open", "logging.handlers", "multiprocessing", "os", "pathlib",
        "random", "requests", "secrets", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess",
        "tempfile", "time", "urllib.request", "urllib3", "uuid",
    }
)  # fmt: skip
#: Reads package data: the pinned roots are PEM files. The one exception to "no file".
MAY_READ_PACKAGE_DATA = "endorsements/roots/__init__.py"

CALLS = frozenset(
    {
        "__import__", "eval", "exec", "fromtimestamp", "generate_private_key", "getenv", "now", "open",
        "today", "token_bytes", "urandom", "utcnow",
    }
)  # fmt: skip
#: `datetime.fromtimestamp(0, UTC)` reads no clock, but without a zone it reads the machine's.
NEEDS_ZONE = "fromtimestamp"

#: Never defaults: who calls decides at which time, for which challenge, from which anchors.
REQUIRED_ARGUMENTS = frozenset({"now", "nonce", "anchors", "trust_anchors"})


@pytest.mark.parametrize("source", pure_sources(), ids=lambda source: source.path)
def test_pure(source: Source) -> None:
    assert list(violations(source)) == []


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "import os.path as p",
        "from time import monotonic",
        "from urllib import request",
        "import urllib.request",
        "from importlib.resources import files",
        "from importlib import resources",
        "def f(): import socket",
        "x = open('file')",
        "x = datetime.now(UTC)",
        "x = datetime.datetime.utcnow()",
        "x = datetime.fromtimestamp(0)",
        "x = date.today()",
        "x = ec.generate_private_key(curve)",
        "def f(*, now: datetime = EPOCH): ...",
        "def f(evidence: bytes, trust_anchors: Anchors = INTEL): ...",
    ],
)
def test_impure(line: str) -> None:
    assert list(violations(parse_source("verify/example.py", line)))


@pytest.mark.parametrize(
    "line",
    [
        "from urllib.parse import unquote_to_bytes",
        "from datetime import datetime",
        "x = datetime.fromtimestamp(0, UTC)",
        "def f(*, now: datetime, trust_anchors: Anchors): ...",
        "def f(now: datetime, policy: Policy = STRICT): ...",
    ],
)
def test_allowed(line: str) -> None:
    assert list(violations(parse_source("verify/example.py", line))) == []


def test_only_the_pinned_roots_read_package_data() -> None:
    line = "from importlib.resources import files"
    assert list(violations(parse_source(MAY_READ_PACKAGE_DATA, line))) == []


def violations(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        for what in _of_node(node, source.path):
            yield f"{source.path}:{getattr(node, 'lineno', 0)}: {what}"


def _of_node(node: ast.AST, path: str) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from _imports([alias.name for alias in names], path)
        case ast.ImportFrom(module=str(module), names=names):
            yield from _imports([f"{module}.{alias.name}" for alias in names], path)
        case ast.Call() if called_name(node) in CALLS:
            zoned = len(node.args) + len(node.keywords) > 1
            if not (called_name(node) == NEEDS_ZONE and zoned):
                yield f"calls {called_name(node)}"
        case ast.FunctionDef(args=arguments) | ast.AsyncFunctionDef(args=arguments):
            yield from (f"{name} has a default" for name in _defaulted(arguments) & REQUIRED_ARGUMENTS)


def _imports(modules: list[str], path: str) -> Iterator[str]:
    for module in modules:
        parts = module.split(".")
        if OUTSIDE & {".".join(parts[:n]) for n in range(1, len(parts) + 1)}:
            yield f"imports {module}"
        if parts[0] == "importlib" and path != MAY_READ_PACKAGE_DATA:
            yield f"imports {module}"


def _defaulted(arguments: ast.arguments) -> set[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :]
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {a.arg for a in with_default} | {a.arg for a, default in keywords if default is not None}
