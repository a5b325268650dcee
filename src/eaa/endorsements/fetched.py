"""An endorsement as it was fetched: the bytes that its vendor signed, and the chain that came beside them.

Nothing is verified here; :mod:`eaa.verify.fetched` does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from eaa.codec.strict_json import object_members, parse_json
from eaa.codec.text import decode_hex
from eaa.endorsements.collateral import SignedDocument
from eaa.errors import FormatError

__all__ = ["MAX_FETCHED_BYTES", "Fetched", "signed_document"]

#: Of one endorsement, body and chain each: Intel's largest TCB info has 20 KiB, a list may have 4 MiB.
MAX_FETCHED_BYTES = 4 * 1024 * 1024
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Fetched:
    """One endorsement. ``issuer_chain`` is PEM, the signer first and its root last.

    ``body`` is, by subject:

    - TCB info and enclave identity: the JSON text that PCS answers, the document and its signature;
    - revocation list, PCK or VEK certificate: DER;
    - AMD chain: empty, as the chain is all there is;
    - Hygon chain: HSK and CEK in Hygon's format, one after the other.

    ``issuer_chain`` is empty for the root CA's and AMD's revocation lists, which their root signs, and for
    Hygon's chain.
    """

    body: bytes
    issuer_chain: bytes = b""

    @property
    def digest(self) -> bytes:
        """SHA-256 over the length of the body (8 bytes, big-endian), the body and the chain."""
        return hashlib.sha256(len(self.body).to_bytes(8, "big") + self.body + self.issuer_chain).digest()


def signed_document(fetched: Fetched, member: str, what: str) -> SignedDocument:
    """The document in ``member`` of a fetched TCB info or identity, its exact bytes, with its signature.

    Raises:
        FormatError: not strict JSON of exactly the two members, or the signature has another size.
    """
    members = object_members(fetched.body, what)
    if set(members) != {member, "signature"}:
        raise FormatError(
            f"expected the members {member} and signature", what=what, field="document",
            spec="[PCS-API v4]", detail="missing",
        )  # fmt: skip
    text = parse_json(members["signature"], what)
    signature = decode_hex(text if isinstance(text, str) else "", what, "signature", length=_SIGNATURE_BYTES)
    return SignedDocument(members[member], signature, fetched.issuer_chain)
