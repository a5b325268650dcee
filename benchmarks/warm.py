"""Warm: collateral and platform are known; what remains is the quote's own signature."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.subjects import Subject, subjects
from benchmarks.timing import Batch, Row, batch_of, interleave
from eaa.evidence.dcap_quote import parse_quote_frame
from eaa.verify.dcap import Memo
from eaa.verify.ecdsa_libraries import aws_lc

__all__ = ["run"]

FASTER, BARE = 8, 1.25


def run(*, quick: bool) -> Iterator[Row]:
    rounds, calls = (5, 40) if quick else (25, 100)
    for subject in subjects():
        collateral, peer_collateral, memo, fast = subject.read(), subject.peer_read(), Memo(4), aws_lc()
        times = interleave(
            {
                "eaa": batch_of(partial(subject.verify, collateral, memo), calls),
                "eaa with AWS-LC": batch_of(partial(subject.verify, collateral, memo, fast), calls),
                "dcap-qvl": batch_of(partial(subject.peer_verify, peer_collateral), calls // 8),
                "one P-256 verification": bare(subject, calls),
            },
            rounds,
        )
        for name in times.rounds:
            yield Row("warm", subject.name, name, times.median(name), "µs")
        for name, what in (("eaa", "times faster"), ("eaa with AWS-LC", "times faster with AWS-LC")):
            ratio = times.ratio("dcap-qvl", name)
            yield Row("warm", subject.name, what, ratio, "×", f"≥ {FASTER}", ratio >= FASTER)
        ratio = times.ratio("eaa", "one P-256 verification")
        yield Row(
            "warm", subject.name, "time / one P-256 verification", ratio, "×", f"≤ {BARE}", ratio <= BARE
        )


def bare(subject: Subject, calls: int) -> Batch:
    """One signature over as many bytes as the quote's, checked by the library alone."""
    data = parse_quote_frame(subject.quote).signed
    key, algorithm = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(SHA256())
    public, signature = key.public_key(), key.sign(data, algorithm)
    return batch_of(lambda: public.verify(signature, data, algorithm), calls)
