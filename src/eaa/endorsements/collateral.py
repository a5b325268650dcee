"""Intel's endorsements for one platform, as verification takes them.

Everything here is received bytes; nothing has been verified. A part that is missing is ``None``
and is named by the verifier when it is needed. The shapes in which people have these parts are
read in :mod:`eaa.endorsements.bundle`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["IntelCollateral", "SignedDocument", "parts_digest"]


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A JSON object with Intel's detached signature over its exact bytes.

    ``signature`` is r ‖ s, 64 bytes; ``issuer_chain`` is PEM or URL-encoded PEM, leaf first.
    """

    body: bytes
    signature: bytes
    issuer_chain: bytes


@dataclass(frozen=True, slots=True)
class IntelCollateral:
    """All that verifying one platform's quote needs besides the quote.

    ``root_ca_crl`` and ``pck_crl`` are DER. ``parts`` are the bytes of all parts, in one order: two values
    with equal ``parts`` are equal.
    """

    tcb_info: SignedDocument | None
    qe_identity: SignedDocument | None
    root_ca_crl: bytes | None
    pck_crl: bytes | None
    pck_crl_issuer_chain: bytes | None
    parts: tuple[bytes | None, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lists = (self.root_ca_crl, self.pck_crl, self.pck_crl_issuer_chain)
        parts = (*_parts(self.tcb_info), *_parts(self.qe_identity), *lists)
        object.__setattr__(self, "parts", parts)

    @property
    def digest(self) -> bytes:
        """:func:`parts_digest` of all parts; computed at each call."""
        return parts_digest(self.parts)


def parts_digest(parts: Sequence[bytes | None]) -> bytes:
    """BLAKE2b-256 [RFC7693] over the lengths of ``parts``, −1 for ``None``, and the parts."""
    lengths = [-1 if part is None else len(part) for part in parts]
    hasher = hashlib.blake2b(struct.pack(f"<{len(lengths)}q", *lengths), digest_size=32)
    hasher.update(b"".join([part for part in parts if part is not None]))
    return hasher.digest()


def _parts(document: SignedDocument | None) -> tuple[bytes | None, bytes | None, bytes | None]:
    if document is None:
        return None, None, None
    return document.body, document.signature, document.issuer_chain
