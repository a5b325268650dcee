"""Hygon's certificates, in the two formats that it made of AMD's [CSV-RS certs].

HRK and HSK have 832 bytes, CEK and PEK 2084. All keys are on SM2's curve and sign with SM2 over SM3, under a
user id that stands in the signer's own certificate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from eaa.errors import FormatError
from eaa.evidence.hygon_csv_json import HYGON_CA_BYTES
from eaa.evidence.layout import BytesField, Structure, UintField
from eaa.evidence.psp_certificate import (
    COORDINATE_BYTES,
    KeyUsage,
    PspCertificate,
    parse_psp_certificate,
)

__all__ = [
    "SM2_ALGORITHM",
    "HygonCaCertificate",
    "HygonCertificate",
    "HygonCertificateBody",
    "HygonPublicKey",
    "parse_hygon_ca",
    "parse_hygon_certificate",
]

#: SM2 for signatures, as CEKs, PEKs, OCAs and HSKs have it.
SM2_ALGORITHM = 4
_SM2_CURVE = 3
_CURVE_BYTES = 32
_MAX_USER_ID = 254
#: A CEK's certificate of version 2 names the HSK that issued it.
_VERSIONS = (1, 2)
_SPEC = "[CSV-RS certs]"
_CA, _PLATFORM = "Hygon CA certificate", "CSV certificate"


@dataclass(frozen=True, slots=True)
class HygonPublicKey:
    """A point, which need not be on the curve, and the id under which its owner signs, 1 to 254 bytes."""

    x: int
    y: int
    user_id: bytes


@dataclass(frozen=True, slots=True)
class HygonCaCertificate(Structure):
    """HRK or HSK: well-formed, nothing in it has been verified."""

    SIZE: ClassVar[int] = HYGON_CA_BYTES

    version = UintField(0x000, 4)
    key_id = BytesField(0x004, 16)
    certifying_id = BytesField(0x014, 16)  # of the issuer, its own in an HRK
    key_usage = UintField(0x024, 4)
    reserved0 = BytesField(0x028, 24)
    curve = UintField(0x040, 4)
    pubkey_x = BytesField(0x044, COORDINATE_BYTES)  # little-endian, as all numbers
    pubkey_y = BytesField(0x08C, COORDINATE_BYTES)
    uid_size = UintField(0x0D4, 2)
    user_id = BytesField(0x0D6, _MAX_USER_ID)
    reserved1 = BytesField(0x1D4, 108)
    sig_r = BytesField(0x240, COORDINATE_BYTES)
    sig_s = BytesField(0x288, COORDINATE_BYTES)
    reserved2 = BytesField(0x2D0, 112)

    @property
    def usage(self) -> KeyUsage:
        return KeyUsage(self.key_usage)

    @property
    def key(self) -> HygonPublicKey:
        return _key(self, _CA)

    @property
    def signed(self) -> bytes:
        """The bytes under the signature, 576."""
        return self.raw[: HygonCaCertificate.sig_r.offset]

    @property
    def signature(self) -> bytes:
        """r ‖ s, 72 bytes each, little-endian."""
        return self.raw[HygonCaCertificate.sig_r.offset : HygonCaCertificate.sig_s.end]


@dataclass(frozen=True, slots=True)
class HygonCertificateBody(Structure):
    """How Hygon lays out the 1028 bytes of a platform key's certificate that are the public key."""

    SIZE: ClassVar[int] = 1028

    curve = UintField(0x000, 4)
    pubkey_x = BytesField(0x004, COORDINATE_BYTES)
    pubkey_y = BytesField(0x04C, COORDINATE_BYTES)
    uid_size = UintField(0x094, 2)
    user_id = BytesField(0x096, _MAX_USER_ID)
    certifying_id = BytesField(0x194, 16)  # of the HSK in a CEK's certificate of version 2, else zero
    reserved = BytesField(0x1A4, 608)


