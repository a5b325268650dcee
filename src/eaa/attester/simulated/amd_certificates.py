"""Certificates and revocation lists of a simulated AMD, in its profile [AMD-KDS 2.3], [AMD-KDS 3].

Every field may be changed at any time; the next read of ``der`` is signed anew over what there is then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eaa.attester.simulated.amd_der import (
    bit_string,
    boolean,
    explicit,
    extension,
    ia5_string,
    integer,
    name,
    utc_time,
)
from eaa.attester.simulated.amd_keys import SimulatedRsaKey
from eaa.attester.simulated.signing import Edit
from eaa.codec.der import wrap_sequence
from eaa.codec.pem import encode_pem
from eaa.endorsements.amd_vek import AMD_ARC
from eaa.endorsements.x509 import Certificate, parse_certificate
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion

__all__ = ["AmdAuthority", "AmdCrl", "AmdVekCertificate"]

_PSS = (
    "a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130"
)
#: As AMD writes it for its authorities, with the default trailer field, and for all else without.
_LONG = bytes.fromhex("304606092a864886f70d01010a3039" + _PSS + "a303020101")
_SHORT = bytes.fromhex("304106092a864886f70d01010a3034" + _PSS)
#: Hash of the signature, which a wrong one is told by.
_SHA384_OID, _SHA256_OID = bytes.fromhex("0609608648016503040202"), bytes.fromhex("0609608648016503040201")
_BASIC_CONSTRAINTS, _KEY_USAGE, _CRL_NUMBER = "2.5.29.19", "2.5.29.15", "2.5.29.20"
_KEY_CERT_SIGN, _CRL_SIGN = 0x04, 0x02


@dataclass(kw_only=True, eq=False)
class _Signed:
    """What is signed by an issuer, with ways to be signed wrongly; by default none is taken.

    - ``issuer_name``: another common name of the issuer than the issuer's own;
    - ``signing_key``: another key than the issuer's;
    - ``hash_algorithm``: SHA-256 in place of SHA-384;
    - ``extra_extensions``: appended, each with OID, criticality and value;
    - ``edit_tbs``: maps the DER that would be signed to what is signed in its place.
    """

    issuer_name: str | None = None
    signing_key: SimulatedRsaKey | None = None
    hash_algorithm: SHA256 | SHA384 = field(default_factory=SHA384)
    extra_extensions: list[tuple[str, bool, bytes]] = field(default_factory=list)
    edit_tbs: Edit | None = None

    def _algorithm(self, usual: bytes) -> bytes:
        return usual if self.hash_algorithm.name == "sha384" else usual.replace(_SHA384_OID, _SHA256_OID)

    def _signed(self, tbs: bytes, algorithm: bytes, key: SimulatedRsaKey) -> bytes:
        if self.edit_tbs is not None:
            tbs = self.edit_tbs(tbs)
        signature = (self.signing_key or key).sign(tbs, self.hash_algorithm)
        return wrap_sequence(tbs + algorithm + bit_string(signature))

    def _extensions(self, own: Iterable[tuple[str, bool, bytes]]) -> bytes:
        return wrap_sequence(b"".join(extension(*item) for item in (*own, *self.extra_extensions)))


@dataclass(kw_only=True, eq=False)
class _AmdCertificate(_Signed):
    """``certified_spki`` is in the certificate in place of its key's, with which its owner signs."""

    common_name: str
    serial: int
    not_before: datetime  # aware
    not_after: datetime  # aware
    certified_spki: bytes | None = None

    def _build(self, issuer: AmdAuthority, spki: bytes, algorithm: bytes, extensions: bytes) -> bytes:
        algorithm = self._algorithm(algorithm)
        tbs = wrap_sequence(
            explicit(0, integer(2))
            + integer(self.serial)
            + algorithm
            + name(self.issuer_name or issuer.common_name)
            + wrap_sequence(utc_time(self.not_before) + utc_time(self.not_after))
            + name(self.common_name)
            + (self.certified_spki or spki)
            + explicit(3, extensions)
        )
        return self._signed(tbs, algorithm, issuer.key)


