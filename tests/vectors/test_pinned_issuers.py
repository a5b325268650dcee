"""Intel's own evidence, whose issuers are pinned: each changed byte of one is refused as it was before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from eaa.codec.pem import decode_pem_certificates, encode_pem
from eaa.endorsements.collateral import IntelCollateral
from eaa.endorsements.pinned import PINNED
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.errors import FormatError, VerificationError
from eaa.evidence.dcap_quote import CertificationData, parse_certification, parse_quote_frame
from eaa.verify.dcap import Memo, verify_quote
from eaa.verify.result import Binding
from tests.vectors.manifest import needs_vectors, quote_vector

pytestmark = needs_vectors

IDENTIFIERS = ("sgx/dcap-qvl-sgx_quote-f8b81014", "tdx/dcap-qvl-tdx_quote-f1c85033")
COLLATERAL = "collateral-1.json"


def verify(quote: bytes, collateral: IntelCollateral, now: datetime) -> bytes:
    return verify_quote(
        quote, collateral=collateral, trust_anchors=INTEL_SGX_ROOTS, binding=Binding(), now=now, memo=Memo(1)
    ).evidence


def flipped(der: bytes) -> Iterator[bytes]:
    """``der`` with one bit of each of its bytes flipped."""
    for at, byte in enumerate(der):
        yield der[:at] + bytes((byte ^ (1 << at % 8),)) + der[at + 1 :]


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_a_changed_signing_certificate_is_refused(identifier: str) -> None:
    vector = quote_vector(identifier)
    quote, given, now = vector.quote, vector.collateral(COLLATERAL), dict(vector.times)[COLLATERAL]
    assert given.tcb_info is not None
    assert given.qe_identity is not None
    signer, root = decode_pem_certificates(given.tcb_info.issuer_chain, "chain")
    assert signer in PINNED.by_der
    assert verify(quote, given, now) == quote
    for der in flipped(signer):
        chain = encode_pem(der) + encode_pem(root)
        changed = replace(
            given,
            tcb_info=replace(given.tcb_info, issuer_chain=chain),
            qe_identity=replace(given.qe_identity, issuer_chain=chain),
        )
        with pytest.raises((VerificationError, FormatError)):
            verify(quote, changed, now)


@pytest.mark.parametrize("identifier", IDENTIFIERS)
def test_a_changed_pck_ca_is_refused(identifier: str) -> None:
    vector = quote_vector(identifier)
    given, now = vector.collateral(COLLATERAL), dict(vector.times)[COLLATERAL]
    # What else came with the list says who issued it; the quote's own chain is what is looked at here.
    given = replace(given, pck_crl_issuer_chain=None)
    quote = parse_quote_frame(vector.quote)
    certification = parse_certification(quote)
    leaf, ca, root = decode_pem_certificates(certification.data.data, "chain")
    assert ca in PINNED.by_der

    def with_ca(der: bytes) -> bytes:
        chain = b"".join(map(encode_pem, (leaf, der, root)))
        changed = replace(certification, data=CertificationData(certification.data.type, chain))
        return replace(quote, certification=changed.encode(quote.header.version)).encode()

    assert verify(with_ca(ca), given, now) == with_ca(ca)
    for der in flipped(ca):
        with pytest.raises((VerificationError, FormatError)):
            verify(with_ca(der), given, now)
