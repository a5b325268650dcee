"""New platform: collateral and PCK CA are known, the PCK certificate and the quoting enclave are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.subjects import Subject, new_platforms
from benchmarks.timing import Batch, Row, interleave
from eaa.endorsements.collateral import IntelCollateral
from eaa.verify.dcap import Memo
from eaa.verify.ecdsa import CRYPTOGRAPHY, EcdsaLibrary
from eaa.verify.ecdsa_libraries import aws_lc

__all__ = ["run"]

GOAL = 2.2


def run(*, quick: bool) -> Iterator[Row]:
    rounds, count = (5, 10) if quick else (25, 20)
    known, *platforms = new_platforms(count + 1)
    collateral, peer_collateral = known.read(), known.peer_read()

    def peer() -> int:
        for subject in platforms:
            subject.peer_verify(peer_collateral)
        return len(platforms)

    libraries = {"eaa": CRYPTOGRAPHY, "eaa with AWS-LC": aws_lc()}
    batches = {
        name: _ours(known, platforms, collateral, library, rounds + 1) for name, library in libraries.items()
    }
    times = interleave(batches | {"dcap-qvl": peer}, rounds)
    for name in times.rounds:
        yield Row("new platform", known.name, name, times.median(name), "µs")
    for name, what in (("eaa", "times faster"), ("eaa with AWS-LC", "times faster with AWS-LC")):
        ratio = times.ratio("dcap-qvl", name)
        yield Row("new platform", known.name, what, ratio, "×", f"≥ {GOAL}", ratio >= GOAL)


def _ours(
    known: Subject,
    platforms: Sequence[Subject],
    collateral: IntelCollateral,
    library: EcdsaLibrary,
    rounds: int,
) -> Batch:
    primed = [Memo(1) for _ in range(rounds)]
    for memo in primed:  # known before the clock runs: one platform of the same CA
        known.verify(collateral, memo, library)
    memos = iter(primed)

    def run() -> int:
        memo = next(memos)
        for subject in platforms:
            subject.verify(collateral, memo, library)
        return len(platforms)

    return run
