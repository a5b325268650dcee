"""What verification establishes of all evidence, and what it was asked to compare."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.x509 import Certificate, common_name
from eaa.verify.claims import rfc3339

__all__ = ["Binding", "TrustAnchor", "VerifiedEvidence"]


@dataclass(frozen=True, slots=True)
class Binding:
    """What the evidence must be bound to. ``None`` means: not compared, and said so in the result.

    ``report_data`` is exactly 64 bytes. ``config_id`` is CONFIGID (64 bytes) of an SGX enclave, MRCONFIGID
    (48 bytes) of a TD, or HOST_DATA (32 bytes) of an SNP guest. All bytes are compared, in constant time.
    """

    report_data: bytes | None = None
    config_id: bytes | None = None

    @property
    def names(self) -> tuple[str, ...]:
        if self.report_data is None:
            return () if self.config_id is None else ("config_id",)
        return ("report_data",) if self.config_id is None else ("report_data", "config_id")


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """The root that was believed: its name, and SHA-256 (32 bytes) of its bytes in the vendor's own form."""

    name: str
    sha256: bytes

    @classmethod
    def of_certificate(cls, root: Certificate) -> TrustAnchor:
        """Of an X.509 root: common name, and digest of the DER."""
        return _of_certificate(root.subject, root.der)

    @classmethod
    def of_bytes(cls, name: str, root: bytes) -> TrustAnchor:
        """Of a root in the vendor's own form, which has no name in it: ``name``, and digest of the bytes."""
        return cls(name, hashlib.sha256(root).digest())

    @property
    def simulated(self) -> bool:
        """Whether it is a simulated vendor's: no hardware stands behind it."""
        return self.name.startswith(SIMULATED_NAME_PREFIX)


@lru_cache(maxsize=16)
def _of_certificate(subject: bytes, der: bytes) -> TrustAnchor:
    """Kept: every verification ends with one of a few."""
    return TrustAnchor.of_bytes(common_name(subject), der)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedEvidence(ABC):
    """Genuine evidence: constructed only inside ``eaa.verify``, after its last check.

    Established: what the class of the evidence says; what :attr:`bound` names was equal to what the caller
    expected. Not established: that the TCB is good enough, that the code is the expected one, or, where
    ``bound`` lacks ``report_data``, that the evidence is fresh. That is appraisal's.

    ``endorsements_issued`` and ``endorsements_expire`` are ``None`` where the vendor's certificates have no
    period.
    """

    tee: str  # "sgx", "tdx", "snp", …
    trust_anchor: TrustAnchor
    verified_at: datetime
    endorsements_issued: datetime | None
    endorsements_expire: datetime | None  # the first end of any certificate, list or document
    bound: tuple[str, ...]

    @property
    @abstractmethod
    def evidence(self) -> bytes:
        """The received bytes that were verified."""

    @property
    @abstractmethod
    def measurement(self) -> bytes:
        """What the code was measured as when it was started: MRENCLAVE, MRTD, the launch digest."""

    @abstractmethod
    def own_claims(self) -> dict[str, Any]:
        """The claims that this kind of evidence has beside those of all."""

    @property
    def claims(self) -> dict[str, Any]:
        """Every claim by the name of the specification's field; bytes as lower-case hex."""
        return {
            "tee": self.tee,
            **self.own_claims(),
            "trust_anchor": {"name": self.trust_anchor.name, "sha256": self.trust_anchor.sha256.hex()},
            "endorsements_issued": _time(self.endorsements_issued),
            "endorsements_expire": _time(self.endorsements_expire),
            "bound": list(self.bound),
        }


def _time(time: datetime | None) -> str | None:
    return None if time is None else rfc3339(time)
