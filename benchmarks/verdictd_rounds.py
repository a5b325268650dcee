"""Whole rounds of the KBS protocol: challenge, attestation, release.

Each round asks for a challenge and attests to one that was given before the measurement: making quotes takes
nothing from what is measured. Then it fetches a resource in its session.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.processes import Process
from benchmarks.timing import Row
from benchmarks.verdictd_guests import Guests
from benchmarks.verdictd_load import Job, Load, measure
from benchmarks.verdictd_service import POSTGRESQL, SQLITE, fill, path_of, service, storage

__all__ = ["CONNECTIONS", "jobs", "merged", "run"]

CONNECTIONS = 32
#: What guests fetch, one after the other.
RESOURCES = 100
#: The client and the database need the cores too, so that the number of rounds would not show it.
_TWO_CORES = "two workers / one, by CPU time"
_STEPS = ("auth", "attest", "resource")


def run(*, quick: bool) -> Iterator[Row]:
    rounds, calls = (2, 400) if quick else (5, 1000)
    with tempfile.TemporaryDirectory() as name:
        guests = Guests(Path(name))
        for kind in (SQLITE, POSTGRESQL):
            taken: dict[int, Load] = {}
            for workers in (1, 2):
                with storage(kind) as where, service(where, guests, workers=workers) as process:
                    fill(where, RESOURCES, 0)
                    measure(process, jobs(guests, process, calls // 4, RESOURCES), CONNECTIONS)
                    loads = [
                        measure(process, jobs(guests, process, calls, RESOURCES), CONNECTIONS)
                        for _ in range(rounds)
                    ]
                taken[workers] = merged(loads)
                label = f"{kind}, {'one worker' if workers == 1 else 'two workers'}"
                yield from _rows(f"{label}, {CONNECTIONS} connections", taken[workers])
            ratio = 2 * taken[1].cpu_microseconds / taken[2].cpu_microseconds
            yield Row("verdictd-rounds", f"{kind}, {CONNECTIONS} connections", _TWO_CORES, ratio, "×")


def jobs(guests: Guests, process: Process, count: int, resources: int) -> list[Job]:
    """``count`` rounds that fetch so many different resources in turn."""
    prepared = guests.prepare(process.address, count)
    return [
        Job((item.auth, item.attest, item.resource(path_of(number % resources))))
        for number, item in enumerate(prepared)
    ]


def merged(loads: Sequence[Load]) -> Load:
    """All of them as one."""
    return Load(
        [job for load in loads for job in load.jobs],
        sum(load.seconds for load in loads),
        sum(load.cpu_seconds for load in loads),
    )


def _rows(subject: str, load: Load) -> Iterator[Row]:
    yield Row("verdictd-rounds", subject, "rounds", load.per_second, "/s")
    yield Row("verdictd-rounds", subject, "round, half", load.milliseconds(50), "ms")
    yield Row("verdictd-rounds", subject, "round, 99 of 100", load.milliseconds(99), "ms")
    for number, step in enumerate(_STEPS):
        yield Row("verdictd-rounds", subject, f"{step}, half", load.step_microseconds(number) / 1000, "ms")
    yield Row("verdictd-rounds", subject, "CPU time of each round", load.cpu_microseconds, "µs")
