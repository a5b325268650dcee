from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from eaa.codec.der import wrap_sequence
from eaa.codec.pem import encode_pem
from eaa.endorsements.x509 import (
    BASIC_CONSTRAINTS,
    CRL_SIGN,
    DIGITAL_SIGNATURE,
    ECDSA_SHA256,
    KEY_CERT_SIGN,
    KEY_USAGE,
    MAX_CERTIFICATE_BYTES,
    KnownCertificates,
    common_name,
    parse_certificate,
    parse_certificate_chain,
)
from eaa.errors import FormatError
from tests.fakes.certificates import DAY, certificate, name, rebuilt, with_extension
from tests.fakes.vendor import NOW

ECDSA_SHA384 = ECDSA_SHA256[:-1] + b"\x03"
USAGE = x509.KeyUsage(
    digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=False, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


def tbs(*, version: bytes = b"\xa0\x03\x02\x01\x02", extensions: bytes = b"") -> bytes:
    """The TBS of a plain certificate, with another start and end."""
    contents = certificate().tbs[4 if certificate().tbs[1] == 0x82 else 3 :]
    return wrap_sequence(version + contents[5:] + extensions)


def refused(der: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse_certificate(der, what="thing")
    assert caught.value.what == "thing"
    return caught.value


def test_fields_are_those_of_the_certificate() -> None:
    parsed = certificate("leaf", "root")
    reference = x509.load_der_x509_certificate(parsed.der)
    assert parsed.tbs == reference.tbs_certificate_bytes
    assert parsed.signature == reference.signature
    assert (parsed.serial, parsed.signature_algorithm) == (7, ECDSA_SHA256)
    assert (parsed.not_before, parsed.not_after) == (NOW - DAY, NOW + DAY)
    assert parsed.not_before.utcoffset() == timedelta(0)
    assert parsed.issuer == name("root").public_bytes()
    assert parsed.subject == name("leaf").public_bytes()
    assert parsed.common_name == "leaf"
    assert parsed.public_point == parsed.spki[-65:]
    assert (parsed.ca, parsed.basic_constraints, parsed.key_usage(DIGITAL_SIGNATURE)) == (
        False,
        (False, None),
        False,
    )


@pytest.mark.parametrize(("ca", "path_length"), [(False, None), (True, None), (True, 0), (True, 1)])
def test_basic_constraints(ca: bool, path_length: int | None) -> None:
    parsed = certificate(extensions=((x509.BasicConstraints(ca, path_length), True),))
    assert parsed.basic_constraints == (ca, path_length)
    assert parsed.ca is ca
    assert parsed.extensions[BASIC_CONSTRAINTS].critical


def test_key_usage() -> None:
    parsed = certificate(extensions=((USAGE, True),))
    assert parsed.key_usage(DIGITAL_SIGNATURE)
    assert parsed.key_usage(CRL_SIGN)
    assert not parsed.key_usage(KEY_CERT_SIGN)
    assert not parsed.key_usage(8)


@pytest.mark.parametrize("value", [b"", b"\x30\x03\x01\x01\x00", b"\x30\x00\x00"])
def test_malformed_basic_constraints_are_refused(value: bytes) -> None:
    with pytest.raises(FormatError, match="basicConstraints"):
        assert not with_extension(certificate(), BASIC_CONSTRAINTS, value).ca


def test_malformed_key_usage_is_refused() -> None:
    with pytest.raises(FormatError, match="keyUsage"):
        with_extension(certificate(), KEY_USAGE, b"\x03\x00").key_usage(0)


def test_another_kind_of_key_has_no_point() -> None:
    key = ec.derive_private_key(1, ec.SECP384R1()).public_key()
    assert certificate(public_key=key).public_point is None


def test_rebuilding_changes_nothing() -> None:
    parsed = certificate()
    assert rebuilt(tbs(), parsed) == parsed.der


@pytest.mark.parametrize(
    ("der", "field"),
    [
        (b"", "certificate"),
        (certificate().der[:-1], "certificate"),
        (certificate().der + b"\x00", "certificate"),
        (rebuilt(b"\x30\x00", certificate()), "tbsCertificate"),
        (rebuilt(tbs(version=b""), certificate()), "version"),
        (rebuilt(tbs(version=b"\xa0\x03\x02\x01\x03"), certificate()), "version"),
        (rebuilt(certificate().tbs, certificate(), algorithm=ECDSA_SHA384), "signatureAlgorithm"),
        (rebuilt(certificate().tbs, certificate())[:-2] + b"\x00\x00\x00", "certificate"),
        (bytes(MAX_CERTIFICATE_BYTES + 1), "length"),
    ],
    ids=["empty", "truncated", "trailing", "tbs", "v1", "v4", "algorithm", "signature", "length"],
)  # fmt: skip
def test_anything_else_is_refused(der: bytes, field: str) -> None:
    assert refused(der).field == field


def test_duplicate_extensions_are_refused() -> None:
    extension = wrap_sequence(b"\x06\x03\x55\x1d\x13\x04\x02\x30\x00") * 2
    sequence = wrap_sequence(extension)
    der = rebuilt(tbs(extensions=bytes((0xA3, len(sequence))) + sequence), certificate())
    assert refused(der).code == "format.duplicate_key"


def test_a_signature_of_partial_bytes_is_refused() -> None:
    parsed = certificate()
    assert parsed.der.endswith(b"\x00" + parsed.signature)
    der = parsed.der[: -len(parsed.signature) - 1] + b"\x04" + parsed.signature[:-1] + b"\xf0"
    assert refused(der).field == "signatureValue"


def test_chains_are_read_in_order_and_known_ones_are_not_parsed_again() -> None:
    leaf, root = certificate(), certificate("root")
    pem = encode_pem(leaf.der) + encode_pem(root.der)
    for known in (KnownCertificates.of((root,)), KnownCertificates.of(()).and_of((root,))):
        chain = parse_certificate_chain(pem, what="chain", known=known)
        assert [item.der for item in chain] == [leaf.der, root.der]
        assert chain[1] is root


def test_what_is_known_already_adds_nothing() -> None:
    leaf, root = certificate(), certificate("root")
    known = KnownCertificates.of((leaf, root))
    assert known.and_of((root,)) is known
    assert known.and_of(()) is known
    assert set(KnownCertificates.of((leaf,)).and_of((root,)).by_der) == {leaf.der, root.der}


def test_a_known_text_stands_for_itself_alone() -> None:
    """Other line breaks are decoded, and what is not the text is refused as ever."""
    leaf, root = certificate(), certificate("root")
    known, pem = KnownCertificates.of((leaf, root)), encode_pem(leaf.der)
    for text in (pem, pem.replace(b"\n", b"\r\n"), b"\n" + pem.rstrip(b"\n"), pem.replace(b"\n", b"%0A")):
        assert parse_certificate_chain(text, what="chain", known=known) == (leaf,)
    with pytest.raises(FormatError):
        parse_certificate_chain(pem.replace(b"MII", b"MI I", 1), what="chain", known=known)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (name("a").public_bytes(), "a"),
        (name("a", "b").public_bytes(), "b"),
        (x509.Name([]).public_bytes(), ""),
        (name().public_bytes(), ""),
    ],
)
def test_the_last_common_name_counts(value: bytes, expected: str) -> None:
    assert common_name(value) == expected


def test_a_common_name_that_is_not_text_is_shown_somehow() -> None:
    assert common_name(name("ab").public_bytes().replace(b"ab", b"\xff\xfe")) == "\ufffd\ufffd"


def test_a_malformed_name_is_refused() -> None:
    with pytest.raises(FormatError, match="name"):
        common_name(b"\x31\x00")
