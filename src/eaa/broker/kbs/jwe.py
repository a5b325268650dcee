"""A resource encrypted to the guest's key: JWE, flattened JSON [RFC7516 §7.2.2], A256GCM [RFC7518 §5.3].

A guest takes the protected header apart, writes it again and authenticates that text, with the members
``alg`` and ``enc`` first and all others sorted, those of ``epk`` too. So it is written in this order.

Versions 0.1.0 and 0.1.1 are from before JWE was followed to the letter: ``protected`` is the header's JSON
itself, nothing is authenticated beside the content, the tag follows the ciphertext, and ``tag`` is empty.
Their guests take RSA1_5 only: what they call RSA-OAEP has another hash in each of their builds.
"""

from __future__ import annotations

import struct

import orjson
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwe import JWERegistry
from joserfc.jwk import ECKey

from eaa.broker.kbs.tee_key import KeyAlgorithm, TeePublicKey
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.codec.base64url import encode_base64url
from eaa.errors import UnsupportedError

__all__ = ["encrypt", "require_allowed"]

_ENC = "A256GCM"
_CIPHER = JWERegistry(algorithms=[_ENC]).get_enc(_ENC)
#: Of the content's key, and of the key that wraps it.
_KEY_BYTES = 32
_OAEP = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
_CURVE_NAMES = {"secp256r1": "P-256", "secp521r1": "P-521"}


def encrypt(
    content: bytes, key: TeePublicKey, *, version: ProtocolVersion, allow_rsa1_5: bool = False
) -> bytes:
    """The JSON text that a guest of ``version`` who has the private half of ``key`` decrypts to ``content``.

    Raises:
        UnsupportedError: ``unsupported.rsa1_5``: the key is for that, which is not allowed;
            ``unsupported.tee_key``: no guest of ``version`` has such a key.
    """
    require_allowed(key, allow_rsa1_5=allow_rsa1_5)
    if isinstance(key.key, RSAPublicKey) and key.algorithm is KeyAlgorithm.RSA1_5:
        return orjson.dumps(_rsa1_5(content, key.key, version))
    if version.has_first_response:
        raise UnsupportedError(f"guests of {version} do not take {key.algorithm}", detail="tee_key")
    return orjson.dumps(_jwe(content, key))


def require_allowed(key: TeePublicKey, *, allow_rsa1_5: bool) -> None:
    """Refuse a key before anything is fetched for it.

    Raises:
        UnsupportedError: ``unsupported.rsa1_5``.
    """
    if key.algorithm is KeyAlgorithm.RSA1_5 and not allow_rsa1_5:
        raise UnsupportedError(f"{KeyAlgorithm.RSA1_5} is not allowed", detail="rsa1_5")


def _jwe(content: bytes, key: TeePublicKey) -> dict[str, str]:
    """Put together here: the library's way takes several times as long as what it asks of OpenSSL."""
    content_key = _CIPHER.generate_cek()
    header: dict[str, object] = {"alg": key.algorithm.value, "enc": _ENC}
    if isinstance(key.key, RSAPublicKey):
        return _sealed(content, content_key, key.key.encrypt(content_key, _OAEP), header)
    ephemeral = ECKey.generate_key(_CURVE_NAMES[key.key.curve.name]).private_key
    assert ephemeral is not None  # noqa: S101 (for the type checker: a key that was made has one)
    wrapped = aes_key_wrap(_agreed(ephemeral, key.key, key.algorithm), content_key)
    return _sealed(content, content_key, wrapped, header | {"epk": _public_jwk(ephemeral.public_key())})


def _agreed(private: ec.EllipticCurvePrivateKey, public: ec.EllipticCurvePublicKey, algorithm: str) -> bytes:
    """The key that wraps: Concat KDF over the shared secret, without names of parties [RFC7518 §4.6.2]."""
    name = algorithm.encode()
    other = struct.pack(">I", len(name)) + name + struct.pack(">III", 0, 0, 8 * _KEY_BYTES)
    return ConcatKDFHash(SHA256(), _KEY_BYTES, other).derive(private.exchange(ec.ECDH(), public))


def _public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    size = (key.key_size + 7) // 8
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    x, y = encode_base64url(point[1 : 1 + size]), encode_base64url(point[1 + size :])
    return {"crv": _CURVE_NAMES[key.curve.name], "kty": "EC", "x": x, "y": y}


def _sealed(content: bytes, content_key: bytes, wrapped: bytes, header: dict[str, object]) -> dict[str, str]:
    protected, iv = encode_base64url(orjson.dumps(header)), _CIPHER.generate_iv()
    ciphertext, tag = _CIPHER.encrypt(content, content_key, iv, protected.encode())
    return {
        "protected": protected,
        "encrypted_key": encode_base64url(wrapped),
        "iv": encode_base64url(iv),
        "ciphertext": encode_base64url(ciphertext),
        "tag": encode_base64url(tag),
    }


def _rsa1_5(content: bytes, key: RSAPublicKey, version: ProtocolVersion) -> dict[str, str]:
    """Not by the library, which warns of this algorithm at each use."""
    content_key, iv = _CIPHER.generate_cek(), _CIPHER.generate_iv()
    header = orjson.dumps({"alg": KeyAlgorithm.RSA1_5, "enc": _ENC})
    first = version.has_first_response
    protected = header.decode() if first else encode_base64url(header)
    ciphertext, tag = _CIPHER.encrypt(content, content_key, iv, b"" if first else protected.encode())
    return {
        "protected": protected,
        "encrypted_key": encode_base64url(key.encrypt(content_key, padding.PKCS1v15())),
        "iv": encode_base64url(iv),
        "ciphertext": encode_base64url(ciphertext + tag if first else ciphertext),
        "tag": "" if first else encode_base64url(tag),
    }
