from __future__ import annotations

import base64
from typing import Any

import pytest

from eaa.codec.pem import encode_pem
from eaa.endorsements.bundle_parts import certificates_part, crl_part, decode_octets, der_kind, encode_text
from eaa.endorsements.pool import CrlRole
from eaa.errors import FormatError
from tests.fakes.certificates import certificate, crl

LEAF, ROOT = certificate(), certificate("root")


def test_certificates_stay_together() -> None:
    assert certificates_part(LEAF.der, "file").certificates == ((LEAF,),)
    pem = encode_pem(LEAF.der) + encode_pem(ROOT.der)
    assert certificates_part(pem, "file").certificates == ((LEAF, ROOT),)


@pytest.mark.parametrize("data", [LEAF.der[:-1], encode_pem(LEAF.der[:-1]), b"-----BEGIN"])
def test_malformed_certificates_name_the_file(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        certificates_part(data, "file")
    assert caught.value.what == "file"


@pytest.mark.parametrize(
    ("issuer", "role"),
    [
        ("Intel SGX Root CA", CrlRole.ROOT),
        ("Intel SGX PCK Platform CA", CrlRole.PCK),
        ("EAA Simulated SGX PCK Processor CA", CrlRole.PCK),
    ],
)
def test_the_issuers_name_tells_the_role_unless_it_is_given(issuer: str, role: CrlRole) -> None:
    der = crl(issuer)
    (item,) = crl_part(der, "file", chain=b"chain").crls
    assert (item.role, item.der, item.issuer_chain) == (role, der, b"chain")
    assert crl_part(der, "file", role=CrlRole.ROOT).crls[0].role is CrlRole.ROOT


@pytest.mark.parametrize("data", [crl()[:-1], b"zz", encode_pem(b"\x30\x00", "X509 CRL")])
def test_malformed_lists_name_the_file(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        crl_part(data, "file")
    assert caught.value.what == "file"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (LEAF.der, "certificate"),
        (LEAF.der[:20], "certificate"),
        (crl(), "crl"),
        (crl(serials=tuple(range(1, 5000))), "crl"),
        (b"", None),
        (b"\x30", None),
        (b"0x3082", None),
        (b"\x30\x82\x01\x00\x02\x01\x00", None),
        (b"\x30\x82\x01\x22\x30\x81\x90\x06\x09", None),
        (b"\x31" + LEAF.der[1:], None),
    ],
)
def test_der_is_told_apart_by_its_start(data: bytes, kind: str | None) -> None:
    assert der_kind(data) == kind


@pytest.mark.parametrize(
    "value",
    ["00ff10", "0x00FF10", " 00ff10\n", base64.b64encode(b"\x00\xff\x10").decode(), "AP\n8Q", [0, 255, 16]],
)
def test_octets(value: Any) -> None:
    assert decode_octets(value, "file", "field") == b"\x00\xff\x10"


def test_pem_stays_as_it_is() -> None:
    text = encode_pem(LEAF.der)
    assert decode_octets(text.decode(), "file", "field") == text


@pytest.mark.parametrize("value", [None, 1, {}, [256], [-1], [1.0], [True], ["00"], "?", "é", "\ud800"])
def test_other_octets_are_refused(value: Any) -> None:
    with pytest.raises(FormatError):
        decode_octets(value, "file", "field")


def test_text() -> None:
    assert encode_text("é", "file", "field") == "é".encode()
    assert encode_text(None, "file", "field") == b""


@pytest.mark.parametrize("value", [1, [], {}, "\ud800", b"x"])
def test_other_text_is_refused(value: Any) -> None:
    with pytest.raises(FormatError, match="expected a string"):
        encode_text(value, "file", "field")
