"""What ``shelter verify`` judges: each kind of evidence behind one Protocol, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from eaa.cli.files import CollateralFiles
from eaa.cli.subject_csv import CsvSubject
from eaa.cli.subject_dcap import DcapSubject
from eaa.cli.subject_sev import SevSubject
from eaa.cli.subject_snp import SnpSubject
from eaa.endorsements.recognise import Kind
from eaa.verify.schemes import Endorsements

__all__ = ["SUBJECTS", "Subject"]


class Subject(Protocol):
    """Well-formed evidence, of which nothing has been verified yet."""

    @property
    def vendor(self) -> str: ...

    @property
    def tee(self) -> str: ...

    @property
    def bindings(self) -> Mapping[str, tuple[str, bytes]]:
        """What it says for each field of :class:`eaa.verify.result.Binding`: the claim's name, and bytes."""

    @property
    def rt_mrs(self) -> tuple[bytes, bytes, bytes, bytes] | None:
        """The registers that an event log leads to, or ``None`` if there are none."""

    def unverified_claims(self) -> dict[str, Any]: ...

    def endorsements(self, files: CollateralFiles) -> tuple[Endorsements, list[str]]:
        """What ``files`` have for it, and a note for each file that was not understood.

        Raises:
            EndorsementNotFound: there is nothing that could do.
            FormatError: a named file is no endorsement, or one of any file is malformed.
        """

    def needs(self) -> dict[str, str]:
        """For which platform endorsements are needed, as far as the evidence says."""

    def missing(self, needs: Mapping[str, str]) -> list[str]:
        """What is missing for the platform in ``needs``, and where the vendor has it; lines."""


SUBJECTS: Mapping[Kind, Callable[[bytes], Subject]] = MappingProxyType(
    {
        Kind.DCAP_QUOTE: DcapSubject,
        Kind.SNP_REPORT: SnpSubject,
        Kind.SEV_REPORT: SevSubject,
        Kind.CSV_REPORT: CsvSubject,
    }
)
