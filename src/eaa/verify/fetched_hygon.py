"""Hygon's fetched certificates of a chip: steps 1 to 3 of :mod:`eaa.verify.fetched`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.hygon_certificate import HygonCaCertificate, parse_hygon_ca
from eaa.endorsements.hygon_endorsements import parse_hsk_cek
from eaa.endorsements.subject import HygonChainSubject
from eaa.verify.fetched_result import Genuine
from eaa.verify.hygon_csv_chain import verify_csv_authorities, verify_csv_cek
from eaa.verify.windows import Window, Windows

__all__ = ["verify_hygon_chain"]

#: Hygon's certificates have no validity period.
_ALWAYS = Windows.of(
    (
        Window(
            "Hygon chain", "hygon_chain", datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        ),
    )
)


def verify_hygon_chain(
    subject: HygonChainSubject, fetched: Fetched, anchors: Sequence[HygonCaCertificate]
) -> Genuine:
    """HSK and CEK of a chip. They do not say which: that the report's PEK is by this CEK shows it."""
    parts = parse_hsk_cek(fetched.body)
    hsk = parse_hygon_ca(parts.hsk or b"")
    named = next((anchor for anchor in anchors if anchor.key_id == hsk.certifying_id), None)
    root = named or next(iter(anchors), None)
    authorities = verify_csv_authorities(replace(parts, hrk=root.raw if root else None), anchors)
    verify_csv_cek(parts.cek, authorities)
    return Genuine(subject, 0, _ALWAYS.not_before, _ALWAYS)
