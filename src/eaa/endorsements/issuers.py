"""Issuer chains put together from certificates that came in any order.

People keep Intel's certificates as one file per chain, root first or last, or one file each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from eaa.codec.pem import encode_pem
from eaa.endorsements.x509 import Certificate

__all__ = ["ordered_chain"]

_SUBJECT_KEY_ID, _AUTHORITY_KEY_ID = "2.5.29.14", "2.5.29.35"


def ordered_chain(
    groups: Sequence[Sequence[Certificate]], fits: Callable[[Certificate], bool], at: datetime
) -> bytes:
    """A signing certificate that ``fits`` and its root, as PEM in this order; empty if none fits.

    Of several, one that was valid ``at`` that time is taken, then the newest. Its root is sought
    first in the group it came with, then by key identifier, then by the end of its validity. Without a root
    the chain is the signing certificate alone.
    """
    leaves = [
        (group, item) for group in groups for item in group if item.subject != item.issuer and fits(item)
    ]
    if not leaves:
        return b""
    group, leaf = max(
        leaves, key=lambda pair: (pair[1].not_before <= at <= pair[1].not_after, pair[1].not_before)
    )
    roots = [
        (other is group, _is_key_of(item, leaf), item.not_after, item)
        for other in groups
        for item in other
        if item.subject == item.issuer == leaf.issuer
    ]
    root = max(roots, key=lambda ranked: ranked[:3])[3] if roots else None
    return encode_pem(leaf.der) + (encode_pem(root.der) if root else b"")


def _is_key_of(issuer: Certificate, certificate: Certificate) -> bool:
    """Whether the identifiers say that ``issuer``'s key signed ``certificate``; a hint, not a proof."""
    subject = issuer.extensions.get(_SUBJECT_KEY_ID)
    authority = certificate.extensions.get(_AUTHORITY_KEY_ID)
    # OCTET STRING in the one, [0] IMPLICIT OCTET STRING inside the other [RFC5280 §4.2.1.1].
    return subject is not None and authority is not None and subject.value[2:] in authority.value
