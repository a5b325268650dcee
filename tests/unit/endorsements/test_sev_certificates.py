"""SEV's certificates: to the byte, and refused at every length and reserved byte."""

from __future__ import annotations

import pytest

from eaa.attester.simulated.sev_certificates import SevSigned
from eaa.endorsements.roots import load_pinned_bytes
from eaa.endorsements.sev_ca import parse_sev_ca
from eaa.endorsements.sev_certificate import SevAlgorithm, parse_sev_certificate
from eaa.endorsements.sev_endorsements import SevEndorsements, read_sev_parts
from eaa.endorsements.sev_roots import AMD_SEV_ARKS, AMD_SEV_ASKS, sev_ark_name, sev_product
from eaa.errors import FormatError, InternalError
from eaa.evidence.psp_certificate import KeyUsage
from eaa.evidence.sev_evidence import SevProduct
from tests.fakes.sev_vendor import SEV_KINDS, SevKind, make_sev_guest, make_sev_vendor, shared_sev_case

CA_FIELDS = [
    ("version", 0),
    ("key_usage", 0x24),
    ("reserved", 0x28),
    ("modulus_size", 0x38),
    ("modulus_size", 0x3C),
]


@pytest.mark.parametrize("kind", SEV_KINDS)
def test_an_authority_to_the_byte(kind: SevKind) -> None:
    vendor = make_sev_vendor(kind)
    for authority in (vendor.ark, vendor.ask):
        raw = authority.raw
        parsed = parse_sev_ca(raw)
        assert parsed.encode() == raw
        numbers = authority.key.private.public_key().public_numbers()
        assert (parsed.modulus, parsed.public_exponent) == (numbers.n, numbers.e)
        assert parsed.signed + parsed.signature[::-1] == raw
        assert (parsed.key_id, parsed.usage) == (authority.key_id, authority.usage)


def test_an_authority_truncated_at_every_length() -> None:
    raw = AMD_SEV_ASKS[SevProduct.NAPLES].raw
    for size in range(len(raw)):
        with pytest.raises(FormatError) as caught:
            parse_sev_ca(raw[:size])
        assert caught.value.code == "format.truncated"
    with pytest.raises(FormatError) as caught:
        parse_sev_ca(raw + b"\x00")
    assert caught.value.code == "format.trailing_bytes"


@pytest.mark.parametrize(("field", "offset"), CA_FIELDS)
def test_fixed_fields_of_an_authority(field: str, offset: int) -> None:
    raw = bytearray(AMD_SEV_ASKS[SevProduct.NAPLES].raw)
    raw[offset] ^= 1
    with pytest.raises(FormatError) as caught:
        parse_sev_ca(bytes(raw))
    assert caught.value.field == field


@pytest.mark.parametrize("kind", SEV_KINDS)
def test_a_platforms_certificate_to_the_byte(kind: SevKind) -> None:
    platform = make_sev_guest(kind).platform
    for model in (platform.cek, platform.oca, platform.pek, platform.pdh):
        parsed = parse_sev_certificate(model.raw)
        assert parsed.encode() == model.raw
        numbers = model.key.public_key().public_numbers()
        assert (parsed.x, parsed.y) == (numbers.x, numbers.y)
        assert (parsed.usage, parsed.algorithm) == (model.usage, model.algorithm)
        assert [item.usage for item in parsed.frame.signatures] == [item.by.usage for item in model.signed_by]


def test_a_platforms_certificate_at_every_length() -> None:
    raw = make_sev_guest().platform.cek.raw
    for size in (*range(len(raw)), len(raw) + 1):
        with pytest.raises(FormatError):
            parse_sev_certificate((raw + b"\x00")[:size])


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("version", {"version": 0}),
        ("reserved", {"reserved": b"\x01\x00"}),
        ("pubkey_usage", {"pubkey_usage": KeyUsage.ASK}),
        ("pubkey_usage", {"pubkey_usage": KeyUsage.NONE}),
        ("pubkey_algo", {"pubkey_algo": SevAlgorithm.RSA_SHA256}),
        ("pubkey.curve", {"pubkey": (1).to_bytes(1028, "little")}),
        ("pubkey", {"pubkey": (2).to_bytes(1027, "little") + b"\x01"}),
        ("pubkey", {"pubkey": (2).to_bytes(52, "little") + b"\x01" + bytes(975)}),
        ("sig1_usage", {"sig1_usage": 5}),
        ("sig2", {"sig2": b"\x01" * 512}),
        ("sig2", {"sig2_algo": 2}),
        ("sig_algo", {"sig1_algo": 0}),
        ("sig", {"sig1_algo": 2, "sig1": bytes(511) + b"\x01"}),
        ("sig", {"sig1_algo": 1, "sig1": bytes(511) + b"\x01"}),
    ],
)
def test_what_a_platforms_certificate_cannot_be(field: str, fields: dict[str, bytes | int]) -> None:
    platform = make_sev_guest().platform
    platform.cek.fields = fields
    with pytest.raises(FormatError) as caught:
        parse_sev_certificate(platform.cek.raw)
    assert caught.value.field == field


def test_two_signatures_and_none() -> None:
    platform = make_sev_guest().platform
    platform.pek.signed_by = []
    assert parse_sev_certificate(platform.pek.raw).frame.signature_by(KeyUsage.CEK) is None
    platform.pek.signed_by = [SevSigned(by=platform.cek), SevSigned(by=platform.oca)]
    assert len(parse_sev_certificate(platform.pek.raw).frame.signatures) == 2


def test_parts_are_told_apart_by_content() -> None:
    given = shared_sev_case("rome-es").endorsements
    names = ("pdh", "pek", "oca", "cek", "ask", "ark")
    parts = [getattr(given, name) for name in names]
    assert read_sev_parts(b"".join(parts)) == given
    assert read_sev_parts(b"".join(reversed(parts))) == given
    for name, part in zip(names, parts, strict=True):
        assert read_sev_parts(part) == SevEndorsements(**{name: part})
        with pytest.raises(FormatError) as caught:
            read_sev_parts(part + part)
        assert caught.value.code == "format.duplicate"
        with pytest.raises(FormatError):
            read_sev_parts(part[:-1])
    for other in (b"", bytes(20_000), bytes(100)):
        with pytest.raises(FormatError):
            read_sev_parts(other)


def test_names_of_roots() -> None:
    assert [sev_ark_name(ark) for ark in AMD_SEV_ARKS.values()] == [f"SEV ARK-{p}" for p in SevProduct]
    assert [sev_product(ark) for ark in AMD_SEV_ARKS.values()] == list(SevProduct)
    vendor = make_sev_vendor()
    assert sev_ark_name(vendor.ark.parsed) == "EAA Simulated SEV ARK"
    vendor.ark.key_id = bytes(range(16))
    assert sev_ark_name(vendor.ark.parsed) == f"SEV ARK {bytes(range(16)).hex()}"


def test_a_pinned_file_that_was_changed() -> None:
    with pytest.raises(InternalError):
        load_pinned_bytes("amd_sev_ark_rome.cert", "00" * 32)
