"""The owner's key: Ed25519 [RFC8032 §5.1], made at first use, kept as PKCS #8 in a private folder."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from eaa.errors import ConfigError
from eaa.storage.private_folder import PrivateFolder

__all__ = [
    "KEY_FILE",
    "OwnerKey",
    "VerifyingKey",
    "create_owner_key",
    "load_owner_key",
    "parse_verifying_key",
]

KEY_FILE = "owner-key.pem"


class VerifyingKey:
    """A key that verifies. ``key_id`` is the SHA-256 of the SPKI of ``public`` in hexadecimal."""

    def __init__(self, public: Ed25519PublicKey) -> None:
        self.public = public
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.key_id = hashlib.sha256(spki).hexdigest()

    @property
    def public_pem(self) -> bytes:
        """What others verify with: SPKI in PEM."""
        return self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def signed(self, signature: bytes, data: bytes) -> bool:
        """Whether ``signature`` is this key's over ``data``."""
        try:
            self.public.verify(signature, data)
        except InvalidSignature:
            return False
        return True


class OwnerKey(VerifyingKey):
    """A key that signs and verifies."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        super().__init__(key.public_key())
        self._key = key

    def sign(self, data: bytes) -> bytes:
        """The signature over ``data``, 64 bytes."""
        return self._key.sign(data)


def parse_verifying_key(pem: bytes, *, file: str) -> VerifyingKey:
    """The public key in ``pem``; ``file`` names it in errors.

    Raises:
        ConfigError: no Ed25519 key in PEM.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{file}: no Ed25519 public key in PEM", detail="verifying_key", file=file)
    return VerifyingKey(key)


def load_owner_key(folder: PrivateFolder) -> OwnerKey | None:
    """The key in ``folder``; ``None`` if there is none.

    Raises:
        ConfigError: others may read it, or it is no Ed25519 key.
    """
    pem = folder.load(KEY_FILE, secret=True)
    if pem is None:
        return None
    path = folder.path / KEY_FILE
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: no unencrypted Ed25519 key in PEM", detail="owner_key", file=str(path))
    return OwnerKey(key)


def create_owner_key(folder: PrivateFolder) -> OwnerKey:
    """A new key, stored in ``folder``, whose lock the caller holds."""
    key = Ed25519PrivateKey.generate()
    folder.store(KEY_FILE, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return OwnerKey(key)
