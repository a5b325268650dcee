"""AMD's endorsements for one platform with SEV, and how they are told apart among files.

Everything here is received bytes; nothing has been verified.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from eaa.endorsements.sev_ca import split_sev_ca
from eaa.endorsements.sev_certificate import parse_sev_certificate
from eaa.errors import FormatError
from eaa.evidence.psp_certificate import PSP_CERTIFICATE_BYTES, KeyUsage
from eaa.evidence.sev_evidence import SevEvidence

__all__ = ["SevEndorsements", "read_sev_parts"]

#: ``sev_chain.cert`` of sevctl: PDH, PEK, OCA, CEK, then ASK and ARK.
_MAX_BYTES = 4 * PSP_CERTIFICATE_BYTES + 2 * 1600
_WHAT = "SEV certificates"


@dataclass(frozen=True, slots=True)
class SevEndorsements:
    """All that verifying one platform's reports needs besides the report, ``None`` if missing.

    ``pdh`` is needed by nobody who verifies reports; it is verified if it is there, for whoever wants to send
    the platform a secret.
    """

    cek: bytes | None = None
    pek: bytes | None = None
    oca: bytes | None = None
    pdh: bytes | None = None
    ask: bytes | None = None
    ark: bytes | None = None

    @classmethod
    def of_evidence(cls, evidence: SevEvidence) -> SevEndorsements:
        """The platform's certificates that came with ``evidence``."""
        return cls(cek=evidence.cek, pek=evidence.pek, oca=evidence.oca)

    @property
    def authorities(self) -> tuple[bytes | None, bytes | None]:
        """ASK and ARK: what the CEK rests on."""
        return self.ask, self.ark

    @property
    def platform(self) -> tuple[bytes | None, bytes | None, bytes | None, bytes | None]:
        """CEK, OCA, PEK and PDH."""
        return self.cek, self.oca, self.pek, self.pdh

    def or_else(self, other: SevEndorsements) -> SevEndorsements:
        """These, and from ``other`` what is missing here."""
        missing = {name: getattr(other, name) for name in _NAMES if getattr(self, name) is None}
        return replace(self, **missing)


_NAMES = ("cek", "pek", "oca", "pdh", "ask", "ark")


def read_sev_parts(data: bytes) -> SevEndorsements:
    """What ``data`` holds: any certificates of one platform one after the other, told apart by content.

    ``cek.cert``, ``pek.cert``, ``pdh.cert``, ``cert_chain.cert``, ``ask_ark_*.cert`` and the chain that
    ``sevctl export --full`` writes are such.

    Raises:
        FormatError: something else, or two certificates for one purpose.
    """
    if not 0 < len(data) <= _MAX_BYTES:
        raise _error("length", f"expected 1 to {_MAX_BYTES} bytes, came {len(data)}", "too_large")
    found: dict[str, bytes] = {}
    while data:
        usage, raw = _next(data)
        name = usage.name.lower()
        if name in found:
            raise _error(name, f"two certificates of a {usage.name}", "duplicate")
        found[name] = raw
        data = data[len(raw) :]
    return SevEndorsements(**found)


def _next(data: bytes) -> tuple[KeyUsage, bytes]:
    """The certificate at the start of ``data``, by where its usage stands."""
    if int.from_bytes(data[8:12], "little") in _PLATFORM_USAGES:
        certificate = parse_sev_certificate(data[:PSP_CERTIFICATE_BYTES])
        return certificate.usage, certificate.encode()
    authority, _ = split_sev_ca(data)
    return authority.usage, authority.encode()


_PLATFORM_USAGES = (KeyUsage.OCA, KeyUsage.PEK, KeyUsage.PDH, KeyUsage.CEK)


def _error(field: str, message: str, detail: str) -> FormatError:
    return FormatError(message, what=_WHAT, field=field, spec="[SEV-API C]", detail=detail)
