"""Digests of content, ``algorithm:hex`` [OCI-IMAGE descriptor, Digests]."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eaa.errors import BindingError, FormatError, UnsupportedError

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["Digest", "digest_of", "parse_digest"]

#: The registered algorithms, by the length of their digest in bytes.
_BYTES = {"sha256": 32, "sha512": 64}
_GRAMMAR = re.compile(r"([a-z0-9]+(?:[+._-][a-z0-9]+)*):([A-Za-z0-9=_-]+)", re.ASCII)
_SPEC = "[OCI-IMAGE descriptor]"
_MAX_TEXT = 256


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """``sha256`` or ``sha512``, and 32 or 64 bytes in lower-case hex."""

    algorithm: str
    hex: str

    def hasher(self) -> _Hash:
        """A new hash of the algorithm, to be fed with content."""
        return hashlib.new(self.algorithm)

    def require(self, hasher: _Hash, *, what: str, detail: str = "digest") -> None:
        """Holds if ``hasher`` has been fed with exactly the content.

        Raises:
            BindingError: ``binding.<detail>``.
        """
        came = hasher.hexdigest()
        if not hmac.compare_digest(came, self.hex):
            raise BindingError(
                f"{what}: expected the digest {self}, came {self.algorithm}:{came}", detail=detail
            )

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


def parse_digest(text: str, *, what: str, field: str = "digest") -> Digest:
    """The digest that ``text`` is.

    Raises:
        FormatError: ``format.digest``: not of the form, or of another length than its algorithm's.
        UnsupportedError: ``unsupported.digest``: an algorithm that is not registered.
    """
    match = _GRAMMAR.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if match is None:
        raise FormatError(
            "expected algorithm:hex", what=what, field=field, spec=_SPEC, detail="digest"
        )  # fmt: skip
    algorithm, encoded = match.groups()
    if algorithm not in _BYTES:
        raise UnsupportedError(
            f"{what}: {field}: expected sha256 or sha512, came {algorithm[:32]}", detail="digest"
        )
    if not re.fullmatch(rf"[0-9a-f]{{{2 * _BYTES[algorithm]}}}", encoded):
        raise FormatError(
            f"expected {2 * _BYTES[algorithm]} lower-case hex digits",
            what=what, field=field, spec=_SPEC, detail="digest",
        )  # fmt: skip
    return Digest(algorithm, encoded)


def digest_of(data: bytes) -> Digest:
    """The SHA-256 of ``data``."""
    return Digest("sha256", hashlib.sha256(data).hexdigest())
