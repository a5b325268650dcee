"""The SNP report: offsets, versions, named bits, and what is refused where."""

from __future__ import annotations

import pytest

from eaa.errors import EAAError, FormatError
from eaa.evidence.snp import (
    SNP_REPORT_BYTES,
    SNP_SIGNED_BYTES,
    SNP_VERSIONS,
    SnpReport,
    SnpReportBody,
    parse_snp_report,
)
from eaa.evidence.snp_bits import GUEST_POLICY_BITS, PLATFORM_INFO_BITS, SigningKey
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion, parse_tcb_version, product_of_cpuid

MUST_BE_ONE = 1 << 17
MILAN: dict[str, bytes | int] = {"cpuid_family": 0x19, "cpuid_model": 0x01, "cpuid_stepping": 1}
TURIN: dict[str, bytes | int] = {"cpuid_family": 0x1A, "cpuid_model": 0x02, "cpuid_stepping": 1}


def built(version: int = 5, **fields: bytes | int) -> bytes:
    """A report with nothing remarkable in it, of Milan unless said otherwise."""
    cpuid: dict[str, bytes | int] = MILAN if version > 2 else {}
    usual: dict[str, bytes | int] = {"version": version, "policy": MUST_BE_ONE, "signature_algo": 1}
    return SnpReportBody.build(**usual | cpuid | fields).raw


def parsed(version: int = 5, **fields: bytes | int) -> SnpReport:
    return parse_snp_report(built(version, **fields))


def refused(data: bytes, detail: str, field: str, offset: int) -> None:
    with pytest.raises(FormatError) as caught:
        parse_snp_report(data)
    error = caught.value
    assert (error.code, error.field, error.offset) == (f"format.{detail}", field, offset)


def test_the_offsets_of_the_specification() -> None:
    """[SNP-ABI 7.3], table ATTESTATION_REPORT: where each field begins."""
    expected = {
        "version": 0x00, "guest_svn": 0x04, "policy": 0x08, "family_id": 0x10, "image_id": 0x20, "vmpl": 0x30,
        "signature_algo": 0x34, "current_tcb": 0x38, "platform_info": 0x40, "key_info": 0x48,
        "report_data": 0x50, "measurement": 0x90, "host_data": 0xC0, "id_key_digest": 0xE0,
        "author_key_digest": 0x110, "report_id": 0x140, "report_id_ma": 0x160, "reported_tcb": 0x180,
        "cpuid_family": 0x188, "cpuid_model": 0x189, "cpuid_stepping": 0x18A, "chip_id": 0x1A0,
        "committed_tcb": 0x1E0, "current_build": 0x1E8, "current_minor": 0x1E9, "current_major": 0x1EA,
        "committed_build": 0x1EC, "committed_minor": 0x1ED, "committed_major": 0x1EE, "launch_tcb": 0x1F0,
        "launch_mit_vector": 0x1F8, "current_mit_vector": 0x200, "signature_r": 0x2A0, "signature_s": 0x2E8,
    }  # fmt: skip
    assert {name: item.offset for name, item in SnpReportBody.layout().items()} == expected


@pytest.mark.parametrize("version", SNP_VERSIONS)
def test_every_version(version: int) -> None:
    data = built(version, guest_svn=7, measurement=b"\x05" * 48)
    report = parse_snp_report(data)
    assert report.body.guest_svn == 7
    assert report.body.measurement == b"\x05" * 48
    assert report.product == (None if version == 2 else SnpProduct.MILAN)
    assert report.encode() == data
    assert report.signed == data[:SNP_SIGNED_BYTES]


@pytest.mark.parametrize("version", [0, 1, 6, 0x100, 0x02000000])
def test_unknown_versions(version: int) -> None:
    refused(built(version, cpuid_family=0, cpuid_model=0, cpuid_stepping=0), "bad_value", "version", 0)


def test_lengths() -> None:
    data = built()
    refused(data[:-1], "truncated", "length", 0)
    refused(b"", "truncated", "length", 0)
    refused(data + b"\x00", "trailing_bytes", "length", 0)


