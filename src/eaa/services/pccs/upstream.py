"""What the service needs of those whom it asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from eaa.endorsements.fetched import Fetched
from eaa.endorsements.subject import Subject

__all__ = ["PckAnswer", "PckQuestion", "Upstream", "WireCertificate"]


@dataclass(frozen=True, slots=True)
class PckQuestion:
    """Which platform's PCK certificates are asked for; hexadecimal in capitals, empty where not known.

    PCS needs the encrypted PPID or the manifest. A PCCS needs QE id and raw TCB.
    """

    qe_id: str
    pce_id: str
    cpu_svn: str = ""
    pce_svn: str = ""
    enc_ppid: str = ""
    manifest: str = ""


@dataclass(frozen=True, slots=True)
class WireCertificate:
    """A PCK certificate as it came, DER, or ``None`` where none is available for that TCB.

    ``tcbm`` is 36 hexadecimal digits in capitals.
    """

    tcbm: str
    der: bytes | None


@dataclass(frozen=True, slots=True)
class PckAnswer:
    """All of a platform's certificates, or, not ``complete``, the best one. Nothing of it is verified."""

    fmspc: str  # 12 digits in capitals
    ca: str  # "PROCESSOR" or "PLATFORM"
    issuer_chain: bytes
    certificates: tuple[WireCertificate, ...]
    complete: bool = True


class Upstream(Protocol):
    """Raises ``EndorsementNotFound`` where there is none, else ``EndorsementUnavailable``.

    The latter has the field ``retry_after_seconds`` where a pause was asked for.
    """

    @property
    def selects(self) -> bool:
        """Whether it gives one certificate for one raw TCB, as a PCCS does, and not all of a platform."""
        ...

    async def fetch(self, subject: Subject) -> Fetched: ...

    async def pck_certificates(self, question: PckQuestion) -> PckAnswer: ...

    async def close(self) -> None: ...
