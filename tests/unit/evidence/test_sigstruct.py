from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from eaa.errors import FormatError, SignatureError
from eaa.evidence.sigstruct import SIGSTRUCT_BYTES, Sigstruct, parse_sigstruct, verify_sigstruct
from tests.fakes.enclave_signer import author_key, signed_sigstruct

VALUES: dict[str, bytes | int] = {
    "vendor": 0x8086,
    "date": 0x20240811,
    "sw_defined": 0x10,
    "misc_select": 1,
    "misc_mask": 0xFFFFFFFE,
    "cet_attributes": 0x11,
    "cet_attributes_mask": 0x22,
    "isv_family_id": b"\x03" * 16,
    "attributes": b"\x04" * 16,
    "attribute_mask": b"\x05" * 16,
    "enclave_hash": b"\x06" * 32,
    "isv_ext_prod_id": b"\x07" * 16,
    "isv_prod_id": 0x0809,
    "isv_svn": 0x0A0B,
}


def test_every_field_is_read_from_where_it_was_written() -> None:
    found = parse_sigstruct(signed_sigstruct(**VALUES).raw)
    assert {name: getattr(found, name) for name in VALUES} == VALUES
    verify_sigstruct(found)


def test_the_layout_covers_all_bytes_once() -> None:
    position = 0
    for item in Sigstruct.layout().values():
        assert item.offset == position
        position = item.end
    assert position == Sigstruct.SIZE == SIGSTRUCT_BYTES


def test_offsets_are_those_of_the_manual() -> None:
    """Intel SDM volume 3D, table 38-19, and the EAA original: ENCLAVEHASH is at 960."""
    offsets = {name: item.offset for name, item in Sigstruct.layout().items()}
    wanted = {
        "vendor": 16, "date": 20, "header2": 24, "sw_defined": 40, "modulus": 128, "exponent": 512,
        "signature": 516, "misc_select": 900, "misc_mask": 904, "attributes": 928, "attribute_mask": 944,
        "enclave_hash": 960, "isv_prod_id": 1024, "isv_svn": 1026, "q1": 1040, "q2": 1424,
    }  # fmt: skip
    assert {name: offsets[name] for name in wanted} == wanted


def test_mr_signer_is_the_hash_of_the_modulus_as_it_is_stored() -> None:
    number = author_key().public_key().public_numbers().n
    assert signed_sigstruct().mr_signer == hashlib.sha256(number.to_bytes(384, "little")).digest()


@pytest.mark.parametrize("size", [0, 1807, 1809])
def test_another_length_is_refused(size: int) -> None:
    with pytest.raises(FormatError) as caught:
        parse_sigstruct(bytes(size), base=64)
    assert (caught.value.field, caught.value.offset) == ("length", 64)


@pytest.mark.parametrize(
    "field", ["header", "header2", "reserved1", "reserved2", "reserved3", "reserved4", "exponent"]
)
@pytest.mark.parametrize("position", [0, -1])
def test_what_the_manual_fixes_is_fixed(field: str, position: int) -> None:
    raw = bytearray(signed_sigstruct().raw)
    item = Sigstruct.layout()[field]
    raw[item.offset if position == 0 else item.end - 1] ^= 1
    with pytest.raises(FormatError) as caught:
        parse_sigstruct(bytes(raw), base=100)
    assert (caught.value.field, caught.value.offset) == (field, 100 + item.offset)


@pytest.mark.parametrize(
    "field", ["date", "enclave_hash", "attribute_mask", "isv_svn", "signature", "modulus"]
)
def test_another_byte_is_not_signed(field: str) -> None:
    raw = bytearray(signed_sigstruct().raw)
    raw[Sigstruct.layout()[field].offset + 1] ^= 0x40
    with pytest.raises(SignatureError) as caught:
        verify_sigstruct(parse_sigstruct(bytes(raw)))
    assert caught.value.code == "signature.sigstruct"


def test_another_key_did_not_sign() -> None:
    other = rsa.generate_private_key(public_exponent=3, key_size=3072).public_key().public_numbers().n
    with pytest.raises(SignatureError) as caught:
        verify_sigstruct(signed_sigstruct().replace(modulus=other.to_bytes(384, "little")))
    assert caught.value.code == "signature.sigstruct"


@pytest.mark.parametrize("modulus", [0, 3, (1 << 3071) - 1, 1 << 3071])
def test_a_modulus_that_is_none(modulus: int) -> None:
    with pytest.raises(SignatureError) as caught:
        verify_sigstruct(signed_sigstruct().replace(modulus=modulus.to_bytes(384, "little")))
    assert caught.value.code == "signature.sigstruct_key"


def test_a_signature_not_below_the_modulus() -> None:
    with pytest.raises(SignatureError):
        verify_sigstruct(signed_sigstruct().replace(signature=b"\xff" * 384))


@pytest.mark.parametrize("field", ["q1", "q2"])
def test_with_other_quotients_the_processor_refuses(field: str) -> None:
    with pytest.raises(SignatureError) as caught:
        verify_sigstruct(signed_sigstruct().replace(**{field: bytes(384)}))
    assert caught.value.code == "signature.sigstruct_q"


@pytest.mark.parametrize(
    ("flags", "mask", "may"), [(4, 0xFF, False), (4, 0xFD, True), (6, 0xFF, True), (6, 0xFD, True)]
)
def test_whether_it_may_be_debugged(flags: int, mask: int, may: bool) -> None:
    attributes, attribute_mask = bytes((flags,)) + bytes(15), bytes((mask,)) + bytes(15)
    assert Sigstruct.build(attributes=attributes, attribute_mask=attribute_mask).may_debug is may
