"""Memory of verdictd's process over many rounds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.timing import Row
from benchmarks.verdictd_guests import Guests
from benchmarks.verdictd_load import measure
from benchmarks.verdictd_rounds import CONNECTIONS, RESOURCES, jobs
from benchmarks.verdictd_service import SQLITE, fill, service, storage

__all__ = ["run"]

#: From the first tenth on, after which the sessions that are kept at hand are as many as will ever be.
GOAL_KIB = 4096
_BATCH = 1000


def run(*, quick: bool) -> Iterator[Row]:
    rounds = 10_000 if quick else 100_000
    subject = f"one worker, {SQLITE}"
    with tempfile.TemporaryDirectory() as name, storage(SQLITE) as where:
        guests = Guests(Path(name))
        with service(where, guests) as process:
            fill(where, RESOURCES, 0)
            resident: list[int] = []
            for _ in range(rounds // _BATCH):
                measure(process, jobs(guests, process, _BATCH, RESOURCES), CONNECTIONS)
                resident.append(process.resident_kib())
    # Half of them: the sessions kept at hand fill up in the first 4096 rounds.
    settled = resident[len(resident) // 2 - 1 if quick else len(resident) // 10 - 1]
    growth = max(resident[-3:]) - settled
    yield Row("verdictd-memory", subject, "resident at the end", resident[-1] / 1024, "MB")
    what = f"growth over the last rounds of {rounds}"
    yield Row("verdictd-memory", subject, what, growth, "KiB", f"≤ {GOAL_KIB}", growth <= GOAL_KIB)
