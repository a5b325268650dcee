"""Certificate revocation lists [RFC5280 §5], as DER, PEM or hexadecimal DER.

Revocation lists go through ``cryptography.x509``, whose entries are decoded only when looked up.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat import asn1

from eaa.codec.der import decode_der, tlv_bytes
from eaa.codec.pem import decode_pem
from eaa.errors import FormatError

__all__ = ["MAX_CRL_BYTES", "CertificateRevocationList", "crl_der", "parse_crl"]

_WHAT = "certificate revocation list"
_SPEC = "[RFC5280 §5.1]"
#: Intel's largest seen is 6 KiB with 129 entries.
MAX_CRL_BYTES = 4 * 1024 * 1024
#: Extensions that may be critical: all that change what the list covers are refused.
_KNOWN_CRITICAL = frozenset({x509.CRLNumber.oid, x509.AuthorityKeyIdentifier.oid})


@asn1.sequence
class _Outer:
    tbs: asn1.TLV
    algorithm: asn1.TLV
    signature: asn1.BitString


@dataclass(frozen=True, slots=True, eq=False)
class CertificateRevocationList:
    """A well-formed list. ``tbs`` are the received bytes under ``signature``; ``issuer`` is Name in DER."""

    der: bytes
    tbs: bytes
    issuer: bytes
    this_update: datetime  # aware, UTC
    next_update: datetime  # aware, UTC
    number: int | None
    signature_algorithm: bytes  # AlgorithmIdentifier
    signature: bytes
    _list: x509.CertificateRevocationList

    def revokes(self, serial: int) -> bool:
        """Whether the certificate of this list's issuer with ``serial`` is revoked."""
        return self._list.get_revoked_certificate_by_serial_number(serial) is not None

    @property
    def revoked_serials(self) -> tuple[int, ...]:
        return tuple(entry.serial_number for entry in self._list)


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
    outer = decode_der(_Outer, der, what, "certificateList", _SPEC)
    if outer.signature.padding_bits():
        raise _error(what, "signatureValue", "is not a whole number of bytes")
    try:
        crl = x509.load_der_x509_crl(der)
        extensions = crl.extensions
        issuer = crl.issuer.public_bytes()
        next_update = crl.next_update_utc
        this_update = crl.last_update_utc
    except (ValueError, x509.DuplicateExtension) as error:
        raise _error(what, "certificateList", str(error), "not_der") from None
    if next_update is None:
        raise _error(what, "nextUpdate", "is missing", "missing")
    for extension in extensions:
        if extension.critical and extension.oid not in _KNOWN_CRITICAL:
            raise _error(what, "crlExtensions", f"unknown critical {extension.oid.dotted_string}")
    return CertificateRevocationList(
        der=der,
        tbs=crl.tbs_certlist_bytes,
        issuer=issuer,
        this_update=this_update,
        next_update=next_update,
        number=next((e.value.crl_number for e in extensions if isinstance(e.value, x509.CRLNumber)), None),
        signature_algorithm=tlv_bytes(outer.algorithm),
        signature=outer.signature.as_bytes(),
        _list=crl,
    )


def _is_hex(data: bytes) -> bool:
    return all(byte in b"0123456789abcdefABCDEF" for byte in data)


def _error(what: str, field: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=what, field=field, spec=_SPEC, detail=detail)
