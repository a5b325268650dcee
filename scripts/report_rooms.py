"""Prints lines of code per room, and branch coverage of the pure rooms.

Usage: python -m scripts.report_rooms COVERAGE_JSON

Fails if a pure room that exists was not measured: then the figures would be of something else.
"""

from __future__ import annotations

import ast
import io
import json
import sys
import tokenize
from collections import Counter
from pathlib import Path
from typing import Any

PACKAGE = Path("src/eaa")
PURE = ("codec", "evidence", "endorsements", "verify", "appraisal", "tls", "broker", "oci")
_NOT_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
    tokenize.ENCODING,
}  # fmt: skip


def main(coverage_json: str) -> int:
    files = json.loads(Path(coverage_json).read_text("utf-8"))["files"]
    _print_lines()
    print()
    return _print_coverage(
        {room: _measured(files, room) for room in PURE if any((PACKAGE / room).glob("*.py"))}
    )


def _print_lines() -> None:
    lines: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        lines[room] += lines_of_code(path.read_text("utf-8"))
        modules[room] += 1
    print(f"{'room':<16}{'modules':>8}{'lines of code':>16}")
    for room in sorted(lines):
        print(f"{room:<16}{modules[room]:>8}{lines[room]:>16}")
    print(f"{'total':<16}{modules.total():>8}{lines.total():>16}")


def lines_of_code(text: str) -> int:
    """Lines with something on them that is neither comment nor docstring."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    used = {n for t in tokens if t.type not in _NOT_CODE for n in range(t.start[0], t.end[0] + 1)}
    return len(used - _docstring_lines(ast.parse(text)))


def _docstring_lines(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case (
                ast.Module(body=[ast.Expr(value=ast.Constant(value=str())) as first, *_])
                | ast.ClassDef(body=[ast.Expr(value=ast.Constant(value=str())) as first, *_])
                | ast.FunctionDef(body=[ast.Expr(value=ast.Constant(value=str())) as first, *_])
                | ast.AsyncFunctionDef(body=[ast.Expr(value=ast.Constant(value=str())) as first, *_])
            ):
                lines.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
            case _:
                pass
    return lines


def _measured(files: dict[str, Any], room: str) -> dict[str, Any]:
    return {path: data for path, data in files.items() if f"{PACKAGE.as_posix()}/{room}/" in f"/{path}"}


def _print_coverage(rooms: dict[str, dict[str, Any]]) -> int:
    print(f"{'pure room':<16}{'statements':>12}{'branches':>10}{'covered':>10}")
    for room, files in rooms.items():
        if not files:
            print(f"{room}: not measured", file=sys.stderr)
            return 1
        print(_row(room, [data["summary"] for data in files.values()]))
    print(_row("all", [data["summary"] for files in rooms.values() for data in files.values()]))
    for files in rooms.values():
        for path, data in sorted(files.items()):
            _print_missing(path, data)
    return 0


def _row(name: str, summaries: list[dict[str, int]]) -> str:
    statements, branches = (sum(s[key] for s in summaries) for key in ("num_statements", "num_branches"))
    covered = sum(s["covered_lines"] + s["covered_branches"] for s in summaries)
    whole = statements + branches
    # Floored, so that 100 % means all of it.
    percent = covered * 1000 // whole / 10 if whole else 100.0
    return f"{name:<16}{statements:>12}{branches:>10}{percent:>8.1f} %"


def _print_missing(path: str, data: dict[str, Any]) -> None:
    lines = set(data["missing_lines"])
    branches = [f"{a}->{'exit' if b < 0 else b}" for a, b in data["missing_branches"] if not {a, b} & lines]
    missing = [*_ranges(data["missing_lines"]), *branches]
    if missing:
        print(f"  {path}: not covered: {', '.join(missing)}")


def _ranges(lines: list[int]) -> list[str]:
    """``[1, 2, 3, 7]`` as ``1-3`` and ``7``."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][-1] + 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    return [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
