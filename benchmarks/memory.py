"""Memory over many verifications: of known platforms, and of new ones and new collateral among them."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks.subjects import new_platforms, subjects
from benchmarks.timing import Row
from eaa.verify.dcap import Memo

__all__ = ["run"]

#: What the memos and the allocator may take on top of where they were after a tenth of the calls.
GOAL_KIB = 1024
_PAGE = os.sysconf("SC_PAGE_SIZE")


def run(*, quick: bool) -> Iterator[Row]:
    calls = 5_000 if quick else 100_000
    for subject in subjects():
        collateral, memo = subject.read(), Memo(4)
        start = 0
        for n in range(calls):
            subject.verify(collateral, memo)
            if n == calls // 10:
                start = resident_kib()
        yield _row(subject.name, f"{calls} warm verifications", resident_kib() - start)
    yield _mixed(calls // 20)


def _mixed(calls: int) -> Row:
    """New vendors and platforms all the time, in memos that hold fewer."""
    fleets = [new_platforms(4) for _ in range(6)]
    collaterals = [fleet[0].read() for fleet in fleets]
    memo, start = Memo(4), 0
    for n in range(calls):
        fleet = n // 4 % len(fleets)
        fleets[fleet][n % 4].verify(collaterals[fleet], memo)
        if n == calls // 10:
            start = resident_kib()
    return _row(
        "simulated TDX v4", f"{calls} with new platforms and evicted collateral", resident_kib() - start
    )


def resident_kib() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * _PAGE // 1024


def _row(subject: str, what: str, growth: int) -> Row:
    return Row("memory", subject, f"growth over {what}", growth, "KiB", f"≤ {GOAL_KIB}", growth <= GOAL_KIB)