#: Bytes that must be zero, by version, as first and first after.
RESERVED = {
    2: ((0x4C, 0x50), (0x188, 0x1A0), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (0x1F8, 0x2A0), (0x330, 0x4A0)),
    3: ((0x4C, 0x50), (0x18B, 0x1A0), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (0x1F8, 0x2A0), (0x330, 0x4A0)),
    4: ((0x4C, 0x50), (0x18B, 0x1A0), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (0x1F8, 0x2A0), (0x330, 0x4A0)),
    5: ((0x4C, 0x50), (0x18B, 0x1A0), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (0x208, 0x2A0), (0x330, 0x4A0)),
}


@pytest.mark.parametrize("version", SNP_VERSIONS)
def test_every_reserved_byte(version: int) -> None:
    for start, end in RESERVED[version]:
        for at in range(start, end):
            data = bytearray(built(version))
            data[at] = 1
            refused(bytes(data), "reserved", "reserved", start)


def test_every_byte_that_is_not_reserved_has_a_field() -> None:
    covered = {at for item in SnpReportBody.layout().values() for at in range(item.offset, item.end)}
    reserved = {at for start, end in RESERVED[5] for at in range(start, end)}
    assert covered | reserved == set(range(SNP_REPORT_BYTES))
    assert not covered & reserved


def test_every_bit_of_the_policy() -> None:
    for bit in range(16, 64):
        policy = MUST_BE_ONE | 1 << bit
        if bit in GUEST_POLICY_BITS:
            assert parsed(policy=policy).policy.names == (GUEST_POLICY_BITS[bit],)
        elif policy == MUST_BE_ONE:
            assert parsed(policy=policy).policy.names == ()
        else:
            refused(built(policy=policy), "reserved", "policy", 0x08)
    refused(built(policy=1 << 16), "reserved", "policy", 0x08)


def test_the_policy_by_property() -> None:
    properties = {
        "smt_allowed": 16, "migrate_ma_allowed": 18, "debug_allowed": 19, "single_socket_required": 20,
    }  # fmt: skip
    for name, bit in properties.items():
        policy = parsed(policy=MUST_BE_ONE | 1 << bit).policy
        assert {item for item in properties if getattr(policy, item)} == {name}
    policy = parsed(policy=MUST_BE_ONE | 0x0137).policy
    assert (policy.abi_major, policy.abi_minor) == (1, 0x37)


def test_every_bit_of_the_platform_info() -> None:
    for bit in range(64):
        if bit in PLATFORM_INFO_BITS:
            assert parsed(platform_info=1 << bit).platform_info.names == (PLATFORM_INFO_BITS[bit],)
        else:
            refused(built(platform_info=1 << bit), "reserved", "platform_info", 0x40)
    assert parsed(platform_info=1).platform_info.smt_enabled
    assert parsed(platform_info=2).platform_info.tsme_enabled


def test_every_value_of_the_key_info() -> None:
    for value in range(1 << 5):
        number = value >> 2
        if number in (0, 1, 7):
            info = parsed(key_info=value).key_info
            assert info.signing_key is SigningKey(number)
            assert (info.author_key_enabled, info.mask_chip_key) == (bool(value & 1), bool(value & 2))
        else:
            refused(built(key_info=value), "reserved", "key_info", 0x48)
    for bit in range(5, 32):
        refused(built(key_info=1 << bit), "reserved", "key_info", 0x48)


def test_vmpl() -> None:
    for vmpl in range(4):
        assert not parsed(vmpl=vmpl).host_requested
    assert parsed(vmpl=0xFFFFFFFF).host_requested
    for vmpl in (4, 0xFFFFFFFE):
        refused(built(vmpl=vmpl), "bad_value", "vmpl", 0x30)


@pytest.mark.parametrize("algorithm", [0, 2])
def test_signature_algorithm(algorithm: int) -> None:
    refused(built(signature_algo=algorithm), "bad_value", "signature_algo", 0x34)


TCB_OFFSETS = {"current_tcb": 0x38, "reported_tcb": 0x180, "committed_tcb": 0x1E0, "launch_tcb": 0x1F0}


