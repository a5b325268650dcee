"""The extensions of VCEK and VLEK certificates, read by our own code."""

from __future__ import annotations

import pytest

from eaa.attester.simulated.amd_der import bit_string, ia5_string, integer, octet_string, tlv
from eaa.endorsements.amd_vek import parse_vek_extensions
from eaa.endorsements.x509 import parse_certificate
from eaa.errors import EAAError, FormatError
from eaa.evidence.snp_bits import SigningKey
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion
from tests.fakes.amd_vendor import make_snp_platform


@pytest.mark.parametrize("product", list(SnpProduct))
def test_a_vcek(product: SnpProduct) -> None:
    platform = make_snp_platform(product)
    certificate = parse_certificate(platform.vcek.der)
    assert certificate.serial == 0
    extensions = parse_vek_extensions(certificate)
    assert extensions.kind is SigningKey.VCEK
    assert extensions.product is product
    assert extensions.tcb == platform.tcb
    assert extensions.hwid == platform.vcek.hwid
    assert extensions.chip_id == platform.chip_id
    assert extensions.csp_id is None


@pytest.mark.parametrize("product", list(SnpProduct))
def test_a_vlek(product: SnpProduct) -> None:
    extensions = parse_vek_extensions(parse_certificate(make_snp_platform(product).vlek.der))
    assert extensions.kind is SigningKey.VLEK
    assert (extensions.product_name, extensions.hwid, extensions.chip_id) == (product, None, None)
    assert extensions.csp_id == "CN=cloud.invalid"


def test_a_hwid_in_an_octet_string() -> None:
    for product in SnpProduct:
        platform = make_snp_platform(product)
        hwid = platform.vcek.hwid
        assert hwid is not None
        platform.vcek.overrides["4"] = octet_string(hwid)
        assert parse_vek_extensions(parse_certificate(platform.vcek.der)).hwid == hwid


def test_each_patch_level_in_its_place() -> None:
    platform = make_snp_platform(SnpProduct.TURIN)
    platform.use_tcb(TcbVersion(fmc=1, bootloader=2, tee=3, snp=4, microcode=255))
    for vek in (platform.vcek, platform.vlek):
        assert parse_vek_extensions(parse_certificate(vek.der)).tcb == platform.tcb


def refused(code: str, field: str, overrides: dict[str, bytes | None], product: SnpProduct) -> None:
    platform = make_snp_platform(product)
    platform.vcek.overrides = overrides
    with pytest.raises(EAAError) as caught:
        parse_vek_extensions(parse_certificate(platform.vcek.der))
    assert caught.value.code == code
    if isinstance(caught.value, FormatError):
        assert caught.value.field == field


LEGACY = ("3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8")
NAMES = {
    "1": "structVersion", "2": "productName", "4": "hwID", "5": "cspID", "3.1": "blSPL", "3.2": "teeSPL",
    "3.3": "snpSPL", "3.4": "spl_4", "3.5": "spl_5", "3.6": "spl_6", "3.7": "spl_7", "3.8": "ucodeSPL",
    "3.9": "fmcSPL",
}  # fmt: skip


@pytest.mark.parametrize("end", ["1", "2", *LEGACY])
def test_each_extension_is_needed(end: str) -> None:
    refused("format.missing", NAMES[end], {end: None}, SnpProduct.MILAN)


@pytest.mark.parametrize("end", ["3.5", "3.6", "3.7", "3.9"])
def test_turins_own(end: str) -> None:
    refused("format.missing", NAMES[end], {end: None}, SnpProduct.TURIN)


@pytest.mark.parametrize("end", ["3.4", "3.5", "3.6", "3.7"])
def test_reserved_patch_levels_are_zero(end: str) -> None:
    refused("format.reserved", NAMES[end], {end: integer(1)}, SnpProduct.GENOA)


@pytest.mark.parametrize("end", ["1", *LEGACY])
@pytest.mark.parametrize(
    "value",
    [
        b"", b"\x02", b"\x02\x00", integer(256), b"\x02\x01\xff", b"\x02\x02\x00\x01", b"\x02\x02\x01",
        integer(0) + b"\x00", b"\x04\x01\x00", b"\x02\x81\x01\x00",
    ],
)  # fmt: skip
def test_a_patch_level_is_an_integer_of_one_byte(end: str, value: bytes) -> None:
    refused("format.bad_value", NAMES[end], {end: value}, SnpProduct.MILAN)


@pytest.mark.parametrize("end", ["2", "5"])
@pytest.mark.parametrize(
    "value",
    [b"", b"\x16\x00", tlv(0x0C, b"Milan"), b"\x16\x06Milan", ia5_string("Mi\nlan"), ia5_string("M" * 128)],
)
def test_a_text_is_a_short_ia5_string(end: str, value: bytes) -> None:
    overrides: dict[str, bytes | None] = {end: value} if end == "2" else {"4": None, "5": value}
    refused("format.bad_value", NAMES[end], overrides, SnpProduct.MILAN)


@pytest.mark.parametrize("value", [b"", bytes(63), bytes(65), octet_string(bytes(63)), bit_string(bytes(63))])
def test_a_hwid_of_another_size(value: bytes) -> None:
    refused("format.bad_value", "hwID", {"4": value}, SnpProduct.MILAN)
    refused("format.bad_value", "hwID", {"4": bytes(64)}, SnpProduct.TURIN)


def test_a_chip_or_a_cloud_and_not_both() -> None:
    refused("format.bad_value", "hwID", {"5": ia5_string("CN=cloud.invalid")}, SnpProduct.MILAN)
    refused("format.bad_value", "hwID", {"4": None}, SnpProduct.MILAN)


@pytest.mark.parametrize(
    "name", ["Venice", "milan", "Milan-", "Milan-B", "Milan-B00", "Milan-B!", "Milan B0"]
)
def test_unknown_products(name: str) -> None:
    refused("unsupported.snp_product", "", {"2": ia5_string(name)}, SnpProduct.MILAN)


def test_struct_versions() -> None:
    refused("unsupported.vek_struct_version", "", {"1": integer(2)}, SnpProduct.MILAN)
    refused("format.bad_value", "productName", {"1": integer(1)}, SnpProduct.MILAN)
    refused("format.bad_value", "productName", {"1": integer(0)}, SnpProduct.TURIN)


def test_extensions_of_the_other_struct_version_or_unknown() -> None:
    refused("format.bad_value", "fmcSPL", {"3.9": integer(0)}, SnpProduct.MILAN)
    refused("format.bad_value", "spl_4", {"3.4": integer(0)}, SnpProduct.TURIN)
    refused("format.bad_value", "extensions", {"6": integer(0)}, SnpProduct.MILAN)


def test_a_certificate_without_any() -> None:
    with pytest.raises(FormatError) as caught:
        parse_vek_extensions(make_snp_platform().vendor.ask.parsed)
    assert caught.value.code == "format.missing"
