"""Intel's TCB signing chain: a signing certificate and the root that issued it, up to a trust anchor."""

from __future__ import annotations

from collections.abc import Sequence

from eaa.endorsements.collateral import SignedDocument
from eaa.endorsements.crl import CertificateRevocationList
from eaa.endorsements.pinned import PINNED
from eaa.endorsements.x509 import Certificate, parse_certificate_chain
from eaa.errors import ChainError, EndorsementNotFound
from eaa.verify.ecdsa import CRYPTOGRAPHY, EcdsaKey, EcdsaLibrary
from eaa.verify.path import (
    certificate_key,
    certificate_window,
    refuse_revoked,
    require_anchor,
    require_ca,
    require_issued,
    require_leaf,
)
from eaa.verify.windows import Window

__all__ = ["require_root", "signing_chain", "signing_key"]


def require_root(root: Certificate, anchors: Sequence[Certificate], what: str) -> None:
    """Holds if ``root`` is an anchor and a CA that issued itself."""
    require_anchor(root, anchors, what)
    if root.issuer != root.subject:
        raise ChainError(f"the root of the {what} is not self-issued", detail="root_issuer")
    require_ca(root, 1, f"root of the {what}", "root")


def signing_chain(
    document: SignedDocument, what: str, anchors: Sequence[Certificate]
) -> tuple[Certificate, ...]:
    """The two certificates of ``document``'s issuer chain, parsed."""
    if not document.issuer_chain:
        raise EndorsementNotFound(f"the {what} is missing from the collateral", detail="issuer_chain")
    chain = parse_certificate_chain(document.issuer_chain, what=what, known=PINNED.and_of(anchors))
    if len(chain) != 2:
        raise ChainError(
            f"the {what} has {len(chain)} certificates, expected a signing certificate and its root",
            detail="length",
        )
    return chain


def signing_key(
    chain: tuple[Certificate, ...],
    root: Certificate,
    root_key: EcdsaKey,
    crl: CertificateRevocationList | None,
    what: str,
    detail: str,
    ecdsa: EcdsaLibrary = CRYPTOGRAPHY,
) -> tuple[EcdsaKey, Window]:
    """Key and window of the signing certificate that ``root`` issued and ``crl``, if given, does not list.

    The key is of ``ecdsa``.
    """
    leaf = chain[0]
    if chain[1].spki != root.spki:
        raise ChainError("the collateral leads to two different roots", detail="mixed_roots")
    require_leaf(leaf, "SGX TCB Signing", what, detail)
    require_issued(leaf, root, root_key, what, detail)
    if crl is not None:
        refuse_revoked(leaf, crl, what, detail)
    return certificate_key(leaf, what, detail, ecdsa), certificate_window(leaf, what, detail)
