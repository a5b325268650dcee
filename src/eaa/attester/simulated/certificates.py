"""Certificates of the simulated vendor, in Intel's profile [SGX-PCK §1.3].

Every field may be changed at any time; the next read of ``der`` is signed anew over what there is then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from eaa.attester.simulated.keys import PrivateKey, PublicKey
from eaa.attester.simulated.signing import SignedByIssuer, distinguished_name, key_identifier
from eaa.codec.pem import encode_pem
from eaa.endorsements.x509 import Certificate, parse_certificate

__all__ = ["SimulatedCertificate", "chain_pem"]


@dataclass(kw_only=True, eq=False)
class SimulatedCertificate(SignedByIssuer):
    """One certificate. ``issuer`` is ``None`` for one that issued itself.

    ``may_sign`` is the key usage of signing data (digitalSignature, contentCommitment), ``may_certify``
    keyCertSign, ``may_sign_crl`` cRLSign. The extensions are those of Intel, in the same order and with
    the same criticality. ``certified_key`` is in the certificate in place of ``key``, which its owner
    goes on signing with.
    """

    common_name: str
    key: PrivateKey
    serial: int  # positive, at most 20 bytes
    not_before: datetime  # aware
    not_after: datetime  # aware
    issuer: SimulatedCertificate | None
    crl_url: str
    ca: bool = False
    path_length: int | None = None
    may_sign: bool = True
    may_certify: bool = False
    may_sign_crl: bool = False
    certified_key: PrivateKey | None = None

    @property
    def der(self) -> bytes:
        """The certificate, signed over the fields as they are now."""
        issuer = self.issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(distinguished_name(self.common_name))
            .issuer_name(distinguished_name(self.issuer_name or issuer.common_name))
            .public_key(self._certified)
            .serial_number(self.serial)
            .not_valid_before(self.not_before)
            .not_valid_after(self.not_after)
        )
        for extension, critical in self.extensions():
            builder = builder.add_extension(extension, critical)
        return self._sign_certificate(builder, issuer.key)

    @property
    def pem(self) -> bytes:
        """:attr:`der` as one PEM block, ended by a line break."""
        return encode_pem(self.der)

    @property
    def parsed(self) -> Certificate:
        """:attr:`der` as the verifier sees it, for example as a trust anchor."""
        return parse_certificate(self.der)

    @property
    def _certified(self) -> PublicKey:
        return (self.certified_key or self.key).public_key()

    def extensions(self) -> list[tuple[x509.ExtensionType, bool]]:
        """The extensions, each with its criticality."""
        issuer = self.issuer or self
        usage = x509.KeyUsage(
            digital_signature=self.may_sign, content_commitment=self.may_sign, key_encipherment=False,
            data_encipherment=False, key_agreement=False, key_cert_sign=self.may_certify,
            crl_sign=self.may_sign_crl, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        return [
            (key_identifier(issuer.key), False),
            (_distribution_point(self.crl_url), False),
            (x509.SubjectKeyIdentifier.from_public_key(self._certified), False),
            (usage, True),
            (x509.BasicConstraints(self.ca, self.path_length if self.ca else None), True),
        ]


def chain_pem(certificates: Iterable[SimulatedCertificate]) -> bytes:
    """PEM of ``certificates``, in the order given: leaf first in all of Intel's chains."""
    return b"".join(certificate.pem for certificate in certificates)


def _distribution_point(url: str) -> x509.CRLDistributionPoints:
    names = [x509.UniformResourceIdentifier(url)]
    return x509.CRLDistributionPoints([x509.DistributionPoint(names, None, None, None)])
