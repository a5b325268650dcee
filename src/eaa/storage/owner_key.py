"""The owner's key: Ed25519 [RFC8032 §5.1], made at first use, kept as PKCS #8 in a private folder."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from eaa.errors import ConfigError
from eaa.storage.private_folder import PrivateFolder

__all__ = ["KEY_FILE", "OwnerKey", "create_owner_key", "load_owner_key"]

KEY_FILE = "owner-key.pem"


class OwnerKey:
    """A key that signs and verifies. ``key_id`` is the SHA-256 of the SPKI of ``public`` in hexadecimal."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key()
        spki = self.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.key_id = hashlib.sha256(spki).hexdigest()

    @property
    def public_pem(self) -> bytes:
        """What others verify with: SPKI in PEM."""
        return self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, data: bytes) -> bytes:
        """The signature over ``data``, 64 bytes."""
        return self._key.sign(data)

    def signed(self, signature: bytes, data: bytes) -> bool:
        """Whether ``signature`` is this key's over ``data``."""
        try:
            self.public.verify(signature, data)
        except InvalidSignature:
            return False
        return True


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
