"""New platform: collateral and PCK CA are known, the PCK certificate and the quoting enclave are not."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.subjects import new_platforms
from benchmarks.timing import Row, interleave
from eaa.verify.dcap import Memo

__all__ = ["run"]

GOAL = 2.2


def run(*, quick: bool) -> Iterator[Row]:
    rounds, count = (5, 10) if quick else (25, 20)
    known, *platforms = new_platforms(count + 1)
    collateral, peer_collateral = known.read(), known.peer_read()
    memos = iter([Memo(1) for _ in range(rounds + 1)])

    def ours() -> int:
        memo = next(memos)
        for subject in platforms:
            subject.verify(collateral, memo)
        return len(platforms)

    def peer() -> int:
        for subject in platforms:
            subject.peer_verify(peer_collateral)
        return len(platforms)

    # Known before the clock runs: one platform of the same CA.
    primed = [Memo(1) for _ in range(rounds + 1)]
    for memo in primed:
        known.verify(collateral, memo)
    memos = iter(primed)
    times = interleave({"eaa": ours, "dcap-qvl": peer}, rounds)
    for name in times.rounds:
        yield Row("new platform", known.name, name, times.median(name), "µs")
    ratio = times.ratio("dcap-qvl", "eaa")
    yield Row("new platform", known.name, "times faster", ratio, "×", f"≥ {GOAL}", ratio >= GOAL)
