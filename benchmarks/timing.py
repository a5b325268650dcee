"""Times of several functions in turn, so that what else the machine does meets all of them alike."""

from __future__ import annotations

import gc
import statistics
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

__all__ = ["Batch", "Row", "Times", "batch_of", "in_threads", "interleave"]

#: Does its work some times and returns how many.
Batch = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Times:
    """µs per call of each function, one per round; the n-th of all were measured one after the other."""

    rounds: Mapping[str, Sequence[float]]

    def median(self, name: str) -> float:
        return statistics.median(self.rounds[name])

    def ratio(self, name: str, to: str) -> float:
        """The median over the rounds of the time of ``name`` by that of ``to``."""
        pairs = zip(self.rounds[name], self.rounds[to], strict=True)
        return statistics.median(one / other for one, other in pairs)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``value`` is ``unit``; ``goal`` is met if ``met`` is true."""

    figure: str
    subject: str
    what: str
    value: float
    unit: str
    goal: str = ""
    met: bool | None = None


def batch_of(function: Callable[[], object], count: int) -> Batch:
    """``function`` called ``count`` times."""

    def run() -> int:
        for _ in range(count):
            function()
        return count

    return run


def interleave(batches: Mapping[str, Batch], rounds: int) -> Times:
    """Every batch once per round, in an order that turns around; one round more goes before, unmeasured."""
    names = list(batches)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        batches[name]()
    gc.collect()
    for n in range(rounds):
        for name in names if n % 2 else reversed(names):
            start = perf_counter()
            count = batches[name]()
            taken[name].append((perf_counter() - start) / count * 1e6)
    return Times(taken)


def in_threads(batch: Batch, threads: int) -> Batch:
    """``batch`` in each of ``threads`` at the same time; the calls of all of them count."""

    def run() -> int:
        counts: list[int] = []
        workers = [threading.Thread(target=lambda: counts.append(batch())) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return sum(counts)

    return run