@pytest.mark.parametrize("field", TCB_OFFSETS)
def test_tcb_versions_of_both_shapes(field: str) -> None:
    raw = bytes((1, 2, 3, 4, 0, 0, 0, 8))
    tcb = getattr(parsed(5, **TURIN | {field: raw}), field)
    assert tcb == TcbVersion(fmc=1, bootloader=2, tee=3, snp=4, microcode=8)
    assert tcb.encode() == raw
    refused(built(5, **MILAN | {field: raw}), "reserved", field, TCB_OFFSETS[field] + 2)
    raw = bytes((1, 2, 0, 0, 0, 0, 7, 8))
    tcb = getattr(parsed(5, **MILAN | {field: raw}), field)
    assert tcb == TcbVersion(bootloader=1, tee=2, snp=7, microcode=8)
    assert tcb.encode() == raw
    refused(built(5, **TURIN | {field: raw}), "reserved", field, TCB_OFFSETS[field] + 4)


def test_each_reserved_byte_of_a_tcb_version() -> None:
    for has_fmc, reserved in ((False, range(2, 6)), (True, range(4, 7))):
        for at in range(8):
            data = bytes(int(n == at) for n in range(8))
            if at in reserved:
                with pytest.raises(FormatError):
                    parse_tcb_version(data, has_fmc=has_fmc, field="x", offset=0)
            else:
                assert parse_tcb_version(data, has_fmc=has_fmc, field="x", offset=0).encode() == data


def test_version_2_reads_turins_tcb_by_its_chip_id() -> None:
    chip_id = b"\x09" * 8 + bytes(56)
    assert parsed(2, chip_id=chip_id).has_fmc
    assert not parsed(2, chip_id=b"\x09" * 64).has_fmc
    assert not parsed(2).has_fmc
    assert parsed(2).chip_id_masked


def test_tcb_versions_meet_each_other_in_all_components() -> None:
    tcb = TcbVersion(bootloader=3, tee=1, snp=8, microcode=115)
    assert tcb.meets(tcb)
    for name in ("bootloader", "tee", "snp", "microcode"):
        levels = {item: getattr(tcb, item) for item in ("bootloader", "tee", "snp", "microcode")}
        assert not tcb.meets(TcbVersion(**levels | {name: levels[name] + 1}))
        assert TcbVersion(**levels | {name: levels[name] + 1}).meets(tcb)
    turin = TcbVersion(bootloader=3, tee=1, snp=8, microcode=115, fmc=1)
    assert not turin.meets(tcb)
    assert not tcb.meets(turin)
    assert not turin.meets(TcbVersion(bootloader=3, tee=1, snp=8, microcode=115, fmc=2))
    assert str(tcb) == "bootloader 3, tee 1, snp 8, microcode 115"
    assert str(turin) == "fmc 1, bootloader 3, tee 1, snp 8, microcode 115"


@pytest.mark.parametrize(
    ("family", "model", "product"),
    [
        (0x19, 0x00, "Milan"), (0x19, 0x0F, "Milan"), (0x19, 0x10, "Genoa"), (0x19, 0x1F, "Genoa"),
        (0x19, 0xA0, "Genoa"), (0x19, 0xAF, "Genoa"), (0x1A, 0x00, "Turin"), (0x1A, 0x11, "Turin"),
        (0x19, 0x20, None), (0x19, 0x9F, None), (0x19, 0xB0, None), (0x1A, 0x20, None), (0x1A, 0x50, None),
        (0x17, 0x31, None), (0x00, 0x00, None),
    ],
)  # fmt: skip
def test_products_by_cpuid(family: int, model: int, product: str | None) -> None:
    if product is None:
        with pytest.raises(EAAError) as caught:
            product_of_cpuid(family, model)
        assert caught.value.code == "unsupported.snp_product"
    else:
        assert product_of_cpuid(family, model) == product


def test_firmware_versions() -> None:
    report = parsed(
        current_major=1, current_minor=55, current_build=40, committed_major=1, committed_minor=54
    )
    assert report.current_version == (1, 55, 40)
    assert report.committed_version == (1, 54, 0)
    assert report.provisional
    assert not parsed().provisional
    assert parsed(current_tcb=bytes((0, 0, 0, 0, 0, 0, 0, 1))).provisional
