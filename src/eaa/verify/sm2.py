"""SM2 signatures over SM3, the only place where the room touches them [GM-SM2], [GM-SM3].

SM3 is ``cryptography``'s. SM2 is GmSSL's, through gmssl-pyx, the extra ``csv``: docs/adr/0015 says why, and
why the point and the numbers of a signature are looked at here first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SM3, Hash
from cryptography.hazmat.primitives.hmac import HMAC

from eaa.errors import ConfigError, SignatureError
from eaa.evidence.psp_certificate import COORDINATE_BYTES

__all__ = ["Sm2Key", "sm2_identity", "sm2_key", "sm3_mac_holds", "verify_sm2"]

try:
    from gmssl_pyx import sm2_verify_sm3_digest
except ImportError:  # pragma: no cover - the tests install the extra
    sm2_verify_sm3_digest = None
_verify_digest: Callable[[bytes, bytes, bytes], bool] | None = sm2_verify_sm3_digest

#: The curve's field, its coefficients a and b, its base point and the order of that [GM-SM2 5].
_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_A = _P - 3
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
_GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0
_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_DOMAIN = b"".join(number.to_bytes(32) for number in (_A, _B, _GX, _GY))


@dataclass(frozen=True, slots=True)
class Sm2Key:
    """A public key that is on the curve, with the hash of its owner's id and of it; see :func:`sm2_key`."""

    point: bytes  # x ‖ y, 64 bytes
    identity: bytes  # Z, 32 bytes


def sm2_key(x: int, y: int, user_id: bytes) -> Sm2Key:
    """The key at this point, of who signs as ``user_id``. Raises ``ValueError`` if it is not on the curve."""
    if not (0 <= x < _P and 0 <= y < _P) or (y * y - (x * x * x + _A * x + _B)) % _P:
        raise ValueError("not a point of the curve")
    point = x.to_bytes(32) + y.to_bytes(32)
    return Sm2Key(point, sm2_identity(user_id, point))


def sm2_identity(user_id: bytes, point: bytes) -> bytes:
    """Z, 32 bytes: SM3 over id, curve and ``point``, 64 bytes; each signature covers it [GM-SM2 2, 5.5]."""
    return _sm3((8 * len(user_id)).to_bytes(2) + user_id + _DOMAIN + point)


def verify_sm2(key: Sm2Key, signature: bytes, data: bytes, what: str, detail: str) -> None:
    """SM2 [GM-SM2 2, 7.1] with ``signature`` r ‖ s, 72 bytes each, little-endian.

    Raises:
        SignatureError: the signature of ``what`` is not by ``key`` over ``data``.
        ConfigError: ``config.missing_extra``.
    """
    if _verify_digest is None:  # pragma: no cover - the tests install the extra
        raise ConfigError("SM2 signatures of Hygon CSV: install eaa[csv]", detail="missing_extra")
    r = int.from_bytes(signature[:COORDINATE_BYTES], "little")
    s = int.from_bytes(signature[COORDINATE_BYTES : 2 * COORDINATE_BYTES], "little")
    in_range = 0 < r < _N and 0 < s < _N and (r + s) % _N != 0
    digest = _sm3(key.identity + data)
    if not in_range or not _verify_digest(key.point, digest, encode_dss_signature(r, s)):
        raise SignatureError(f"the signature of the {what} does not verify", detail=detail)


def sm3_mac_holds(key: bytes, data: bytes, mac: bytes) -> bool:
    """Whether ``mac`` is the HMAC-SM3 of ``data``, compared in constant time."""
    context = HMAC(key, SM3())
    context.update(data)
    try:
        context.verify(mac)
    except InvalidSignature:
        return False
    return True


def _sm3(data: bytes) -> bytes:
    context = Hash(SM3())
    context.update(data)
    return context.finalize()