@dataclass(kw_only=True, eq=False)
class AmdAuthority(_AmdCertificate):
    """An ARK, which has no ``issuer``, or an ASK or ASVK."""

    key: SimulatedRsaKey
    issuer: AmdAuthority | None = None
    ca: bool = True
    path_length: int | None = None
    may_certify: bool = True
    may_sign_crl: bool = False

    @property
    def der(self) -> bytes:
        """The certificate, signed over the fields as they are now."""
        usage = _KEY_CERT_SIGN * self.may_certify | _CRL_SIGN * self.may_sign_crl
        constraints = boolean(True) if self.ca else b""
        if self.ca and self.path_length is not None:
            constraints += integer(self.path_length)
        extensions = self._extensions(
            (
                (_KEY_USAGE, True, bit_string(bytes((usage,)), 1)),
                (_BASIC_CONSTRAINTS, True, wrap_sequence(constraints)),
            )
        )
        return self._build(self.issuer or self, self.key.spki, _LONG, extensions)

    @property
    def pem(self) -> bytes:
        return encode_pem(self.der)

    @property
    def parsed(self) -> Certificate:
        """:attr:`der` as the verifier sees it, for example as a trust anchor."""
        return parse_certificate(self.der)


@dataclass(kw_only=True, eq=False)
class AmdVekCertificate(_AmdCertificate):
    """A VCEK's certificate with ``hwid``, or a VLEK's with ``csp_id``.

    ``overrides`` replaces or adds single extensions by the end of the OID (``"2"``, ``"3.8"``), each as its
    value, and ``None`` removes one.
    """

    key: ec.EllipticCurvePrivateKey
    issuer: AmdAuthority
    product_name: str
    product: SnpProduct
    tcb: TcbVersion
    hwid: bytes | None
    csp_id: str | None = None
    overrides: dict[str, bytes | None] = field(default_factory=dict)

    @property
    def der(self) -> bytes:
        """The certificate, signed over the fields as they are now."""
        spki = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        values = {**self._values(), **self.overrides}
        own = [(AMD_ARC + end, False, value) for end, value in values.items() if value is not None]
        return self._build(self.issuer, spki, _SHORT, self._extensions(own))

    @property
    def pem(self) -> bytes:
        return encode_pem(self.der)

    def _values(self) -> dict[str, bytes | None]:
        tcb = self.tcb
        reserved = ("3.5", "3.6", "3.7") if self.product.has_fmc else ("3.4", "3.5", "3.6", "3.7")
        return {
            "1": integer(int(self.product.has_fmc)),
            "2": ia5_string(self.product_name),
            "3.9": None if tcb.fmc is None else integer(tcb.fmc),
            "3.1": integer(tcb.bootloader),
            "3.2": integer(tcb.tee),
            **dict.fromkeys(reserved, integer(0)),
            "3.3": integer(tcb.snp),
            "3.8": integer(tcb.microcode),
            "4": self.hwid,
            "5": None if self.csp_id is None else ia5_string(self.csp_id),
        }


@dataclass(kw_only=True, eq=False)
class AmdCrl(_Signed):
    """The revocation list of ``issuer``. ``revoked`` are serial numbers."""

    issuer: AmdAuthority
    this_update: datetime  # aware
    next_update: datetime  # aware
    number: int = 1
    revoked: list[int] = field(default_factory=list)

    @property
    def der(self) -> bytes:
        algorithm = self._algorithm(_SHORT)
        entries = b"".join(
            wrap_sequence(integer(serial) + utc_time(self.this_update)) for serial in self.revoked
        )
        tbs = wrap_sequence(
            integer(1)
            + algorithm
            + name(self.issuer_name or self.issuer.common_name)
            + utc_time(self.this_update)
            + utc_time(self.next_update)
            + (wrap_sequence(entries) if entries else b"")
            + explicit(0, self._extensions([(_CRL_NUMBER, False, integer(self.number))]))
        )
        return self._signed(tbs, algorithm, self.issuer.key)
