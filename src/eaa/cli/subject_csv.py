"""A CSV report, as ``shelter verify`` judges it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eaa.cli.files import CollateralFiles
from eaa.endorsements.hygon_endorsements import CsvEndorsements, read_hygon_parts
from eaa.errors import FormatError
from eaa.evidence.hygon_csv import CsvTeeInfoV2
from eaa.evidence.hygon_csv_evidence import parse_csv_evidence
from eaa.verify.hygon_csv_result import csv_report_claims

__all__ = ["CsvSubject"]

_SERVICE = "https://cert.hygon.cn/hsk_cek?snumber="


class CsvSubject:
    """See :class:`eaa.cli.subjects.Subject`. Raises FormatError."""

    vendor = "Hygon"
    tee = "csv"

    def __init__(self, data: bytes) -> None:
        self._report = parse_csv_evidence(data).report

    @property
    def bindings(self) -> Mapping[str, tuple[str, bytes]]:
        """There is no field for configuration."""
        return {"report_data": ("report_data", self._report.tee_info.report_data), "config_id": ("", b"")}

    @property
    def rt_mrs(self) -> tuple[bytes, bytes, bytes, bytes] | None:
        """RTMR1 to RTMR4, 32 bytes each, of version 2."""
        info = self._report.tee_info
        return (info.rtmr1, info.rtmr2, info.rtmr3, info.rtmr4) if isinstance(info, CsvTeeInfoV2) else None

    def unverified_claims(self) -> dict[str, Any]:
        return csv_report_claims(self._report)

    def endorsements(self, files: CollateralFiles) -> tuple[CsvEndorsements, list[str]]:
        """Without files, what came with the report may do."""
        found, ignored = CsvEndorsements(), []
        for data in files.named.values():
            found = found.or_else(read_hygon_parts(data))
        for name, data in sorted(files.found.items()):
            try:
                found = found.or_else(read_hygon_parts(data))
            except FormatError:
                ignored.append(f"{name}: not an endorsement that is known, ignored")
        return found, ignored

    def needs(self) -> dict[str, str]:
        return {"tee": self.tee, "serial_number": self._report.serial_number}

    def missing(self, needs: Mapping[str, str]) -> list[str]:
        number = needs["serial_number"]
        return [
            f"needed for this CSV report: the certificates of the HSK and of the CEK of chip {number}",
            "Hygon publishes both in one file, hsk_cek.cert:",
            f"  {_SERVICE}{number}",
        ]
