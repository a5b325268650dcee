"""An SEV report, as ``shelter verify`` judges it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eaa.cli.files import CollateralFiles
from eaa.endorsements.sev_endorsements import SevEndorsements, read_sev_parts
from eaa.errors import FormatError
from eaa.evidence.sev import parse_sev_report
from eaa.evidence.sev_evidence import parse_sev_evidence
from eaa.verify.sev_result import sev_report_claims

__all__ = ["SevSubject"]

_KDS = "https://kdsintf.amd.com"


class SevSubject:
    """See :class:`eaa.cli.subjects.Subject`. Raises FormatError."""

    vendor = "AMD"
    tee = "sev"
    rt_mrs = None

    def __init__(self, data: bytes) -> None:
        self._evidence = parse_sev_evidence(data)
        self._report = parse_sev_report(self._evidence.report)

    @property
    def bindings(self) -> Mapping[str, tuple[str, bytes]]:
        """The nonce as report data, with zeros after it; there is no field for configuration."""
        return {
            "report_data": ("mnonce", self._report.body.mnonce.ljust(64, b"\x00")),
            "config_id": ("", b""),
        }

    def unverified_claims(self) -> dict[str, Any]:
        return sev_report_claims(self._report)

    def endorsements(self, files: CollateralFiles) -> tuple[SevEndorsements, list[str]]:
        """Without files, what came with the report may do."""
        found, ignored = SevEndorsements(), []
        for data in files.named.values():
            found = found.or_else(read_sev_parts(data))
        for name, data in sorted(files.found.items()):
            try:
                found = found.or_else(read_sev_parts(data))
            except FormatError:
                ignored.append(f"{name}: not an endorsement that is known, ignored")
        return found, ignored

    def needs(self) -> dict[str, str]:
        product = self._evidence.product
        return {"tee": self.tee} | ({"product": str(product)} if product else {})

    def missing(self, needs: Mapping[str, str]) -> list[str]:
        return [
            "needed for this SEV report: the certificates of the platform's PEK, OCA and CEK",
            "the machine exports PEK and OCA, e.g. with sevctl export; AMD publishes the CEK of a chip:",
            f"  {_KDS}/cek/id/{{chip id}}",
        ]
