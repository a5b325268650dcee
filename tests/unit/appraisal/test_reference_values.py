"""Reference values: what owners may write, what is refused, and that it comes back as written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eaa.appraisal.reference_fields import FIELDS, read_field
from eaa.appraisal.reference_values import (
    Alternative,
    Pattern,
    Pin,
    ReferenceValues,
    parse_reference_values,
)
from eaa.errors import FormatError, UsageError
from tests.unit.appraisal.samples import ENCLAVE, TD, TD15

SIGNER = {"mr_signer": "22" * 32, "isv_prod_id": 1, "min_isv_svn": 2}
EXAMPLE: dict[str, Any] = {
    "version": 1,
    "sgx": [
        {"mr_enclave": "11" * 32},
        {
            **SIGNER,
            "attributes": {"value": "05" + "00" * 15, "mask": "ff" * 8 + "00" * 8},
            "xfrm": "e700000000000000",
            "misc_select": [0, 1],
            "config_id": "33" * 64,
        },
    ],
    "tdx": [
        {
            "mr_td": ["44" * 48, "45" * 48],
            **{f"rt_mr{n}": f"6{n}" * 48 for n in range(4)},
            "mr_seam": "55" * 48,
            "td_attributes": ["0000001000000000", {"value": "00" * 8, "mask": "ff" + "00" * 7}],
            "xfam": "e702060000000000",
            "mr_config_id": "00" * 48,
            "mr_owner": "00" * 48,
            "mr_owner_config": "00" * 48,
            "mr_service_td": "77" * 48,
        }
    ],
    "snp": [
        {
            "measurement": "88" * 48,
            "author_key_digest": "00" * 48,
            "family_id": "99" * 16,
            "host_data": "aa" * 32,
            "policy": {"value": "00" * 8, "mask": "0000080000000000"},
            "platform_info": "2500000000000000",
            "vmpl": [0, 1],
            "chip_id": ["bb" * 64, "cc" * 64],
        },
        {"id_key_digest": "dd" * 48, "image_id": "ee" * 16, "min_guest_svn": 7},
    ],
    "sev": [
        {
            "launch_digest": "11" * 32,
            "policy": {"value": "0f000000", "mask": "0f000000"},
            "cek_sha256": "22" * 32,
            "oca_sha256": ["33" * 32, "44" * 32],
        }
    ],
    "csv": [
        {
            **dict.fromkeys(("measure", "rtmr1", "rtmr2", "rtmr3", "rtmr4"), "55" * 32),
            "vm_id": "66" * 16,
            "vm_version": "77" * 16,
            "user_pubkey_digest": "88" * 32,
            "policy": "4f000000",
            "cek_sha256": "99" * 32,
        }
    ],
}


def parse(document: Any) -> ReferenceValues:
    return parse_reference_values(json.dumps(document).encode())


def test_what_encode_writes_is_what_was_read() -> None:
    values = parse(EXAMPLE)
    assert json.loads(values.encode()) == EXAMPLE
    assert parse_reference_values(values.encode()) == values


def test_the_example_has_every_field() -> None:
    for tee, fields in FIELDS.items():
        assert {name for item in EXAMPLE[tee] for name in item} == set(fields)


def test_order_in_the_file_does_not_matter_and_case_of_digits_neither() -> None:
    item = {"rt_mr1": "AB" * 48, "mr_td": "44" * 48}
    assert parse({"tdx": [item], "version": 1}) == parse(
        {"version": 1, "tdx": [{"mr_td": "44" * 48, "rt_mr1": "ab" * 48}]}
    )


def test_a_mask_of_ones_is_no_mask() -> None:
    whole = parse({"version": 1, "tdx": [{"mr_td": "44" * 48, "xfam": "01" * 8}]})
    masked = {"value": "01" * 8, "mask": "ff" * 8}
    assert parse({"version": 1, "tdx": [{"mr_td": "44" * 48, "xfam": masked}]}) == whole


def test_alternatives_by_tee_in_the_order_written() -> None:
    values = parse(EXAMPLE)
    assert [item.pins[0].name for item in values.of("sgx")] == ["mr_enclave", "mr_signer"]
    assert len(values.of("tdx")) == 1
    assert [item.pins[0].name for item in values.of("snp")] == ["measurement", "id_key_digest"]
    assert values.of("cca") == ()


def tdx(**fields: Any) -> dict[str, Any]:
    return {"version": 1, "tdx": [{"mr_td": "44" * 48, **fields}]}


def snp(**fields: Any) -> dict[str, Any]:
    return {"version": 1, "snp": [fields]}


def sgx(**fields: Any) -> dict[str, Any]:
    return {"version": 1, "sgx": [{"mr_enclave": "11" * 32, **fields}]}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "document"),
        ({}, "version"),
        ({"version": 2, "tdx": [{"mr_td": "44" * 48}]}, "version"),
        ({"version": True, "tdx": [{"mr_td": "44" * 48}]}, "version"),
        ({"version": 1}, "document"),
        ({"version": 1, "snp": []}, "snp"),
        ({"version": 1, "tdx": []}, "tdx"),
        ({"version": 1, "tdx": {"mr_td": "44" * 48}}, "tdx"),
        ({"version": 1, "tdx": ["44" * 48]}, "tdx[0]"),
        ({"version": 1, "tdx": [{}]}, "tdx[0]"),
        ({"version": 1, "tdx": [{"rt_mr1": "44" * 48}]}, "tdx[0]"),
        ({"version": 1, "tdx": [{"mr_td": "44" * 48}, {"mr_tdd": "44" * 48}]}, "tdx[1].mr_tdd"),
        ({"version": 1, "tdx": [{"mr_enclave": "44" * 32}]}, "tdx[0].mr_enclave"),
        ({"version": 1, "sgx": [{"mr_signer": "22" * 32}]}, "sgx[0]"),
        ({"version": 1, "sgx": [{"mr_signer": "22" * 32, "isv_prod_id": 1}]}, "sgx[0]"),
        ({"version": 1, "sgx": [{"isv_prod_id": 1, "min_isv_svn": 1}]}, "sgx[0]"),
        (snp(host_data="11" * 32), "snp[0]"),
        (snp(id_key_digest="11" * 48, image_id="11" * 16), "snp[0]"),
        (snp(id_key_digest="00" * 48, image_id="11" * 16, min_guest_svn=1), "snp[0]"),
        (snp(author_key_digest=["11" * 48, "00" * 48], image_id="11" * 16, min_guest_svn=1), "snp[0]"),
        (snp(measurement="11" * 48, vmpl=4), "snp[0].vmpl"),
        (snp(measurement="11" * 48, min_guest_svn=[1]), "snp[0].min_guest_svn"),
        (snp(measurement="11" * 48, chip_id="11" * 8), "snp[0].chip_id"),
        (tdx(rt_mr0="44" * 47), "tdx[0].rt_mr0"),
        (tdx(rt_mr0="44" * 49), "tdx[0].rt_mr0"),
        (tdx(rt_mr0="zz" * 48), "tdx[0].rt_mr0"),
        (tdx(rt_mr0=1), "tdx[0].rt_mr0"),
        (tdx(rt_mr0=None), "tdx[0].rt_mr0"),
        (tdx(rt_mr0=[]), "tdx[0].rt_mr0"),
        (tdx(rt_mr0=["44" * 48, "44"]), "tdx[0].rt_mr0[1]"),
        (tdx(rt_mr0={"value": "44" * 48, "mask": "ff" * 48}), "tdx[0].rt_mr0"),
        (tdx(xfam={"value": "00" * 8}), "tdx[0].xfam"),
        (tdx(xfam={"value": "00" * 8, "mask": "ff" * 8, "x": 1}), "tdx[0].xfam"),
        (tdx(xfam={"value": "00" * 7, "mask": "ff" * 8}), "tdx[0].xfam.value"),
        (tdx(xfam={"value": "00" * 8, "mask": "ff" * 9}), "tdx[0].xfam.mask"),
        (tdx(xfam={"value": "00" * 8, "mask": "00" * 8}), "tdx[0].xfam.mask"),
        (tdx(xfam={"value": "01" * 8, "mask": "00" * 7 + "ff"}), "tdx[0].xfam.value"),
        (sgx(isv_prod_id=-1), "sgx[0].isv_prod_id"),
        (sgx(isv_prod_id=0x10000), "sgx[0].isv_prod_id"),
        (sgx(isv_prod_id="1"), "sgx[0].isv_prod_id"),
        (sgx(isv_prod_id=True), "sgx[0].isv_prod_id"),
        (sgx(isv_prod_id=[1, 1.0]), "sgx[0].isv_prod_id[1]"),
        (sgx(min_isv_svn=[1]), "sgx[0].min_isv_svn"),
        (sgx(min_isv_svn=[]), "sgx[0].min_isv_svn"),
        (sgx(misc_select=1 << 32), "sgx[0].misc_select"),
        (sgx(**{"x" * 1000: 1}), "sgx[0]." + "x" * 40),
        ({"version": 1, "x" * 1000: 1}, "x" * 40),
    ],
)
def test_refused_by_name(document: Any, field: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse(document)
    assert raised.value.what == "reference values"
    assert raised.value.field == field


@pytest.mark.parametrize("data", [b"", b"{", b'{"version":1,"version":1}', b"\xff", b"NaN"])
def test_strict_json(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_reference_values(data)


@pytest.mark.parametrize("depth", [100, 900, 960, 980, 1000, 100_000])
def test_nested_too_deeply_to_print(depth: int) -> None:
    with pytest.raises(FormatError):
        parse_reference_values(b'{"version":%b%b}' % (b"[" * depth, b"]" * depth))


def test_an_alternative_that_does_not_pin_the_code_cannot_be_built_either() -> None:
    with pytest.raises(UsageError, match="needs mr_enclave, or mr_signer"):
        Alternative("sgx", (Pin("isv_prod_id", (1,)),))


def test_pattern() -> None:
    pattern = Pattern(b"\x05\x00", b"\x0f\x80")
    assert pattern.matches(b"\xf5\x7f")
    assert not pattern.matches(b"\x04\x00")
    assert not pattern.matches(b"\x05\x80")
    assert not pattern.matches(b"\x05")
    assert not pattern.matches(b"\x05\x00\x00")
    assert str(pattern) == "0500 under mask 0f80"
    assert str(Pattern(b"\x05", b"\xff")) == "05"


def test_pins() -> None:
    assert Pin("isv_prod_id", (1, 2)).matches(2)
    assert not Pin("isv_prod_id", (1, 2)).matches(3)
    assert not Pin("isv_prod_id", (1, 2)).matches(None)
    least = Pin("min_isv_svn", (2,))
    assert [least.matches(svn) for svn in (1, 2, 3)] == [False, True, True]
    assert not least.matches(None)
    assert str(least) == "at least 2"
    assert str(Pin("isv_prod_id", (1, 2))) == "1 or 2"


def test_fields_are_read_from_the_report() -> None:
    assert read_field(ENCLAVE, "min_isv_svn") == 3
    assert read_field(ENCLAVE, "xfrm") == bytes.fromhex("e700000000000000")
    assert read_field(ENCLAVE, "misc_select") == 0
    assert read_field(TD, "mr_td") == b"\x44" * 48
    assert read_field(TD, "mr_service_td") is None
    for name, field in FIELDS["tdx"].items():
        assert len(bytes(getattr(TD15, name))) == field.length
    for name, field in FIELDS["sgx"].items():
        value = read_field(ENCLAVE, name)
        assert len(value) == field.length if isinstance(value, bytes) else field.maximum
