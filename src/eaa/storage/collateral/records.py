"""What is kept, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

__all__ = ["Document", "PckCertificate", "Platform", "RawTcb", "Registration", "RegistrationState", "Served"]


@dataclass(frozen=True, slots=True)
class Document:
    """An endorsement that was verified, as it came. Times are aware.

    ``chain`` is the issuer chain as PEM, leaf first, or empty. ``number`` is the evaluation data number or
    the CRL number, 0 where there is none. ``failures`` counts the attempts to fetch it anew that failed
    since the last that did not.
    """

    name: str
    body: bytes
    chain: str
    number: int
    issued_at: datetime
    expires_at: datetime
    fetched_at: datetime
    refresh_at: datetime
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform whose PCK certificates are kept. Hexadecimal is in capitals."""

    qe_id: str
    pce_id: str  # 4 digits
    fmspc: str  # 12 digits
    ca: str  # "PROCESSOR" or "PLATFORM"
    enc_ppid: bytes  # 384, or none
    manifest: bytes  # or none
    fetched_at: datetime
    refresh_at: datetime
    failures: int = 0


@dataclass(frozen=True, slots=True)
class PckCertificate:
    """One of a platform's. ``tcbm`` is CPUSVN ‖ PCESVN, 36 hexadecimal digits in capitals."""

    tcbm: str
    der: bytes


@dataclass(frozen=True, slots=True)
class RawTcb:
    """A platform's own TCB, with the certificate that was found to be the best for it."""

    cpu_svn: str  # 32 digits
    pce_svn: str  # 4 digits, little-endian
    tcbm: str


@dataclass(frozen=True, slots=True)
class Served:
    """The answer to a request for a PCK certificate."""

    tcbm: str
    der: bytes
    fmspc: str
    ca: str


class RegistrationState(IntEnum):
    """What became of a platform that registered, as PCCS counts."""

    NEW = 0
    NOT_AVAILABLE = 1
    DELETED = 9


@dataclass(frozen=True, slots=True)
class Registration:
    """A platform that asked to be registered, in the words of its request: hexadecimal, or empty."""

    qe_id: str
    pce_id: str
    cpu_svn: str
    pce_svn: str
    enc_ppid: str
    platform_manifest: str
