"""What is cut at offsets is what the decoder reads, and all that Intel writes is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from eaa.codec.der import wrap_sequence
from eaa.codec.pem import decode_pem_certificates
from eaa.endorsements import crl as crls
from eaa.endorsements import x509 as certificates
from eaa.endorsements.plain_der import ECDSA_SHA256, plain_certificate, plain_crl
from eaa.endorsements.roots import INTEL_SGX_ROOTS
from eaa.errors import FormatError
from tests.fakes.certificates import DAY, certificate, crl, rebuilt
from tests.fakes.vendor import NOW, make_platform, shared_evidence

Read = Callable[[bytes], tuple[object, ...] | None]
COLLATERAL = shared_evidence("tdx-v4").collateral
SIGNATURE = bytes(70)
LEAF = make_platform().pck.parsed.der
SIGNER = decode_pem_certificates(COLLATERAL.tcb_info.issuer_chain, "chain")[0]  # type: ignore[union-attr]  # is there
CERTIFICATES = {"leaf": LEAF, "signer": SIGNER, "Intel's root": INTEL_SGX_ROOTS[0].der}
NUMBER = ((x509.CRLNumber(1), False),)
LISTS = {
    "empty": crl(extensions=NUMBER),
    "one entry": crl(extensions=NUMBER, serials=(7,)),
    "two entries": crl(extensions=NUMBER, serials=(7, 1 << 150)),
    "many": crl(extensions=NUMBER, serials=tuple(range(1, 40))),
}


def decoded(read: Read, der: bytes) -> tuple[object, ...] | None:
    """What the decoder reads, in the shape of ``read``'s answer; ``None`` if it refuses."""
    try:
        if read is plain_crl:
            return crls._decoded(der, "thing")
        parsed = certificates._decoded(der, "thing")
    except FormatError:
        return None
    return tuple(getattr(parsed, item.name) for item in fields(parsed))[1:]


def require_same(read: Read, der: bytes) -> bool:
    """Whether ``read`` reads ``der``; if so, it reads what the decoder does."""
    plain = read(der)
    if plain is not None and (read is plain_certificate or entries_are_well_formed(der)):
        assert tuple(plain) == decoded(read, der)
    return plain is not None


def entries_are_well_formed(der: bytes) -> bool:
    """What :func:`parse_crl` asks of every list besides."""
    try:
        x509.load_der_x509_crl(der)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("der", [*CERTIFICATES.values(), INTEL_SGX_ROOTS[1].der], ids=str)
def test_intels_certificates_have_the_shape(der: bytes) -> None:
    assert require_same(plain_certificate, der)


@pytest.mark.parametrize("der", [*LISTS.values(), COLLATERAL.root_ca_crl, COLLATERAL.pck_crl], ids=str)
def test_intels_lists_have_the_shape(der: bytes) -> None:
    assert require_same(plain_crl, der)


CASES = [(plain_certificate, der) for der in CERTIFICATES.values()] + [
    (plain_crl, LISTS[name]) for name in ("empty", "one entry", "many")
]


@pytest.mark.parametrize(("read", "der"), CASES)
def test_every_flipped_bit_is_read_the_same(read: Read, der: bytes) -> None:
    read_too = 0
    for bit in range(8 * len(der)):
        changed = bytearray(der)
        changed[bit // 8] ^= 1 << bit % 8
        read_too += require_same(read, bytes(changed))
    assert 0 < read_too < 8 * len(der)


@pytest.mark.parametrize(("read", "der"), CASES)
def test_every_octet_gone_or_put_in_is_read_the_same(read: Read, der: bytes) -> None:
    for at in range(len(der)):
        require_same(read, der[:at] + der[at + 1 :])
        require_same(read, der[:at] + b"\x00" + der[at:])
        assert not require_same(read, der[:at])
    assert not require_same(read, der + b"\x00")


@given(
    case=st.sampled_from(CASES),
    edits=st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from(b"\x00\x01\x03\x04\x30\x7f\x80\x81\x82\xff"))
    ),
)
def test_octets_that_der_is_made_of_in_other_places(
    case: tuple[Read, bytes], edits: list[tuple[int, int]]
) -> None:
    read, changed = case[0], bytearray(case[1])
    for at, octet in edits:
        changed[at % len(changed)] = octet
    require_same(read, bytes(changed))


CONSTRAINTS = ((x509.BasicConstraints(False, None), True),)
PLAIN = certificate(extensions=CONSTRAINTS)
EXTENSION = bytes.fromhex("300c0603551d130101ff04023000")
TIME = b"\x17\x0d260114120000Z"
LONG_NAME = wrap_sequence(wrap_sequence(bytes(126)))
SERIAL = bytes.fromhex("020107") + ECDSA_SHA256


