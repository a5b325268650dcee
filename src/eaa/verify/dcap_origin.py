"""What a quote says about its origin, verified with nothing but itself and the trust anchors.

For who is about to ask a vendor about the platform that a quote names: a quote that fails here can be refused
without. It is no verification: revocation, validity periods, the quoting enclave's identity and the TCB are
left to :func:`eaa.verify.dcap.verify_quote`.
"""

from __future__ import annotations

from collections.abc import Sequence

from eaa.endorsements.pinned import PINNED
from eaa.endorsements.x509 import Certificate, parse_certificate_chain
from eaa.errors import ChainError
from eaa.evidence.dcap_quote import DcapQuote, parse_certification
from eaa.verify.path import certificate_key, require_anchor, require_ca, require_issued
from eaa.verify.platform import (
    PCK_CHAIN,
    attestation_key,
    pck_chain_text,
    require_attestation_key,
    require_pck,
)
from eaa.verify.primitives import verify_p256_raw

__all__ = ["require_origin"]


def require_origin(quote: DcapQuote, *, trust_anchors: Sequence[Certificate]) -> None:
    """Holds if a platform under ``trust_anchors`` made ``quote``: a chain to them, and all signatures.

    Steps 5 without revocation, 6, 7 and 11 of :mod:`eaa.verify.dcap`: four signatures.

    Raises:
        FormatError, UnsupportedError: it cannot be read, or has no PCK chain.
        ChainError, SignatureError, BindingError: a step does not hold.
    """
    certification = parse_certification(quote)
    chain = parse_certificate_chain(
        pck_chain_text(certification), what=PCK_CHAIN, known=PINNED.and_of(trust_anchors)
    )
    if len(chain) != 3:
        raise ChainError(
            f"the {PCK_CHAIN} has {len(chain)} certificates, expected leaf, CA and root", detail="length"
        )
    leaf, ca, root = chain
    require_anchor(root, trust_anchors, PCK_CHAIN)
    require_ca(ca, 0, "PCK CA", "pck_ca")
    root_key = certificate_key(root, "root certificate", "root", anchor=True)
    require_issued(ca, root, root_key, "PCK CA", "pck_ca")
    require_pck(leaf, ca, certificate_key(ca, "PCK CA", "pck_ca"))
    require_attestation_key(quote, certification, leaf)
    verify_p256_raw(attestation_key(quote), quote.signature, quote.signed, "quote", "quote")
