"""verdictd with few and with many resources and policies: whole rounds, and a resource alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processes import Process
from benchmarks.timing import Row, Times
from benchmarks.verdictd_guests import Guests
from benchmarks.verdictd_load import Job, Load, measure
from benchmarks.verdictd_rounds import CONNECTIONS, jobs
from benchmarks.verdictd_service import POSTGRESQL, SQLITE, fill, path_of, service, storage

__all__ = ["run"]

GROWTH = 1.3
#: Sessions whose guests fetch resources, one request after the other on one connection.
_SESSIONS = 20


@dataclass(slots=True)
class _Subject:
    """A service with so many resources, and policies of a repository each. Guests fetch all in turn."""

    resources: int
    policies: int
    process: Process
    fetched: int = 0
    round: list[float] = field(default_factory=list)  # µs
    cpu: list[float] = field(default_factory=list)  # µs of each round
    resource: list[float] = field(default_factory=list)  # µs
    resource_cpu: list[float] = field(default_factory=list)  # µs of each

    @property
    def name(self) -> str:
        return f"{self.resources} resources, {self.policies} policies"


def run(*, quick: bool) -> Iterator[Row]:
    rounds, calls = (3, 300) if quick else (7, 500)
    with tempfile.TemporaryDirectory() as name:
        guests = Guests(Path(name))
        for kind in (SQLITE, POSTGRESQL):
            with ExitStack() as stack:
                few = _started(stack, guests, kind, 10, 1)
                many = _started(stack, guests, kind, 10_000 if quick else 100_000, 100 if quick else 1000)
                for turn in range(rounds):
                    for subject in (few, many) if turn % 2 else (many, few):
                        _measure(guests, subject, calls)
            yield from _rows(f"{kind}, {CONNECTIONS} connections", few, many)


def _started(stack: ExitStack, guests: Guests, kind: str, resources: int, policies: int) -> _Subject:
    """With every policy evaluated once."""
    where = stack.enter_context(storage(kind))
    process = stack.enter_context(service(where, guests))
    fill(where, resources, policies)
    subject = _Subject(resources, policies, process)
    _fetch(guests, subject, max(policies, 100))
    measure(process, jobs(guests, process, 200, resources), CONNECTIONS)
    return subject


def _measure(guests: Guests, subject: _Subject, calls: int) -> None:
    load = measure(subject.process, jobs(guests, subject.process, calls, subject.resources), CONNECTIONS)
    subject.round.append(1e6 / load.per_second)
    subject.cpu.append(load.cpu_microseconds)
    fetches = _fetch(guests, subject, calls)
    subject.resource.append(fetches.step_microseconds(0))
    subject.resource_cpu.append(fetches.cpu_microseconds)


def _fetch(guests: Guests, subject: _Subject, count: int) -> Load:
    """``count`` resources, fetched one after the other."""
    prepared = guests.prepare(subject.process.address, _SESSIONS)
    measure(subject.process, [Job((item.attest,)) for item in prepared], 1)
    first, subject.fetched = subject.fetched, subject.fetched + count
    paths = (path_of(number % subject.resources) for number in range(first, first + count))
    fetches = [Job((prepared[number % _SESSIONS].resource(path),)) for number, path in enumerate(paths)]
    return measure(subject.process, fetches, 1)


def _rows(subject: str, few: _Subject, many: _Subject) -> Iterator[Row]:
    rounds = Times({item.name: item.round for item in (few, many)})
    cpu = Times({item.name: item.cpu for item in (few, many)})
    resource = Times({item.name: item.resource for item in (few, many)})
    for item in (few, many):
        yield Row("verdictd-growth", subject, f"{item.name}: rounds", 1e6 / rounds.median(item.name), "/s")
        yield Row("verdictd-growth", subject, f"{item.name}: a resource", resource.median(item.name), "µs")
    resource_cpu = Times({item.name: item.resource_cpu for item in (few, many)})
    compared = {
        "round": rounds, "a round's CPU time": cpu,
        "resource": resource, "a resource's CPU time": resource_cpu,
    }  # fmt: skip
    for what, times in compared.items():
        ratio = times.ratio(many.name, few.name)
        yield Row("verdictd-growth", subject, f"{what}: growth", ratio, "×", f"≤ {GROWTH}", ratio <= GROWTH)
