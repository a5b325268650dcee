"""Certificates and revocation lists as parts of a pool, and the encodings in which they come."""

from __future__ import annotations

from typing import Any

from eaa.codec.text import decode_base64, decode_hex
from eaa.endorsements.crl import crl_der, parse_crl
from eaa.endorsements.pool import CrlRole, EndorsementPool, PooledCrl, merge
from eaa.endorsements.roots import SIMULATED_NAME_PREFIX
from eaa.endorsements.x509 import common_name, parse_certificate, parse_certificate_chain
from eaa.errors import FormatError
from eaa.evidence.snp_certificates import TableName, parse_certificate_table

__all__ = ["certificates_part", "crl_part", "decode_octets", "der_kind", "encode_text", "table_part"]


def certificates_part(data: bytes, what: str) -> EndorsementPool:
    """The certificates in ``data``: one in DER, or PEM, or URL-encoded PEM."""
    if der_kind(data):
        return EndorsementPool(certificates=((parse_certificate(data, what=what),),))
    return EndorsementPool(certificates=(parse_certificate_chain(data, what=what),))


def crl_part(data: bytes, what: str, *, role: CrlRole | None = None, chain: bytes = b"") -> EndorsementPool:
    """The list in ``data``: DER, PEM or hexadecimal. Its role, if not given, is that of its issuer's name."""
    crl = parse_crl(crl_der(data, what=what), what=what)
    if role is None:
        role = _role(common_name(crl.issuer))
    return EndorsementPool(crls=(PooledCrl(role, crl.issuer, crl.this_update, crl.der, chain),))


def _role(issuer: str) -> CrlRole:
    if "PCK" in issuer:
        return CrlRole.PCK
    return (
        CrlRole.ARK if issuer.removeprefix(f"{SIMULATED_NAME_PREFIX} ").startswith("ARK-") else CrlRole.ROOT
    )


def table_part(data: bytes, what: str) -> EndorsementPool:
    """The certificates and lists in a certificate table of an SNP host; other entries are not looked at."""
    entries = [item for item in parse_certificate_table(data).entries if item.name is not TableName.OTHER]
    return merge([_entry(item.data, what) for item in entries if item.data])


def _entry(data: bytes, what: str) -> EndorsementPool:
    is_crl = der_kind(data) == "crl" or b"X509 CRL" in data[:64]
    return crl_part(data, what) if is_crl else certificates_part(data, what)


def der_kind(data: bytes) -> str | None:
    """``"certificate"`` or ``"crl"`` if ``data`` begins like one in DER, whole or not.

    Both are SEQUENCE { SEQUENCE … }; a certificate begins with [0] version, a list with INTEGER 1.
    """
    inner = _contents(_contents(data[:32]))
    if inner[:5] == b"\xa0\x03\x02\x01\x02":
        return "certificate"
    return "crl" if inner[:4] == b"\x02\x01\x01\x30" else None


def decode_octets(value: Any, what: str, field: str) -> bytes:
    """Bytes in JSON: hexadecimal, base64 or PEM text, or an array of numbers from 0 to 255.

    Raises:
        FormatError: none of these.
    """
    if isinstance(value, list) and all(type(item) is int and 0 <= item <= 255 for item in value):
        return bytes(value)
    if not isinstance(value, str):
        raise FormatError("expected text or an array of bytes", what=what, field=field)
    if value.startswith("-----"):
        return encode_text(value, what, field)
    try:
        return decode_hex(value.strip().removeprefix("0x"), what, field)
    except FormatError:
        return decode_base64("".join(value.split()), what, field)


def encode_text(value: Any, what: str, field: str) -> bytes:
    """A JSON string as UTF-8; ``null`` as nothing."""
    try:
        return b"" if value is None else str.encode(value)
    except (TypeError, UnicodeEncodeError):
        raise FormatError("expected a string of Unicode text", what=what, field=field) from None


def _contents(data: bytes) -> bytes:
    """What follows the header of a SEQUENCE, as far as a look at its start needs."""
    if data[:1] != b"\x30" or len(data) < 2:
        return b""
    start = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    return data[start : start + 16]
