"""X.509 certificates as frozen values over the received bytes [RFC5280 §4.1].

Names are kept as DER and compared byte for byte, which is stricter than [RFC5280 §7.1] and what
the vendors' own verifiers do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from eaa.codec.der import decode_der, parse_tlv, tlv_bytes, wrap_sequence
from eaa.codec.pem import Texts, decode_pem_certificates, pem_text
from eaa.endorsements.plain_der import ECDSA_SHA256, P256_SPKI_PREFIX, Extension, plain_certificate
from eaa.errors import FormatError

__all__ = [
    "ECDSA_SHA256",
    "Certificate",
    "Extension",
    "KnownCertificates",
    "RawExtension",
    "common_name",
    "extensions_by_oid",
    "parse_certificate",
    "parse_certificate_chain",
]

_SPEC = "[RFC5280 §4.1]"
_WHAT = "X.509 certificate"
MAX_CERTIFICATE_BYTES = 64 * 1024

BASIC_CONSTRAINTS, KEY_USAGE = "2.5.29.19", "2.5.29.15"
#: KeyUsage bits [RFC5280 §4.2.1.3].
DIGITAL_SIGNATURE, KEY_CERT_SIGN, CRL_SIGN = 0, 5, 6


@asn1.sequence
class _Certificate:
    tbs: asn1.TLV
    algorithm: asn1.TLV
    signature: asn1.BitString


@asn1.sequence
class _Validity:
    not_before: asn1.UTCTime | asn1.GeneralizedTime
    not_after: asn1.UTCTime | asn1.GeneralizedTime


@asn1.sequence
class RawExtension:
    """An Extension as the declarative decoder gives it [RFC5280 §4.1]."""

    oid: ObjectIdentifier
    critical: Annotated[bool, asn1.Default(False)]
    value: bytes


@asn1.sequence
class _Tbs:
    version: Annotated[int, asn1.Explicit(0), asn1.Default(0)]
    serial: int
    algorithm: asn1.TLV
    issuer: asn1.TLV
    validity: _Validity
    subject: asn1.TLV
    spki: asn1.TLV
    extensions: Annotated[list[RawExtension] | None, asn1.Explicit(3)]


@asn1.sequence
class _BasicConstraints:
    ca: Annotated[bool, asn1.Default(False)]
    path_length: int | None


@asn1.sequence
class _Attribute:
    type: ObjectIdentifier
    value: asn1.TLV


@asn1.sequence
class _NameHolder:
    rdns: list[asn1.SetOf[_Attribute]]


_COMMON_NAME = "2.5.4.3"
_EMPTY_SEQUENCE = b"\x30\x00"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A well-formed certificate; whether to believe it is another matter.

    ``tbs`` are the received bytes that the signature covers; ``issuer`` and ``subject`` are Name in
    DER; ``public_point`` is the 65-byte uncompressed P-256 point, or ``None`` for another kind of key.
    """

    der: bytes
    tbs: bytes
    serial: int
    issuer: bytes
    subject: bytes
    not_before: datetime  # aware, UTC
    not_after: datetime  # aware, UTC
    spki: bytes
    public_point: bytes | None
    signature_algorithm: bytes  # AlgorithmIdentifier, the same inside and outside
    signature: bytes
    extensions: Mapping[str, Extension]

    @property
    def common_name(self) -> str:
        """The last commonName of the subject, or ``""``."""
        return common_name(self.subject)

    @property
    def ca(self) -> bool:
        """Whether BasicConstraints says CA."""
        return self.basic_constraints[0]

    @property
    def basic_constraints(self) -> tuple[bool, int | None]:
        """cA and pathLenConstraint; ``(False, None)`` without the extension."""
        extension = self.extensions.get(BASIC_CONSTRAINTS)
        return _basic_constraints(extension.value) if extension else (False, None)

    def key_usage(self, bit: int) -> bool:
        """Whether KeyUsage has ``bit``; ``False`` without the extension."""
        extension = self.extensions.get(KEY_USAGE)
        bits = _key_usage(extension.value) if extension else b""
        return len(bits) > bit // 8 and bool(bits[bit // 8] & 0x80 >> bit % 8)


# The same few values are in all certificates of a vendor, and are asked for at each step.


@lru_cache(maxsize=64)
def _basic_constraints(value: bytes) -> tuple[bool, int | None]:
    if value == _EMPTY_SEQUENCE:
        return False, None
    decoded = decode_der(_BasicConstraints, value, _WHAT, "basicConstraints", "[RFC5280 §4.2.1.9]")
    return decoded.ca, decoded.path_length


