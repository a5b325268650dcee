"""Measure beside dcap-qvl and print medians, ratios and goals: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from benchmarks import (
    agent_keys,
    cold,
    forwarding,
    handshakes,
    idle_connections,
    image_opening,
    memory,
    new_platform,
    pccs,
    policy,
    snp,
    threads,
    verdictd_attest,
    verdictd_growth,
    verdictd_memory,
    verdictd_parts,
    verdictd_rounds,
    warm,
)
from benchmarks.timing import Row

FIGURES = {
    "cold": cold.run,
    "new-platform": new_platform.run,
    "warm": warm.run,
    "threads": threads.run,
    "memory": memory.run,
    "handshakes": handshakes.run,
    "forwarding": forwarding.run,
    "idle-connections": idle_connections.run,
    "snp": snp.run,
    "policy": policy.run,
    "pccs": pccs.run,
    "verdictd-attest": verdictd_attest.run,
    "verdictd-parts": verdictd_parts.run,
    "verdictd-rounds": verdictd_rounds.run,
    "verdictd-memory": verdictd_memory.run,
    "verdictd-growth": verdictd_growth.run,
    "agent-keys": agent_keys.run,
    "image-opening": image_opening.run,
}

#: Of the value, by unit. A row without a unit has no value.
_DECIMALS = {"×": 2, "s/GB": 2, "ms": 1}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "figures", nargs="*", metavar="FIGURE", help=f"of {', '.join(FIGURES)}; all if none is given"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    options = parser.parse_args(arguments)
    if unknown := set(options.figures) - FIGURES.keys():
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    print(_where())
    rows: list[Row] = []
    for name in options.figures or FIGURES:
        for row in FIGURES[name](quick=options.quick):
            print(_line(row, rows[-1] if rows else None), flush=True)
            rows.append(row)
    if options.json:
        document = {"where": _where(), "quick": options.quick, "rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    return 0


def _where() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("cryptography", "pyOpenSSL", "dcap-qvl"))
    return (
        f"Python {platform.python_version()}, {versions}, {os.cpu_count()} CPUs; medians, ratios of one run"
    )


def _line(row: Row, before: Row | None) -> str:
    heading = ""
    if before is None or (before.figure, before.subject) != (row.figure, row.subject):
        heading = f"\n{row.figure}: {row.subject}\n"
    met = {None: "", True: "met", False: "NOT MET"}[row.met]
    value = f"{row.value:.{_DECIMALS.get(row.unit, 0)}f}" if row.unit else ""
    return f"{heading}  {row.what:<52}{value:>9} {row.unit:<4}{row.goal:<10}{met}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
