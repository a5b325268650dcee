"""Endorsements as tables and JSON: what, whose, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from eaa.cli.console import columns
from eaa.provider.expiry import Expiry, soonest
from eaa.verify.claims import rfc3339

__all__ = ["expiry_json", "expiry_rows", "left", "status_text"]


def expiry_rows(found: Sequence[Expiry], now: datetime) -> list[tuple[str, ...]]:
    """A heading and a row for each."""
    rows = [("ENDORSEMENT", "NUMBER", "ISSUED", "ENDS", "LEFT", "FROM")]
    return rows + [_row(item, now) for item in found]


def expiry_json(item: Expiry, now: datetime) -> dict[str, Any]:
    """One endorsement, for machines."""
    kept = item.kept
    return {
        "subject": item.subject.key,
        "number": item.number,
        "issued": rfc3339(item.issued) if item.issued else None,
        "expires": rfc3339(item.expires) if item.expires else None,
        "expires_in_seconds": int((item.expires - now).total_seconds()) if item.expires else None,
        "source": kept.source if kept else None,
        "fetched_at": rfc3339(kept.fetched_at) if kept else None,
        "problem": item.problem or None,
    }


def status_text(found: Sequence[Expiry], biting: Sequence[Expiry], now: datetime, within: timedelta) -> str:
    """What ends soon, or when the first will."""
    if not found:
        return "there are no endorsements: shelter endorsements fetch EVIDENCE"
    if biting:
        count = f"{len(biting)} of {len(found)} endorsements"
        heading = f"{count} end within {left(within)}, are missing or not genuine:"
        return "\n".join([heading, *columns(expiry_rows(biting, now))])
    first, end = found[0], soonest(found) or now
    return (
        f"all {len(found)} endorsements hold for more than {left(within)}; the first to end is "
        f"{first.subject.key}, in {left(end - now)}, at {rfc3339(end)}"
    )


def left(time: timedelta) -> str:
    """A span in its two largest units, e.g. ``12d 4h``."""
    seconds = int(abs(time.total_seconds()))
    parts = [
        (seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    ]  # fmt: skip
    start = next((index for index, (number, _) in enumerate(parts) if number), 3)
    words = " ".join(f"{number}{unit}" for number, unit in parts[start : start + 2] if number) or "0s"
    return f"{words} ago" if time < timedelta(0) else words


def _row(item: Expiry, now: datetime) -> tuple[str, ...]:
    source = item.kept.source if item.kept else "-"
    if item.expires is None or item.issued is None:
        return item.subject.key, "-", "-", item.problem, "-", source
    return (
        item.subject.key, str(item.number or "-"), rfc3339(item.issued), rfc3339(item.expires),
        left(item.expires - now), source,
    )  # fmt: skip
