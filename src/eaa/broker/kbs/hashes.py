"""Hash algorithms of the KBS protocol, and which of those a guest offers is taken [COCO-KBS Request]."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from enum import StrEnum

from eaa.errors import UnsupportedError

__all__ = ["HashAlgorithm", "known_algorithms", "select_algorithm"]


class HashAlgorithm(StrEnum):
    """By the protocol's names. SM3, which guests offer too, is not implemented."""

    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"

    def digest(self, data: bytes) -> bytes:
        """32, 48 or 64 bytes."""
        return _FUNCTIONS[self](data).digest()

    @classmethod
    def named(cls, name: str) -> HashAlgorithm | None:
        """In any case, with or without the hyphen that IANA's names have; ``None`` if it is not known."""
        try:
            return cls(name.lower().replace("-", ""))
        except ValueError:
            return None


_FUNCTIONS = {
    HashAlgorithm.SHA256: hashlib.sha256,
    HashAlgorithm.SHA384: hashlib.sha384,
    HashAlgorithm.SHA512: hashlib.sha512,
}


def known_algorithms(names: Collection[str]) -> tuple[HashAlgorithm, ...]:
    """Those of ``names`` that are implemented, each once, in the order of the names."""
    found = (HashAlgorithm.named(name) for name in names)
    return tuple(dict.fromkeys(algorithm for algorithm in found if algorithm is not None))


def select_algorithm(offered: Collection[HashAlgorithm] | None) -> HashAlgorithm:
    """SHA-384, which every guest takes if it is told nothing; else SHA-512, else SHA-256.

    Args:
        offered: ``None`` if the guest offered no list.

    Raises:
        UnsupportedError: ``unsupported.hash_algorithm``: a list without any of them.
    """
    if offered is None or HashAlgorithm.SHA384 in offered:
        return HashAlgorithm.SHA384
    for algorithm in (HashAlgorithm.SHA512, HashAlgorithm.SHA256):
        if algorithm in offered:
            return algorithm
    raise UnsupportedError(
        f"the guest offers no hash algorithm of {', '.join(HashAlgorithm)}", detail="hash_algorithm"
    )
