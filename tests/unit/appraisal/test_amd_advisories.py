"""AMD's bulletins: the rows are well-formed, and compared with the right kind of processor."""

from __future__ import annotations

import re

import pytest

from eaa.appraisal.amd_advisories import AMD_ADVISORIES, Cpu, unmet_advisories
from eaa.evidence.snp_tcb import SnpProduct, TcbVersion, product_of_cpuid

MILAN, MILAN_X = (0x19, 0x01, 1), (0x19, 0x01, 2)
GENOA, GENOA_X, BERGAMO, SIENA = (0x19, 0x11, 1), (0x19, 0x11, 2), (0x19, 0xA0, 2), (0x19, 0xA0, 1)
TURIN, TURIN_DENSE = (0x1A, 0x02, 1), (0x1A, 0x11, 0)


def unmet(product: SnpProduct, cpu: Cpu | None, **levels: int) -> list[str]:
    fmc = 1 if product.has_fmc else None
    tcb = TcbVersion(**{"bootloader": 255, "tee": 255, "snp": 255, "microcode": 255} | levels, fmc=fmc)
    return [item.id for item in unmet_advisories(product, cpu, tcb)]


def test_every_row_is_dated_sourced_and_of_its_product() -> None:
    assert [item.published for item in AMD_ADVISORIES] == sorted(item.published for item in AMD_ADVISORIES)
    assert len({item.id for item in AMD_ADVISORIES}) == len(AMD_ADVISORIES)
    for item in AMD_ADVISORIES:
        assert re.fullmatch(r"AMD-SB-\d{4}", item.id)
        assert re.fullmatch(r"CVE-\d{4}-\d{4,5}", item.cve)
        assert item.source
        for product, level in item.levels.items():
            assert level.snp or level.microcode
            assert all(product_of_cpuid(*cpu[:2]) is product for cpu in level.microcode)


@pytest.mark.parametrize(
    ("product", "snp", "expected"),
    [
        (SnpProduct.MILAN, 0x1A, ["AMD-SB-3023", "AMD-SB-3016", "AMD-SB-3030"]),
        (SnpProduct.MILAN, 0x1B, ["AMD-SB-3030"]),
        (SnpProduct.MILAN, 0x1C, ["AMD-SB-3030"]),
        (SnpProduct.MILAN, 0x1D, []),
        (SnpProduct.GENOA, 0x16, ["AMD-SB-3019", "AMD-SB-3020", "AMD-SB-3016"]),
        (SnpProduct.GENOA, 0x17, ["AMD-SB-3020", "AMD-SB-3016"]),
        (SnpProduct.GENOA, 0x1B, []),
        (SnpProduct.TURIN, 0x03, ["AMD-SB-3020"]),
        (SnpProduct.TURIN, 0x04, []),
    ],
)
def test_firmware(product: SnpProduct, snp: int, expected: list[str]) -> None:
    assert unmet(product, None, snp=snp) == expected


@pytest.mark.parametrize(
    ("cpu", "microcode", "expected"),
    [
        (MILAN, 0xDA, ["AMD-SB-3019"]),
        (MILAN, 0xDB, []),
        (MILAN_X, 0x43, ["AMD-SB-3019"]),
        (MILAN_X, 0x44, []),
        (GENOA, 0x53, ["AMD-SB-3019", "AMD-SB-3020", "AMD-SB-3027"]),
        (GENOA, 0x54, ["AMD-SB-3020", "AMD-SB-3027"]),
        (GENOA, 0x56, []),
        (GENOA_X, 0x4E, ["AMD-SB-3019", "AMD-SB-3020", "AMD-SB-3027"]),
        (GENOA_X, 0x51, []),
        (BERGAMO, 0x18, ["AMD-SB-3019", "AMD-SB-3020", "AMD-SB-3027"]),
        (BERGAMO, 0x19, ["AMD-SB-3020", "AMD-SB-3027"]),
        (SIENA, 0x16, ["AMD-SB-3019", "AMD-SB-3020", "AMD-SB-3027"]),
        (SIENA, 0xFF, ["AMD-SB-3020", "AMD-SB-3027"]),
        (TURIN, 0x4F, ["AMD-SB-3020", "AMD-SB-3027"]),
        (TURIN, 0x50, ["AMD-SB-3027"]),
        (TURIN, 0x51, []),
        (TURIN_DENSE, 0xFF, ["AMD-SB-3020", "AMD-SB-3027"]),
    ],
)
def test_microcode_is_that_of_the_processor(cpu: Cpu, microcode: int, expected: list[str]) -> None:
    assert unmet(product_of_cpuid(*cpu[:2]), cpu, microcode=microcode) == expected


def test_an_unnamed_processor_is_held_to_the_highest_of_its_product() -> None:
    assert unmet(SnpProduct.MILAN, None, microcode=0xDA) == ["AMD-SB-3019"]
    assert unmet(SnpProduct.MILAN, None, microcode=0xDB) == []
