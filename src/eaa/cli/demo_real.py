"""The demo's one quote from real hardware, where the vectors folder is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eaa.appraisal.policy import Policy
from eaa.cli.demo_cases import ACCEPTED, Case
from eaa.codec.strict_json import parse_json
from eaa.endorsements.bundle import collateral_for, read_endorsements
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.errors import ConfigError
from eaa.evidence.dcap_quote import parse_quote_frame

__all__ = ["find_vectors", "real_case"]

_ID = "tdx/dcap-qvl-tdx_quote-f1c85033"
_COLLATERAL = "collateral-1.json"
_MANIFEST = "MANIFEST.jsonl"
_REPOSITORY = Path(__file__).resolve().parents[3]


def find_vectors() -> Path | None:
    """The folder that ``EAA_VECTORS`` names, else ``../shared/vectors`` beside the working directory or the
    repository, or ``None``: not there."""
    named = os.environ.get("EAA_VECTORS")
    beside = [base / ".." / "shared" / "vectors" for base in (Path.cwd(), _REPOSITORY)]
    folders = [Path(named)] if named else beside
    return next((folder for folder in folders if (folder / _MANIFEST).is_file()), None)


def real_case(vectors: Path) -> Case:
    """The quote with Intel's collateral, at the time at which the manifest says to verify it.

    Raises:
        ConfigError: the folder does not have it.
        FormatError: the manifest, the quote or the collateral is malformed.
    """
    now = _verify_at(vectors / _MANIFEST)
    try:
        quote = (vectors / _ID / "quote.bin").read_bytes()
        collateral = (vectors / _ID / _COLLATERAL).read_bytes()
    except OSError as error:
        raise ConfigError(f"the vectors folder is incomplete: {error}", detail="vectors") from None
    pool = read_endorsements(_COLLATERAL, collateral)
    return Case(
        attester="TDX guest on real hardware",
        title=f"as of {now:%Y-%m-%d}",
        expected=ACCEPTED,
        quote=quote,
        collateral=collateral_for(parse_quote_frame(quote), pool),
        trust_anchors=INTEL_SGX_ROOTS,
        report_data=None,
        policy=Policy(),
        now=now,
    )


def _verify_at(manifest: Path) -> datetime:
    try:
        row = next(row for row in _rows(manifest) if row["id"] == _ID)
        times = [item.get("verify_at") for item in row["expected"] if item.get("collateral") == _COLLATERAL]
        return datetime.fromtimestamp(next(filter(None, times)), UTC)
    except (OSError, StopIteration, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{manifest} has no time for {_COLLATERAL} of {_ID}: {error!r}", detail="vectors", key="verify_at"
        ) from None


def _rows(manifest: Path) -> Iterator[dict[str, Any]]:
    for line in manifest.read_bytes().splitlines():
        if line:
            yield parse_json(line, manifest.name)
