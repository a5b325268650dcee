"""Hygon's endorsements for one chip, and how they are told apart among files.

Everything here is received bytes; nothing has been verified.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from eaa.endorsements.hygon_certificate import parse_hygon_ca, parse_hygon_certificate
from eaa.errors import FormatError
from eaa.evidence.hygon_csv_evidence import HSK_CEK_BYTES, CsvEvidence
from eaa.evidence.hygon_csv_json import HYGON_CA_BYTES
from eaa.evidence.psp_certificate import PSP_CERTIFICATE_BYTES, KeyUsage

__all__ = ["CsvEndorsements", "parse_hsk_cek", "read_hygon_parts"]

_WHAT = "Hygon certificates"


@dataclass(frozen=True, slots=True)
class CsvEndorsements:
    """All that verifying one chip's reports needs besides the report, ``None`` if missing.

    The PEK's certificate is in the report.
    """

    cek: bytes | None = None
    hsk: bytes | None = None
    hrk: bytes | None = None

    @classmethod
    def of_evidence(cls, evidence: CsvEvidence) -> CsvEndorsements:
        """The chip's certificates that came with ``evidence``."""
        return cls(cek=evidence.cek, hsk=evidence.hsk)

    @property
    def authorities(self) -> tuple[bytes | None, bytes | None]:
        """HSK and HRK: what the CEK rests on."""
        return self.hsk, self.hrk

    def or_else(self, other: CsvEndorsements) -> CsvEndorsements:
        """These, and from ``other`` what is missing here."""
        names = ("cek", "hsk", "hrk")
        return replace(self, **{name: getattr(other, name) for name in names if getattr(self, name) is None})


def parse_hsk_cek(data: bytes) -> CsvEndorsements:
    """The file ``hsk_cek.cert`` that Hygon's service returns for a chip: HSK, then CEK, 2916 bytes.

    Raises:
        FormatError: another length, or other certificates.
    """
    if len(data) != HSK_CEK_BYTES:
        raise _error("length", f"expected {HSK_CEK_BYTES} bytes, came {len(data)}", "truncated")
    found = read_hygon_parts(data)
    if found.hsk is None or found.cek is None:
        raise _error("key_usage", "expected the certificates of an HSK and a CEK", "bad_value")
    return found


def read_hygon_parts(data: bytes) -> CsvEndorsements:
    """What ``data`` holds: ``hrk.cert``, ``hsk.cert``, ``cek.cert`` or several, told apart by content.

    Raises:
        FormatError: something else, or two certificates for one purpose.
    """
    if not 0 < len(data) <= HYGON_CA_BYTES + HSK_CEK_BYTES:
        limit = HYGON_CA_BYTES + HSK_CEK_BYTES
        raise _error("length", f"expected 1 to {limit} bytes, came {len(data)}", "too_large")
    found: dict[str, bytes] = {}
    while data:
        name, raw = _next(data)
        if name in found:
            raise _error(name, f"two certificates of an {name.upper()}", "duplicate")
        found[name] = raw
        data = data[len(raw) :]
    return CsvEndorsements(**found)


def _next(data: bytes) -> tuple[str, bytes]:
    """The certificate at the start of ``data``, by where its usage stands."""
    if int.from_bytes(data[8:12], "little") == KeyUsage.CEK:
        return "cek", parse_hygon_certificate(data[:PSP_CERTIFICATE_BYTES]).encode()
    authority = parse_hygon_ca(data[:HYGON_CA_BYTES])
    return ("hrk" if authority.usage is KeyUsage.ARK else "hsk"), authority.encode()


def _error(field: str, message: str, detail: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec="[CSV-RS certs]", detail=detail)
