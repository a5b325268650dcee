"""Certificate revocation lists [RFC5280 §5], as DER, PEM or hexadecimal DER."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from cryptography import x509
from cryptography.hazmat import asn1

from eaa.codec.der import decode_der, parse_tlv, tlv_bytes, wrap_sequence
from eaa.codec.pem import decode_pem
from eaa.endorsements.plain_der import Extension, PlainCrl, plain_crl
from eaa.endorsements.x509 import RawExtension, extensions_by_oid
from eaa.errors import FormatError

__all__ = ["MAX_CRL_BYTES", "CertificateRevocationList", "crl_der", "parse_crl"]

_WHAT = "certificate revocation list"
_SPEC = "[RFC5280 §5.1]"
#: Intel's largest seen is 6 KiB with 129 entries.
MAX_CRL_BYTES = 4 * 1024 * 1024
_INTEGER_TAG = 0x02
_CRL_NUMBER, _AUTHORITY_KEY_ID = "2.5.29.20", "2.5.29.35"
#: All other critical extensions change what the list covers.
_KNOWN_CRITICAL = frozenset({_CRL_NUMBER, _AUTHORITY_KEY_ID})


@asn1.sequence
class _Outer:
    tbs: asn1.TLV
    algorithm: asn1.TLV
    signature: asn1.BitString


@asn1.sequence
class _Tbs:
    version: int
    algorithm: asn1.TLV
    issuer: asn1.TLV
    this_update: asn1.UTCTime | asn1.GeneralizedTime
    next_update: asn1.UTCTime | asn1.GeneralizedTime | None
    revoked: list[asn1.TLV] | None  # looked up through cryptography.x509, which decodes on demand
    extensions: Annotated[list[RawExtension] | None, asn1.Explicit(0)]


@asn1.sequence
class _Integer:
    value: int


@dataclass(frozen=True, slots=True, eq=False)
class CertificateRevocationList:
    """A well-formed list. ``tbs`` are the received bytes under ``signature``; ``issuer`` is Name in DER."""

    der: bytes
    tbs: bytes
    issuer: bytes
    this_update: datetime  # aware, UTC
    next_update: datetime  # aware, UTC
    signature_algorithm: bytes  # AlgorithmIdentifier, the same inside and outside
    signature: bytes
    extensions: Mapping[str, Extension]
    _list: x509.CertificateRevocationList

    def revokes(self, serial: int) -> bool:
        """Whether the certificate of this list's issuer with ``serial`` is revoked."""
        size = max(serial, ~serial).bit_length() // 8 + 1
        # DER has one encoding of an INTEGER: where that is nowhere, no entry has it. The number alone may be
        # there all the same: Intel's CAs have it as their key's identifier too.
        header = bytes((_INTEGER_TAG, size)) if size < 0x80 else b""
        if header + serial.to_bytes(size, "big", signed=True) not in self.tbs:
            return False
        if serial < 0:  # nothing that RFC 5280 allows, and the library does not look for it
            return serial in self.revoked_serials
        return self._list.get_revoked_certificate_by_serial_number(serial) is not None

    @property
    def revoked_serials(self) -> tuple[int, ...]:
        return tuple(entry.serial_number for entry in self._list)

    @property
    def number(self) -> int | None:
        """CRLNumber, or ``None`` without the extension."""
        extension = self.extensions.get(_CRL_NUMBER)
        if extension is None:
            return None
        return decode_der(
            _Integer, wrap_sequence(extension.value), _WHAT, "cRLNumber", "[RFC5280 §5.2.3]"
        ).value


def crl_der(data: bytes, *, what: str = _WHAT) -> bytes:
    """The DER of a list given as DER, PEM or hexadecimal.

    Raises:
        FormatError: none of these, or larger than 4 MiB.
    """
    if len(data) > MAX_CRL_BYTES:
        raise _error(what, "length", f"{len(data)} bytes exceed {MAX_CRL_BYTES}", "too_large")
    if data[:1] == b"\x30" and not _is_hex(data[:2]):
        return data
    if data.lstrip()[:5] == b"-----":
        blocks = decode_pem(data, "X509 CRL", what)
        if len(blocks) != 1:
            raise _error(what, "PEM", f"expected one list, came {len(blocks)}")
        return blocks[0]
    try:
        return binascii.unhexlify(data.strip())
    except binascii.Error:
        raise _error(what, "encoding", "neither DER, PEM nor hexadecimal", "not_der") from None


def parse_crl(der: bytes, *, what: str = _WHAT) -> CertificateRevocationList:
    """The list in ``der``, exactly.

    Raises:
        FormatError: not DER, no next update, inner and outer algorithm that differ, or a critical
            extension that is unknown or narrows what the list covers.
    """
    if len(der) > MAX_CRL_BYTES:
        raise _error(what, "length", f"{len(der)} bytes exceed {MAX_CRL_BYTES}", "too_large")
    fields = plain_crl(der) or _decoded(der, what)
    for oid, extension in fields.extensions.items():
        if extension.critical and oid not in _KNOWN_CRITICAL:
            raise _error(what, "crlExtensions", f"unknown critical extension {oid}")
    try:
        revoked = x509.load_der_x509_crl(der)
    except ValueError as error:
        raise _error(what, "certificateList", str(error), "not_der") from None
    return CertificateRevocationList(der, *fields, revoked)


def _decoded(der: bytes, what: str) -> PlainCrl:
    outer = decode_der(_Outer, der, what, "certificateList", _SPEC)
    tbs = parse_tlv(outer.tbs, _Tbs, what, "tbsCertList", _SPEC)
    if tbs.version != 1:
        raise _error(what, "version", f"expected v2, came v{tbs.version + 1}")
    if outer.signature.padding_bits():
        raise _error(what, "signatureValue", "is not a whole number of bytes")
    algorithm = tlv_bytes(tbs.algorithm)
    if algorithm != tlv_bytes(outer.algorithm):
        raise _error(what, "signatureAlgorithm", "differs inside and outside of tbsCertList")
    if tbs.next_update is None:
        raise _error(what, "nextUpdate", "is missing", "missing")
    return PlainCrl(
        tlv_bytes(outer.tbs),
        tlv_bytes(tbs.issuer),
        tbs.this_update.as_datetime(),
        tbs.next_update.as_datetime(),
        algorithm,
        outer.signature.as_bytes(),
        extensions_by_oid(tbs.extensions or [], what),
    )


def _is_hex(data: bytes) -> bool:
    return all(byte in b"0123456789abcdefABCDEF" for byte in data)


def _error(what: str, field: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=what, field=field, spec=_SPEC, detail=detail)
