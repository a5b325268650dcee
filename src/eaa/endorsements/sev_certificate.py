"""SEV's certificates of a platform's keys, CEK, OCA, PEK and PDH, with AMD's public keys [SEV-API C]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from eaa.errors import FormatError
from eaa.evidence.psp_certificate import (
    COORDINATE_BYTES,
    KeyUsage,
    PspCertificate,
    PspSignature,
    parse_psp_certificate,
)

__all__ = ["SevAlgorithm", "SevCertificate", "parse_sev_certificate"]

_SPEC = "[SEV-API C]"
_VERSION, _P384 = 1, 2
_CURVE_BYTES = 48


class SevAlgorithm(IntEnum):
    """Numbers of algorithms [SEV-API C.1]."""

    RSA_SHA256 = 0x0001
    ECDSA_SHA256 = 0x0002
    ECDH_SHA256 = 0x0003
    RSA_SHA384 = 0x0101
    ECDSA_SHA384 = 0x0102
    ECDH_SHA384 = 0x0103


_ECDSA = frozenset({SevAlgorithm.ECDSA_SHA256, SevAlgorithm.ECDSA_SHA384})
_ECDH = frozenset({SevAlgorithm.ECDH_SHA256, SevAlgorithm.ECDH_SHA384})
_RSA_BYTES: Mapping[SevAlgorithm, int] = {SevAlgorithm.RSA_SHA256: 256, SevAlgorithm.RSA_SHA384: 512}
_SIGNING = _ECDSA | frozenset(_RSA_BYTES)


@dataclass(frozen=True, slots=True)
class SevCertificate:
    """A well-formed certificate with a P-384 key. Nothing in it has been verified.

    ``x`` and ``y`` are the point's coordinates, which need not be on the curve.
    """

    frame: PspCertificate
    algorithm: SevAlgorithm
    x: int
    y: int

    @property
    def usage(self) -> KeyUsage:
        return self.frame.usage

    def encode(self) -> bytes:
        return self.frame.raw


def parse_sev_certificate(data: bytes) -> SevCertificate:
    """The certificate in ``data``, exactly 2084 bytes.

    Raises:
        FormatError: as :func:`eaa.evidence.psp_certificate.parse_psp_certificate`; or the key is not a P-384
            key for what the certificate says that it is for; or a signature has an unknown algorithm or
            bytes after its end.
    """
    frame = parse_psp_certificate(data, what="SEV certificate", versions=(_VERSION,))
    algorithm, key = frame.pubkey_algo, frame.pubkey
    if algorithm not in (_ECDH if frame.usage is KeyUsage.PDH else _ECDSA):
        raise _error("pubkey_algo", f"{algorithm:#x} is not an algorithm of a {frame.usage.name}", 0x0C)
    curve, x, y, rest = _split(key)
    if curve != _P384:
        raise _error("pubkey.curve", f"expected {_P384}, P-384, came {curve}", 0x10)
    if any(x[_CURVE_BYTES:]) or any(y[_CURVE_BYTES:]) or any(rest):
        raise _error("pubkey", "a byte after the key's end is not zero", 0x14, "reserved")
    for signature in frame.signatures:
        _require_signature(signature)
    return SevCertificate(
        frame, SevAlgorithm(algorithm), int.from_bytes(x, "little"), int.from_bytes(y, "little")
    )


def _split(key: bytes) -> tuple[int, bytes, bytes, bytes]:
    """Curve, x, y, and what follows."""
    middle, end = 4 + COORDINATE_BYTES, 4 + 2 * COORDINATE_BYTES
    return int.from_bytes(key[:4], "little"), key[4:middle], key[middle:end], key[end:]


def _require_signature(signature: PspSignature) -> None:
    if signature.algorithm not in _SIGNING:
        raise _error("sig_algo", f"{signature.algorithm:#x} is not an algorithm for signatures", 0x418)
    end = _RSA_BYTES.get(SevAlgorithm(signature.algorithm), 2 * COORDINATE_BYTES)
    if any(signature.data[end:]):
        raise _error("sig", "a byte after the signature's end is not zero", 0x41C, "reserved")


def _error(field: str, message: str, offset: int, detail: str = "bad_value") -> FormatError:
    return FormatError(message, what="SEV certificate", field=field, offset=offset, spec=_SPEC, detail=detail)
