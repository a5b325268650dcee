"""The evidence vectors, as MANIFEST.jsonl describes them. ``EAA_VECTORS`` names another folder."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from eaa.endorsements.bundle import collateral_for, read_endorsements
from eaa.endorsements.collateral import IntelCollateral
from eaa.errors import FormatError
from eaa.evidence.dcap_quote import parse_quote_frame

__all__ = [
    "VECTORS",
    "Expectation",
    "Judge",
    "Vector",
    "needs_vectors",
    "quote_vector",
    "quote_vectors",
    "rows",
]

VECTORS = Path(os.environ.get("EAA_VECTORS") or Path(__file__).parents[2] / ".." / "shared" / "vectors")
needs_vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="the vectors folder does not exist")

_NO_COLLATERAL = IntelCollateral(None, None, None, None, None)


class Judge(Enum):
    """Who computed an expected verdict; the value begins ``by`` in the manifest."""

    DCAP_QVL = "dcap-qvl"
    EVALUATOR = "own throwaway TCB evaluator"


@dataclass(frozen=True, slots=True)
class Expectation:
    """A judge's verdict on a quote under one collateral.

    ``status`` is ``None`` where the judge refuses; ``error`` then says why. Where the judge knows them,
    ``parts`` are the statuses of platform, TDX module (``None`` in SGX) and quoting enclave, and ``tcb_date``
    is that of the platform's level.
    """

    judge: Judge
    collateral: str
    status: str | None
    advisory_ids: tuple[str, ...]
    error: str | None
    tcb_date: str | None
    parts: tuple[str | None, ...] | None


@dataclass(frozen=True, slots=True)
class Vector:
    """One line of the manifest that is an SGX or TDX quote."""

    id: str
    tee: str
    folder: Path
    crypto_ok: bool  # by a checker that knows no collateral: signatures, chain, Intel's root
    expectations: tuple[Expectation, ...]
    times: tuple[tuple[str, datetime], ...]  # collateral and when to verify with it

    @property
    def quote(self) -> bytes:
        return (self.folder / "quote.bin").read_bytes()

    def collateral_text(self, name: str) -> str:
        """A collateral in the JSON of dcap-qvl's ``QuoteCollateralV3``."""
        return (self.folder / name).read_text()

    def collateral(self, name: str) -> IntelCollateral:
        return read_collateral(self.quote, (self.folder / name).read_bytes())


def read_collateral(quote: bytes, data: bytes) -> IntelCollateral:
    """What ``data`` holds for ``quote``, read as ``--collateral`` is."""
    try:
        frame = parse_quote_frame(quote)
    except FormatError:
        return _NO_COLLATERAL
    return collateral_for(frame, read_endorsements("collateral", data))


@cache
def rows() -> Sequence[dict[str, Any]]:
    """All lines of the manifest; none if there is no such folder."""
    if not VECTORS.is_dir():
        return ()
    return tuple(json.loads(line) for line in (VECTORS / "MANIFEST.jsonl").read_text().splitlines())


@cache
def quote_vectors() -> Sequence[Vector]:
    """All SGX and TDX quotes."""
    return tuple(
        _vector(row)
        for row in rows()
        if row["tee"] in ("sgx", "tdx") and f"{row['tee']}-quote" in row["kind"]
    )


def quote_vector(identifier: str) -> Vector:
    return next(vector for vector in quote_vectors() if vector.id == identifier)


def _vector(row: dict[str, Any]) -> Vector:
    expected = row["expected"]
    verdicts = [entry for entry in expected if "collateral" in entry]
    return Vector(
        id=row["id"],
        tee=row["tee"],
        folder=VECTORS / row["dir"],
        crypto_ok=any(entry.get("verdict") == "crypto-ok" for entry in expected),
        expectations=tuple(_expectation(entry) for entry in verdicts),
        times=tuple(
            (entry["collateral"], datetime.fromtimestamp(entry["verify_at"], UTC))
            for entry in verdicts
            if "verify_at" in entry
        ),
    )


def _expectation(entry: dict[str, Any]) -> Expectation:
    judge = next(judge for judge in Judge if entry["by"].startswith(judge.value))
    evaluator = judge is Judge.EVALUATOR
    return Expectation(
        judge=judge,
        collateral=entry["collateral"],
        status=entry["converged"] if evaluator else entry["status"],
        advisory_ids=tuple(sorted(entry["advisory_ids"] or ())),
        error=None if evaluator else entry["error"],
        tcb_date=entry["tcb_date"] if evaluator else None,
        parts=(entry["platform"], entry["tdx_module"], entry["qe"]) if evaluator else None,
    )
