"""Cold: everything from bytes, collateral JSON included, nothing remembered."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.subjects import subjects
from benchmarks.timing import Row, batch_of, in_threads, interleave
from eaa.verify.dcap import Memo

__all__ = ["run"]

GOAL = 1.25


def run(*, quick: bool) -> Iterator[Row]:
    rounds, calls = (5, 5) if quick else (25, 10)
    for subject in subjects():
        collateral, peer_collateral = subject.read(), subject.peer_read()
        ours = batch_of(lambda s=subject: s.verify(s.read(), Memo(1)), calls)  # type: ignore[misc]
        peer = batch_of(lambda s=subject: s.peer_verify(s.peer_read()), calls)  # type: ignore[misc]
        read = batch_of(lambda s=subject, c=collateral: s.verify(c, Memo(1)), calls)  # type: ignore[misc]
        peer_read = batch_of(lambda s=subject, c=peer_collateral: s.peer_verify(c), calls)  # type: ignore[misc]
        times = interleave(
            {
                "eaa": ours,
                "dcap-qvl": peer,
                "eaa, collateral read before": read,
                "dcap-qvl, collateral read before": peer_read,
                "eaa, two threads": in_threads(ours, 2),
                "dcap-qvl, two threads": in_threads(peer, 2),
            },
            rounds,
        )
        for name in times.rounds:
            yield Row("cold", subject.name, name, times.median(name), "µs")
        ratio = times.ratio("eaa", "dcap-qvl")
        yield Row("cold", subject.name, "time / dcap-qvl's", ratio, "×", f"≤ {GOAL}", ratio <= GOAL)
        names = ("eaa, collateral read before", "dcap-qvl, collateral read before")
        yield Row("cold", subject.name, "the same, collateral read before", times.ratio(*names), "×")
        ratio = times.ratio("eaa, two threads", "dcap-qvl, two threads")
        yield Row("cold", subject.name, "the same, two threads", ratio, "×", "< 1", ratio < 1)