def edited(old: bytes, new: bytes) -> bytes:
    """:data:`PLAIN` with ``new`` in place of ``old``, and lengths around it that fit."""
    extensions = EXTENSION.replace(old, new)
    start = PLAIN.tbs.index(bytes.fromhex("a003020102"))
    head = PLAIN.tbs[start : PLAIN.tbs.index(b"\xa3", -len(EXTENSION) - 4)].replace(old, new, 1)
    explicit = wrap_sequence(wrap_sequence(extensions))
    return rebuilt(wrap_sequence(head + b"\xa3" + explicit[1:]), SIGNATURE)


def test_the_edited_certificate_is_the_plain_one() -> None:
    assert edited(b"none", b"") == rebuilt(PLAIN.tbs, SIGNATURE)
    assert require_same(plain_certificate, edited(b"none", b""))


@pytest.mark.parametrize(
    ("serial", "plain"),
    [
        ("00", True), ("7f", True), ("0080", True), ("7f" * 20, True), ("7f" * 100, True),
        ("", False), ("80", False), ("ff7f", False), ("007f", False), ("0000", False), ("7f" * 128, False),
    ],
)  # fmt: skip
def test_serial_numbers(serial: str, plain: bool) -> None:
    octets = bytes.fromhex(serial)
    new = wrap_sequence(octets).replace(b"\x30", b"\x02", 1) + ECDSA_SHA256
    assert require_same(plain_certificate, edited(SERIAL, new)) == plain


@pytest.mark.parametrize(
    ("time", "plain"),
    [
        ("491231235959Z", True), ("500101000000Z", True), ("000229000000Z", True), ("260228235959Z", True),
        ("260229000000Z", False), ("260100000000Z", False), ("261301000000Z", False),
        ("260101240000Z", False),
        ("260101006000Z", False), ("260101000060Z", False), ("2601010000000", False),
        ("26010100000 Z", False),
    ],
)  # fmt: skip
def test_times(time: str, plain: bool) -> None:
    assert require_same(plain_certificate, edited(TIME, TIME[:2] + time.encode())) == plain


@pytest.mark.parametrize(
    "new",
    [
        EXTENSION * 2,
        bytes.fromhex("300c0603551d1301010004023000"),
        bytes.fromhex("300a0603551d1301010030"),
        bytes.fromhex("30090603551d1303023000"),
        bytes.fromhex("30090603551d1104023000"),
        bytes.fromhex("310c0603551d130101ff04023000"),
        bytes.fromhex("300c0603551d130101ff04013000"),
        bytes.fromhex("300e0603551d130101ff04043000"),
        bytes.fromhex("30810c0603551d130101ff04023000"),
        bytes.fromhex("3082000c0603551d130101ff04023000"),
        bytes.fromhex("3080"),
        b"",
    ],
    ids=["twice", "critical FALSE", "no value", "BIT STRING", "unknown", "SET", "value too short",
         "past the end", "81 for a short length", "82 for a short length", "indefinite", "none"],
)  # fmt: skip
def test_other_extensions_are_left_to_the_decoder(new: bytes) -> None:
    assert require_same(plain_certificate, edited(EXTENSION, new)) == (new == b"")


@pytest.mark.parametrize("size", [100, 127, 128, 200, 255, 256, 300, 65_000])
def test_long_extensions(size: int) -> None:
    identifier = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.840.113741.1.13.1"), bytes(size))
    der = certificate(extensions=((identifier, False),)).der
    assert require_same(plain_certificate, der)


def test_other_kinds_are_left_to_the_decoder() -> None:
    p384 = ec.derive_private_key(1, ec.SECP384R1()).public_key()
    others = [
        certificate(extensions=CONSTRAINTS, public_key=p384).der,
        edited(PLAIN.issuer, LONG_NAME),
        edited(PLAIN.subject, LONG_NAME),
        certificate(not_after=datetime(2050, 1, 1, tzinfo=UTC), extensions=CONSTRAINTS).der,
        certificate().der,
        wrap_sequence(PLAIN.tbs + ECDSA_SHA256 + b"\x03\x81\x80" + bytes(128)),
    ]
    for der in others:
        assert not require_same(plain_certificate, der)
        assert decoded(plain_certificate, der)


def test_other_lists_are_left_to_the_decoder() -> None:
    plain = crls.parse_crl(LISTS["empty"])
    contents = plain.tbs[2:] if plain.tbs[1] < 0x80 else plain.tbs[3:]
    long_name = wrap_sequence(contents.replace(plain.issuer, LONG_NAME))
    for der in (rebuilt(long_name, SIGNATURE), crl()):
        assert not require_same(plain_crl, der)
        assert decoded(plain_crl, der)


@pytest.mark.parametrize("not_before", [datetime(1950, 1, 1, tzinfo=UTC), NOW - DAY])
def test_the_first_year_of_utc_time(not_before: datetime) -> None:
    der = certificate(not_before=not_before, extensions=CONSTRAINTS).der
    plain = plain_certificate(der)
    assert plain is not None
    assert plain.not_before == not_before
