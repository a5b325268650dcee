"""Two threads in one process against one: ``cryptography`` drops the interpreter's lock, dcap-qvl does not."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.subjects import subjects
from benchmarks.timing import Row, batch_of, in_threads, interleave
from eaa.verify.dcap import Memo

__all__ = ["run"]

GOAL = 1.7


def run(*, quick: bool) -> Iterator[Row]:
    rounds, calls = (5, 100) if quick else (15, 400)
    for subject in subjects():
        collateral, peer_collateral, memo = subject.read(), subject.peer_read(), Memo(4)
        warm = batch_of(lambda s=subject, c=collateral, m=memo: s.verify(c, m), calls)  # type: ignore[misc]
        cold = batch_of(lambda s=subject: s.verify(s.read(), Memo(1)), calls // 10)  # type: ignore[misc]
        peer = batch_of(lambda s=subject, c=peer_collateral: s.peer_verify(c), calls // 10)  # type: ignore[misc]
        batches = {"warm": warm, "cold": cold, "dcap-qvl": peer}
        twice = {f"{name}, two threads": in_threads(batch, 2) for name, batch in batches.items()}
        times = interleave(batches | twice, rounds)
        for name in batches:
            ratio = times.ratio(name, f"{name}, two threads")
            goal, met = (f"≥ {GOAL}", ratio >= GOAL) if name == "warm" else ("", None)
            yield Row("two threads", subject.name, f"{name}: verifications / one thread's", ratio, "×", goal, met)