@lru_cache(maxsize=64)
def _key_usage(value: bytes) -> bytes:
    return decode_der(asn1.BitString, value, _WHAT, "keyUsage", "[RFC5280 §4.2.1.3]").as_bytes()


def parse_certificate(der: bytes, *, what: str = _WHAT) -> Certificate:
    """The certificate in ``der``, exactly.

    Raises:
        FormatError: not DER, more than 64 KiB, unknown version, duplicate extensions, or inner and
            outer signature algorithms that differ.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise _error(what, "length", f"{len(der)} bytes exceed {MAX_CERTIFICATE_BYTES}", "too_large")
    plain = plain_certificate(der)
    return _decoded(der, what) if plain is None else Certificate(der, *plain)


def _decoded(der: bytes, what: str) -> Certificate:
    outer = decode_der(_Certificate, der, what, "certificate", _SPEC)
    tbs = parse_tlv(outer.tbs, _Tbs, what, "tbsCertificate", _SPEC)
    if tbs.version != 2:
        raise _error(what, "version", f"expected v3, came v{tbs.version + 1}")
    algorithm = tlv_bytes(tbs.algorithm)
    if algorithm != tlv_bytes(outer.algorithm):
        raise _error(what, "signatureAlgorithm", "differs inside and outside of tbsCertificate")
    spki = tlv_bytes(tbs.spki)
    is_p256 = len(spki) == len(P256_SPKI_PREFIX) + 65 and spki.startswith(P256_SPKI_PREFIX)
    return Certificate(
        der,
        tlv_bytes(outer.tbs),
        tbs.serial,
        tlv_bytes(tbs.issuer),
        tlv_bytes(tbs.subject),
        tbs.validity.not_before.as_datetime(),
        tbs.validity.not_after.as_datetime(),
        spki,
        spki[-65:] if is_p256 else None,
        algorithm,
        _whole_octets(outer.signature, what),
        extensions_by_oid(tbs.extensions or [], what),
    )


@dataclass(frozen=True, slots=True, eq=False)
class KnownCertificates:
    """Certificates that need not be parsed again. To be known is not to be believed."""

    by_der: Mapping[bytes, Certificate]
    ders: Texts  # the DER of the same, or of some of them, by their PEM text

    @classmethod
    def of(cls, certificates: Iterable[Certificate]) -> KnownCertificates:
        by_der = {item.der: item for item in certificates}
        return cls(MappingProxyType(by_der), MappingProxyType({pem_text(der): der for der in by_der}))

    def and_of(self, certificates: Sequence[Certificate]) -> KnownCertificates:
        """These and ``certificates``."""
        if all(item.der in self.by_der for item in certificates):
            return self
        return KnownCertificates({**self.by_der, **{item.der: item for item in certificates}}, self.ders)


_NONE_KNOWN = KnownCertificates.of(())


def parse_certificate_chain(
    pem: bytes, *, what: str, known: KnownCertificates = _NONE_KNOWN
) -> tuple[Certificate, ...]:
    """The certificates of a PEM or URL-encoded PEM chain, in the order given.

    One whose bytes are those of a certificate in ``known`` is that one, and is not parsed again.
    """
    parsed = known.by_der
    blocks = decode_pem_certificates(pem, what, known.ders)
    return tuple([parsed.get(der) or parse_certificate(der, what=what) for der in blocks])


def common_name(name: bytes) -> str:
    """The last commonName in a Name, or ``""`` if there is none or it is not text."""
    holder = decode_der(_NameHolder, wrap_sequence(name), _WHAT, "name", "[RFC5280 §4.1.2.4]")
    for rdn in reversed(holder.rdns):
        for attribute in rdn.as_list():
            if attribute.type.dotted_string == _COMMON_NAME:
                return bytes(attribute.value.data).decode("utf-8", "replace")
    return ""


def extensions_by_oid(items: list[RawExtension], what: str) -> Mapping[str, Extension]:
    """``items`` by dotted OID; :class:`FormatError` if one is given twice."""
    extensions = {item.oid.dotted_string: Extension(item.critical, item.value) for item in items}
    if len(extensions) != len(items):
        raise _error(what, "extensions", "an extension is given twice", "duplicate_key")
    return MappingProxyType(extensions)


def _whole_octets(bits: asn1.BitString, what: str) -> bytes:
    if bits.padding_bits():
        raise _error(what, "signatureValue", "is not a whole number of bytes")
    return bits.as_bytes()


def _error(what: str, field: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=what, field=field, spec=_SPEC, detail=detail)
