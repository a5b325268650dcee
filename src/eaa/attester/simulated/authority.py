"""Certification authorities of the simulated vendor, each with its revocation list [SGX-PCK §1.4]."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from eaa.attester.simulated.certificates import SimulatedCertificate
from eaa.attester.simulated.signing import SignedByIssuer, distinguished_name, key_identifier

__all__ = ["SimulatedAuthority", "SimulatedCrl"]


@dataclass(kw_only=True, eq=False)
class SimulatedCrl(SignedByIssuer):
    """The revocation list of ``issuer``. ``revoked`` are serial numbers, revoked for key compromise.

    Signed anew at each read of ``der``, over the fields as they are then.
    """

    issuer: SimulatedCertificate
    this_update: datetime  # aware
    next_update: datetime  # aware
    number: int = 1
    revoked: list[int] = field(default_factory=list)

    @property
    def der(self) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(distinguished_name(self.issuer_name or self.issuer.common_name))
            .last_update(self.this_update)
            .next_update(self.next_update)
            .add_extension(x509.CRLNumber(self.number), critical=False)
            .add_extension(key_identifier(self.issuer.key), critical=False)
        )
        for serial in self.revoked:
            builder = builder.add_revoked_certificate(self._entry(serial))
        return self._sign_crl(builder, self.issuer.key)

    def _entry(self, serial: int) -> x509.RevokedCertificate:
        return (
            x509.RevokedCertificateBuilder()
            .serial_number(serial)
            .revocation_date(self.this_update)
            .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
            .build()
        )


@dataclass(kw_only=True, eq=False)
class SimulatedAuthority(SimulatedCertificate):
    """A CA. ``crl`` is its revocation list, made with ``crl_issued`` and ``crl_expires``."""

    crl_issued: datetime  # aware
    crl_expires: datetime  # aware
    ca: bool = True
    may_sign: bool = False
    may_certify: bool = True
    may_sign_crl: bool = True
    crl: SimulatedCrl = field(init=False)

    def __post_init__(self) -> None:
        self.crl = SimulatedCrl(issuer=self, this_update=self.crl_issued, next_update=self.crl_expires)
