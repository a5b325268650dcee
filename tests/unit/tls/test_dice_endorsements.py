from __future__ import annotations

from dataclasses import fields, replace
from urllib.parse import quote

import cbor2
import pytest

from eaa.codec.cbor import CborValue, Tag, WideUint32, encode_cbor
from eaa.codec.pem import encode_pem
from eaa.endorsements.collateral import IntelCollateral, SignedDocument
from eaa.errors import FormatError, UnsupportedError, UsageError
from eaa.tls.dice_endorsements import encode_endorsements, parse_endorsements
from tests.fakes.tls import attester_of

COLLATERAL = attester_of("sgx-v3").endorsements()
DATA = encode_endorsements(60000, COLLATERAL)
PARTS: list[bytes] = cbor2.loads(DATA).value[1:]


def rebuilt(parts: list[CborValue], version: CborValue = 3) -> bytes:
    return encode_cbor(Tag(60000, (version, *parts)))


def replaced(index: int, value: CborValue) -> bytes:
    return rebuilt([*PARTS[:index], value, *PARTS[index + 1 :]])


def test_read_as_written() -> None:
    assert parse_endorsements(DATA) == (60000, COLLATERAL)
    assert parse_endorsements(rebuilt([*PARTS]))[1] == COLLATERAL


def test_the_version_is_four_bytes_wide() -> None:
    """librats reads no other width."""
    assert DATA.startswith(bytes.fromhex("d9ea60" "88" "1a00000003" "59"))  # fmt: skip


def test_text_ends_with_nul_and_need_not() -> None:
    assert all(part.endswith(b"\x00") and b"\x00" not in part[:-1] for part in PARTS)
    assert parse_endorsements(rebuilt([part[:-1] for part in PARTS]))[1] == COLLATERAL


def test_a_creation_time() -> None:
    assert parse_endorsements(rebuilt([*PARTS, b"2026-01-15T12:00:00Z"]))[1] == COLLATERAL


@pytest.mark.parametrize("version", [1, 3, WideUint32(3), WideUint32(0x00010003), 4])
def test_versions(version: CborValue) -> None:
    assert parse_endorsements(rebuilt([*PARTS], version))[1] == COLLATERAL


@pytest.mark.parametrize("version", [0, 2, 5, 0x30000])
def test_versions_that_are_not_known(version: int) -> None:
    with pytest.raises(UnsupportedError) as raised:
        parse_endorsements(rebuilt([*PARTS], version))
    assert raised.value.code == "unsupported.endorsements_version"


def test_forms_of_revocation_lists() -> None:
    root, pck = COLLATERAL.root_ca_crl, COLLATERAL.pck_crl
    assert root is not None
    assert pck is not None
    for form in (lambda der: der, lambda der: encode_pem(der, "X509 CRL")):
        parts = [*PARTS[:2], form(pck), form(root), *PARTS[4:]]
        assert parse_endorsements(rebuilt(parts))[1] == COLLATERAL


def test_chains_become_pem() -> None:
    chain = COLLATERAL.pck_crl_issuer_chain
    assert chain is not None
    encoded = replace(COLLATERAL, pck_crl_issuer_chain=quote(chain).encode())
    assert encode_endorsements(60000, encoded) == DATA


@pytest.mark.parametrize("name", [item.name for item in fields(IntelCollateral) if item.init])
def test_all_or_none(name: str) -> None:
    with pytest.raises(UsageError) as raised:
        encode_endorsements(60000, replace(COLLATERAL, **{name: None}))  # type: ignore[arg-type]  # fields by name
    assert raised.value.code == "usage.endorsements_missing"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (DATA + b"\x00", "format.trailing_bytes"),
        (encode_cbor((3, *PARTS)), "format.bad_value"),
        (encode_cbor(Tag(60000, 3)), "format.bad_value"),
        (rebuilt([*PARTS[:6]]), "format.bad_value"),
        (rebuilt([*PARTS, b"", b""]), "format.bad_value"),
        (rebuilt([*PARTS], b"3"), "format.bad_value"),
        (replaced(0, "text"), "format.bad_value"),
        (replaced(0, (1,)), "format.bad_value"),
        (rebuilt([*PARTS, "2026"]), "format.bad_value"),
        (replaced(0, PARTS[5]), "format.bad_value"),
        (replaced(5, b"[]"), "format.bad_value"),
        (replaced(0, b'{"tcbInfo":{},"signature":1}'), "format.bad_value"),
        (replaced(0, b'{"tcbInfo":{},"signature":"00"}'), "format.bad_value"),
        (replaced(0, b'{"tcbInfo":{},"signature":"%b","x":0}' % (b"00" * 64)), "format.bad_value"),
        (replaced(2, b"no list"), "format.not_der"),
    ],
)
def test_malformed(data: bytes, code: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse_endorsements(data)
    assert raised.value.code == code


def test_documents_are_the_signed_bytes() -> None:
    body = b'{ "id" : "SGX" }'
    document = SignedDocument(
        body, b"\x01" * 64, COLLATERAL.tcb_info.issuer_chain if COLLATERAL.tcb_info else b""
    )
    data = encode_endorsements(60000, replace(COLLATERAL, tcb_info=document))
    parsed = parse_endorsements(data)[1]
    assert isinstance(parsed, IntelCollateral)
    assert parsed.tcb_info == document
