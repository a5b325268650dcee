"""Certificates and revocation lists in the one shape that Intel writes, cut at its offsets.

Each byte outside of the fields is compared with the only one it can be, and each length with where its
value ends, so that what is read here is what the decoder reads, in less than half of its time. Of any
other shape these functions return ``None``, and the decoder reads it or says what is wrong. The shape:
version 3, of lists 2; ecdsa-with-SHA256; UTCTime; names below 128 bytes; P-256 keys; Intel's extensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

__all__ = [
    "ECDSA_SHA256",
    "P256_SPKI_PREFIX",
    "Extension",
    "PlainCertificate",
    "PlainCrl",
    "plain_certificate",
    "plain_crl",
]

#: AlgorithmIdentifier of ecdsa-with-SHA256, parameters absent [RFC5758 §3.2].
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
#: SubjectPublicKeyInfo of an uncompressed P-256 point, up to the 65 bytes of the point [RFC5480 §2].
P256_SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")

_ALGORITHM_BYTES, _SPKI_BYTES = len(ECDSA_SHA256), len(P256_SPKI_PREFIX) + 65
_SEQUENCE, _BIT_STRING, _OCTET_STRING = 0x30, 0x03, 0x04
#: [0] version 3, and the tag of the serial number.
_VERSION_3 = bytes.fromhex("a00302010202")
_VERSION_2 = bytes.fromhex("020101")
#: The header of a UTCTime, and of two of them as Validity.
_TIME, _VALIDITY = bytes.fromhex("170d"), bytes.fromhex("301e170d")
_TIME_BYTES = 15
_CRITICAL = bytes.fromhex("0101ff")
#: The extensions, as OBJECT IDENTIFIER: 2.5.29.n [RFC5280 §4.2.1, §5.2], and SGX's [SGX-PCK §1.3.5].
_OIDS = {
    **{bytes((0x06, 3, 0x55, 0x1D, n)): f"2.5.29.{n}" for n in (14, 15, 19, 20, 31, 35)},
    bytes.fromhex("06092a864886f84d010d01"): "1.2.840.113741.1.13.1",
}


class Extension(NamedTuple):
    """``value`` is the content of extnValue's OCTET STRING."""

    critical: bool
    value: bytes


class PlainCertificate(NamedTuple):
    """As :class:`eaa.endorsements.x509.Certificate` has them, in its order."""

    tbs: bytes
    serial: int
    issuer: bytes
    subject: bytes
    not_before: datetime
    not_after: datetime
    spki: bytes
    public_point: bytes
    signature_algorithm: bytes
    signature: bytes
    extensions: Mapping[str, Extension]


class PlainCrl(NamedTuple):
    """As :class:`eaa.endorsements.crl.CertificateRevocationList` has them, in its order."""

    tbs: bytes
    issuer: bytes
    this_update: datetime
    next_update: datetime
    signature_algorithm: bytes
    signature: bytes
    extensions: Mapping[str, Extension]


#: What reading another shape raises: ValueError, IndexError past the end, KeyError.
_OTHER_SHAPE = (ValueError, LookupError)


def plain_certificate(der: bytes) -> PlainCertificate | None:
    """The fields of the certificate in ``der``, if it has the shape."""
    try:
        return _certificate(der)
    except _OTHER_SHAPE:
        return None


def plain_crl(der: bytes) -> PlainCrl | None:
    """The fields of the list in ``der``, if it has the shape; its entries are not looked at."""
    try:
        return _crl(der)
    except _OTHER_SHAPE:
        return None


def _certificate(der: bytes) -> PlainCertificate:
    tbs, start, end = _signed(der)
    serial = start + 7
    algorithm = serial + der[start + 6]
    issuer = algorithm + _ALGORITHM_BYTES
    validity = issuer + 2 + der[issuer + 1]
    subject = validity + 32
    spki = subject + 2 + der[subject + 1]
    extensions = spki + _SPKI_BYTES
    number = int.from_bytes(der[serial:algorithm], "big")
    if (
        der[start : start + 6] != _VERSION_3
        or der[algorithm:issuer] != ECDSA_SHA256
        or not der[issuer] == der[subject] == _SEQUENCE
        or not der[start + 6] | der[issuer + 1] | der[subject + 1] < 0x80
        or der[validity : validity + 4] != _VALIDITY
        or not der.startswith(P256_SPKI_PREFIX, spki)
        or der[serial] >= 0x80
        or number.bit_length() // 8 + 1 != algorithm - serial  # minimal: room for the sign and no more
    ):
        raise ValueError
    return PlainCertificate(
        der[tbs:end],
        number,
        der[issuer:validity],
        der[subject:spki],
        _time(der, validity + 2),
        _time(der, validity + 2 + _TIME_BYTES),
        der[spki:extensions],
        der[extensions - 65 : extensions],
        ECDSA_SHA256,
        _signature(der, end),
        _extensions(der, extensions, 0xA3, end),
    )


