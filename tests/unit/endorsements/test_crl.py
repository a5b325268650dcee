from __future__ import annotations

import dataclasses

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from eaa.codec.der import wrap_sequence
from eaa.codec.pem import encode_pem
from eaa.endorsements.crl import MAX_CRL_BYTES, crl_der, parse_crl
from eaa.endorsements.x509 import ECDSA_SHA256
from eaa.errors import FormatError
from tests.fakes.certificates import DAY, crl, name, rebuilt
from tests.fakes.vendor import NOW

DER = crl(serials=(5, 1 << 150))
POINTS = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)


def contents(der: bytes) -> bytes:
    """The fields of tbsCertList of a list shorter than 128 bytes or with a one-byte long length."""
    tbs = parse_crl(der).tbs
    return tbs[{0x81: 3, 0x82: 4}.get(tbs[1], 2) :]


def refused(der: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse_crl(der, what="thing")
    assert caught.value.what == "thing"
    return caught.value


def test_fields_are_those_of_the_list() -> None:
    parsed = parse_crl(DER)
    reference = x509.load_der_x509_crl(DER)
    assert parsed.tbs == reference.tbs_certlist_bytes
    assert parsed.signature == reference.signature
    assert parsed.signature_algorithm == ECDSA_SHA256
    assert parsed.issuer == name("SGX Root CA").public_bytes()
    assert (parsed.this_update, parsed.next_update) == (NOW - DAY, NOW + 30 * DAY)
    assert parsed.revoked_serials == (5, 1 << 150)
    assert parsed.number is None


@pytest.mark.parametrize(("serial", "revoked"), [(5, True), (1 << 150, True), (6, False), (1, False)])
def test_listed_serials_are_revoked(serial: int, revoked: bool) -> None:
    assert parse_crl(DER).revokes(serial) is revoked
    assert not parse_crl(crl()).revokes(serial)


def test_the_number_elsewhere_in_the_list_is_no_entry() -> None:
    parsed = parse_crl(crl(serials=(5,)))
    elsewhere = int.from_bytes(parsed.issuer[-4:], "big")
    assert elsewhere.to_bytes(4, "big") in parsed.tbs
    assert not parsed.revokes(elsewhere)


def test_a_serial_of_more_octets_than_a_short_length_has_is_looked_for_too() -> None:
    assert not parse_crl(DER).revokes(1 << 1100)
    tbs = parse_crl(DER).tbs + (1 << 1100).to_bytes(138, "big")
    assert not dataclasses.replace(parse_crl(DER), tbs=tbs).revokes(1 << 1100)


def test_a_negative_serial_is_no_other_ones() -> None:
    parsed = parse_crl(crl(serials=(255,)))
    assert b"\xff" in parsed.tbs
    assert not parsed.revokes(-1)


@pytest.mark.parametrize("octets", ["80000001", "80000000", "ff7fffff"])
def test_a_negative_serial_that_is_listed_is_revoked(octets: str) -> None:
    """RFC 5280 allows none; an issuer that wrote one revokes what it is the number of."""
    tbs = parse_crl(crl(serials=(0x7F000001,))).tbs.replace(b"\x7f\x00\x00\x01", bytes.fromhex(octets))
    parsed = parse_crl(rebuilt(tbs, SIGNATURE))
    (listed,) = parsed.revoked_serials
    assert parsed.revokes(listed)
    assert not parsed.revokes(listed + 1)


def test_known_extensions() -> None:
    der = crl(extensions=((x509.CRLNumber(3), True),))
    assert parse_crl(der).number == 3


def test_encodings() -> None:
    forms = {
        "der": DER,
        "pem": encode_pem(DER, "X509 CRL"),
        "pem after space": b"\n" + encode_pem(DER, "X509 CRL"),
        "hex": DER.hex().encode(),
        "HEX": DER.hex().upper().encode() + b"\n",
    }
    assert {key: crl_der(value) for key, value in forms.items()} == dict.fromkeys(forms, DER)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"zz", "encoding"),
        (b"300", "encoding"),
        (b"0", "encoding"),
        (encode_pem(DER), "PEM"),
        (encode_pem(DER, "X509 CRL") * 2, "PEM"),
        (b"0" * (MAX_CRL_BYTES + 1), "length"),
    ],
)
def test_other_encodings_are_refused(data: bytes, field: str) -> None:
    with pytest.raises(FormatError) as caught:
        crl_der(data, what="thing")
    assert (caught.value.what, caught.value.field) == ("thing", field)