@dataclass(frozen=True, slots=True)
class HygonCertificate:
    """A well-formed certificate of a CEK or PEK. Nothing in it has been verified."""

    frame: PspCertificate
    key: HygonPublicKey
    certifying_id: bytes  # 16 bytes, zeros if it names none

    @property
    def usage(self) -> KeyUsage:
        return self.frame.usage

    def encode(self) -> bytes:
        return self.frame.raw


def parse_hygon_ca(data: bytes) -> HygonCaCertificate:
    """The HRK's or HSK's certificate in ``data``, exactly 832 bytes.

    Raises:
        FormatError: another length, version, usage or curve, a reserved byte that is not zero, or a user id
            that is empty or longer than there is room for.
    """
    if len(data) != HYGON_CA_BYTES:
        raise _error(
            _CA, "length", f"expected {HYGON_CA_BYTES} bytes, came {len(data)}",
            "truncated" if len(data) < HYGON_CA_BYTES else "trailing_bytes",
        )  # fmt: skip
    found = HygonCaCertificate(data)
    if found.version != 1:
        raise _error(_CA, "version", f"expected 1, came {found.version}")
    if found.key_usage not in (KeyUsage.ARK, KeyUsage.ASK):
        raise _error(_CA, "key_usage", f"expected that of HRK or HSK, came {found.key_usage:#x}")
    if any(found.reserved0 + found.reserved1 + found.reserved2):
        raise _error(_CA, "reserved", "a reserved byte is not zero", "reserved")
    _key(found, _CA)
    return found


def parse_hygon_certificate(data: bytes) -> HygonCertificate:
    """The CEK's or PEK's certificate in ``data``, exactly 2084 bytes.

    Raises:
        FormatError: as :func:`eaa.evidence.psp_certificate.parse_psp_certificate` and
            :func:`parse_hygon_ca`; or the key or a signature is not SM2's, or has bytes after its end.
    """
    frame = parse_psp_certificate(data, what=_PLATFORM, versions=_VERSIONS)
    if frame.pubkey_algo != SM2_ALGORITHM:
        raise _error(_PLATFORM, "pubkey_algo", f"expected {SM2_ALGORITHM}, SM2, came {frame.pubkey_algo:#x}")
    body = HygonCertificateBody(frame.pubkey)
    if any(body.reserved):
        raise _error(_PLATFORM, "reserved", "a reserved byte is not zero", "reserved")
    for signature in frame.signatures:
        if signature.algorithm != SM2_ALGORITHM:
            raise _error(_PLATFORM, "sig_algo", f"expected {SM2_ALGORITHM}, came {signature.algorithm:#x}")
        if any(signature.data[2 * COORDINATE_BYTES :]):
            raise _error(_PLATFORM, "sig", "a byte after the signature's end is not zero", "reserved")
    return HygonCertificate(frame, _key(body, _PLATFORM), body.certifying_id)


def _key(fields: HygonCaCertificate | HygonCertificateBody, what: str) -> HygonPublicKey:
    if fields.curve != _SM2_CURVE:
        raise _error(what, "curve", f"expected {_SM2_CURVE}, SM2's, came {fields.curve}")
    if any(fields.pubkey_x[_CURVE_BYTES:]) or any(fields.pubkey_y[_CURVE_BYTES:]):
        raise _error(what, "pubkey", "a coordinate has more than 32 bytes", "reserved")
    size = fields.uid_size
    if not 0 < size <= _MAX_USER_ID or any(fields.user_id[size:]):
        raise _error(what, "user_id", f"expected 1 to {_MAX_USER_ID} bytes, then zeros")
    x, y = (int.from_bytes(part, "little") for part in (fields.pubkey_x, fields.pubkey_y))
    return HygonPublicKey(x, y, fields.user_id[:size])


def _error(what: str, field: str, message: str, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=what, field=field, spec=_SPEC, detail=detail)
