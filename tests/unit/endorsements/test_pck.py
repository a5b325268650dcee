from __future__ import annotations

import re
from typing import Any

import pytest

from eaa.attester.simulated.sgx_extension import boolean, enumerated, integer, octets
from eaa.endorsements.pck import SGX_EXTENSION_OID, PckExtension, SgxType, parse_pck_extension
from eaa.errors import FormatError
from tests.fakes.certificates import certificate, pck_certificate, with_extension
from tests.fakes.vendor import make_platform


def parse(**overrides: bytes | None) -> PckExtension:
    return parse_pck_extension(pck_certificate(**overrides).parsed)


@pytest.mark.parametrize("ca", ["platform", "processor"])
def test_all_fields_are_read(ca: Any) -> None:
    pck = make_platform(ca=ca).pck
    parsed = parse_pck_extension(pck.parsed)
    multi_package = True if ca == "platform" else None
    assert parsed == PckExtension(
        ppid=pck.ppid,
        cpu_svn=pck.tcb.cpu_svn,
        sgx_tcb_components=pck.tcb.sgx_components,
        pce_svn=pck.tcb.pce_svn,
        pce_id=pck.pce_id,
        fmspc=pck.fmspc,
        sgx_type=pck.sgx_type,
        platform_instance_id=pck.platform_instance_id,
        dynamic_platform=multi_package,
        cached_keys=multi_package,
        smt_enabled=multi_package,
    )


def test_a_certificate_without_the_extension() -> None:
    with pytest.raises(FormatError) as caught:
        parse_pck_extension(certificate())
    assert caught.value.code == "format.missing"


@pytest.mark.parametrize("number", ["1", "2", "2.1", "2.9", "2.16", "2.17", "2.18", "3", "4", "5"])
def test_a_missing_field_is_named(number: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(**{f"f{number.replace('.', '_')}": None})
    assert caught.value.code == "format.missing"
    assert caught.value.field == f"sgxExtensions.{number}"


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("1", octets(bytes(15))),
        ("1", octets(bytes(17))),
        ("1", integer(1)),
        ("2", octets(b"")),
        ("2", integer(1)),
        ("2.1", octets(b"\x01")),
        ("2.1", integer(256)),
        ("2.1", bytes.fromhex("0201ff")),
        ("2.1", bytes.fromhex("02020001")),
        ("2.1", bytes.fromhex("0200")),
        ("2.1", bytes.fromhex("02810101")),
        ("2.1", bytes.fromhex("020301")),
        ("2.17", integer(65536)),
        ("2.18", octets(bytes(15))),
        ("2.19", integer(0)),
        ("3", octets(b"\x00")),
        ("4", octets(bytes(5))),
        ("5", enumerated(3)),
        ("5", integer(0)),
        ("6", octets(bytes(15))),
        ("7", octets(b"")),
        ("7.1", integer(1)),
        ("7.1", bytes.fromhex("010101")),
        ("7.4", boolean(True)),
        ("8", integer(0)),
        ("4", b""),
    ],
)
def test_a_wrong_field_is_refused(number: str, value: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        parse(**{f"f{number.replace('.', '_')}": value})
    assert caught.value.field.startswith("sgxExtensions")


@pytest.mark.parametrize("value", [0, 1, 255])
def test_components_are_bytes(value: int) -> None:
    assert parse(f2_1=integer(value)).sgx_tcb_components[0] == value


@pytest.mark.parametrize("value", [0, 127, 128, 65535])
def test_pce_svn_has_16_bits(value: int) -> None:
    assert parse(f2_17=integer(value)).pce_svn == value


@pytest.mark.parametrize("kind", SgxType)
def test_sgx_types(kind: SgxType) -> None:
    assert parse(f5=enumerated(kind.value)).sgx_type is kind


def test_configuration_may_be_partial() -> None:
    parsed = parse(f7_2=None, f7_3=boolean(False))
    assert (parsed.dynamic_platform, parsed.cached_keys, parsed.smt_enabled) == (True, None, False)


def extension(raw: bytes) -> bytes:
    return bytes((0x30, len(raw))) + raw


OID = bytes.fromhex("2a864886f84d010d01")
FIELD_4 = extension(b"\x06\x0a" + OID + b"\x04" + octets(bytes(6)))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x30\x01",
        b"\x04\x00",
        extension(FIELD_4 * 2),
        extension(octets(b"x" * 20)),
        extension(extension(b"\x06\x03\x2a\x03\x04" + octets(bytes(20)))),
        extension(extension(b"\x06\x0a" + OID)),
        extension(extension(b"")),
        extension(FIELD_4) + b"\x00",
    ],
    ids=[
        "empty",
        "truncated",
        "no sequence",
        "twice",
        "no field",
        "other OID",
        "OID cut",
        "empty field",
        "trailing",
    ],
)
def test_a_malformed_extension_is_refused(value: bytes) -> None:
    with pytest.raises(FormatError):
        parse_pck_extension(with_extension(certificate(), SGX_EXTENSION_OID, value))


@pytest.mark.parametrize("size", [-1, 1])
def test_the_length_of_the_tcb_is_that_of_its_fields(size: int) -> None:
    pck = make_platform().pck.parsed
    value = pck.extensions[SGX_EXTENSION_OID].value
    at = value.index(OID + b"\x02\x30\x82") + len(OID) + 3
    changed = value[:at] + (int.from_bytes(value[at : at + 2]) + size).to_bytes(2) + value[at + 2 :]
    with pytest.raises(FormatError):
        parse_pck_extension(with_extension(pck, SGX_EXTENSION_OID, changed))


@pytest.mark.parametrize("value", [0, 127, 128, 255])
@pytest.mark.parametrize("pce_svn", [0, 127, 128, 255, 256, 32767, 32768, 65535])
def test_what_is_read_at_once_is_what_is_read_field_by_field(
    value: int, pce_svn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = {f"f2_{n}": integer((value + n) % 256) for n in range(1, 17)}
    at_once = parse(**overrides, f2_17=integer(pce_svn))
    assert at_once.sgx_tcb_components == bytes((value + n) % 256 for n in range(1, 17))
    assert at_once.pce_svn == pce_svn
    monkeypatch.setattr("eaa.endorsements.pck._PLAIN", re.compile(b"none"))
    assert parse(**overrides, f2_17=integer(pce_svn)) == at_once


def test_every_flipped_bit_of_the_tcb_is_read_the_same_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    pck = make_platform().pck.parsed
    value = pck.extensions[SGX_EXTENSION_OID].value

    def outcomes() -> list[object]:
        return [outcome(bit) for bit in range(8 * len(value))]

    def outcome(bit: int) -> object:
        changed = bytearray(value)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            return parse_pck_extension(with_extension(pck, SGX_EXTENSION_OID, bytes(changed)))
        except FormatError as error:
            return str(error)

    at_once = outcomes()
    monkeypatch.setattr("eaa.endorsements.pck._PLAIN", re.compile(b"none"))
    assert at_once == outcomes()
