from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from eaa.endorsements.collateral import IntelCollateral, SignedDocument

DOCUMENT = SignedDocument(b"a", b"b", b"c")
WHOLE = IntelCollateral(DOCUMENT, DOCUMENT, b"d", b"e", b"f")


def test_equal_parts_have_one_digest() -> None:
    assert replace(WHOLE).digest == WHOLE.digest
    assert len(WHOLE.digest) == 32


def test_every_part_and_every_border_between_parts_counts() -> None:
    variants = [
        WHOLE,
        replace(WHOLE, tcb_info=None),
        replace(WHOLE, qe_identity=None),
        replace(WHOLE, root_ca_crl=None),
        replace(WHOLE, root_ca_crl=b""),
        replace(WHOLE, pck_crl=None),
        replace(WHOLE, pck_crl_issuer_chain=None),
        replace(WHOLE, root_ca_crl=b"de", pck_crl=b""),
        replace(WHOLE, root_ca_crl=b"", pck_crl=b"de"),
        replace(WHOLE, tcb_info=SignedDocument(b"ab", b"", b"c")),
        replace(WHOLE, tcb_info=SignedDocument(b"", b"ab", b"c")),
        replace(WHOLE, qe_identity=SignedDocument(b"a", b"b", b"x")),
    ]
    for one, other in combinations(variants, 2):
        assert one.digest != other.digest
