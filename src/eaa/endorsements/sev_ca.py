"""AMD's certificates of its own signing keys, ARK and ASK, in SEV's format [SEV-API B.1].

A header of 64 bytes, then public exponent, modulus and signature, little-endian, each as long as the key:
832 bytes with RSA-2048 (Naples), 1600 with RSA-4096 (all later ones). There is neither a name nor a validity
period nor a revocation list; a key is named by 16 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from eaa.errors import FormatError
from eaa.evidence.layout import BytesField, Structure, UintField
from eaa.evidence.psp_certificate import KeyUsage

__all__ = ["SevCaCertificate", "parse_sev_ca", "split_sev_ca"]

_WHAT, _SPEC = "SEV CA certificate", "[SEV-API B.1]"
_HEADER_BYTES, _VERSION = 64, 1
_KEY_BITS = (2048, 4096)
_USAGES = (KeyUsage.ARK, KeyUsage.ASK)


@dataclass(frozen=True, slots=True)
class _Header(Structure):
    SIZE: ClassVar[int] = _HEADER_BYTES

    version = UintField(0x00, 4)
    key_id = BytesField(0x04, 16)
    certifying_id = BytesField(0x14, 16)
    key_usage = UintField(0x24, 4)
    reserved = BytesField(0x28, 16)
    pub_exp_size = UintField(0x38, 4)  # in bits, as the next
    modulus_size = UintField(0x3C, 4)


@dataclass(frozen=True, slots=True)
class SevCaCertificate:
    """A well-formed ARK or ASK certificate. Nothing in it has been verified."""

    raw: bytes
    key_id: bytes  # 16 bytes
    certifying_id: bytes  # 16 bytes: the key id of the issuer, its own in an ARK
    usage: KeyUsage
    key_bits: int  # 2048 or 4096
    public_exponent: int
    modulus: int

    @property
    def signed(self) -> bytes:
        """The bytes under the signature: all before it."""
        return self.raw[: -(self.key_bits // 8)]

    @property
    def signature(self) -> bytes:
        """RSASSA-PSS, big-endian as [RFC8017] has it; the certificate has it the other way round."""
        return self.raw[-(self.key_bits // 8) :][::-1]

    def encode(self) -> bytes:
        return self.raw


def parse_sev_ca(data: bytes) -> SevCaCertificate:
    """The certificate in ``data``, exactly.

    Raises:
        FormatError: another length, version, usage or key size, or a reserved byte that is not zero.
    """
    certificate, rest = split_sev_ca(data)
    if rest:
        raise _error("length", f"{len(rest)} bytes follow the end", len(certificate.raw), "trailing_bytes")
    return certificate


def split_sev_ca(data: bytes) -> tuple[SevCaCertificate, bytes]:
    """The certificate at the start of ``data``, and what follows it; raises FormatError."""
    if len(data) < _HEADER_BYTES:
        raise _error("length", f"needs {_HEADER_BYTES} bytes, came {len(data)}", 0, "truncated")
    header = _Header(data[:_HEADER_BYTES])
    if header.version != _VERSION:
        raise _error("version", f"expected {_VERSION}, came {header.version}", 0x00)
    if header.key_usage not in _USAGES:
        raise _error("key_usage", f"expected that of ARK or ASK, came {header.key_usage:#x}", 0x24)
    if any(header.reserved):
        raise _error("reserved", "a reserved byte is not zero", 0x28, "reserved")
    bits = header.modulus_size
    if bits not in _KEY_BITS or header.pub_exp_size != bits:
        raise _error("modulus_size", f"expected {_KEY_BITS} for exponent and modulus, came {bits}", 0x38)
    size = bits // 8
    end = _HEADER_BYTES + 3 * size
    if len(data) < end:
        raise _error("signature", f"needs {end} bytes, came {len(data)}", len(data), "truncated")
    exponent, modulus = data[64 : 64 + size], data[64 + size : 64 + 2 * size]
    certificate = SevCaCertificate(
        raw=data[:end],
        key_id=header.key_id,
        certifying_id=header.certifying_id,
        usage=KeyUsage(header.key_usage),
        key_bits=bits,
        public_exponent=int.from_bytes(exponent, "little"),
        modulus=int.from_bytes(modulus, "little"),
    )
    return certificate, data[end:]


def _error(field: str, message: str, offset: int, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what=_WHAT, field=field, offset=offset, spec=_SPEC, detail=detail)
