"""Cold: everything from bytes, collateral JSON included, nothing remembered."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.subjects import subjects
from benchmarks.timing import Row, batch_of, in_threads, interleave
from eaa.verify.ecdsa_libraries import aws_lc

__all__ = ["run"]

GOAL = 1.25


def run(*, quick: bool) -> Iterator[Row]:
    rounds, calls = (5, 5) if quick else (25, 10)
    fast = aws_lc()
    for subject in subjects():
        collateral, peer_collateral = subject.read(), subject.peer_read()
        ours = batch_of(subject.verify_cold, calls)
        peer = batch_of(subject.peer_verify_cold, calls)
        read = batch_of(partial(subject.verify_cold, collateral), calls)
        peer_read = batch_of(partial(subject.peer_verify, peer_collateral), calls)
        times = interleave(
            {
                "eaa": ours,
                "eaa with AWS-LC": batch_of(partial(subject.verify_cold, ecdsa=fast), calls),
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
        for name, what in (("eaa", "time"), ("eaa with AWS-LC", "time with AWS-LC")):
            ratio = times.ratio(name, "dcap-qvl")
            yield Row("cold", subject.name, f"{what} / dcap-qvl's", ratio, "×", f"≤ {GOAL}", ratio <= GOAL)
        names = ("eaa, collateral read before", "dcap-qvl, collateral read before")
        yield Row("cold", subject.name, "the same, collateral read before", times.ratio(*names), "×")
        ratio = times.ratio("eaa, two threads", "dcap-qvl, two threads")
        yield Row("cold", subject.name, "the same, two threads", ratio, "×", "< 1", ratio < 1)
