"""The hash algorithms of event logs, by their TPM algorithm identifiers ``[TCG-ALG §6.3]``."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from cryptography.hazmat.primitives import hashes

__all__ = ["HashAlgorithm"]


class HashAlgorithm(IntEnum):
    """``TPM_ALG_ID`` of the hash algorithms ``[TCG-ALG §6.3]``."""

    SHA1 = 0x04
    SHA256 = 0x0B
    SHA384 = 0x0C
    SHA512 = 0x0D
    SM3_256 = 0x12
    SHA3_256 = 0x27
    SHA3_384 = 0x28
    SHA3_512 = 0x29

    @property
    def label(self) -> str:
        """As people write it, e.g. ``"SHA-384"``."""
        return _HASHES[self][0]

    @property
    def digest_size(self) -> int:
        """In bytes."""
        return _HASHES[self][1].digest_size

    def hash(self, data: bytes) -> bytes:
        context = hashes.Hash(_HASHES[self][1])
        context.update(data)
        return context.finalize()


_HASHES: Mapping[HashAlgorithm, tuple[str, hashes.HashAlgorithm]] = MappingProxyType(
    {
        HashAlgorithm.SHA1: ("SHA-1", hashes.SHA1()),  # noqa: S303 - a bank that TPMs have
        HashAlgorithm.SHA256: ("SHA-256", hashes.SHA256()),
        HashAlgorithm.SHA384: ("SHA-384", hashes.SHA384()),
        HashAlgorithm.SHA512: ("SHA-512", hashes.SHA512()),
        HashAlgorithm.SM3_256: ("SM3", hashes.SM3()),
        HashAlgorithm.SHA3_256: ("SHA3-256", hashes.SHA3_256()),
        HashAlgorithm.SHA3_384: ("SHA3-384", hashes.SHA3_384()),
        HashAlgorithm.SHA3_512: ("SHA3-512", hashes.SHA3_512()),
    }
)
