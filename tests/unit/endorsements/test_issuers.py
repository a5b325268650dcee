from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from eaa.codec.pem import encode_pem
from eaa.endorsements.issuers import ordered_chain
from eaa.endorsements.x509 import Certificate
from tests.fakes.certificates import DAY, KEY, certificate
from tests.fakes.vendor import NOW

OTHER = ec.derive_private_key(2, ec.SECP256R1())


def pem(*certificates: Certificate) -> bytes:
    return b"".join(encode_pem(item.der) for item in certificates)


def any_leaf(leaf: Certificate) -> bool:
    return True


LEAF, ROOT = certificate("leaf"), certificate("root")


def test_the_leaf_comes_first() -> None:
    assert ordered_chain([(ROOT, LEAF)], any_leaf, NOW) == pem(LEAF, ROOT)
    assert ordered_chain([(ROOT,), (LEAF,)], any_leaf, NOW) == pem(LEAF, ROOT)


def test_nothing_fits() -> None:
    assert ordered_chain([], any_leaf, NOW) == b""
    assert ordered_chain([(ROOT,)], any_leaf, NOW) == b""
    assert ordered_chain([(ROOT, LEAF)], lambda leaf: False, NOW) == b""


def test_a_leaf_without_its_root_is_a_chain_of_one() -> None:
    assert ordered_chain([(LEAF, certificate("other", "other"))], any_leaf, NOW) == pem(LEAF)


def test_the_leaf_valid_at_the_time_is_taken_then_the_newest() -> None:
    old = certificate("leaf", not_before=NOW - 3 * DAY, not_after=NOW - 2 * DAY)
    newer = certificate("leaf", not_before=NOW - DAY / 2)
    groups = [(old,), (LEAF,), (newer,), (ROOT,)]
    assert ordered_chain(groups, any_leaf, NOW) == pem(newer, ROOT)
    assert ordered_chain(groups, any_leaf, NOW - 2.5 * DAY) == pem(old, ROOT)


def test_the_root_in_the_same_file_is_taken_then_the_one_with_the_key_then_the_longest() -> None:
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(KEY.public_key())
    leaf = certificate("leaf", extensions=((authority, False),))
    with_key = certificate(
        "root", extensions=((x509.SubjectKeyIdentifier.from_public_key(KEY.public_key()), False),)
    )
    other_key = certificate(
        "root",
        extensions=((x509.SubjectKeyIdentifier.from_public_key(OTHER.public_key()), False),),
        not_after=NOW + 2 * DAY,
    )
    longest = certificate("root", not_after=NOW + 9 * DAY)
    assert ordered_chain([(longest,), (other_key,), (with_key,), (leaf,)], any_leaf, NOW) == pem(
        leaf, with_key
    )
    assert ordered_chain([(with_key,), (leaf, other_key)], any_leaf, NOW) == pem(leaf, other_key)
    assert ordered_chain([(other_key,), (longest,), (leaf,)], any_leaf, NOW) == pem(leaf, longest)
