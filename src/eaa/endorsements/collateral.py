"""Intel's endorsements for one platform, as verification takes them.

Everything here is received bytes; nothing has been verified. A part that is missing is ``None``
and is named by the verifier when it is needed. The shapes in which people have these parts are
read in :mod:`eaa.endorsements.bundle`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields

__all__ = ["IntelCollateral", "SignedDocument"]


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

    ``root_ca_crl`` and ``pck_crl`` are DER. ``digest`` is SHA-256 over all of the parts, each with
    its length: two values with the same digest hold the same bytes.
    """

    tcb_info: SignedDocument | None
    qe_identity: SignedDocument | None
    root_ca_crl: bytes | None
    pck_crl: bytes | None
    pck_crl_issuer_chain: bytes | None
    digest: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        hasher = hashlib.sha256()
        for item in fields(self):
            if item.name != "digest":
                _update(hasher, getattr(self, item.name))
        object.__setattr__(self, "digest", hasher.digest())


def _update(hasher: hashlib._Hash, part: SignedDocument | bytes | None) -> None:
    if part is None:
        hasher.update(b"\x00")
    elif isinstance(part, bytes):
        hasher.update(b"\x01" + len(part).to_bytes(8, "big") + part)
    else:
        for inner in (part.body, part.signature, part.issuer_chain):
            _update(hasher, inner)
