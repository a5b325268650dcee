"""Which endorsements evidence needs, whatever it is wrapped in."""

from __future__ import annotations

from dataclasses import dataclass

from eaa.endorsements.recognise import Kind, recognise
from eaa.endorsements.subject import HygonChainSubject, Subject, Update
from eaa.errors import UnsupportedError
from eaa.evidence.dcap_quote import DcapQuote, parse_quote_frame
from eaa.evidence.hygon_csv import CsvReport
from eaa.evidence.hygon_csv_evidence import parse_csv_evidence
from eaa.evidence.snp import SnpReport, parse_snp_report
from eaa.evidence.snp_evidence import parse_snp_evidence
from eaa.provider.platform_endorsements import subjects_of_quote, subjects_of_report

__all__ = ["Platform", "parse_platform"]


@dataclass(frozen=True, slots=True)
class Platform:
    """Who made evidence. ``evidence`` is well-formed; nothing of it is verified."""

    name: str  # of the file or whatever it came from
    evidence: DcapQuote | SnpReport | CsvReport

    def alternatives(self, update: Update) -> tuple[tuple[Subject, ...], ...]:
        """What it needs, likeliest first: an SNP report of version 2 leaves the product open.

        Raises:
            EndorsementNotFound: the evidence does not say which platform's it needs.
        """
        if isinstance(self.evidence, DcapQuote):
            return (subjects_of_quote(self.evidence, update),)
        if isinstance(self.evidence, CsvReport):
            return ((HygonChainSubject(self.evidence.serial_number),),)
        return subjects_of_report(self.evidence)


def parse_platform(name: str, data: bytes) -> Platform:
    """The platform that made the evidence in ``data``.

    Raises:
        FormatError: no evidence.
        UnsupportedError: evidence of a kind whose endorsements are not fetched.
    """
    found = recognise(data)
    match found.kind:
        case Kind.DCAP_QUOTE:
            return Platform(name, parse_quote_frame(found.data))
        case Kind.SNP_REPORT:
            return Platform(name, parse_snp_report(parse_snp_evidence(found.data).report))
        case Kind.CSV_REPORT:
            return Platform(name, parse_csv_evidence(found.data).report)
    raise UnsupportedError(
        f"{name}: endorsements are fetched for SGX, TDX, SEV-SNP and CSV evidence; this is {found.kind}",
        detail="endorsements_of",
    )
