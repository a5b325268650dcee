"""The public key that a guest has its secrets encrypted to, a JSON Web Key [RFC7517] [COCO-KBS].

=========== ======================= =============================================================
``kty``     ``alg``                 sent by
=========== ======================= =============================================================
``RSA``     ``RSA1_5``              guest components v0.8 to v0.11, the only kind of these
``RSA``     ``RSA-OAEP-256``        v0.12 and later
``EC``      ``ECDH-ES+A256KW``      v0.12 and later on P-256, its default; v0.19 and later on P-521
``AKP``     ``ML-KEM-768+A192KW``   experiments; its form is not final and it is not implemented
=========== ======================= =============================================================

All numbers are base64url without padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from eaa.broker.kbs.versions import ProtocolVersion
from eaa.codec.base64url import decode_base64url
from eaa.codec.members import bad_member, object_of, text_at
from eaa.errors import UnsupportedError

__all__ = ["KeyAlgorithm", "TeePublicKey", "parse_tee_key"]

MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
#: [FIPS186-5 §5.1] from below; from above what any library makes.
MIN_EXPONENT, MAX_EXPONENT_BYTES = 65537, 8
MAX_MEMBERS, MAX_MEMBER_CHARS = 16, 2048
_WHAT = "TEE public key"

#: Curve, and bytes of a coordinate [RFC7518 §6.2.1].
_CURVES: Mapping[str, tuple[ec.EllipticCurve, int]] = {
    "P-256": (ec.SECP256R1(), 32),
    "P-521": (ec.SECP521R1(), 66),
}


class KeyAlgorithm(StrEnum):
    """How the content encryption key is encrypted to the guest [RFC7518 §4.1]."""

    RSA1_5 = "RSA1_5"
    RSA_OAEP_256 = "RSA-OAEP-256"
    ECDH_ES_A256KW = "ECDH-ES+A256KW"


@dataclass(frozen=True, slots=True)
class TeePublicKey:
    """A key that is well-formed; ``jwk`` has the members that were sent, all of them text."""

    algorithm: KeyAlgorithm
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    jwk: Mapping[str, str]


def parse_tee_key(value: Any, version: ProtocolVersion) -> TeePublicKey:
    """The key in ``value``, JSON, for a guest that speaks ``version``.

    RSA has 2048 to 8192 bits and an exponent of 65537 or more; a point is on its curve.

    Raises:
        FormatError: no key, or one that is not sound.
        UnsupportedError: ``unsupported.tee_key``: of another type, curve or algorithm, or of one that no
            guest of ``version`` decrypts with.
    """
    jwk = _text_members(value)
    kind = text_at(jwk, "kty", _WHAT)
    if kind == "RSA":
        parsed = _rsa_key(jwk)
    elif kind == "EC":
        parsed = _ec_key(jwk)
    else:
        raise _unsupported("kty", kind, "RSA and EC")
    if version.has_first_response and parsed.algorithm is not KeyAlgorithm.RSA1_5:
        raise _unsupported("alg", parsed.algorithm, f"{KeyAlgorithm.RSA1_5} in version {version}")
    return parsed


def _text_members(value: Any) -> dict[str, str]:
    jwk = object_of(value, _WHAT, "JWK")
    if len(jwk) > MAX_MEMBERS:
        raise bad_member(_WHAT, "JWK", f"{len(jwk)} members, at most {MAX_MEMBERS} are read", "too_large")
    for name in jwk:
        if max(len(name), len(text_at(jwk, name, _WHAT))) > MAX_MEMBER_CHARS:
            raise bad_member(_WHAT, "JWK", f"a member exceeds {MAX_MEMBER_CHARS} characters", "too_large")
    return jwk


def _rsa_key(jwk: dict[str, str]) -> TeePublicKey:
    algorithm = _algorithm(jwk, (KeyAlgorithm.RSA_OAEP_256, KeyAlgorithm.RSA1_5))
    modulus, exponent = _number(jwk, "n"), _number(jwk, "e")
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS or not modulus % 2:
        raise bad_member(_WHAT, "n", f"expected an odd number of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    if not MIN_EXPONENT <= exponent < 1 << 8 * MAX_EXPONENT_BYTES or not exponent % 2:
        raise bad_member(_WHAT, "e", f"expected an odd number from {MIN_EXPONENT} to 64 bits")
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    return TeePublicKey(algorithm, key, MappingProxyType(jwk))


def _ec_key(jwk: dict[str, str]) -> TeePublicKey:
    name = text_at(jwk, "crv", _WHAT)
    if name not in _CURVES:
        raise _unsupported("crv", name, " and ".join(_CURVES))
    algorithm = _algorithm(jwk, (KeyAlgorithm.ECDH_ES_A256KW,))
    curve, size = _CURVES[name]
    point = b"\x04" + _coordinate(jwk, "x", size) + _coordinate(jwk, "y", size)
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    except ValueError:
        raise bad_member(_WHAT, "x", f"the point is not on {name}", "not_on_curve") from None
    return TeePublicKey(algorithm, key, MappingProxyType(jwk))


def _algorithm(jwk: dict[str, str], allowed: tuple[KeyAlgorithm, ...]) -> KeyAlgorithm:
    name = text_at(jwk, "alg", _WHAT)
    if name not in allowed:
        raise _unsupported("alg", name, " and ".join(allowed))
    return KeyAlgorithm(name)


def _number(jwk: dict[str, str], name: str) -> int:
    """A number without leading zero bytes [RFC7518 §2]."""
    data = decode_base64url(text_at(jwk, name, _WHAT), _WHAT, name)
    if not data or not data[0]:
        raise bad_member(_WHAT, name, "expected a positive number without leading zeros")
    return int.from_bytes(data)


def _coordinate(jwk: dict[str, str], name: str, size: int) -> bytes:
    data = decode_base64url(text_at(jwk, name, _WHAT), _WHAT, name)
    if len(data) != size:
        raise bad_member(_WHAT, name, f"expected {size} bytes, got {len(data)}")
    return data


def _unsupported(field: str, value: str, supported: str) -> UnsupportedError:
    return UnsupportedError(
        f"{_WHAT}: {field} {value[:32]!a} is not supported, only {supported}", detail="tee_key"
    )
