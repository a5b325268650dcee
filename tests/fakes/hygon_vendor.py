"""A simulated Hygon for tests: its keys are the same for the whole run, to be changed.

guest = make_csv_guest("csv3-v2")
guest.platform.cek.signing_key = sm2_key("wrong")
with pytest.raises(SignatureError): verify_csv(guest)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Literal

from eaa.attester.simulated.hygon_keys import SimulatedSm2Key
from eaa.attester.simulated.hygon_vendor import SimulatedCsvGuest, SimulatedCsvPlatform, SimulatedHygonVendor
from eaa.endorsements.hygon_certificate import HygonCaCertificate
from eaa.endorsements.hygon_endorsements import CsvEndorsements
from eaa.verify.hygon_csv import CsvMemo, verify_csv_report
from eaa.verify.hygon_csv_result import VerifiedCsvEvidence
from eaa.verify.result import Binding
from tests.fakes.vendor import BOUND, NOW, REPORT_DATA

__all__ = [
    "CSV_KINDS",
    "NOW",
    "REPORT_DATA",
    "CsvCase",
    "CsvKind",
    "csv_case",
    "make_csv_guest",
    "make_hygon_vendor",
    "shared_csv_case",
    "sm2_key",
    "verify_csv",
]

CsvKind = Literal["csv1-v1", "csv2-v1", "csv3-v1", "csv3-v2"]
#: Generation, and version of the report.
CSV_KINDS: tuple[CsvKind, ...] = ("csv1-v1", "csv2-v1", "csv3-v1", "csv3-v2")


@dataclass(frozen=True, slots=True)
class CsvCase:
    """A report with all that verifies it."""

    report: bytes
    restored: bool
    endorsements: CsvEndorsements
    trust_anchor: HygonCaCertificate


@cache
def sm2_key(name: str) -> SimulatedSm2Key:
    """The key of ``name``, the same for the whole run."""
    return SimulatedSm2Key.generate()


def make_hygon_vendor() -> SimulatedHygonVendor:
    """A new vendor with the run's keys."""
    return SimulatedHygonVendor(hrk=sm2_key("hrk"), hsk=sm2_key("hsk"))


def make_csv_guest(kind: CsvKind = "csv3-v1", **fields: bytes | int) -> SimulatedCsvGuest:
    """A guest of ``kind`` on a new platform of a new vendor."""
    platform = SimulatedCsvPlatform(make_hygon_vendor(), cek=sm2_key("cek"), pek=sm2_key("pek"))
    guest = SimulatedCsvGuest(
        platform,
        version=2 if kind.endswith("2") else 1,
        generation="csv3" if kind.startswith("csv3") else "csv2" if kind.startswith("csv2") else "csv1",
    )
    guest.fields = fields
    return guest


def csv_case(
    guest: SimulatedCsvGuest, report_data: bytes = REPORT_DATA, *, restored: bool = False
) -> CsvCase:
    """Report and endorsements of ``guest``, signed now."""
    collect = guest.collect_restored if restored else guest.collect
    return CsvCase(collect(report_data), restored, guest.platform.endorsements(), guest.trust_anchor)


@cache
def shared_csv_case(kind: CsvKind) -> CsvCase:
    """The case of a guest of ``kind`` that nothing was changed in; the same value each time."""
    return csv_case(make_csv_guest(kind))


def verify_csv(
    case: CsvCase | SimulatedCsvGuest,
    *,
    trust_anchors: Sequence[HygonCaCertificate] | None = None,
    binding: Binding = BOUND,
    mnonce: bytes | None = None,
    now: datetime = NOW,
    memo: CsvMemo | None = None,
) -> VerifiedCsvEvidence:
    """``case`` verified from nothing, under its own root unless ``trust_anchors`` says otherwise."""
    if not isinstance(case, CsvCase):
        case = csv_case(case)
    return verify_csv_report(
        case.report,
        restored=case.restored,
        endorsements=case.endorsements,
        trust_anchors=(case.trust_anchor,) if trust_anchors is None else trust_anchors,
        binding=binding,
        mnonce=mnonce,
        now=now,
        memo=CsvMemo(8) if memo is None else memo,
    )