SIGNATURE = parse_crl(DER).signature
LENGTH = len(SIGNATURE) + 1
VERSION = b"\x02\x01\x01"
PLAIN = contents(DER)
NEXT_UPDATE = b"\x17\x0d" + f"{NOW + 30 * DAY:%y%m%d%H%M%SZ}".encode()


@pytest.mark.parametrize(
    ("der", "field", "code"),
    [
        (b"", "certificateList", "format.not_der"),
        (DER[:-1], "certificateList", "format.not_der"),
        (DER + b"\x00", "certificateList", "format.not_der"),
        (bytes(MAX_CRL_BYTES + 1), "length", "format.too_large"),
        (rebuilt(b"\x30\x00", SIGNATURE), "tbsCertList", "format.not_der"),
        (rebuilt(wrap_sequence(b"\x02\x01\x00" + PLAIN[3:]), SIGNATURE), "version", "format.bad_value"),
        (rebuilt(wrap_sequence(PLAIN.replace(NEXT_UPDATE, b"")), SIGNATURE), "nextUpdate", "format.missing"),
        (DER[:-LENGTH] + b"\x04" + SIGNATURE[:-1] + b"\xf0", "signatureValue", "format.bad_value"),
        (
            rebuilt(parse_crl(DER).tbs, SIGNATURE, algorithm=ECDSA_SHA256[:-1] + b"\x03"),
            "signatureAlgorithm", "format.bad_value",
        ),
        (crl(extensions=((POINTS, True),)), "crlExtensions", "format.bad_value"),
    ],
    ids=[
        "empty", "truncated", "trailing", "large", "tbs", "version", "next update", "bits", "algorithm",
        "scope",
    ],
)  # fmt: skip
def test_anything_else_is_refused(der: bytes, field: str, code: str) -> None:
    error = refused(der)
    assert (error.field, error.code) == (field, code)


def test_an_entry_that_is_none_is_refused() -> None:
    broken = PLAIN.replace(b"\x02\x01\x05", b"\x04\x01\x05", 1)
    assert refused(rebuilt(wrap_sequence(broken), SIGNATURE)).field == "certificateList"


def test_an_extension_given_twice_is_refused() -> None:
    number = wrap_sequence(b"\x06\x03\x55\x1d\x14\x04\x03\x02\x01\x01")
    extensions = wrap_sequence(number * 2)
    tbs = wrap_sequence(PLAIN + bytes((0xA0, len(extensions))) + extensions)
    assert refused(rebuilt(tbs, SIGNATURE)).code == "format.duplicate_key"


def test_a_malformed_number_is_refused_when_asked_for() -> None:
    number = wrap_sequence(b"\x06\x03\x55\x1d\x14\x04\x03\x04\x01\x01")
    extensions = wrap_sequence(number)
    tbs = wrap_sequence(PLAIN + bytes((0xA0, len(extensions))) + extensions)
    parsed = parse_crl(rebuilt(tbs, SIGNATURE))
    with pytest.raises(FormatError, match="cRLNumber"):
        assert parsed.number


@given(serials=st.lists(st.integers(1, 1 << 158), max_size=5, unique=True), asked=st.integers(1, 1 << 158))
@settings(max_examples=25)
def test_revoked_is_what_is_listed(serials: list[int], asked: int) -> None:
    parsed = parse_crl(crl(serials=tuple(serials)))
    assert parsed.revoked_serials == tuple(serials)
    for serial in (*serials, asked, 7, 0, -1):
        assert parsed.revokes(serial) is (serial in serials)
