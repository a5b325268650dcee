"""Two threads in one process against one: ``cryptography`` drops the interpreter's lock, dcap-qvl does not.

A bare P-256 verification in two threads shows what the machine has to give: less than 1.8 means that another
process has a share of its cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.subjects import subjects
from benchmarks.timing import Row, batch_of, in_threads, interleave
from benchmarks.warm import bare
from eaa.verify.dcap import Memo

__all__ = ["run"]

GOAL = 1.7


def run(*, quick: bool) -> Iterator[Row]:
    rounds, calls = (5, 100) if quick else (15, 400)
    for subject in subjects():
        collateral, peer_collateral, memo = subject.read(), subject.peer_read(), Memo(4)
        warm = batch_of(partial(subject.verify, collateral, memo), calls)
        cold = batch_of(subject.verify_cold, calls // 10)
        peer = batch_of(partial(subject.peer_verify, peer_collateral), calls // 10)
        batches = {
            "warm": warm,
            "cold": cold,
            "dcap-qvl": peer,
            "one P-256 verification": bare(subject, calls),
        }
        twice = {f"{name}, two threads": in_threads(batch, 2) for name, batch in batches.items()}
        times = interleave(batches | twice, rounds)
        for name in batches:
            ratio = times.ratio(name, f"{name}, two threads")
            goal, met = (f"≥ {GOAL}", ratio >= GOAL) if name == "warm" else ("", None)
            yield Row(
                "two threads", subject.name, f"{name}: verifications / one thread's", ratio, "×", goal, met
            )
