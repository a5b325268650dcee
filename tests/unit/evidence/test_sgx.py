from __future__ import annotations

import pytest

from eaa.errors import FormatError
from eaa.evidence.sgx import ENCLAVE_REPORT_BYTES, EnclaveReport, parse_enclave_report

VALUES: dict[str, bytes | int] = {
    "cpu_svn": b"\x01" * 16,
    "misc_select": 3,
    "isv_ext_prod_id": b"\x02" * 16,
    "attributes": bytes.fromhex("b700000000000000e702060000000000"),
    "mr_enclave": b"\x03" * 32,
    "mr_signer": b"\x04" * 32,
    "config_id": b"\x05" * 64,
    "isv_prod_id": 0x0607,
    "isv_svn": 0x0809,
    "config_svn": 0x0A0B,
    "isv_family_id": b"\x0c" * 16,
    "report_data": b"\x0d" * 64,
}


def test_every_field_is_read_from_where_it_was_written() -> None:
    report = parse_enclave_report(EnclaveReport.build(**VALUES).raw)
    assert {name: getattr(report, name) for name in VALUES} == VALUES


def test_the_layout_covers_all_bytes_once() -> None:
    position = 0
    for item in EnclaveReport.layout().values():
        assert item.offset == position
        position = item.end
    assert position == EnclaveReport.SIZE == ENCLAVE_REPORT_BYTES


def test_bits_have_names() -> None:
    report = EnclaveReport.build(**VALUES)
    assert report.attribute_names == ("INIT", "DEBUG", "MODE64BIT", "PROVISION_KEY", "EINITTOKEN_KEY", "KSS")
    assert report.xfrm_names == (
        "X87", "SSE", "AVX", "OPMASK", "ZMM_HI256", "HI16_ZMM", "PKRU", "TILECFG", "TILEDATA",
    )  # fmt: skip
    assert report.misc_select_names == ("EXINFO", "CPINFO")


@pytest.mark.parametrize(("flags", "debug"), [(0x05, False), (0x07, True), (0x02, True), (0xFD, False)])
def test_debug_is_one_bit(flags: int, debug: bool) -> None:
    assert EnclaveReport.build(attributes=bytes((flags,)) + bytes(15)).debug is debug


@pytest.mark.parametrize("size", [0, 383, 385])
def test_another_length_is_refused(size: int) -> None:
    with pytest.raises(FormatError) as caught:
        parse_enclave_report(bytes(size), base=48)
    assert (caught.value.field, caught.value.offset) == ("length", 48)


@pytest.mark.parametrize("name", ["reserved1", "reserved2", "reserved3", "reserved4"])
@pytest.mark.parametrize("position", [0, -1])
def test_reserved_bytes_must_be_zero(name: str, position: int) -> None:
    field = EnclaveReport.layout()[name]
    value = bytearray(field.size)
    value[position] = 1
    with pytest.raises(FormatError) as caught:
        parse_enclave_report(EnclaveReport.build(**{name: bytes(value)}).raw, what="QE report", base=100)
    error = caught.value
    assert (error.what, error.field, error.offset) == ("QE report", name, 100 + field.offset)
