"""The bytes of a sealed record.

==========  =====  ================================================================================
offset      bytes
==========  =====  ================================================================================
0           4      magic ``45 41 41`` ("EAA") and the version of this form, ``01``
4           16     id of the data key
20          12     nonce, random
32          n      ciphertext, as long as the plaintext
32 + n      16     tag
==========  =====  ================================================================================

The cipher is AEAD_AES_256_GCM_SIV [RFC8452 §4]: a nonce that comes twice, as after a virtual machine was
copied, tells no more than whether two records are equal. The associated data are the first 20 bytes and
after them the context, so that neither the form, nor the key, nor the place of a record can be exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from eaa.errors import StorageError

__all__ = ["ID_BYTES", "NONCE_BYTES", "OVERHEAD_BYTES", "DataKey", "key_id_of", "not_sealed"]

_MAGIC = b"EAA\x01"
ID_BYTES = 16
NONCE_BYTES = 12
_TAG_BYTES = 16
_HEADER_BYTES = len(_MAGIC) + ID_BYTES
#: A sealed record is longer than its plaintext by this.
OVERHEAD_BYTES = _HEADER_BYTES + NONCE_BYTES + _TAG_BYTES


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key ready for use. ``id`` is 32 hexadecimal digits."""

    id: str
    cipher: AESGCMSIV

    def seal(self, plaintext: bytes, context: bytes, nonce: bytes) -> bytes:
        """The sealed record. ``nonce`` is 12 random bytes."""
        header = _MAGIC + bytes.fromhex(self.id)
        return header + nonce + self.cipher.encrypt(nonce, plaintext, header + context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The plaintext.

        Raises:
            StorageError: ``storage.sealed``: changed, of another context, or sealed under another key.
        """
        header = sealed[:_HEADER_BYTES]
        nonce, body = sealed[_HEADER_BYTES:][:NONCE_BYTES], sealed[_HEADER_BYTES + NONCE_BYTES :]
        try:
            return self.cipher.decrypt(nonce, body, header + context)
        except InvalidTag:
            raise not_sealed("does not authenticate: it was changed, or belongs elsewhere") from None


def key_id_of(sealed: bytes) -> str:
    """The id of the data key that ``sealed`` names; nothing is authenticated yet.

    Raises:
        StorageError: ``storage.sealed``: not of this form.
    """
    if len(sealed) < OVERHEAD_BYTES:
        raise not_sealed(f"has {len(sealed)} bytes, and at least {OVERHEAD_BYTES} are expected")
    if not sealed.startswith(_MAGIC):
        raise not_sealed("does not begin as one of version 1")
    return sealed[len(_MAGIC) : _HEADER_BYTES].hex()


def not_sealed(message: str) -> StorageError:
    """A record that cannot be opened."""
    return StorageError(f"a sealed record {message}", detail="sealed")