def _crl(der: bytes) -> PlainCrl:
    tbs, start, end = _signed(der)
    algorithm = start + 3
    issuer = algorithm + _ALGORITHM_BYTES
    this_update = issuer + 2 + der[issuer + 1]
    next_update = this_update + _TIME_BYTES
    extensions = next_update + _TIME_BYTES
    if der[extensions] == _SEQUENCE:  # the entries
        _, extensions = _contents(der, extensions)
    if (
        der[start:algorithm] != _VERSION_2
        or der[algorithm:issuer] != ECDSA_SHA256
        or der[issuer] != _SEQUENCE
        or der[issuer + 1] >= 0x80
    ):
        raise ValueError
    return PlainCrl(
        der[tbs:end],
        der[issuer:this_update],
        _time(der, this_update),
        _time(der, next_update),
        ECDSA_SHA256,
        _signature(der, end),
        _extensions(der, extensions, 0xA0, end),
    )


def _signed(der: bytes) -> tuple[int, int, int]:
    """Where what is signed begins, where its contents begin, and where both end."""
    tbs, stop = _contents(der, 0)
    start, end = _contents(der, tbs)
    if stop != len(der) or not der[0] == der[tbs] == _SEQUENCE:
        raise ValueError
    return tbs, start, end


def _signature(der: bytes, at: int) -> bytes:
    """The contents of the BIT STRING that ends ``der``, after the algorithm at ``at``."""
    bits = at + _ALGORITHM_BYTES
    size = der[bits + 1]
    if (
        der[at:bits] != ECDSA_SHA256
        or der[bits] != _BIT_STRING
        or not 0 < size < 0x80
        or size != len(der) - bits - 2
        or der[bits + 2] != 0
    ):
        raise ValueError
    return der[bits + 3 :]


def _extensions(der: bytes, at: int, tag: int, end: int) -> Mapping[str, Extension]:
    """The extensions in explicit ``tag`` at ``at``, up to ``end`` exactly; each once."""
    sequence, outer_end = _contents(der, at)
    first, stop = _contents(der, sequence)
    if der[at] != tag or der[sequence] != _SEQUENCE or not outer_end == stop == end:
        raise ValueError
    found: dict[str, Extension] = {}
    at = first
    while at < end:
        oid, stop = _contents(der, at)
        octets = oid + 2 + der[oid + 1]
        name = _OIDS[der[oid:octets]]
        critical = der[octets : octets + 3] == _CRITICAL
        if critical:
            octets += 3
        value, value_end = _contents(der, octets)
        if der[at] != _SEQUENCE or der[octets] != _OCTET_STRING or value_end != stop or name in found:
            raise ValueError
        found[name] = Extension(critical, der[value:stop])
        at = stop
    if at != end:
        raise ValueError
    return MappingProxyType(found)


def _contents(der: bytes, at: int) -> tuple[int, int]:
    """Where the contents of the element at ``at`` begin and end; its length in one minimal form."""
    size = der[at + 1]
    if size < 0x80:
        return at + 2, at + 2 + size
    if size == 0x81 and der[at + 2] >= 0x80:
        return at + 3, at + 3 + der[at + 2]
    if size == 0x82 and der[at + 2]:
        return at + 4, at + 4 + (der[at + 2] << 8 | der[at + 3])
    raise ValueError


def _time(der: bytes, at: int) -> datetime:
    """The UTCTime at ``at``: years 1950 to 2049 [RFC5280 §4.1.2.5.1]."""
    digits = der[at + 2 : at + 14]
    if der[at : at + 2] != _TIME or der[at + 14] != 0x5A or not digits.isdigit() or digits[6:8] > b"23":
        raise ValueError
    century = "20" if digits < b"50" else "19"
    return datetime.fromisoformat(f"{century}{digits[:6].decode()}T{digits[6:].decode()}Z")
