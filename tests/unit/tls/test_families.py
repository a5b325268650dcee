"""One certificate, one family: what is bad in one is never read as another."""

from __future__ import annotations

import pytest

from eaa.codec.cbor import Tag, encode_cbor
from eaa.errors import FormatError
from eaa.tls.certificate import read_certificate
from eaa.tls.claims import encode_claims, hash_report_data
from eaa.tls.families import FAMILIES
from tests.fakes.tls import P256, certificate_with, quote_for, spki_of

DICE = "2.23.133.5.4.9"
GRAMINE = "0.6.9.42.840.113741.1337.6"
LEGACY_QUOTE = quote_for(hash_report_data(spki_of(P256)))
CLAIMS = encode_claims(spki=spki_of(P256), nonce=None)
TAGGED = encode_cbor(Tag(60000, (quote_for(hash_report_data(CLAIMS)), CLAIMS)))


def family(*extensions: tuple[str, bytes]) -> str:
    return read_certificate(certificate_with(extensions)).family


def refused(*extensions: tuple[str, bytes]) -> str:
    with pytest.raises(FormatError) as raised:
        family(*extensions)
    return raised.value.code


def test_slugs_and_extensions_are_of_one_family_each() -> None:
    assert len({item.slug for item in FAMILIES}) == len(FAMILIES)
    oids = [oid for item in FAMILIES for oid in item.oids]
    assert len(set(oids)) == len(oids)


@pytest.mark.parametrize("oid", [GRAMINE, "1.2.840.113741.1337.6", "1.2.840.113741.1.13.1"])
def test_the_interoperable_extension_counts_alone(oid: str) -> None:
    """Gramine and the SGX SDK add their older extension too."""
    assert family((oid, LEGACY_QUOTE), (DICE, TAGGED)) == "interoperable"
    assert family((oid, b"whatever"), (DICE, TAGGED)) == "interoperable"


@pytest.mark.parametrize("bad", [b"", TAGGED[:-1], TAGGED + b"\x00", encode_cbor((b"", b""))])
def test_no_way_back_from_a_bad_one(bad: bytes) -> None:
    assert family((GRAMINE, LEGACY_QUOTE)) == "gramine"
    assert refused((GRAMINE, LEGACY_QUOTE), (DICE, bad)) != "format.no_evidence"


@pytest.mark.parametrize(
    "oids",
    [
        (GRAMINE, "1.2.840.113741.1337.6"),
        (DICE, "1.3.6.1.5.5.7.1.35"),
        (DICE, "1.3.6.1.4.1.311.105.1"),
        (DICE, "1.3.6.1.4.1.62397.1.8"),
        ("1.3.6.1.4.1.62397.1.1", "1.2.840.113556.10.1.1"),
        ("1.2.840.113741.1337.6", "1.2.840.113741.1337.8"),
        ("1.2.840.113741.1337.6", "1.2.840.113741.1337.2"),
        ("1.3.6.1.4.1.311.105.1", "1.2.840.113556.10.1.1"),
    ],
)
def test_several(oids: tuple[str, str]) -> None:
    assert refused(*((oid, LEGACY_QUOTE) for oid in oids)) == "format.ambiguous_evidence"
