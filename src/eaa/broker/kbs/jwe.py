"""A resource encrypted to the guest's key: JWE, flattened JSON [RFC7516 §7.2.2], A256GCM [RFC7518 §5.3].

A guest takes the protected header apart, writes it again and authenticates that text, with the members
``alg`` and ``enc`` first and all others sorted, those of ``epk`` too. So it is written in this order.

Versions 0.1.0 and 0.1.1 are from before JWE was followed to the letter: ``protected`` is the header's JSON
itself, nothing is authenticated beside the content, the tag follows the ciphertext, and ``tag`` is empty.
Their guests take RSA1_5 only: what they call RSA-OAEP has another hash in each of their builds.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from joserfc.jwe import FlattenedJSONEncryption, JWERegistry, encrypt_json
from joserfc.jwk import ECKey, RSAKey

from eaa.broker.kbs.tee_key import KeyAlgorithm, TeePublicKey
from eaa.broker.kbs.versions import ProtocolVersion
from eaa.codec.base64url import encode_base64url
from eaa.errors import UnsupportedError

__all__ = ["encrypt", "require_allowed"]

_ENC = "A256GCM"
_REGISTRY = JWERegistry(algorithms=[KeyAlgorithm.RSA_OAEP_256, KeyAlgorithm.ECDH_ES_A256KW, _ENC])


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
    header: dict[str, object] = {"alg": key.algorithm.value, "enc": _ENC}
    ephemeral = None
    if isinstance(key.key, RSAPublicKey):
        recipient: RSAKey | ECKey = RSAKey.import_key(key.key)
    else:
        recipient = ECKey.import_key(key.key)
        ephemeral = ECKey.generate_key(recipient.curve_name)
        header["epk"] = dict(sorted(ephemeral.as_dict(private=False).items()))
    message = FlattenedJSONEncryption(header, content)
    message.add_recipient({}, recipient)
    message.recipients[0].ephemeral_key = ephemeral
    members: Mapping[str, object] = {**encrypt_json(message, None, registry=_REGISTRY)}
    # The library repeats the ephemeral key in an unprotected header, which the protocol does not have.
    return {name: str(members[name]) for name in ("protected", "encrypted_key", "iv", "ciphertext", "tag")}


def _rsa1_5(content: bytes, key: RSAPublicKey, version: ProtocolVersion) -> dict[str, str]:
    """Not by the library, which warns of this algorithm at each use."""
    cipher = _REGISTRY.get_enc(_ENC)
    content_key, iv = cipher.generate_cek(), cipher.generate_iv()
    header = orjson.dumps({"alg": KeyAlgorithm.RSA1_5, "enc": _ENC})
    first = version.has_first_response
    protected = header.decode() if first else encode_base64url(header)
    ciphertext, tag = cipher.encrypt(content, content_key, iv, b"" if first else protected.encode())
    return {
        "protected": protected,
        "encrypted_key": encode_base64url(key.encrypt(content_key, padding.PKCS1v15())),
        "iv": encode_base64url(iv),
        "ciphertext": encode_base64url(ciphertext + tag if first else ciphertext),
        "tag": "" if first else encode_base64url(tag),
    }
