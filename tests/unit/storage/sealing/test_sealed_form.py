"""The bytes of a sealed record, against a second reading of their description."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from eaa.storage.sealing.sealed import DataKey, key_id_of

KEY = bytes(range(32))
NONCE = bytes(range(100, 112))
#: [RFC8452 appendix C.2]: the first case of AEAD_AES_256_GCM_SIV with a plaintext.
RFC_KEY = bytes.fromhex("01" + "00" * 31)
RFC_NONCE = bytes.fromhex("030000000000000000000000")
RFC_PLAINTEXT = bytes.fromhex("0100000000000000")
RFC_RESULT = bytes.fromhex("c2ef328e5c71c83b843122130f7364b761e0b97427e3df28")


def test_the_layout() -> None:
    key = DataKey("0f" * 16, AESGCMSIV(KEY))
    sealed = key.seal(b"secret", b"place", NONCE)
    header = b"EAA\x01" + b"\x0f" * 16
    assert sealed[:20] == header
    assert sealed[20:32] == NONCE
    assert AESGCMSIV(KEY).decrypt(NONCE, sealed[32:], header + b"place") == b"secret"
    assert len(sealed) == 20 + 12 + 6 + 16
    assert key_id_of(sealed) == "0f" * 16


def test_the_cipher_is_the_one_of_the_rfc() -> None:
    assert AESGCMSIV(RFC_KEY).encrypt(RFC_NONCE, RFC_PLAINTEXT, b"") == RFC_RESULT
    sealed = DataKey("00" * 16, AESGCMSIV(RFC_KEY)).seal(RFC_PLAINTEXT, b"", RFC_NONCE)
    assert sealed[32:40] != RFC_RESULT[:8]  # the header is in the associated data, and so in the key stream
