"""The endpoint ``/attest`` of verdictd alone: warm TDX evidence, each time a new challenge and quote."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.processes import Process
from benchmarks.timing import Row, Times
from benchmarks.verdictd_guests import Guests
from benchmarks.verdictd_load import Job, Load, measure
from benchmarks.verdictd_service import SQLITE, service, storage

__all__ = ["run"]

ONE_WORKER, TWO_WORKERS, TIMES_FASTER = 4000, 6500, 4.0
CONNECTIONS = 32
_PEER = "dcap-qvl"
_NAMES = {"one worker": ONE_WORKER, "two workers": TWO_WORKERS}
_SUBJECT = f"simulated TDX v4, {CONNECTIONS} connections, {SQLITE}"


def run(*, quick: bool) -> Iterator[Row]:
    rounds, calls = (3, 500) if quick else (7, 1500)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        guests = Guests(Path(name))
        processes = {
            "one worker": _started(stack, guests),
            "two workers": _started(stack, guests, workers=2),
            _PEER: _started(stack, guests, module="benchmarks.verdictd_dcap_qvl"),
        }
        loads = _loads(processes, guests, calls, rounds)
    yield from _rows(loads)


def _rows(loads: dict[str, list[Load]]) -> Iterator[Row]:
    wall = Times({name: [1e6 / load.per_second for load in each] for name, each in loads.items()})
    cpu = Times({name: [load.cpu_microseconds for load in each] for name, each in loads.items()})
    for name in loads:
        goal, rate = _NAMES.get(name), 1e6 / wall.median(name)
        label = f"{name}, one worker" if name == _PEER else name
        met = None if goal is None else rate >= goal
        yield Row("verdictd-attest", _SUBJECT, label, rate, "/s", f"≥ {goal}" if goal else "", met)
        yield Row("verdictd-attest", _SUBJECT, f"{label}: CPU time of each", cpu.median(name), "µs")
    ratio = wall.ratio(_PEER, "one worker")
    yield Row(
        "verdictd-attest", _SUBJECT, f"times as many as on {_PEER}", ratio, "×", f"≥ {TIMES_FASTER:g}",
        ratio >= TIMES_FASTER,
    )  # fmt: skip
    yield Row("verdictd-attest", _SUBJECT, "the same by CPU time", cpu.ratio(_PEER, "one worker"), "×")


def _loads(processes: dict[str, Process], guests: Guests, calls: int, rounds: int) -> dict[str, list[Load]]:
    """Each process once per round, in an order that turns around; one round more goes before."""
    found: dict[str, list[Load]] = {name: [] for name in processes}
    for turn in range(rounds + 1):
        for name in processes if turn % 2 else reversed(processes):
            prepared = guests.prepare(processes[name].address, calls if turn else calls // 5)
            jobs = [Job((item.attest,)) for item in prepared]
            load = measure(processes[name], jobs, CONNECTIONS)
            if turn:
                found[name].append(load)
    return found


def _started(
    stack: ExitStack, guests: Guests, *, workers: int = 1, module: str = "eaa.cli.verdictd"
) -> Process:
    where = stack.enter_context(storage(SQLITE))
    return stack.enter_context(service(where, guests, workers=workers, module=module))
